package search

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
	"golang.org/x/text/unicode/norm"
)

// The patterns of nodes: "*" and "_" are wildcards, a backslash before them or
// before another one takes their meaning away.

// isGlob reports whether s has a wildcard.
func isGlob(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '*', '_':
			return true
		}
	}
	return false
}

// globRegexp writes s as a regular expression; any is what "_" becomes.
func globRegexp(s, any string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case s[i] == '*':
			b.WriteString(any + "*")
			i++
		case s[i] == '_':
			b.WriteString(any)
			i++
		case s[i] == '\\' && i+1 < len(s):
			switch s[i+1] {
			case '\\', '*':
				b.WriteString(s[i : i+2])
			case '_':
				b.WriteByte('_')
			default:
				b.WriteString(regexp.QuoteMeta(s[i : i+2]))
			}
			i += 2
		default:
			_, n := utf8.DecodeRuneInString(s[i:])
			b.WriteString(regexp.QuoteMeta(s[i : i+n]))
			i += n
		}
	}
	return b.String()
}

// likePattern writes s as a pattern of SQL's LIKE with escape \; its "_" is
// ours already.
func likePattern(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '*':
			b.WriteByte('%')
		case s[i] == '%':
			b.WriteString(`\%`)
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '*':
			b.WriteByte('*')
			i++
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '\\':
			b.WriteString(`\\`)
			i++
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// literal takes all escapes away.
func literal(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func wordRegexp(glob string) string { return `\b` + globRegexp(glob, ".") + `\b` }

// tagRegexp matches a tag or one below it in the tags column, where every tag
// has a space on both sides.
func tagRegexp(glob string) string { return " " + globRegexp(glob, `\S`) + "(::| )" }

// nameMatcher compares names of fields with a pattern.
func (b *builder) nameMatcher(glob string) (func(string) bool, error) {
	if !isGlob(glob) {
		want := sqlite.Fold(literal(glob))
		return func(name string) bool { return sqlite.Fold(name) == want }, nil
	}
	re, err := b.regexp("^(?i)" + globRegexp(glob, ".") + "$")
	if err != nil {
		return nil, err
	}
	m, err := matchers.get(re)
	if err != nil {
		return nil, err
	}
	return m.match, nil
}

// deckRegexp matches the native names of a deck and of the decks below it. The
// name is normalised as a deck's is.
func deckRegexp(glob string) string {
	return "^" + schema.NormalizeDeckName(globRegexp(glob, ".")) + "($|\x1f)"
}

// cutPrefixFold is strings.CutPrefix under simple case folding, which is what
// case-insensitive regular expressions use.
func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	for len(prefix) > 0 {
		if s == "" {
			return "", false
		}
		a, n := utf8.DecodeRuneInString(s)
		b, m := utf8.DecodeRuneInString(prefix)
		if a != b && !equalFold(a, b) {
			return "", false
		}
		s, prefix = s[n:], prefix[m:]
	}
	return s, true
}

func equalFold(a, b rune) bool {
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}

// baseLetters are letters that do not decompose but are taken for plain ones.
var baseLetters = map[rune]string{
	'€': "E", 'Æ': "AE", 'Ð': "D", 'Ø': "O", 'Þ': "TH", 'ß': "s", 'æ': "ae", 'ð': "d", 'ø': "o", 'þ': "th",
	'Đ': "D", 'đ': "d", 'Ħ': "H", 'ħ': "h", 'ı': "i", 'ĸ': "k", 'Ł': "L", 'ł': "l", 'Ŋ': "N", 'ŋ': "n",
	'Œ': "OE", 'œ': "oe", 'Ŧ': "T", 'ŧ': "t", 'Ə': "E", 'ǝ': "e", 'ɑ': "a",
}

// withoutCombining decomposes s (NFKD) and drops what combines.
func withoutCombining(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range norm.NFKD.String(s) {
		switch {
		case r < utf8.RuneSelf:
			b.WriteByte(byte(r))
		case unicode.Is(unicode.M, r):
		default:
			if base, ok := baseLetters[r]; ok {
				b.WriteString(base)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

var clozeDeletion = regexp.MustCompile(`(?s)\{\{c[\p{Nd},]+::(.*?)(::.*?)?\}\}`)

// stripClozes replaces cloze deletions by their text.
func stripClozes(s string) string {
	if !strings.Contains(s, "{{c") {
		return s
	}
	return clozeDeletion.ReplaceAllString(s, "$1")
}
