package schema

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// object is a JSON object whose values are kept as the text they were. Readers
// take keys out; what is left is unknown to us.
type object map[string]json.RawMessage

func parseObject(b []byte) (object, error) {
	var o object
	b, err := cleanJSON(b)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, invalid("json: %v", err)
	}
	if o == nil {
		return nil, invalid("json: null instead of an object")
	}
	return o, nil
}

// reader takes typed values out of an object. The first fault sticks in err.
type reader struct {
	o      object
	what   string
	strict bool // a bad value is a fault also where it would mean the default
	err    error
}

// take removes a key and returns its text, nil if it is missing.
func (r *reader) take(key string) json.RawMessage {
	v, ok := r.o[key]
	if !ok {
		return nil
	}
	delete(r.o, key)
	return v
}

func (r *reader) fail(key, why string) {
	if r.err == nil {
		r.err = invalid("%s: %q %s", r.what, key, why)
	}
}

// must reads a key that has to be there and to be right.
func must[T any](r *reader, key string, parse func(json.RawMessage) (T, bool)) T {
	v := r.take(key)
	if v == nil {
		r.fail(key, "is missing")
		var zero T
		return zero
	}
	return good(r, key, v, parse)
}

// maybe reads a key that may be missing but not wrong.
func maybe[T any](r *reader, key string, parse func(json.RawMessage) (T, bool), def T) T {
	v := r.take(key)
	if v == nil {
		return def
	}
	return good(r, key, v, parse)
}

func good[T any](r *reader, key string, v json.RawMessage, parse func(json.RawMessage) (T, bool)) T {
	x, ok := parse(v)
	if !ok {
		r.fail(key, "has a bad value")
	}
	return x
}

// lax reads a key whose bad or missing value means the default.
func lax[T any](r *reader, key string, parse func(json.RawMessage) (T, bool), def T) T {
	if v := r.take(key); v != nil {
		if x, ok := parse(v); ok {
			return x
		}
		if r.strict {
			r.fail(key, "has a bad value")
		}
	}
	return def
}

// mustLax reads a key that has to be there but whose bad value means the default.
func mustLax[T any](r *reader, key string, parse func(json.RawMessage) (T, bool), def T) T {
	if _, ok := r.o[key]; !ok {
		r.fail(key, "is missing")
	}
	return lax(r, key, parse, def)
}

func isNull(v json.RawMessage) bool { return string(v) == "null" }

func isNumber(v json.RawMessage) bool {
	return len(v) > 0 && (v[0] == '-' || '0' <= v[0] && v[0] <= '9')
}

func asString(v json.RawMessage) (string, bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	var s string
	return s, json.Unmarshal(v, &s) == nil
}

func asBool(v json.RawMessage) (bool, bool) {
	return string(v) == "true", string(v) == "true" || string(v) == "false"
}

// asBoolish also takes 0, 1 and their texts.
func asBoolish(v json.RawMessage) (bool, bool) {
	s := string(v)
	if t, ok := asString(v); ok {
		s = t
	}
	switch s {
	case "true", "false":
		return s == "true", true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f == 1, err == nil && (f == 0 || f == 1)
}

// asInt takes a JSON integer within [lo, hi]; "1.0" and "1e0" are not integers.
func asInt(v json.RawMessage, lo, hi int64) (int64, bool) {
	if !isNumber(v) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < lo || n > hi {
		return 0, false
	}
	return n, true
}

func asI64(v json.RawMessage) (int64, bool) { return asInt(v, math.MinInt64, math.MaxInt64) }

func asI32(v json.RawMessage) (int32, bool) {
	n, ok := asInt(v, math.MinInt32, math.MaxInt32)
	return int32(n), ok
}

func asU32(v json.RawMessage) (uint32, bool) {
	n, ok := asInt(v, 0, math.MaxUint32)
	return uint32(n), ok
}

func asU16(v json.RawMessage) (uint32, bool) {
	n, ok := asInt(v, 0, math.MaxUint16)
	return uint32(n), ok
}

func asU8(v json.RawMessage) (uint32, bool) {
	n, ok := asInt(v, 0, math.MaxUint8)
	return uint32(n), ok
}

// asI64Text takes an integer or its text, as old clients write ids and times.
func asI64Text(v json.RawMessage) (int64, bool) {
	if s, ok := asString(v); ok {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	return asI64(v)
}

func asF32(v json.RawMessage) (float32, bool) {
	if !isNumber(v) {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	// JSON has no infinity to give back, and protobuf no negative zero.
	return float32(min(max(f, -math.MaxFloat32), math.MaxFloat32)) + 0, err == nil
}

// asOptional turns null into nil.
func asOptional[T any](parse func(json.RawMessage) (T, bool)) func(json.RawMessage) (*T, bool) {
	return func(v json.RawMessage) (*T, bool) {
		if isNull(v) {
			return nil, true
		}
		x, ok := parse(v)
		if !ok {
			return nil, false
		}
		return &x, true
	}
}

func asRawList(v json.RawMessage) ([]json.RawMessage, bool) {
	if len(v) == 0 || v[0] != '[' {
		return nil, false
	}
	var l []json.RawMessage
	return l, json.Unmarshal(v, &l) == nil && len(l) <= maxList
}

// asList takes a list all of whose elements are right.
func asList[T any](parse func(json.RawMessage) (T, bool)) func(json.RawMessage) ([]T, bool) {
	return func(v json.RawMessage) ([]T, bool) {
		l, ok := asRawList(v)
		if !ok {
			return nil, false
		}
		var out []T
		for _, e := range l {
			x, ok := parse(e)
			if !ok {
				return nil, false
			}
			out = append(out, x)
		}
		return out, true
	}
}

func asObject(v json.RawMessage) (object, bool) {
	if len(v) == 0 || v[0] != '{' {
		return nil, false
	}
	var o object
	return o, json.Unmarshal(v, &o) == nil
}

// rest turns what is left of the object into the bytes of an `other` field:
// keys sorted, values as they were but for white space; nil if nothing is left.
func (r *reader) rest() []byte {
	if len(r.o) == 0 {
		return nil
	}
	w := newWriter()
	w.others(r.o)
	return w.done()
}

// compact removes white space outside strings.
func compact(v json.RawMessage) []byte {
	if !strings.ContainsAny(string(v), " \t\r\n") {
		return v
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}
