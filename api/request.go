package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// params are the keys of a call's body. Values are as Python would have taken
// them: any value is true or false, and numbers may be text. Lists and objects
// are [json.RawMessage], parts of the body, until a call asks for them: decoded
// they take up to forty times as much.
type params map[string]any

// Limits of a body, besides its length.
const (
	maxKeys     = 10_000  // keys of an object
	maxElements = 1 << 20 // ids or texts of a list
)

// Bodies that are larger than largeBody (bytes) come into a file. They are in memory,
// with the tenfold that they are decoded to, maxLarge at a time, and those that are
// larger than hugeBody maxHuge at a time; the others wait as long as largePatience.
// A call keeps its place while it waits for a user's sync, so there are some.
const (
	largeBody     = 64 << 10
	hugeBody      = 1 << 20
	maxLarge      = 8
	maxHuge       = 2
	largePatience = 20 * time.Second
)

// gate lets in as many at a time as it has places.
type gate chan struct{}

// enter waits for a place, and returns what gives it back.
func (g gate) enter(ctx context.Context) (leave func(), err error) {
	wait, cancel := context.WithTimeout(ctx, largePatience)
	defer cancel()
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-wait.Done():
		return nil, &httpError{
			status: http.StatusServiceUnavailable, detail: "Too many large calls at once; try again.", cause: wait.Err(),
		}
	}
}

// readBody reads the body of a call. leave, which is never nil, gives back the
// place that a large one takes, once all of it has come: others do not wait for
// senders that are slow.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, leave func(), err error) {
	leave = func() {}
	if r.ContentLength > limit {
		return nil, leave, &http.MaxBytesError{Limit: limit}
	}
	from := http.MaxBytesReader(w, r.Body, limit)
	var b bytes.Buffer
	if _, err := io.CopyN(&b, from, largeBody+1); errors.Is(err, io.EOF) {
		return b.Bytes(), leave, nil
	} else if err != nil {
		return nil, leave, bodyError(err)
	}
	f, err := os.CreateTemp(a.o.TempDir, ".ankisyncd-body-*")
	if err != nil {
		return nil, leave, fmt.Errorf("spool body: %w", err)
	}
	// Without its name the file goes with the process, whatever happens to it.
	_ = os.Remove(f.Name())
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name()) // where an open file could not be removed
	}()
	size, err := b.WriteTo(f)
	b = bytes.Buffer{}
	if err == nil {
		var rest int64
		rest, err = io.Copy(f, from)
		size += rest
	}
	var disk *fs.PathError
	if errors.As(err, &disk) {
		return nil, leave, fmt.Errorf("spool body: %w", err)
	} else if err != nil {
		return nil, leave, bodyError(err)
	}
	places := a.large
	if size > hugeBody {
		places = a.huge
	}
	place, err := places.enter(r.Context())
	if err != nil {
		return nil, leave, err
	}
	body = make([]byte, size)
	if _, err := f.ReadAt(body, 0); err != nil {
		return nil, place, fmt.Errorf("spool body: %w", err)
	}
	return body, place, nil
}

// bodyError is that of a body which cannot be read.
func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return &httpError{status: http.StatusBadRequest, cause: err}
}

// parseParams takes a body apart, which must be a JSON object. An empty list
// passes for an empty object, because that is what PHP makes of one.
func parseParams(body []byte) (params, error) {
	if !json.Valid(body) {
		if !utf8.Valid(body) {
			return nil, badRequest("the body is not UTF-8")
		}
		return nil, &httpError{status: http.StatusBadRequest, cause: errors.New("the body is no JSON")}
	}
	if !isText(body) {
		return nil, badRequest("the body is not UTF-8")
	}
	body = bytes.Trim(body, jsonSpace)
	if body[0] == '[' && len(bytes.Trim(body[1:len(body)-1], jsonSpace)) == 0 {
		return params{}, nil
	}
	if body[0] != '{' {
		// The original's application fell over here, and its server answered.
		return nil, &httpError{status: http.StatusInternalServerError, bare: true, cause: errors.New("body is no object")}
	}
	p := params{}
	return p, parts(body, func(key, v []byte) error {
		if p[unquote(key)] = value(v); len(p) > maxKeys {
			return badRequest("the body has more than %d keys", maxKeys)
		}
		return nil
	})
}

// str is a text.
func (p params) str(key, def string) (string, error) {
	v, ok := p[key]
	if !ok || v == nil {
		return def, nil
	}
	s, ok := v.(string)
	if !ok {
		return "", badRequest("%s must be a text", key)
	}
	return s, nil
}

// num is a whole number, def if there is none.
func (p params) num(key string, def int64) (int64, error) {
	v, ok := p[key]
	if !ok || v == nil {
		return def, nil
	}
	n, ok := asInt(v)
	if !ok {
		return 0, badRequest("%s must be a number", key)
	}
	return n, nil
}

// count is a whole number from 0 to 2^31−1.
func (p params) count(key string, def int64) (int, error) {
	n, err := p.num(key, def)
	if err == nil && (n < 0 || n > math.MaxInt32) {
		err = badRequest("%s is out of range", key)
	}
	return int(n), err
}

// truth is what Python thinks of a value: 0, "", [] and {} are false.
func (p params) truth(key string, def bool) bool {
	v, ok := p[key]
	if !ok {
		return def
	}
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case json.Number:
		f, err := v.Float64()
		return err != nil || f != 0
	case string:
		return v != ""
	case json.RawMessage:
		return len(bytes.Trim(v[1:len(v)-1], jsonSpace)) > 0
	}
	return true
}

// list calls f for each element of a list. ok is false if the key is missing.
func (p params) list(key string, f func(v any) error) (ok bool, err error) {
	v, ok := p[key]
	if !ok {
		return false, nil
	}
	raw, isRaw := v.(json.RawMessage)
	if !isRaw || raw[0] != '[' {
		return true, badRequest("%s must be a list", key)
	}
	n := 0
	return true, parts(raw, func(_, v []byte) error {
		if n++; n > maxElements {
			return badRequest("%s holds more than %d values", key, maxElements)
		}
		return f(value(v))
	})
}

// texts is a list of texts. ok is false if the key is missing.
func (p params) texts(key string) (list []string, ok bool, err error) {
	ok, err = p.list(key, func(v any) error {
		s, isText := v.(string)
		if !isText {
			return badRequest("%s must hold texts", key)
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		return nil, ok, err
	}
	return list, ok, nil
}

// ids is a list of ids. ok is false if the key is missing.
func (p params) ids(key string) (list []int64, ok bool, err error) {
	if p[key] == nil {
		return nil, false, nil
	}
	ok, err = p.list(key, func(v any) error {
		id, isInt := asInt(v)
		if !isInt {
			return badRequest("%s must hold ids", key)
		}
		list = append(list, id)
		return nil
	})
	if err != nil {
		return nil, ok, err
	}
	return list, ok, nil
}

// fields are the texts of a note by the names of its fields. A key that is missing
// is a fault of the caller, since no text is another thing than none said.
func (p params) fields(key string) (map[string]string, error) {
	v := p[key]
	if v == nil {
		return nil, fault("%s are missing", key)
	}
	raw, isRaw := v.(json.RawMessage)
	if !isRaw || raw[0] != '{' {
		return nil, badRequest("%s must be an object", key)
	}
	out := map[string]string{}
	if err := parts(raw, func(name, v []byte) error {
		s, isText := value(v).(string)
		if !isText {
			return badRequest("%s must hold texts", key)
		}
		if out[unquote(name)] = s; len(out) > maxKeys {
			return badRequest("%s are more than %d", key, maxKeys)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return out, nil
}

// asInt reads a number as Python's int() does: fractions are cut off, and the
// digits may be text.
func asInt(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, true
		}
		f, err := v.Float64()
		if err != nil || math.IsNaN(f) || math.Abs(f) >= 1<<62 {
			return 0, false
		}
		return int64(f), true
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n, err == nil
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// asFloat reads a number, such as a time in seconds.
func asFloat(v any) (float64, bool) {
	var f float64
	var err error
	switch v := v.(type) {
	case json.Number:
		f, err = v.Float64()
	case string:
		f, err = strconv.ParseFloat(strings.TrimSpace(v), 64)
	default:
		return 0, false
	}
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}
