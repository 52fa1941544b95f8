package api

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// jsonSpace is what may stand between the tokens of JSON.
const jsonSpace = " \t\r\n"

// parts calls f for the values of a list, or of an object with their keys, which
// are in quotation marks still. b is valid JSON and begins and ends with the
// brackets.
func parts(b []byte, f func(key, value []byte) error) error {
	object := b[0] == '{'
	for rest := b[1 : len(b)-1]; ; {
		if rest = bytes.TrimLeft(rest, jsonSpace+","); len(rest) == 0 {
			return nil
		}
		var key []byte
		if object {
			n := valueLen(rest)
			key, rest = rest[:n], bytes.TrimLeft(rest[n:], jsonSpace+":")
		}
		n := valueLen(rest)
		if err := f(key, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
}

// valueLen is the length of the value that b begins with.
func valueLen(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// value is a JSON value as [params] hold it.
func value(b []byte) any {
	switch b[0] {
	case '"':
		return unquote(b)
	case '{', '[':
		return json.RawMessage(b)
	case 't', 'f':
		return b[0] == 't'
	case 'n':
		return nil
	}
	return json.Number(b)
}

// unquote is the text of a JSON string.
func unquote(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1]) // copied once only
	}
	var s string
	_ = json.Unmarshal(b, &s) // it is valid
	return s
}

// wholeNumbers writes the numbers of valid JSON that are whole, such as 25.0 and 1e3,
// without fraction and exponent: some programs know no other form.
func wholeNumbers(b []byte) []byte {
	var out []byte
	for len(b) > 0 {
		n := 1
		switch {
		case b[0] == '"':
			n = valueLen(b)
		case b[0] == '-' || '0' <= b[0] && b[0] <= '9':
			n = valueLen(b)
			f, err := strconv.ParseFloat(string(b[:n]), 64)
			if err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 && bytes.ContainsAny(b[:n], ".eE") {
				out, b = strconv.AppendInt(out, int64(f), 10), b[n:]
				continue
			}
		}
		out, b = append(out, b[:n]...), b[n:]
	}
	return out
}

// isText tells whether valid JSON holds nothing but characters: bytes that are no
// UTF-8 and halves of a pair of surrogates would become U+FFFD.
func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}
	for {
		i := bytes.IndexByte(b, '\\') // only strings have them
		if i < 0 {
			return true
		}
		if b = b[i+1:]; b[0] != 'u' {
			b = b[1:]
			continue
		}
		switch unit := codeUnit(b); {
		case 0xD800 <= unit && unit < 0xDC00:
			if b = b[5:]; b[0] != '\\' || b[1] != 'u' {
				return false
			}
			if low := codeUnit(b[1:]); low < 0xDC00 || low >= 0xE000 {
				return false
			}
			b = b[6:]
		case 0xDC00 <= unit && unit < 0xE000:
			return false
		default:
			b = b[5:]
		}
	}
}

// codeUnit is the number that b, like "u00e4", begins with.
func codeUnit(b []byte) uint64 {
	n, _ := strconv.ParseUint(string(b[1:5]), 16, 16) // it is valid
	return n
}
