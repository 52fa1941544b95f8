package schema

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

type stripVector struct {
	Field, Stored, Sfld string
	Type                string `json:"sfld_type"`
	Csum                uint32
}

func stripVectors(t testing.TB, file string, atLeast int) []stripVector {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "schema", file))
	if err != nil {
		t.Fatal(err)
	}
	var v []stripVector
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v) < atLeast {
		t.Fatalf("%d vectors, want at least %d", len(v), atLeast)
	}
	return v
}

func TestStripVectors(t *testing.T) {
	for _, v := range append(stripVectors(t, "strip.json", 36), stripVectors(t, "strip-fuzzed.json", 1000)...) {
		if v.Stored == "" {
			v.Stored = v.Field
		}
		if got := norm.NFC.String(CleanField(v.Field)); got != v.Stored { // the client also normalises what is typed in
			t.Errorf("CleanField(%q) = %q, want %q", v.Field, got, v.Stored)
		}
		want := v.Sfld
		if v.Type == "integer" || v.Type == "real" {
			want = v.Stored // SQLite makes it a number, see package collection
		}
		if got := SortField([]string{"", v.Stored}, 1); got != want {
			t.Errorf("SortField(%q) = %q, want %q", v.Stored, got, want)
		}
		if got := Checksum(v.Stored); got != v.Csum {
			t.Errorf("Checksum(%q) = %d, want %d", v.Stored, got, v.Csum)
		}
	}
}

func TestSortFieldOutOfRange(t *testing.T) {
	for _, idx := range []int{-1, 1, 1 << 20} {
		if got := SortField([]string{"x"}, idx); got != "" {
			t.Errorf("SortField(…, %d) = %q", idx, got)
		}
	}
}

func TestEntities(t *testing.T) {
	if len(entities) != 252 {
		t.Errorf("%d entities, HTML 4 has 252", len(entities))
	}
}

func TestGUID(t *testing.T) {
	for _, c := range []struct {
		n    uint64
		want string
	}{{0, "a"}, {1, "b"}, {90, "~"}, {91, "ba"}, {1<<64 - 1, "Rj&Z5m[>Zp"}} {
		got := GUID(c.n)
		if got != c.want {
			t.Errorf("GUID(%d) = %q, want %q", c.n, got, c.want)
		}
		var back uint64
		for _, d := range []byte(got) {
			back = back*91 + uint64(strings.IndexByte(guidAlphabet, d))
		}
		if back != c.n {
			t.Errorf("GUID(%d) means %d", c.n, back)
		}
	}
}

func TestFieldsAndTags(t *testing.T) {
	if got := SplitFields(JoinFields([]string{"a", "", "c"})); len(got) != 3 || got[1] != "" {
		t.Errorf("fields: %q", got)
	}
	if got := SplitFields(""); len(got) != 1 {
		t.Errorf("a note has at least one field: %q", got)
	}
	for in, want := range map[string]string{
		"": "", " ": "", "  ": "", "   ": "", "a": " a ", " a": " a ", "a ": " a ", " a ": " a ", "  a ": " a ", " a  ": " a ", " a b ": " a b ", " a  b ": " a b ",
		"a\u3000b": " a b ", " a\u3000b ": " a b ", " \u3000 ": "",
	} {
		if got := JoinTags(SplitTags(in)); got != want {
			t.Errorf("tags of %q = %q, want %q", in, got, want)
		}
		if got := CleanTags(in); got != want {
			t.Errorf("clean tags of %q = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"a": "a", `a"b`: `a"b`, "a::": "a::blank", "::a": "blank::a", "a:::b": "a:::b", "::": "blank::blank", "e\u0301": "é",
		"\ax": "x", "x\x7fy": "xy", "\u00a0q\u00a0": "q", "A::\x01": "A::blank", "x\u0085y": "x\u0085y", ":a:": ":a:",
		"\u2003z": "z", "\n": "blank", "": "", "a b": "ab",
	} {
		if got := NormalizeTag(in); got != want {
			t.Errorf("NormalizeTag(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDeckNames(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a::b": "a\x1fb", "  spaced :: : x::::y ": "spaced\x1fx\x1fblank\x1fy", "": "blank", "::": "blank\x1fblank",
		"e\u0301": "é", "\tx\ay::\u3000z\u3000": "xy\x1fz", "a:::b": "a\x1fb", "a\x1fb": "ab", "\u200ba": "\u200ba",
	} {
		got := NormalizeDeckName(in)
		if got != want {
			t.Errorf("NormalizeDeckName(%q) = %q, want %q", in, got, want)
		}
		if again := NormalizeDeckName(HumanDeckName(got)); again != got {
			t.Errorf("NormalizeDeckName is not idempotent: %q, then %q", got, again)
		}
	}
}

// What replaceMedia and removeMarkup do, as regular expressions that take their
// time.
var (
	slowMedia = regexp.MustCompile(`(?is)<(?:img|audio|video|object|source)\b(?:[^>]|"[^"]+?"|'[^']+?')+?\b(?:src|data)=` +
		`(?:"([^"]+?)"[^>]*>|'([^']+?)'[^>]*>|([^>]+?)(?: [^>]*)?>)`)
	slowMarkup = regexp.MustCompile(`(?is)<!--.*?-->|<style.*?>.*?</style>|<script.*?>.*?</script>|<.*?>`)
)

func slowStrip(s string) string {
	return DecodeEntities(slowMarkup.ReplaceAllString(slowMedia.ReplaceAllString(s, " ${1}${2}${3} "), ""))
}

// TestStripRandomMarkup compares with the regular expressions on texts made of
// the pieces that matter.
func TestStripRandomMarkup(t *testing.T) {
	pieces := []string{
		"<", ">", `"`, "'", " ", "=", "x", "src=", "data=", "<img", "<IMG ", "<audio ", "<object", "<source ", "<video ", `"a>b"`, "'>'", `""`,
		"<!--", "-->", "<style", "<style>", "</style>", "<Script>", "</SCRIPT>", "\n", "/", "&amp;", "_src=", "-src=", "<imgs ",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 60000 {
		var s string
		for range 1 + r.IntN(14) {
			s += pieces[r.IntN(len(pieces))]
		}
		if got, want := StripHTML(s), slowStrip(s); got != want {
			t.Fatalf("StripHTML(%q) = %q, want %q", s, got, want)
		}
	}
}

// A field of 1 MB takes milliseconds, whatever is in it. Were the time to grow
// with the square, this would not end before the test's time-out.
func TestStripIsLinear(t *testing.T) {
	for _, piece := range []string{"<style>", "<script ", "<!--", "<img ", `<img "`, `<img src="`, "<img src='\"", `<img a='>" `, "<", "&amp", "&lt;", "&#000"} {
		StripHTML(strings.Repeat(piece, 1<<20/len(piece)))
		StripHTML(strings.Repeat(piece, 1<<20/len(piece)) + ">")
	}
}

func FuzzStripHTML(f *testing.F) {
	for _, v := range stripVectors(f, "strip.json", 36) {
		f.Add(v.Field)
	}
	f.Add(strings.Repeat("<", 1000) + strings.Repeat("&", 1000))
	f.Fuzz(func(t *testing.T, s string) {
		got := StripHTML(s)
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q became invalid UTF-8: %q", s, got)
		}
		if len(got) > 3*len(s) {
			t.Errorf("%q grew to %q", s, got)
		}
		if !strings.ContainsAny(s, "<&") && got != s {
			t.Errorf("%q has no markup, but became %q", s, got)
		}
		if clean := CleanField(s); CleanField(clean) != clean {
			t.Errorf("CleanField(%q) is not idempotent", s)
		}
		if name := NormalizeDeckName(s); NormalizeDeckName(HumanDeckName(name)) != name {
			t.Errorf("NormalizeDeckName(%q) = %q is not idempotent", s, name)
		}
	})
}
