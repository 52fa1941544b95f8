package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// params are the keys of a call's body. Values are as Python would have taken
// them: any value is true or false, and numbers may be text.
type params map[string]any

// readParams reads the body of a call, which must be a JSON object. An empty
// list passes for an empty object, because that is what PHP makes of one.
func readParams(w http.ResponseWriter, r *http.Request, limit int64) (params, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, err
		}
		return nil, &httpError{status: http.StatusBadRequest, cause: err}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, &httpError{status: http.StatusBadRequest, cause: err}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &httpError{status: http.StatusBadRequest, cause: errors.New("text after the object")}
	}
	switch v := v.(type) {
	case map[string]any:
		return v, nil
	case []any:
		if len(v) == 0 {
			return params{}, nil
		}
	}
	// The original's application fell over here, and its server answered.
	return nil, &httpError{status: http.StatusInternalServerError, bare: true, cause: errors.New("body is no object")}
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
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// texts is a list of texts. ok is false if the key is missing.
func (p params) texts(key string) (list []string, ok bool, err error) {
	v, ok := p[key]
	if !ok {
		return nil, false, nil
	}
	l, isList := v.([]any)
	if !isList {
		return nil, true, badRequest("%s must be a list", key)
	}
	for _, e := range l {
		s, isText := e.(string)
		if !isText {
			return nil, true, badRequest("%s must hold texts", key)
		}
		list = append(list, s)
	}
	return list, true, nil
}

// ids is a list of ids. ok is false if the key is missing.
func (p params) ids(key string) (list []int64, ok bool, err error) {
	v, ok := p[key]
	if !ok || v == nil {
		return nil, false, nil
	}
	l, isList := v.([]any)
	if !isList {
		return nil, true, badRequest("%s must be a list", key)
	}
	list = make([]int64, 0, len(l))
	for _, e := range l {
		id, isInt := asInt(e)
		if !isInt {
			return nil, true, badRequest("%s must hold ids", key)
		}
		list = append(list, id)
	}
	return list, true, nil
}

// fields are the texts of a note by the names of its fields.
func (p params) fields(key string) (map[string]string, error) {
	v, ok := p[key]
	if !ok || v == nil {
		return map[string]string{}, nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, badRequest("%s must be an object", key)
	}
	out := make(map[string]string, len(o))
	for name, v := range o {
		s, ok := v.(string)
		if !ok {
			return nil, badRequest("%s must hold texts", key)
		}
		out[name] = s
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
