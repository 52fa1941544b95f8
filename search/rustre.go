package search

import (
	"errors"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxRegexpInsts bounds the compiled size of all regular expressions of a
// search: matching costs at most this many steps a character.
const maxRegexpInsts = 20_000

// What counts as much as one instruction.
const (
	runesPerInst     = 16 // bounds of the ranges of a class: 64 bytes
	foldStepsPerInst = 32 // code points of a range that Go's parser folds one by one
	bytesPerInst     = 64 // of the translated text
)

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

var errTooComplex = errors.New("too complex")

// translateRegexp writes re in Go's syntax and tells what it costs: the size of
// its program, the classes in it, and what it takes to read them. Nothing of
// that is made yet: an expression of a few bytes can stand for a large program.
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
	return out, programCost(parsed) + len(out)/bytesPerInst + t.folds/foldStepsPerInst, nil
}

// programCost bounds the size of a program from above, before repetitions are
// multiplied out.
func programCost(re *syntax.Regexp) int {
	return exprCost(re) + 2 // a start and an end
}

func exprCost(re *syntax.Regexp) int {
	const most = 1 << 20 // times Go's most repetitions it is still an int32
	n := 1 + len(re.Rune)/runesPerInst
	if re.Op == syntax.OpLiteral {
		n = 1 + len(re.Rune)
	}
	for _, sub := range re.Sub {
		n = min(n+1+exprCost(sub), most)
	}
	if re.Op == syntax.OpRepeat {
		n = min((n+1)*max(re.Min, re.Max, 1), most)
	}
	return n
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
	names      map[string]bool // of groups
	// classes is the number of bounds of ranges so far, folds that of code
	// points that Go's parser will go through to fold ranges.
	classes, folds int
}

// bounded keeps an expression from becoming larger than a search may be,
// before anybody parses it.
func (t *translator) bounded() error {
	if len(t.out) > maxTranslated || t.classes/runesPerInst+t.folds/foldStepsPerInst > maxRegexpInsts {
		return errTooComplex
	}
	return nil
}

var errRegexpEnd = errors.New("trailing backslash")

func (t *translator) write(s string) { t.out = append(t.out, s...) }

func (t *translator) run() error {
	for t.i < len(t.s) {
		r, n := utf8.DecodeRuneInString(t.s[t.i:])
		if err := t.bounded(); err != nil {
			return err
		}
		at := len(t.out)
		switch r {
		case '*', '+', '?', '{':
			if err := t.repeat(); err != nil {
				return err
			}
			continue
		case '(':
			group, err := t.open()
			if err != nil {
				return err
			}
			if group {
				t.groups = append(t.groups, at)
			} else {
				at = len(t.out) // flags are nothing that can be repeated
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
			c, err := t.escape(false)
			if err != nil {
				return err
			}
			if c >= 0 {
				t.write(quoteRune(c))
			}
		case '[':
			if err := t.class(); err != nil {
				return err
			}
		default:
			if isPrivate(r) {
				return errPrivate
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

// open translates "(" or "(?…"; false if that is no group but flags that hold
// from here on. What a group has matched matters to nobody, so it is not kept.
func (t *translator) open() (group bool, err error) {
	t.i++
	if !t.skip("?") {
		t.write("(?:")
		return true, nil
	}
	if t.skip("P<") || t.skip("<") {
		t.write("(?:")
		return true, t.groupName()
	}
	n := strings.IndexAny(t.s[t.i:], ":)")
	if n < 0 {
		return false, errors.New("unclosed group")
	}
	flags, err := goFlags(t.s[t.i : t.i+n])
	if err != nil {
		return false, err
	}
	group = t.s[t.i+n] == ':'
	if t.i += n + 1; group {
		t.write("(?" + flags + ":")
		return true, nil
	}
	if n == 0 {
		return false, errors.New("a question mark without what it repeats")
	}
	if flags != "" {
		t.write("(?" + flags + ")")
	}
	return false, nil
}

// skip goes past s if it comes next.
func (t *translator) skip(s string) bool {
	if !strings.HasPrefix(t.s[t.i:], s) {
		return false
	}
	t.i += len(s)
	return true
}

func (t *translator) groupName() error {
	n := strings.IndexByte(t.s[t.i:], '>')
	if n <= 0 {
		return errors.New("a group without a name")
	}
	name := t.s[t.i : t.i+n]
	for i, r := range name {
		switch {
		case r == '_', unicode.IsLetter(r):
		case i > 0 && (strings.ContainsRune(".[]", r) || unicode.IsNumber(r)):
		default:
			return errors.New("a character that the name of a group cannot have")
		}
	}
	if t.names[name] {
		return errors.New("two groups of one name")
	}
	if t.names == nil {
		t.names = map[string]bool{}
	}
	t.names[name] = true
	t.i += n + 1
	return nil
}

// goFlags translates the flags of a group: of "u", which holds anyhow, nothing
// is left.
func goFlags(s string) (string, error) {
	var on, off string
	out := &on
	for i, r := range s {
		switch {
		case r == '-' && out == &on && i < len(s)-1:
			out = &off
		case strings.Count(s, string(r)) > 1:
			return "", errors.New("a flag that stands there twice")
		case r == 'x', r == 'R', r == 'u' && out == &off:
			return "", errors.New("the flags x, R and -u are not available here")
		case r == 'u':
		case strings.ContainsRune("imsU", r):
			*out += string(r)
		default:
			return "", errors.New("unknown flags of a group")
		}
	}
	if off != "" {
		off = "-" + off
	}
	return on + off, nil
}

// escape translates the sequence that begins at t.i: to a character, or to
// something else that it has written, and -1.
func (t *translator) escape(inClass bool) (rune, error) {
	if t.i+1 == len(t.s) {
		return 0, errRegexpEnd
	}
	c, n := utf8.DecodeRuneInString(t.s[t.i+1:])
	seq := t.s[t.i : t.i+1+n]
	t.i += len(seq)
	switch c {
	case 'd', 'D', 's', 'S', 'w', 'W':
		t.perlClass(byte(c), inClass)
		return -1, nil
	case 'u', 'U', 'x':
		return t.codePoint(c)
	case 'p', 'P':
		return -1, t.property(c == 'P', inClass)
	case 'a':
		return '\a', nil
	case 'f':
		return '\f', nil
	case 't':
		return '\t', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 'v':
		return '\v', nil
	case 'b', 'B', 'A', 'z', '<', '>':
		if inClass {
			return 0, errors.New("escape " + seq + " in a character class")
		}
		return -1, t.assertion(c, seq)
	}
	if c >= utf8.RuneSelf || strings.ContainsRune(asciiAlnum, c) {
		return 0, errors.New("unknown escape " + seq)
	}
	return c, nil
}

// quoteRune writes a character so that it is itself, also in a class.
func quoteRune(r rune) string {
	if r >= utf8.RuneSelf || strings.ContainsRune(asciiAlnum, r) {
		return string(r)
	}
	return `\` + string(r)
}

func isPrivate(r rune) bool { return r >= assertWordStart && r <= assertWordEndHalf }

var errPrivate = errors.New("a private character")

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

// codePoint reads \x41, \x{41}, \u0041, \u{41}, \U00000041 and \U{41}.
func (t *translator) codePoint(c rune) (rune, error) {
	rest := t.s[t.i:]
	digits := ""
	if strings.HasPrefix(rest, "{") {
		end := strings.IndexByte(rest, '}')
		if end < 2 {
			return 0, errors.New("unfinished escape")
		}
		digits = rest[1:end]
		t.i += end + 1
	} else {
		n := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]
		if len(rest) < n {
			return 0, errors.New("unfinished escape")
		}
		digits = rest[:n]
		t.i += n
	}
	if strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return 0, errors.New("a code point must be hexadecimal")
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) {
		return 0, errors.New("there is no such code point")
	}
	if isPrivate(rune(n)) {
		return 0, errPrivate
	}
	return rune(n), nil
}
