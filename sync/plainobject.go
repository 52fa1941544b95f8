package sync

import "unicode/utf8"

// plainObject reads a JSON object of whole numbers and of strings without
// escapes, which is what the header and the small messages of every request
// are: reading them with encoding/json costs more than answering them. It calls
// f for each member, with a number or else text, and is false if b is anything
// else or f says so. Then nothing is known of b, and encoding/json must read it:
// only its word counts on what is wrong, and on what is merely unusual.
func plainObject(b []byte, f func(key []byte, number int, text []byte) bool) bool {
	s := scanner{b: b}
	if s.expect('{') != nil {
		return false
	}
	for {
		key, ok := s.plainText()
		if !ok || s.expect(':') != nil {
			return false
		}
		var number int
		var text []byte
		if s.peek() == '"' {
			text, ok = s.plainText()
		} else {
			number, ok = s.plainNumber()
		}
		if !ok || !f(key, number, text) {
			return false
		}
		switch s.peek() {
		case ',':
			s.i++
		case '}':
			s.i++
			return s.end() == nil
		default:
			return false
		}
	}
}

// plainText reads a string without escapes; it is never nil.
func (s *scanner) plainText() ([]byte, bool) {
	if s.expect('"') != nil {
		return nil, false
	}
	for start := s.i; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			text := s.b[start:s.i]
			s.i++
			return text, utf8.Valid(text)
		case c == '\\' || c < 0x20:
			return nil, false
		}
	}
	return nil, false
}

// plainNumber reads a number from 0 to 99.
func (s *scanner) plainNumber() (int, bool) {
	n, start := 0, s.i
	for s.i < len(s.b) && s.i < start+2 && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		n = n*10 + int(s.b[s.i]-'0')
		s.i++
	}
	// What follows two digits is no further digit, fraction or exponent, or the
	// caller finds neither a comma nor a brace.
	return n, s.i > start && (s.b[start] != '0' || s.i == start+1)
}
