package schema

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON: current clients refuse more than 128
// levels, and a value kept verbatim is sent to them inside two more.
const maxDepth = 120

// CleanJSON returns a JSON value so that every client can read it. Half of a
// surrogate pair, which old clients write for half an emoji, becomes U+FFFD, and
// a number beyond ±1e308 becomes that; current clients read none of what holds
// one (docs/collection-format.md §13). All else stays as it is written. b is not
// changed, and is what is returned if nothing had to be. What is no JSON, or
// nested too deep, is ErrInvalid.
func CleanJSON(b []byte) ([]byte, error) {
	clean, err := cleanJSON(b)
	if err != nil {
		return nil, err
	}
	if !json.Valid(clean) {
		return nil, invalid("json: not valid")
	}
	return clean, nil
}

// cleanJSON is CleanJSON for callers that find out what is no JSON themselves.
func cleanJSON(b []byte) ([]byte, error) {
	if !utf8.Valid(b) {
		return nil, invalid("json: not UTF-8")
	}
	var out []byte // stands for b[:done]
	done, depth, inString := 0, 0, false
	replace := func(from, to int, by string) {
		out = append(append(out, b[done:from]...), by...)
		done = to
	}
	for i := 0; i < len(b); {
		n := 1
		switch c := b[i]; {
		case inString && c == '\\':
			var half bool
			if n, half = escape(b[i:]); half {
				replace(i, i+n, `\ufffd`)
			}
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return nil, invalid("json: nested deeper than %d", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == '-' || '0' <= c && c <= '9':
			if n = numberLen(b[i:]); tooLarge(b[i : i+n]) {
				replace(i, i+n, map[bool]string{false: "1e308", true: "-1e308"}[c == '-'])
			}
		}
		i += n
	}
	if done == 0 {
		return b, nil
	}
	if !json.Valid(b) { // what it was replaced by could be
		return nil, invalid("json: not valid")
	}
	return append(out, b[done:]...), nil
}

// escape returns the length of the escape that b begins with, and whether it is
// half of a surrogate pair. That of a whole pair is one escape.
func escape(b []byte) (n int, half bool) {
	switch u := codeUnit(b); {
	case u < 0:
		return 2, false
	case 0xd800 <= u && u < 0xdc00:
		if low := codeUnit(b[6:]); 0xdc00 <= low && low < 0xe000 {
			return 12, false
		}
		return 6, true
	default:
		return 6, 0xdc00 <= u && u < 0xe000
	}
}

// codeUnit reads \uXXXX, -1 if b does not begin so.
func codeUnit(b []byte) int {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	u, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(u)
}

func numberLen(b []byte) int {
	for i, c := range b {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return i
		}
	}
	return len(b)
}

// largest bounds numbers. Some parsers fail a little below the largest float64,
// since they multiply by a power of ten.
const largest = 1e308

func tooLarge(number []byte) bool {
	if len(number) < 300 && !bytes.ContainsAny(number, "eE") {
		return false
	}
	f, _ := strconv.ParseFloat(string(number), 64) // infinite if it is out of range
	return math.Abs(f) > largest
}
