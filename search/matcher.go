package search

import (
	"container/list"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"unicode/utf8"
)

// matcher is a translated regular expression. Those with word boundaries run on
// Go's engine for ASCII texts, where its boundaries are the right ones, and on
// a small engine of our own otherwise. Both are linear in the text.
type matcher struct {
	std     *regexp.Regexp // nil if it cannot serve any text
	prog    *syntax.Prog   // nil if std serves every text
	threads sync.Pool      // of *threads
	cost    int            // of memory, as programCost counts
}

func compileMatcher(translated string) (*matcher, error) {
	parsed, err := syntax.Parse(translated, syntax.Perl)
	if err != nil {
		return nil, err
	}
	m := &matcher{cost: programCost(parsed) + len(translated)/bytesPerInst}
	special := strings.ContainsAny(translated, string([]rune{
		assertWordStart, assertWordEnd, assertWordStartHalf, assertWordEndHalf}))
	if !special {
		if m.std, err = regexp.Compile(translated); err != nil {
			return nil, err
		}
		if !strings.Contains(translated, `\b`) && !strings.Contains(translated, `\B`) {
			return m, nil
		}
		m.cost *= 2 // two programs
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	n := len(prog.Inst)
	m.prog = prog
	m.threads.New = func() any { return &threads{now: newSparse(n), next: newSparse(n)} }
	return m, nil
}

// match reports whether the expression matches anywhere in s.
func (m *matcher) match(s string) bool {
	if m.prog == nil || m.std != nil && isASCII(s) {
		return m.std.MatchString(s)
	}
	t := m.threads.Get().(*threads)
	defer m.threads.Put(t)
	return t.run(m.prog, s)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// threads are the states that a simulation of all matches at once is in.
type threads struct {
	now, next *sparse
	stack     []uint32
}

// sparse is a set of small numbers that is emptied in no time.
type sparse struct{ where, list []uint32 }

func newSparse(n int) *sparse { return &sparse{where: make([]uint32, n), list: make([]uint32, 0, n)} }

func (s *sparse) add(x uint32) bool {
	if i := s.where[x]; int(i) < len(s.list) && s.list[i] == x {
		return false
	}
	s.where[x] = uint32(len(s.list))
	s.list = append(s.list, x)
	return true
}

func (t *threads) run(p *syntax.Prog, s string) bool {
	t.now.list = t.now.list[:0]
	before := rune(-1)
	for i := 0; ; {
		after, n := rune(-1), 0
		if i < len(s) {
			after, n = utf8.DecodeRuneInString(s[i:])
		}
		// What is under way continues, and a match may begin here.
		if t.follow(p, uint32(p.Start), before, after) {
			return true
		}
		if i == len(s) {
			return false
		}
		after2 := rune(-1)
		if i+n < len(s) {
			after2, _ = utf8.DecodeRuneInString(s[i+n:])
		}
		t.now, t.next = t.next, t.now
		t.now.list = t.now.list[:0]
		for _, pc := range t.next.list {
			if in := &p.Inst[pc]; consumes(in) && in.MatchRune(after) && t.follow(p, in.Out, after, after2) {
				return true
			}
		}
		before, i = after, i+n
	}
}

// consumes tells instructions that read a character from assertions.
func consumes(in *syntax.Inst) bool {
	switch in.Op {
	case syntax.InstRune, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	case syntax.InstRune1:
		return in.Rune[0] < assertWordStart || in.Rune[0] > assertWordEndHalf
	}
	return false
}

// follow adds what is reached from pc without reading; true if that is a match.
func (t *threads) follow(p *syntax.Prog, pc uint32, before, after rune) bool {
	t.stack = append(t.stack[:0], pc)
	for len(t.stack) > 0 {
		pc = t.stack[len(t.stack)-1]
		t.stack = t.stack[:len(t.stack)-1]
		if !t.now.add(pc) {
			continue
		}
		in := &p.Inst[pc]
		switch in.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			t.stack = append(t.stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			t.stack = append(t.stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^boundaries(before, after) == 0 {
				t.stack = append(t.stack, in.Out)
			}
		case syntax.InstRune1:
			if !consumes(in) && holds(in.Rune[0], before, after) {
				t.stack = append(t.stack, in.Out)
			}
		}
	}
	return false
}

func boundaries(before, after rune) syntax.EmptyOp {
	op := syntax.EmptyOpContext(before, after) &^ (syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary)
	if isWord(before) != isWord(after) {
		return op | syntax.EmptyWordBoundary
	}
	return op | syntax.EmptyNoWordBoundary
}

func holds(assertion, before, after rune) bool {
	switch assertion {
	case assertWordStart:
		return !isWord(before) && isWord(after)
	case assertWordEnd:
		return isWord(before) && !isWord(after)
	case assertWordStartHalf:
		return !isWord(before)
	}
	return !isWord(after)
}

// Bounds of what is kept compiled. A statement may have many expressions and
// runs all of them on every row, so they must all find room.
const (
	maxMatchers    = 4 * MaxTerms
	maxMatcherCost = 8 * maxRegexpInsts
)

// matchers keeps compiled expressions: SQLite calls its functions once a row.
var matchers = matcherCache{byText: map[string]*list.Element{}}

type matcherCache struct {
	mu     sync.Mutex
	byText map[string]*list.Element
	recent list.List // of *cachedMatcher, latest first
	cost   int       // of all of them
}

type cachedMatcher struct {
	text string
	m    *matcher
}

func (c *matcherCache) get(translated string) (*matcher, error) {
	c.mu.Lock()
	if e, ok := c.byText[translated]; ok {
		c.recent.MoveToFront(e)
		m := e.Value.(*cachedMatcher).m
		c.mu.Unlock()
		return m, nil
	}
	c.mu.Unlock()
	m, err := compileMatcher(translated)
	if err != nil {
		return nil, err
	}
	text := strings.Clone(translated) // the driver lends its memory for a call
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byText[text]; !ok {
		c.byText[text] = c.recent.PushFront(&cachedMatcher{text, m})
		c.cost += m.cost
		for c.recent.Len() > maxMatchers || c.cost > maxMatcherCost && c.recent.Len() > 1 {
			last := c.recent.Remove(c.recent.Back()).(*cachedMatcher)
			delete(c.byText, last.text)
			c.cost -= last.m.cost
		}
	}
	return m, nil
}
