package sqlite

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// recordedFolds are the foldings of a client, recorded by e2e/golden/unicase.py.
func recordedFolds(t *testing.T) map[rune]string {
	b, err := os.ReadFile("testdata/unicase.txt")
	if err != nil {
		t.Fatal(err)
	}
	folds := map[rune]string{}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var runes []rune
		for _, hex := range strings.Fields(line) {
			n, err := strconv.ParseInt(hex, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			runes = append(runes, rune(n))
		}
		folds[runes[0]] = string(runes[1:])
	}
	return folds
}

// TestFold: every code point folds as in the client, and by itself whatever stands
// beside it.
func TestFold(t *testing.T) {
	folds := recordedFolds(t)
	if len(folds) < 1000 {
		t.Fatal(len(folds), "foldings")
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		want, ok := folds[r]
		if !ok {
			want = string(r)
		}
		if got := Fold(string(r)); got != want {
			t.Errorf("%U: %+q, not %+q", r, got, want)
		}
		if got := Fold("Σ" + string(r) + "\u0345"); got != "σ"+want+"ι" {
			t.Errorf("%U among others: %+q", r, got)
		}
	}
	for in, want := range map[string]string{"A\xffÉ\xc3": "a\xffé\xc3", "\xe2\x82ẞ": "\xe2\x82ss", "\ufffdÀ": "\ufffdà"} {
		if got := Fold(in); got != want {
			t.Errorf("%+q: %+q, not %+q", in, got, want)
		}
	}
}
