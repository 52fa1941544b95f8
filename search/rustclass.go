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

var errNestedClass = errors.New("nested character classes are not available here")

// class translates a bracket expression. Hyphens right after its opening stand
// for themselves, and so does a closing bracket before anything else.
func (t *translator) class() error {
	t.write("[")
	t.i++
	if t.skip("^") {
		t.write("^")
	}
	first := true
	for ; t.skip("-"); first = false {
		t.write(`\-`)
	}
	if first && t.skip("]") {
		t.write(`\]`)
	}
	for t.i < len(t.s) {
		rest := t.s[t.i:]
		switch {
		case rest[0] == ']':
			t.write("]")
			t.i++
			return nil
		case strings.HasPrefix(rest, "[:"):
			end := strings.Index(rest, ":]")
			if end < 0 {
				return errNestedClass
			}
			t.write(rest[:end+2])
			t.i += end + 2
		case rest[0] == '[', strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "~~"):
			return errNestedClass
		default:
			if err := t.classItem(); err != nil {
				return err
			}
		}
		if err := t.bounded(); err != nil {
			return err
		}
	}
	return errors.New("unclosed character class")
}

// classItem translates a character, a range or a set such as \d.
func (t *translator) classItem() error {
	lo, err := t.classChar()
	if err != nil {
		return err
	}
	rest := t.s[t.i:]
	if len(rest) < 2 || rest[0] != '-' || rest[1] == '-' || rest[1] == ']' {
		if lo >= 0 {
			t.write(quoteRune(lo))
		}
		return nil
	}
	t.i++
	hi, err := t.classChar()
	if err != nil {
		return err
	}
	if lo < 0 || hi < lo {
		return errors.New("a range must go from a character to one behind it")
	}
	t.write(quoteRune(lo) + "-" + quoteRune(hi))
	t.folds += foldSteps(lo, hi)
	return nil
}

// classChar reads a character; -1 if it is a set, which it writes.
func (t *translator) classChar() (rune, error) {
	if t.s[t.i] == '\\' {
		return t.escape(true)
	}
	r, n := utf8.DecodeRuneInString(t.s[t.i:])
	if isPrivate(r) {
		return 0, errPrivate
	}
	t.i += n
	return r, nil
}

// foldSteps is how many code points of a range Go's parser folds, one by one,
// in an expression that ignores case: those between the first letter and the
// last one with cases, unless the range has them all.
func foldSteps(lo, hi rune) int {
	const first, last = 'A', '\U0001E943'
	if lo <= first && hi >= last {
		return 0
	}
	return int(max(min(hi, last)-max(lo, first)+1, 0))
}

// charSet is a set of characters, spelt as the inside of a bracket expression.
type charSet struct {
	body  string
	folds int // foldSteps of its ranges
}

func (t *translator) set(s charSet, negated, inClass bool) {
	body := s.body
	if !inClass && negated {
		body = "[^" + body + "]"
	} else if !inClass {
		body = "[" + body + "]"
	}
	t.write(body)
	t.classes += classBounds(body)
	t.folds += s.folds
}

// perlClass writes \d, \s, \w or its complement as a class of code points.
func (t *translator) perlClass(c byte, inClass bool) {
	if lower := c | 0x20; c < 'a' && !inClass {
		// Case folding would undo a complement that is spelt out.
		t.set(perlClasses()[lower], true, false)
		return
	}
	t.set(perlClasses()[c], false, inClass)
}

// property translates \pL, \p{Greek} and \p{Script=Greek}.
func (t *translator) property(negated, inClass bool) error {
	rest := t.s[t.i:]
	_, n := utf8.DecodeRuneInString(rest)
	name := rest[:n]
	if name == "{" {
		end := strings.IndexByte(rest, '}')
		if end < 0 {
			return errors.New("unfinished escape")
		}
		name, n = rest[1:end], end+1
	}
	t.i += n
	s, ok := propertySet(name)
	if !ok {
		return errors.New("a property of characters that is not known here")
	}
	if short, ok := strings.CutPrefix(s.body, `\p`); ok && negated && strings.IndexByte(short, '}') == len(short)-1 {
		s.body, negated = `\P`+short, false
	}
	if negated && inClass {
		return errors.New("this property cannot be negated in a character class here")
	}
	t.set(s, negated, inClass)
	return nil
}

// classBounds is how many bounds of ranges a class has that comes from here.
func classBounds(body string) int {
	if n, ok := boundsOf.Load(body); ok {
		return n.(int)
	}
	text := body
	if text[0] != '[' {
		text = "[" + text + "]"
	}
	re, err := syntax.Parse("(?i)"+text, syntax.Perl)
	if err != nil {
		panic("search: class " + body + ": " + err.Error())
	}
	boundsOf.Store(body, len(re.Rune))
	return len(re.Rune)
}

var boundsOf sync.Map // of int, by body: as many as there are properties

var perlClasses = sync.OnceValue(func() map[byte]charSet {
	m := map[byte]charSet{}
	for c, tables := range map[byte][]*unicode.RangeTable{
		'd': {unicode.Nd},
		's': {unicode.White_Space},
		'w': append([]*unicode.RangeTable{unicode.Other_Alphabetic, unicode.Join_Control}, namedWord...),
	} {
		in := marks(tables...)
		m[c] = spell(in)
		for i := range in {
			in[i] = !in[i]
		}
		m[c-0x20] = spell(in)
	}
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

// marks marks the code points of tables.
func marks(tables ...*unicode.RangeTable) []bool {
	in := make([]bool, unicode.MaxRune+1)
	for _, table := range tables {
		for r := range runesOf(table) {
			in[r] = true
		}
	}
	return in
}

func runesOf(table *unicode.RangeTable) func(yield func(rune) bool) {
	return func(yield func(rune) bool) {
		for _, g := range table.R16 {
			for r := rune(g.Lo); r <= rune(g.Hi); r += rune(g.Stride) {
				if !yield(r) {
					return
				}
			}
		}
		for _, g := range table.R32 {
			for r := rune(g.Lo); r <= rune(g.Hi); r += rune(g.Stride) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// spell writes a set as the names of the categories that are wholly in it, since
// Go's parser folds those quickly, and ranges of the rest.
func spell(in []bool) charSet {
	var names []string
	in = slices.Clone(in)
	for name, table := range unicode.Categories {
		if len(name) != 2 || name == "LC" {
			continue
		}
		whole := true
		for r := range runesOf(table) {
			if whole = in[r]; !whole {
				break
			}
		}
		if !whole {
			continue
		}
		names = append(names, `\p{`+name+`}`)
		for r := range runesOf(table) {
			in[r] = false
		}
	}
	slices.Sort(names)
	s := ranges(in)
	s.body = strings.Join(names, "") + s.body
	return s
}

func ranges(in []bool) charSet {
	var b strings.Builder
	folds := 0
	for i := 0; i < len(in); i++ {
		if !in[i] {
			continue
		}
		start := i
		for i+1 < len(in) && in[i+1] {
			i++
		}
		b.WriteString(hexRune(rune(start)))
		if i > start {
			b.WriteString("-" + hexRune(rune(i)))
		}
		folds += foldSteps(rune(start), rune(i))
	}
	return charSet{b.String(), folds}
}

func hexRune(r rune) string {
	const digits = "0123456789abcdef"
	s := ""
	for ; r > 0 || s == ""; r >>= 4 {
		s = string(digits[r&15]) + s
	}
	return `\x{` + s + `}`
}
