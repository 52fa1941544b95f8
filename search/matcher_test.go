package search

import (
	"container/list"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRegexp(t *testing.T) {
	for _, c := range []struct {
		re, yes, no string
	}{
		{`\bмир\b`, "a мир, b", "мира"},
		{`\bé`, "(é", "aé"},
		{`é\B.`, "éa", "é "},
		{`^\w+$`, "日本_9", "a b"},
		{`^\W+$`, " -", "é"},
		{`^[^\W]$`, "é", "-"},
		{`^\d$`, "٣", "x"},
		{`^\D$`, "x", "٣"},
		{`^\S$`, "x", "\u00a0"},
		{`a\sb`, "a\u3000b", "a\u200bb"},
		{`\<b\>`, "a b c", "ab"},
		{`\b{start}é|\b{end-half}x`, "é", "ax1"},
		{`(\<|c)é`, "cé", "dé"},
		{`a**b`, "b", "a"},
		{`(?:ab){2}{2}`, "abababab", "ababab"},
		{`x+?*y`, "y", "x"},
		{`\u00e9\x41\U0001F600\x{62}`, "éA😀b", "éA"},
		{`^[]a]$`, "]", "b"},
		{`(?i)ß`, "ẞ", "ss"},
		{`(?P<n>a)(?<m>b)`, "ab", "a"},
		{`\p{Greek}\p{sc=Han}\pL\p{Letter}`, "α漢aa", "aaaa"},
		{`[[:alpha:]\]]x`, "]x", "1x"},
		{`$\b`, "a", " "},
		{`^\ $`, " ", "a"},
		{`^[\ \-]$`, "-", `\`},
		{`^[]-a]$`, "-", "^"},
		{`^[]-a]$`, "]", "b"},
		{`^[^]-a]$`, "^", "-"},
		{`^[--a]$`, "-", "."},
		{`^[^--a]$`, ".", "-"},
		{`^[a-c-e]$`, "-", "d"},
		{`^[+-[]]$`, ",]", "+"},
		{`^[[:alpha:]-z]$`, "-", "1"},
		{`^[\x{61}-\u{63}]\x{000000064}$`, "bd", "d"},
		{`(?u)a`, "a", "b"},
		{`(?u:é)`, "é", "e"},
		{`(?ui)É`, "é", "e"},
		{`(?i)(?u-i)É`, "É", "é"},
		{`(?P<a.b[0]>a)(?<é_>b)`, "ab", "a"},
		{`^\p{isGreek}\p{ Latn }\p{SCRIPT:hira}$`, "αaあ", "aαあ"},
		{`^\p{gc!=Lu}$`, "A", "a"},
		{`^\p{alpha}\P{alpha}[\p{upper}_]$`, "ⓐ_A", "ⓐ_a"},
		{`^\p{sc}\p{Cased}\P{Lower}$`, "€aA", "€aa"},
		{`^(?i)\p{lower}[\p{space}]$`, "A\u00a0", "1\u00a0"},
		{`^\b|\Bq`, "a", " a"},
	} {
		out, _, err := translateRegexp(c.re)
		if err != nil {
			t.Errorf("%s: %v", c.re, err)
			continue
		}
		m, err := compileMatcher(out)
		if err != nil {
			t.Errorf("%s: %v", c.re, err)
			continue
		}
		if !m.match(c.yes) || m.match(c.no) {
			t.Errorf("%s: %q %v, %q %v", c.re, c.yes, m.match(c.yes), c.no, m.match(c.no))
		}
	}
	for _, re := range []string{`\Q`, `\E`, `\C`, `\1`, `\07`, `\é`, `a{`, `a{,3}`, `{`, `{2}`, `*`, `a|*`, `(`, `)`, `(?i`, `[`, `[a`,
		`[a[b]]`, `[a--b]`, `(?-u)a`, `(?R)a`, `\x4`, `\x{}`, `\u{110000}`, `\p{`, `\p{X}`, `x{3,2}`, `a\`, `[\b]`, "\U0010FFF0", `(?=a)`, `(?<!a)`,
		`(?)x`, `(?ii)a`, `(?i-i)a`, `(?i-)a`, `(?-)a`, `(?i-s-m)a`, `(?u-u)a`, `(?q)a`, `(?i)*`, `a(?i)*`, `(?u)*`, `(?P<a>a)(?P<a>b)`, `(?P<1>a)`, `(?P<>a)`, `(?P<a`, `(?P=a)`,
		`[\d-z]`, `[a-\d]`, `[z-a]`, `[]`, `[^]`, `[a-`, `[--`, `[a&&b]`, `[a~~b]`, `[[:foo:]]`, `[\x{10FFF0}]`, `\x{10FFF0}`, "[\U0010FFF0]", `\x{d800}`, `\x{1000000000000000041}`,
		`\p{^Lu}`, `\p{}`, `\pX`, `\p`, `\p{=L}`, `\p{gc=Greek}`, `\p{sc=L}`, `\p{age=3.0}`, `\p{scx=Greek}`, `[\P{alpha}]`, `\p{isc}`} {
		if _, _, err := translateRegexp(re); err == nil {
			t.Errorf("%s is accepted", re)
		}
	}
}

// The small engine must agree with Go's where both can serve.
func TestMatcherAgainstGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		atom := rapid.SampledFrom([]string{"a", "b", ".", "[ab]", "[^a]", `\b`, `\B`, "^", "$", "(a|b)", "(?:ab)", " ", "(?m)$", "(?s)."})
		rep := rapid.SampledFrom([]string{"", "", "", "*", "+", "?", "{2}", "|"})
		var b strings.Builder
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			b.WriteString(atom.Draw(t, "atom"))
			b.WriteString(rep.Draw(t, "rep"))
		}
		re, err := regexp.Compile(b.String())
		if err != nil {
			return
		}
		m, err := compileMatcher(b.String() + `|\b\B`) // never matches, but needs the engine
		if err != nil {
			t.Fatal(err)
		}
		m.std = nil
		s := rapid.StringOfN(rapid.SampledFrom([]rune("aab \n_é")), 0, 12, -1).Draw(t, "text")
		if strings.Contains(s, "é") { // Go's boundaries are others
			s = strings.ReplaceAll(s, "é", "-")
		}
		if got, want := m.match(s), re.MatchString(s); got != want {
			t.Fatalf("%q on %q: %v, want %v", re, s, got, want)
		}
	})
}

func TestMatcherCacheIsBounded(t *testing.T) {
	c := matcherCache{byText: map[string]*list.Element{}}
	kept := func() int {
		cost := 0
		for e := c.recent.Front(); e != nil; e = e.Next() {
			cost += e.Value.(*cachedMatcher).m.cost
		}
		if cost != c.cost || cost > maxMatcherCost || len(c.byText) != c.recent.Len() {
			t.Errorf("cost %d counted as %d, %d by text, %d in all", cost, c.cost, len(c.byText), c.recent.Len())
		}
		return c.recent.Len()
	}
	for i := range maxMatchers + 10 {
		if _, err := c.get(fmt.Sprintf("x%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept(); n != maxMatchers {
		t.Errorf("%d expressions kept", n)
	}
	for i := range 200 {
		if _, err := c.get(fmt.Sprintf("x{999}%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept(); n == 0 || n > 200 {
		t.Errorf("%d large expressions kept", n)
	}
	for i := range 16 { // few instructions, but large ones
		if _, err := c.get(strings.Repeat(`(?i)\pL`, 200) + strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept(); n == 0 || n > 16 {
		t.Errorf("%d expressions of classes kept", n)
	}
	bounds := 0
	for text := range c.byText {
		_, n := programOf(t, text)
		bounds += n
	}
	if bounds > runesPerInst*maxMatcherCost {
		t.Errorf("%d bounds of ranges kept", bounds)
	}
	if _, err := c.get("x{999}199"); err != nil {
		t.Fatal(err)
	}
	a, _ := c.get("x{999}199")
	if b, _ := c.get("x{999}199"); a != b {
		t.Error("compiled twice")
	}
}

// A text that is slow for backtracking engines.
func TestMatcherIsLinear(t *testing.T) {
	out, _, err := translateRegexp(`(?i)\b(a*)*(a|aa)*b\b`)
	if err != nil {
		t.Fatal(err)
	}
	m, err := compileMatcher(out)
	if err != nil {
		t.Fatal(err)
	}
	if m.match(strings.Repeat("a", 50_000) + "é") {
		t.Error("matches")
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct{ glob, re, like, plain string }{
		{`a*b_`, `a.*b.`, `a%b_`, `a*b_`},
		{`a\*b\_\\`, `a\*b_\\`, `a*b\_\\`, `a*b_\`},
		{`1%.`, `1%\.`, `1\%.`, `1%.`},
		{`é`, `é`, `é`, `é`},
	} {
		if got := globRegexp(c.glob, "."); got != c.re {
			t.Errorf("%q: regexp %q, want %q", c.glob, got, c.re)
		}
		if got := likePattern(c.glob); got != c.like {
			t.Errorf("%q: like %q, want %q", c.glob, got, c.like)
		}
		if got := literal(c.glob); got != c.plain {
			t.Errorf("%q: literal %q, want %q", c.glob, got, c.plain)
		}
	}
	if got := withoutCombining("Ǻéßøがकि²"); got != "Aesoかक2" {
		t.Errorf("without combining: %q", got)
	}
	if got := stripClozes("{{c1::moon::hint}} {{c2,3::x}}{{c4::a::b"); got != "moon x{{c4::a::b" {
		t.Errorf("without clozes: %q", got)
	}
}

func TestCardData(t *testing.T) {
	for data, want := range map[string]string{
		``: "", `{}`: "", `x`: "", `[1]`: "", `{"cd":5,"s":1,"d":1}`: "", `{"S":5}`: "",
		`{"s":0.1,"d":"x","pos":-1}`:                    "s=0.1",
		`{"s":1,"d":2.5,"pos":7,"other":{"a":1}}`:       "s=1 d=2.5 pos=7",
		`{"cd":"{\"k\":\"é\"}"}`:                        "k=é",
		`{"cd":"{\"k\":1.50}"}`:                         "k=1.5",
		`{"cd":"{\"k\":1e2}"}`:                          "k=100.0",
		`{"cd":"{\"k\":1e20}"}`:                         "k=1e20",
		`{"cd":"{\"k\":{\"b\":[1,\"<\"],\"a\":null}}"}`: `k={"a":null,"b":[1,"<"]}`,
		`{"cd":"{\"k\":1} x"}`:                          "",
	} {
		d := parseCardData(data)
		var got []string
		if !isNaN(d.stability) {
			got = append(got, fmt.Sprint("s=", d.stability))
		}
		if !isNaN(d.difficulty) {
			got = append(got, fmt.Sprint("d=", d.difficulty))
		}
		if d.pos >= 0 {
			got = append(got, fmt.Sprint("pos=", d.pos))
		}
		if v, ok := d.customValue("k"); ok {
			got = append(got, "k="+v)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %q, want %q", data, s, want)
		}
	}
}
