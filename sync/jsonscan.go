package sync

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON text front to back, for the messages whose size matters:
// rows come as arrays of numbers and strings, and decoding them into generic
// values costs several times more than storing them. The text is b, or comes
// from a stream (newScanner) of which b is then a window.
type scanner struct {
	b []byte
	i int

	r    io.Reader // nil: b is all of it
	keep int       // start of the string that is being read, which the window must hold; -1 if none
	err  error     // what ended the stream, io.EOF included

	values  int // skipped so far, of all depths
	longest int // bytes of the longest string skipped or read so far
}

var (
	errJSON    = errors.New("malformed JSON")
	errTooLong = errors.New("a text that is too long")
)

const (
	maxJSONDepth = 1000
	// scanWindow is what a scanner holds of a stream, unless a string is longer.
	scanWindow = 64 << 10
	// maxText limits one string of a stream, in bytes as it is written.
	maxText = 10 << 20
	// shortToken is longer than any number or word that is not foolish.
	shortToken = 64
)

// newScanner returns a scanner over a stream.
func newScanner(r io.Reader) *scanner {
	return &scanner{r: r, b: make([]byte, 0, scanWindow), keep: -1}
}

// broken is what ended the stream, if that was not its end.
func (s *scanner) broken() error {
	if errors.Is(s.err, io.EOF) && !errors.Is(s.err, io.ErrUnexpectedEOF) {
		return nil
	}
	return s.err
}

// fill reads more of the stream into the window, and drops from it what has
// been read. It is false if there is no more.
func (s *scanner) fill() bool {
	if s.r == nil || s.err != nil {
		return false
	}
	from := min(s.i, len(s.b))
	if s.keep >= 0 {
		from, s.keep = s.keep, 0
	}
	n := copy(s.b, s.b[from:])
	s.b, s.i = s.b[:n], s.i-from
	if n == cap(s.b) {
		if n >= maxText {
			s.err = errTooLong
			return false
		}
		s.b = append(make([]byte, 0, min(2*n, maxText)), s.b...)
	}
	for {
		m, err := s.r.Read(s.b[n:cap(s.b)])
		s.b, s.err = s.b[:n+m], err
		if m > 0 || err != nil {
			return m > 0
		}
	}
}

// ensure fills the window until a short token that begins here is in it whole.
func (s *scanner) ensure() {
	for len(s.b)-s.i < shortToken && s.fill() {
		continue
	}
}

func (s *scanner) space() {
	for {
		for s.i < len(s.b) {
			switch s.b[s.i] {
			case ' ', '\t', '\n', '\r':
				s.i++
			default:
				return
			}
		}
		if !s.fill() {
			return
		}
	}
}

// peek returns the next byte that is no space, or 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	return s.here()
}

// here returns the next byte, or 0 at the end.
func (s *scanner) here() byte {
	if s.i >= len(s.b) && !s.fill() {
		return 0
	}
	return s.b[s.i]
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return errJSON
	}
	s.i++
	return nil
}

// end is nil if nothing but space follows.
func (s *scanner) end() error {
	if s.peek() != 0 || s.i != len(s.b) {
		return errJSON
	}
	return s.broken()
}

// object calls f for each member, which must read or skip its value.
func (s *scanner) object(f func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := f(key); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return nil
		default:
			return errJSON
		}
	}
}

// array calls f for each element, which it must read or skip.
func (s *scanner) array(f func(i int) error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for i := 0; ; i++ {
		if err := f(i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.i++
		case ']':
			s.i++
			return nil
		default:
			return errJSON
		}
	}
}

// str reads a string.
func (s *scanner) str() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	s.keep = s.i - 1
	out, err := s.strRest()
	s.keep = -1
	return out, err
}

// strRest reads a string of which the first quote, at keep, has been read.
func (s *scanner) strRest() (string, error) {
	plain := true
	for {
		for ; s.i < len(s.b); s.i++ {
			switch c := s.b[s.i]; {
			case c == '"':
				quoted := s.b[s.keep : s.i+1]
				s.i++
				s.longest = max(s.longest, len(quoted))
				if raw := quoted[1 : len(quoted)-1]; plain && utf8.Valid(raw) {
					return string(raw), nil
				}
				return unescape(quoted[1 : len(quoted)-1])
			case c == '\\':
				plain = false
				s.i++ // perhaps beyond the window
			case c < 0x20:
				return "", errJSON
			}
		}
		if !s.fill() {
			return "", errJSON
		}
	}
}

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

// skipStr reads a string, however long, and forgets it.
func (s *scanner) skipStr() error {
	if err := s.expect('"'); err != nil {
		return err
	}
	n := 2
	for ; ; n++ {
		c := s.here()
		switch {
		case c < 0x20: // or the end
			return errJSON
		case c == '"':
			s.i++
			s.longest = max(s.longest, n)
			return nil
		case c == '\\':
			s.i++
			m, err := s.skipEscape()
			if err != nil {
				return err
			}
			n += m
		default:
			s.i++
		}
	}
}

// skipEscape reads what follows a backslash and returns its length.
func (s *scanner) skipEscape() (int, error) {
	c := s.here()
	s.i++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1, nil
	case 'u':
		for range 4 {
			switch c := s.here(); {
			case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
				s.i++
			default:
				return 0, errJSON
			}
		}
		return 5, nil
	}
	return 0, errJSON
}

// number reads a number as an integer; fractions are cut off, as clients do
// that find some in old collections.
func (s *scanner) number() (int64, error) {
	s.space()
	s.ensure()
	start := s.i
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	}
	var v int64
	digits := 0
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' && digits < 18 {
		v = v*10 + int64(s.b[s.i]-'0')
		s.i++
		digits++
	}
	if digits == 0 || digits > 1 && s.b[s.i-digits] == '0' {
		return 0, errJSON
	}
	if s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E':
			return s.slowNumber(start)
		}
	}
	if s.b[start] == '-' {
		v = -v
	}
	return v, nil
}

func (s *scanner) slowNumber(start int) (int64, error) {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '+', c == '-':
			s.i++
			continue
		}
		break
	}
	if s.i == len(s.b) && s.r != nil && s.err == nil {
		return 0, errJSON // longer than any number need be
	}
	text := string(s.b[start:s.i])
	if v, err := strconv.ParseInt(text, 10, 64); err == nil {
		return v, nil
	}
	if !json.Valid([]byte(text)) {
		return 0, errJSON
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) >= 1<<63 {
		return 0, errJSON
	}
	return int64(f), nil
}

// boolean reads true or false.
func (s *scanner) boolean() (bool, error) {
	switch s.peek() {
	case 't':
		return true, s.word("true")
	case 'f':
		return false, s.word("false")
	}
	return false, errJSON
}

// null reads null if it is next.
func (s *scanner) null() bool { return s.peek() == 'n' && s.word("null") == nil }

func (s *scanner) word(w string) error {
	s.ensure()
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return errJSON
	}
	s.i += len(w)
	return nil
}

// skip reads any value and forgets it.
func (s *scanner) skip(depth int) error {
	if depth > maxJSONDepth {
		return errJSON
	}
	s.values++
	switch c := s.peek(); c {
	case '"':
		return s.skipStr()
	case '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case '[':
		return s.array(func(int) error { return s.skip(depth + 1) })
	case 't', 'f':
		_, err := s.boolean()
		return err
	case 'n':
		return s.word("null")
	default:
		return s.skipNumber()
	}
}

// skipNumber reads a number of any size.
func (s *scanner) skipNumber() error {
	if s.here() == '-' {
		s.i++
	}
	if s.here() == '0' {
		s.i++
	} else if s.digits() == 0 {
		return errJSON
	}
	if s.here() == '.' {
		s.i++
		if s.digits() == 0 {
			return errJSON
		}
	}
	if c := s.here(); c == 'e' || c == 'E' {
		s.i++
		if c := s.here(); c == '+' || c == '-' {
			s.i++
		}
		if s.digits() == 0 {
			return errJSON
		}
	}
	return nil
}

func (s *scanner) digits() int {
	n := 0
	for c := s.here(); c >= '0' && c <= '9'; c = s.here() {
		s.i++
		n++
	}
	return n
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
