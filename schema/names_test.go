package schema

import "testing"

// A name that was normalised stays as it is: a check of the database would
// otherwise rename the deck again.
func TestNormalizeDeckNameIsIdempotent(t *testing.T) {
	for in, want := range map[string]string{
		"A\t\u0307a":   "\u0226a",
		"a:\x00:b":     "a\x1fb",
		"a::\x7f::b":   "a\x1fblank\x1fb",
		" : a : :: b ": "a\x1fb",
	} {
		got := NormalizeDeckName(in)
		if again := NormalizeDeckName(HumanDeckName(got)); got != want || again != got {
			t.Errorf("%q: got %q, then %q, want %q", in, got, again, want)
		}
	}
}
