package sync

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape decodes what stands between the quotes of a string, as encoding/json
// does, but into one piece of memory: a note's fields have an escape each, and
// may be long.
func unescape(raw []byte) (string, error) {
	var out strings.Builder
	out.Grow(len(raw))
	for len(raw) > 0 {
		n := 0
		for n < len(raw) && raw[n] != '\\' && raw[n] < utf8.RuneSelf {
			n++
		}
		out.Write(raw[:n])
		raw = raw[n:]
		switch {
		case len(raw) == 0:
		case raw[0] != '\\':
			r, size := utf8.DecodeRune(raw)
			out.WriteRune(r) // U+FFFD for what is no UTF-8
			raw = raw[size:]
		default:
			r, size := escaped(raw)
			if size == 0 {
				return "", errJSON
			}
			out.WriteRune(r)
			raw = raw[size:]
		}
	}
	return out.String(), nil
}

// escaped decodes the escape that raw begins with; size is 0 if it is none.
func escaped(raw []byte) (r rune, size int) {
	if len(raw) < 2 {
		return 0, 0
	}
	switch c := raw[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	r, ok := escapedHex(raw)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, _ := escapedHex(raw[6:])
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return r, 6 // half of a pair
	}
	return r, 12
}

// escapedHex decodes a \u escape.
func escapedHex(raw []byte) (r rune, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	for _, c := range raw[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[start:i]...)
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
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[start:i]...)
			b = append(b, "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
