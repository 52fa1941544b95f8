package sqlite

import (
	"strings"
	"unicode"
	"unicode/utf8"

	driver "modernc.org/sqlite"
)

// Anki's tables order names by a collation of this name, and no statement that
// touches their indexes works without it (docs/collection-format.md §1.1).
func init() {
	driver.MustRegisterCollationUtf8("unicase", CompareFold)
}

// Fold returns s after full Unicode case folding (CaseFolding.txt, C and F), as
// clients do it: with their version of Unicode, and see foldings.
// Two strings are equal under "unicase" exactly if their folds are equal, and
// the byte order of the folds is the order of the collation.
func Fold(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return foldAll(s)
		}
	}
	return strings.ToLower(s)
}

// foldAll leaves bytes that are not UTF-8 as they are.
func foldAll(s string) string {
	b := make([]byte, 0, len(s)+8)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if folded, ok := foldings[r]; ok {
			b = append(b, folded...)
		} else if r == utf8.RuneError {
			b = append(b, s[:n]...)
		} else {
			b = utf8.AppendRune(b, foldOne(r))
		}
		s = s[n:]
	}
	return string(b)
}

// foldOne is for what folds to one code point. Cherokee folds to the upper case,
// which is the older one, and what Unicode has had a lower case for only since
// version 13 does not fold in clients.
func foldOne(r rune) rune {
	switch {
	case 0x13a0 <= r && r <= 0x13f5:
		return r
	case 0x13f8 <= r && r <= 0x13fd:
		return r - 8
	case 0xab70 <= r && r <= 0xabbf:
		return r - 0xab70 + 0x13a0
	case 0x10570 <= r && r <= 0x105bc:
		return r
	}
	switch r {
	case 0x2c2f, 0xa7c0, 0xa7c7, 0xa7c9, 0xa7d0, 0xa7d6, 0xa7d8, 0xa7f5:
		return r
	}
	return unicode.ToLower(r)
}

// EqualFold reports whether a and b are the same name to Anki.
func EqualFold(a, b string) bool { return CompareFold(a, b) == 0 }

// CompareFold is the collation: -1, 0 or 1.
func CompareFold(a, b string) int {
	n := min(len(a), len(b))
	for i := 0; i < n; i++ {
		x, y := a[i], b[i]
		if x >= 0x80 || y >= 0x80 {
			// What precedes is ASCII and equal, so it can be left out.
			return strings.Compare(Fold(a[i:]), Fold(b[i:]))
		}
		if x != y {
			x, y = lower(x), lower(y)
			if x != y {
				// A difference that an expansion further on could not undo:
				// folding maps each code point by itself.
				if x < y {
					return -1
				}
				return 1
			}
		}
	}
	switch {
	case len(a) < len(b):
		return -1
	case len(a) > len(b):
		return 1
	}
	return 0
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
