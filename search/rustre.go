package search

import (
	"errors"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// maxRegexpInsts bounds the compiled size of all regular expressions of a
// search: matching costs at most this many steps a character.
const maxRegexpInsts = 20_000

// The client's regular expressions are those of Rust's regex crate, where \d,
// \w, \s and \b are about Unicode. Go's engine knows neither these nor a few
// assertions; translateRegexp writes the former as explicit classes, and the
// latter as groups of one private character, which matcher takes for an
// assertion.
const (
	assertWordStart     = '\U0010FFF0' // \< or \b{start}
	assertWordEnd       = '\U0010FFF1' // \> or \b{end}
	assertWordStartHalf = '\U0010FFF2' // \b{start-half}
	assertWordEndHalf   = '\U0010FFF3' // \b{end-half}
)

// maxTranslated bounds the length of one translated expression.
const maxTranslated = 256 << 10

// translateRegexp writes re in Go's syntax and tells what it costs: the size of
// its program, and a little for the classes in it.
func translateRegexp(re string) (string, int, error) {
	t := translator{s: re}
	if err := t.run(); err != nil {
		return "", 0, err
	}
	out := string(t.out)
	parsed, err := syntax.Parse(out, syntax.Perl)
	if err != nil {
		var e *syntax.Error
		if errors.As(err, &e) && e.Code != syntax.ErrInternalError {
			return "", 0, errors.New(string(e.Code))
		}
		return "", 0, errors.New("not understood")
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return "", 0, errors.New("not understood")
	}
	return out, len(prog.Inst) + len(out)/64, nil
}

type translator struct {
	s   string
	i   int
	out []byte
	// atom is where in out the last atom begins, groups where the open ones
	// do; quantified is true right after a repetition.
	atom       int
	groups     []int
	quantified bool
}

var errRegexpEnd = errors.New("trailing backslash")

func (t *translator) write(s string) { t.out = append(t.out, s...) }

func (t *translator) run() error {
	for t.i < len(t.s) {
		r, n := utf8.DecodeRuneInString(t.s[t.i:])
		at := len(t.out)
		if at > maxTranslated {
			return errors.New("too complex")
		}
		switch r {
		case '*', '+', '?', '{':
			if err := t.repeat(); err != nil {
				return err
			}
			continue
		case '(':
			t.groups = append(t.groups, at)
			if err := t.open(); err != nil {
				return err
			}
		case ')':
			if len(t.groups) == 0 {
				return errors.New("unexpected )")
			}
			at = t.groups[len(t.groups)-1]
			t.groups = t.groups[:len(t.groups)-1]
			t.write(")")
			t.i++
		case '\\':
			if err := t.escape(false); err != nil {
				return err
			}
		case '[':
			if err := t.class(); err != nil {
				return err
			}
		default:
			if r >= assertWordStart && r <= assertWordEndHalf {
				return errors.New("a private character")
			}
			t.write(t.s[t.i : t.i+n])
			t.i += n
		}
		t.atom, t.quantified = at, false
	}
	return nil
}

// repeat writes a repetition. Go refuses to repeat a repetition (a**) unless
// it stands in a group, and takes an odd brace for itself.
func (t *translator) repeat() error {
	end := t.i + 1
	if t.s[t.i] == '{' {
		n := strings.IndexByte(t.s[t.i:], '}')
		if n < 0 {
			return errors.New("unclosed repetition count")
		}
		end = t.i + n + 1
	}
	count := t.s[t.i:end]
	if count[0] == '{' {
		count = strings.ReplaceAll(count, " ", "")
		lo, hi, _ := strings.Cut(count[1:len(count)-1], ",")
		if lo == "" || strings.Trim(lo+hi, "0123456789") != "" {
			return errors.New("a repetition count must be a number")
		}
	}
	if last := len(t.out) - 1; t.atom > last || t.out[t.atom] == '|' {
		return errors.New("missing argument to repetition operator")
	}
	if t.quantified {
		t.out = append(slices.Insert(t.out, t.atom, []byte("(?:")...), ')')
	}
	t.i = end
	if strings.HasPrefix(t.s[t.i:], "?") {
		count += "?"
		t.i++
	}
	t.write(count)
	t.quantified = true
	return nil
}

// open passes "(" or "(?…" on, the latter if Go knows its flags.
func (t *translator) open() error {
	t.i++
	t.write("(")
	rest := t.s[t.i:]
	if !strings.HasPrefix(rest, "?") {
		return nil
	}
	end := strings.IndexAny(rest, ":)<P")
	if end < 0 {
		return errors.New("unclosed group")
	}
	if strings.ContainsAny(rest[:end], "xRu") {
		return errors.New("the flags x, R and u are not available here")
	}
	t.write(rest[:end])
	t.i += end
	return nil
}

// escape translates the sequence that begins at t.i.
func (t *translator) escape(inClass bool) error {
	if t.i+1 == len(t.s) {
		return errRegexpEnd
	}
	c, n := utf8.DecodeRuneInString(t.s[t.i+1:])
	seq := t.s[t.i : t.i+1+n]
	t.i += len(seq)
	switch c {
	case 'd', 'D', 's', 'S', 'w', 'W':
		t.perlClass(byte(c), inClass)
	case 'u', 'U', 'x':
		return t.codePoint(c)
	case 'p', 'P':
		return t.property(seq)
	case 'a', 'f', 't', 'n', 'r', 'v':
		t.write(seq)
	case 'b', 'B', 'A', 'z', '<', '>':
		if inClass {
			return errors.New("escape " + seq + " in a character class")
		}
		return t.assertion(c, seq)
	default:
		if c >= utf8.RuneSelf || c <= ' ' || strings.ContainsRune(asciiAlnum, c) {
			return errors.New("unknown escape " + seq)
		}
		t.write(seq)
	}
	return nil
}

func (t *translator) assertion(c rune, seq string) error {
	special := rune(0)
	switch c {
	case '<':
		special = assertWordStart
	case '>':
		special = assertWordEnd
	case 'b':
		for name, r := range map[string]rune{
			"{start}": assertWordStart, "{end}": assertWordEnd,
			"{start-half}": assertWordStartHalf, "{end-half}": assertWordEndHalf,
		} {
			if strings.HasPrefix(t.s[t.i:], name) {
				special = r
				t.i += len(name)
				break
			}
		}
	}
	if special == 0 {
		t.write(seq)
		return nil
	}
	t.write("(")
	t.write(string(special))
	t.write(")")
	return nil
}

// codePoint translates \x41, \x{41}, \u0041, \u{41}, \U00000041 and \U{41}.
func (t *translator) codePoint(c rune) error {
	rest := t.s[t.i:]
	digits := ""
	if strings.HasPrefix(rest, "{") {
		end := strings.IndexByte(rest, '}')
		if end < 2 {
			return errors.New("unfinished escape")
		}
		digits = rest[1:end]
		t.i += end + 1
	} else {
		n := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]
		if len(rest) < n {
			return errors.New("unfinished escape")
		}
		digits = rest[:n]
		t.i += n
	}
	if strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return errors.New("a code point must be hexadecimal")
	}
	t.write(`\x{` + digits + `}`)
	return nil
}

// property passes \pL, \p{Greek} and \p{^Lu} on; "Letter" and script names are
// the same in both, and the few others are spelt out.
func (t *translator) property(seq string) error {
	rest := t.s[t.i:]
	if !strings.HasPrefix(rest, "{") {
		t.write(seq)
		return nil
	}
	end := strings.IndexByte(rest, '}')
	if end < 0 {
		return errors.New("unfinished escape")
	}
	name := rest[1:end]
	t.i += end + 1
	for _, prefix := range []string{"sc=", "Script=", "gc=", "General_Category="} {
		name = strings.TrimPrefix(name, prefix)
	}
	t.write(seq + "{" + name + "}")
	return nil
}

// class translates a bracket expression.
func (t *translator) class() error {
	t.write("[")
	t.i++
	if strings.HasPrefix(t.s[t.i:], "^") {
		t.write("^")
		t.i++
	}
	for first := true; t.i < len(t.s); first = false {
		rest := t.s[t.i:]
		switch {
		case rest[0] == ']' && !first:
			t.write("]")
			t.i++
			return nil
		case rest[0] == ']':
			t.write(`\]`)
			t.i++
		case strings.HasPrefix(rest, "[:"):
			end := strings.Index(rest, ":]")
			if end < 0 {
				return errors.New("nested character classes are not available here")
			}
			t.write(rest[:end+2])
			t.i += end + 2
		case rest[0] == '[', strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "~~"):
			return errors.New("nested character classes are not available here")
		case rest[0] == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			_, n := utf8.DecodeRuneInString(rest)
			t.write(rest[:n])
			t.i += n
		}
	}
	return errors.New("unclosed character class")
}

// perlClass writes \d, \s, \w or its complement as a class of code points.
func (t *translator) perlClass(c byte, inClass bool) {
	body := perlClasses()[c]
	if inClass {
		t.write(body)
		return
	}
	if negated := perlClasses()[c|0x20]; c < 'a' {
		// Case folding would undo a complement that is spelt out.
		t.write("[^" + negated + "]")
		return
	}
	t.write("[" + body + "]")
}

var perlClasses = sync.OnceValue(func() map[byte]string {
	m := map[byte]string{}
	for c, in := range map[byte]func(rune) bool{'d': unicode.IsDigit, 's': unicode.IsSpace, 'w': isWord} {
		m[c], m[c-0x20] = ranges(in)
	}
	// Only what Go has no names for is spelt out; complements have to be.
	rest, _ := ranges(func(r rune) bool { return isWord(r) && !unicode.In(r, namedWord...) })
	m['w'] = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}` + rest
	m['d'] = `\p{Nd}`
	return m
})

// isWord tells the characters of \w: letters, marks, digits, connectors,
// joiners and other alphabetic symbols.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
	}
	return unicode.In(r, namedWord...) || unicode.In(r, unicode.Other_Alphabetic, unicode.Join_Control)
}

// namedWord are the categories that make up most of \w.
var namedWord = []*unicode.RangeTable{unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc}

// ranges writes a set of characters and its complement as the inside of a
// bracket expression.
func ranges(in func(rune) bool) (yes, no string) {
	var b [2]strings.Builder
	start := rune(0)
	flush := func(end rune, was bool) {
		w := &b[0]
		if !was {
			w = &b[1]
		}
		w.WriteString(hexRune(start))
		if end > start {
			w.WriteString("-" + hexRune(end))
		}
	}
	was := in(0)
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if is := in(r); is != was {
			flush(r-1, was)
			start, was = r, is
		}
	}
	flush(unicode.MaxRune, was)
	return b[0].String(), b[1].String()
}

func hexRune(r rune) string {
	const digits = "0123456789abcdef"
	s := ""
	for ; r > 0 || s == ""; r >>= 4 {
		s = string(digits[r&15]) + s
	}
	return `\x{` + s + `}`
}
