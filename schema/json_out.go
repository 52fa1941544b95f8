package schema

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// writer builds a JSON object. A key is written once: the first wins, so that
// what we know goes before what `other` holds.
type writer struct {
	b    []byte
	seen map[string]bool
}

func newWriter() *writer { return &writer{b: []byte{'{'}, seen: map[string]bool{}} }

func (w *writer) done() []byte { return append(w.b, '}') }

func (w *writer) key(k string) bool {
	if w.seen[k] {
		return false
	}
	if len(w.seen) > 0 {
		w.b = append(w.b, ',')
	}
	w.seen[k] = true
	w.b = append(appendString(w.b, k), ':')
	return true
}

func (w *writer) raw(k string, v []byte) {
	if w.key(k) {
		w.b = append(w.b, v...)
	}
}

func (w *writer) str(k, v string)         { w.raw(k, appendString(nil, v)) }
func (w *writer) int(k string, v int64)   { w.raw(k, strconv.AppendInt(nil, v, 10)) }
func (w *writer) bool(k string, v bool)   { w.raw(k, strconv.AppendBool(nil, v)) }
func (w *writer) f32(k string, v float32) { w.raw(k, appendFloat(nil, v)) }

// f32s writes a list of numbers; without some of them it would mean something
// else, so that it is empty if one cannot be written.
func (w *writer) f32s(k string, v []float32) {
	if slices.ContainsFunc(v, notFinite) {
		v = nil
	}
	b := []byte{'['}
	for i, f := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFloat(b, f)
	}
	w.raw(k, append(b, ']'))
}

func notFinite(f float32) bool { return math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) }

func (w *writer) optInt(k string, v *int64) {
	if v == nil {
		w.raw(k, []byte("null"))
		return
	}
	w.int(k, *v)
}

func (w *writer) optU32(k string, v *uint32) {
	if v == nil {
		w.raw(k, []byte("null"))
		return
	}
	w.int(k, int64(*v))
}

// others writes the keys of o that are not yet there, in sorted order.
func (w *writer) others(o object) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		w.raw(k, compact(o[k]))
	}
}

// parseOther reads an `other` field; one that is not a JSON object counts as
// empty, as in current clients.
func parseOther(b []byte) object {
	if len(b) == 0 {
		return nil
	}
	o, err := parseObject(b)
	if err != nil {
		return nil
	}
	return o
}

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string, escaping no more than JSON asks for.
// Invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// appendFloat writes the shortest text that reads back as f, always with a
// point or an exponent, so that a float stays one. JSON has no NaN or infinity:
// current clients write null for them, which none reads where a number is due;
// here they become 0.
func appendFloat(b []byte, f float32) []byte {
	if notFinite(f) {
		f = 0
	}
	abs := math.Abs(float64(f))
	format := byte('f')
	if abs != 0 && (abs < 1e-5 || abs >= 1e16) {
		format = 'e'
	}
	from := len(b)
	b = strconv.AppendFloat(b, float64(f), format, -1, 32)
	if format == 'f' && !strings.Contains(string(b[from:]), ".") {
		b = append(b, ".0"...)
	}
	return b
}
