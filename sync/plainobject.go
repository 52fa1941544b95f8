package sync

import (
	"strings"
	"unicode/utf8"
)

// member is one of a plain object: a whole number from 0 to 99, or a text.
type member struct {
	key, text string
	number    int
	isText    bool
}

// plainObject reads a JSON object of small whole numbers and of strings without
// escapes, which is what the header and the small messages of every request
// are: reading them with encoding/json costs more than answering them. It calls
// f for each member, and is false if s is anything else or f says so. Then
// nothing is known of s, and encoding/json must read it: only its word counts on
// what is wrong, and on what is merely unusual.
func plainObject(s string, f func(m member) bool) bool {
	s, ok := cutByte(s, '{')
	for ok {
		var m member
		if m.key, s, ok = cutText(s); !ok {
			return false
		}
		if s, ok = cutByte(s, ':'); !ok {
			return false
		}
		if m.isText = skipSpace(s) != "" && skipSpace(s)[0] == '"'; m.isText {
			m.text, s, ok = cutText(s)
		} else {
			m.number, s, ok = cutNumber(skipSpace(s))
		}
		if !ok || !f(m) {
			return false
		}
		if rest, ended := cutByte(s, '}'); ended {
			return skipSpace(rest) == ""
		}
		s, ok = cutByte(s, ',')
	}
	return false
}

// skipSpace is s without the white space of JSON at its beginning.
func skipSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r') {
		s = s[1:]
	}
	return s
}

// cutByte returns what follows c, if that comes next but for white space.
func cutByte(s string, c byte) (rest string, ok bool) {
	s = skipSpace(s)
	if s == "" || s[0] != c {
		return s, false
	}
	return s[1:], true
}

// cutText reads a string without escapes.
func cutText(s string) (text, rest string, ok bool) {
	s, ok = cutByte(s, '"')
	end := strings.IndexByte(s, '"')
	if !ok || end < 0 {
		return "", s, false
	}
	text = s[:end]
	ascii := true
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\' || c < 0x20:
			return "", s, false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return text, s[end+1:], ascii || utf8.ValidString(text)
}

// cutNumber reads a number from 0 to 99.
func cutNumber(s string) (n int, rest string, ok bool) {
	i := 0
	for i < len(s) && i < 2 && s[i] >= '0' && s[i] <= '9' {
		n = n*10 + int(s[i]-'0')
		i++
	}
	// What follows two digits is no further digit, fraction or exponent, or the
	// caller finds neither a comma nor a brace.
	return n, s[i:], i > 0 && (s[0] != '0' || i == 1)
}
