package sqlite

import (
	"strings"

	"golang.org/x/text/cases"
	driver "modernc.org/sqlite"
)

// Anki's tables order names by a collation of this name, and no statement that
// touches their indexes works without it (docs/collection-format.md §1.1).
func init() {
	driver.MustRegisterCollationUtf8("unicase", CompareFold)
}

var folder = cases.Fold()

// Fold returns s after full Unicode case folding (CaseFolding.txt, C and F).
// Two strings are equal under "unicase" exactly if their folds are equal, and
// the byte order of the folds is the order of the collation.
func Fold(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return folder.String(s)
		}
	}
	return strings.ToLower(s)
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
