package search

import (
	"regexp/syntax"
	"runtime"
	"strings"
	"testing"
	"unicode"
)

// programOf is what a translated expression compiles to: its instructions and
// the bounds of ranges that they hold.
func programOf(tb testing.TB, translated string) (insts, bounds int) {
	tb.Helper()
	re, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		tb.Fatalf("%q: %v", translated, err)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		tb.Fatalf("%q: %v", translated, err)
	}
	for i := range prog.Inst {
		bounds += len(prog.Inst[i].Rune)
	}
	return len(prog.Inst), bounds
}

// checkCost: an expression costs at least what its program is.
func checkCost(tb testing.TB, translated string, cost int) {
	tb.Helper()
	if insts, bounds := programOf(tb, translated); insts > cost || bounds/runesPerInst > cost {
		tb.Errorf("%.80q: %d instructions with %d bounds of ranges cost %d", translated, insts, bounds, cost)
	}
}

// TestTranslatorIsBounded: what a term can hold is refused, or read, with
// little memory and few steps of Go's parser.
func TestTranslatorIsBounded(t *testing.T) {
	const (
		maxBytes = 20 << 20 // allocated for one expression
		maxSteps = 2 * maxRegexpInsts * foldStepsPerInst
	)
	fill := func(s string) string { return strings.Repeat(s, MaxTermBytes/len(s)) }
	perlClasses()
	for name, c := range map[string]struct {
		re string
		ok bool
	}{
		"plain":                    {fill("a"), true},
		"dots":                     {fill(".*"), false},
		"few dots":                 {strings.Repeat(".*", 3000), true},
		"alternatives":             {fill("|"), true},
		"groups":                   {"(" + strings.Repeat("()", 2000) + ")", true},
		"deep":                     {strings.Repeat("(", 8000) + strings.Repeat(")", 8000), true},
		"words in a class":         {"[" + fill(`\W`) + "]", false},
		"words":                    {fill(`\w`), false},
		"some words":               {strings.Repeat(`\w`, 150), true},
		"letters":                  {fill(`\pL`), false},
		"letters in classes":       {fill(`[\pL]`), false},
		"no letters in a class":    {"[" + fill(`\PL`) + "]", false},
		"alphabetic":               {fill(`\p{Alphabetic}`), false},
		"white space":              {fill(`\p{space}`), true},
		"ideographs":               {fill(`\p{Ideo}`), false},
		"some ideographs":          {strings.Repeat(`\p{Ideo}`, 10), true},
		"ranges in a class":        {"[" + fill("B-\U0001E942") + "]", false},
		"ranges in classes":        {fill("[B-\U0001E942]"), false},
		"small ranges":             {"[" + fill("a-z") + "]", true},
		"Chinese":                  {strings.Repeat("[一-鿿]", 20), true},
		"all but ASCII":            {strings.Repeat(`[^\x00-\x7f]`, 100), true},
		"repetitions":              {fill("x{999}"), false},
		"repetitions in a group":   {"(?:" + strings.Repeat("x{50}", 300) + "){20}", false},
		"repetitions of a class":   {`\w{999}`, false},
		"repetitions of one":       {"x{999}", true},
		"doubled repetitions":      {"(" + strings.Repeat("a", 8000) + ")" + strings.Repeat("*", 900), true},
		"more doubled repetitions": {"(" + strings.Repeat("a", 8000) + ")" + strings.Repeat("*", 8000), false},
	} {
		tr := translator{s: "(?i)" + c.re}
		_ = tr.run()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		out, cost, err := translateRegexp("(?i)" + c.re)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > maxBytes {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
		if tr.folds > maxSteps || len(tr.out) > 2*maxTranslated {
			t.Errorf("%s: %d steps of folding, %d bytes written", name, tr.folds, len(tr.out))
		}
		if ok := err == nil && cost <= maxRegexpInsts; ok != c.ok {
			t.Errorf("%s: cost %d, %v", name, cost, err)
		}
		if c.ok && err == nil {
			checkCost(t, out, cost)
		}
	}
}

// foldSteps counts those that Go's parser takes.
func TestFoldSteps(t *testing.T) {
	first, last := rune(unicode.MaxRune), rune(0)
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.SimpleFold(r) != r {
			first, last = min(first, r), max(last, r)
		}
	}
	for _, c := range []struct {
		lo, hi rune
		want   int
	}{
		{first, last, 0}, {0, unicode.MaxRune, 0}, {first + 1, last, int(last - first)}, {first, last - 1, int(last - first)},
		{0, first - 1, 0}, {0, first, 1}, {last + 1, unicode.MaxRune, 0}, {last, unicode.MaxRune, 1}, {'a', 'z', 26},
	} {
		if got := foldSteps(c.lo, c.hi); got != c.want {
			t.Errorf("%x-%x: %d steps, want %d", c.lo, c.hi, got, c.want)
		}
	}
}

// TestPerlClasses: \w, \d and \s are the sets they should be, and \W, \D and \S
// what is not in them, also inside brackets and with case ignored.
func TestPerlClasses(t *testing.T) {
	for class, in := range map[string]func(rune) bool{`\w`: isWord, `\d`: unicode.IsDigit, `\s`: unicode.IsSpace} {
		for _, format := range []string{"^X$", "^[X]$", "(?i)^X$", "(?i)^[X]$"} {
			for negated, name := range map[bool]string{false: class, true: strings.ToUpper(class)} {
				out, _, err := translateRegexp("(?s)" + strings.ReplaceAll(format, "X", name))
				if err != nil {
					t.Fatal(err)
				}
				m, err := compileMatcher(out)
				if err != nil {
					t.Fatal(err)
				}
				for r := rune(0); r <= unicode.MaxRune; r++ {
					if 0xd800 <= r && r < 0xe000 || r > 0x1_2000 && r%97 != 0 { // most of those behind are alike
						continue
					}
					if got, want := m.match(string(r)), in(r) != negated; got != want {
						t.Fatalf("%s of %s: %U: %v, want %v", format, name, r, got, want)
					}
				}
			}
		}
	}
}

// TestProperties: every name leads to a class that Go knows.
func TestProperties(t *testing.T) {
	p := properties()
	named := map[string]bool{}
	for name, s := range p.scripts {
		named[s.body] = true
		if classBounds(s.body) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if len(named) != len(unicode.Scripts) {
		t.Errorf("%d scripts, Go has %d", len(named), len(unicode.Scripts))
	}
	for name := range unicode.Scripts {
		if len(name) != 4 && !strings.Contains(scriptCodes, "="+name) { // short ones are their own codes
			t.Errorf("%s has no code", name)
		}
	}
	for _, s := range p.categories {
		classBounds(s.body)
	}
	for name, tables := range binaryProperties {
		if len(tables) == 0 || classBounds(spelt(name, tables).body) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
}
