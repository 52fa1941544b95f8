package sync

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
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
	switch {
	case err != nil:
		return 0, errJSON
	case f >= 1<<63:
		return math.MaxInt64, errHuge
	case f <= -1<<63:
		return math.MinInt64, errHuge
	}
	return int64(f), nil
}

// errHuge comes with the nearest number that there is.
var errHuge = errors.New("a number of more than 64 bits")

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
