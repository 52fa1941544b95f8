package sync

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
