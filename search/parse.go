package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what Parse accepts. They are far beyond what people type and keep
// every statement within SQLite's own limits.
const (
	// MaxQueryBytes is the length of a search; long lists of ids need room.
	MaxQueryBytes = 1 << 20
	// MaxTermBytes is the length of one term that is no list of ids.
	MaxTermBytes = 16 << 10
	// MaxDepth is how deep parentheses nest.
	MaxDepth = 64
	// MaxTerms is the number of terms.
	MaxTerms = 1000
)

// Parse reads a search. The error is a *[ParseError].
func Parse(query string) (Node, error) {
	if len(query) > MaxQueryBytes {
		return nil, &ParseError{Kind: TooLong, Offset: MaxQueryBytes, Reason: "the search is too long"}
	}
	p := newParser(query)
	n, err := p.group(0)
	if err != nil {
		return nil, err
	}
	if p.i < len(p.s) { // only a bracket stops a group
		return nil, p.errorf(p.i, UnopenedGroup, "a closing bracket ) was found without an opening one before it; to search for a bracket, quote it")
	}
	if n == nil {
		return All{}, nil
	}
	return n, nil
}

type parser struct {
	s     string // the query; every white space is a plain space
	pos   []int  // offsets in the query, by offset in s; nil if they are the same
	i     int    // what is read next
	terms int
	insts int // of regular expressions
}

func newParser(query string) *parser {
	p := &parser{s: query}
	plain := utf8.ValidString(query) && strings.IndexFunc(query, func(r rune) bool {
		return r >= utf8.RuneSelf && unicode.IsSpace(r)
	}) < 0
	if plain {
		p.s = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return ' '
			}
			return r
		}, query)
		return p
	}
	var b strings.Builder
	for i, r := range query { // invalid bytes become U+FFFD
		if unicode.IsSpace(r) {
			r = ' '
		}
		n, _ := b.WriteRune(r)
		for range n {
			p.pos = append(p.pos, i)
		}
	}
	p.pos = append(p.pos, len(query))
	p.s = b.String()
	return p
}

func (p *parser) errorf(at int, kind ErrorKind, reason string) error {
	if p.pos != nil {
		at = p.pos[at]
	}
	return &ParseError{Kind: kind, Offset: at, Reason: reason}
}

// operator is a word between two terms.
type operator int

const (
	noOperator operator = iota
	opAnd
	opOr
)

// group reads terms up to a closing bracket or the end. The node is nil if
// there are none.
func (p *parser) group(depth int) (Node, error) {
	var (
		alternatives []Node // finished parts of an or
		parts        []Node // of the and that is being read
		pending      operator
		pendingAt    int
	)
	for {
		p.spaces()
		if p.i == len(p.s) || p.s[p.i] == ')' {
			break
		}
		at := p.i
		n, op, err := p.item(depth)
		if err != nil {
			return nil, err
		}
		if op != noOperator {
			if pending != noOperator || len(parts) == 0 {
				return nil, p.misplaced(at, op)
			}
			pending, pendingAt = op, at
			continue
		}
		if pending == opOr {
			alternatives = append(alternatives, joinAnd(parts))
			parts = nil
		}
		pending = noOperator
		parts = append(parts, n)
	}
	if pending != noOperator {
		return nil, p.misplaced(pendingAt, pending)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	if alternatives == nil {
		return joinAnd(parts), nil
	}
	return Or(append(alternatives, joinAnd(parts))), nil
}

func joinAnd(parts []Node) Node {
	if len(parts) == 1 {
		return parts[0]
	}
	return And(parts)
}

func (p *parser) misplaced(at int, op operator) error {
	if op == opAnd {
		return p.errorf(at, MisplacedAnd, `this "and" does not stand between two terms; to search for the word, quote it: "and"`)
	}
	return p.errorf(at, MisplacedOr, `this "or" does not stand between two terms; to search for the word, quote it: "or"`)
}

func (p *parser) spaces() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
}

// item reads one term, negated term or bracketed group, or an operator.
func (p *parser) item(depth int) (Node, operator, error) {
	if p.s[p.i] != '-' || p.i+1 == len(p.s) || p.s[p.i+1] == ' ' || p.s[p.i+1] == ')' {
		return p.operand(depth)
	}
	at := p.i
	p.i++
	n, op, err := p.operand(depth)
	if err != nil {
		return nil, noOperator, err
	}
	if op != noOperator {
		return nil, noOperator, p.misplaced(at+1, op)
	}
	return Not{n}, noOperator, nil
}

func (p *parser) operand(depth int) (Node, operator, error) {
	switch p.s[p.i] {
	case '(':
		n, err := p.bracket(depth)
		return n, noOperator, err
	case '"':
		at := p.i
		raw, err := p.quoted()
		if err != nil {
			return nil, noOperator, err
		}
		n, err := p.term(raw, at+1)
		return n, noOperator, err
	}
	return p.unquoted()
}

func (p *parser) bracket(depth int) (Node, error) {
	at := p.i
	if depth >= MaxDepth {
		return nil, p.errorf(at, TooDeep, "brackets are nested too deeply")
	}
	p.i++
	n, err := p.group(depth + 1)
	if err != nil {
		return nil, err
	}
	if p.i == len(p.s) {
		return nil, p.errorf(at, UnclosedGroup, "an opening bracket ( has no closing one; to search for a bracket, quote it")
	}
	p.i++
	if n == nil {
		return nil, p.errorf(at, EmptyGroup, "there is nothing between these brackets; to search for brackets, quote them")
	}
	return n, nil
}

// quoted reads a text between double quotes, escapes and all.
func (p *parser) quoted() (string, error) {
	at := p.i
	for i := at + 1; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case '"':
			p.i = i + 1
			if i == at+1 {
				return "", p.errorf(at, EmptyQuote, `there is nothing between these quotes; to search for a quote, write \"`)
			}
			return p.s[at+1 : i], nil
		}
	}
	return "", p.errorf(at, UnclosedQuote, `an opening quote " has no closing one; to search for a quote, write \"`)
}

// unquoted reads a term up to a space, bracket or quote. A quote right after
// the first colon is part of it: deck:"a b".
func (p *parser) unquoted() (Node, operator, error) {
	at, colon := p.i, -1
	i := at
scan:
	for i < len(p.s) {
		switch c := p.s[i]; {
		case c == '\\':
			if i+1 == len(p.s) || p.s[i+1] == ' ' {
				return nil, noOperator, p.badEscape(i)
			}
			_, n := utf8.DecodeRuneInString(p.s[i+1:])
			i += 1 + n
		case c == '"' && colon > at && i == colon+1:
			p.i = i
			val, err := p.quoted()
			if err != nil {
				return nil, noOperator, err
			}
			n, err := p.keyed(p.s[at:colon], val, at, i+1)
			return n, noOperator, err
		case c == ' ' || c == '"' || c == '(' || c == ')':
			break scan
		default:
			if c == ':' && colon < 0 {
				colon = i
			}
			i++
		}
	}
	p.i = i
	raw := p.s[at:i]
	switch {
	case strings.EqualFold(raw, "and"):
		return nil, opAnd, nil
	case strings.EqualFold(raw, "or"):
		return nil, opOr, nil
	}
	n, err := p.term(raw, at)
	return n, noOperator, err
}

func (p *parser) badEscape(at int) error {
	seq := p.s[at:]
	if len(seq) > 1 {
		_, n := utf8.DecodeRuneInString(seq[1:])
		seq = seq[:1+n]
	}
	return p.errorf(at, UnknownEscape, "the escape sequence "+seq+` means nothing; to search for a backslash, write \\`)
}

// term makes a node of a term whose quotes are gone; at is its offset.
func (p *parser) term(raw string, at int) (Node, error) {
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case ':':
			if i == 0 {
				return nil, p.errorf(at, MissingKey, `there is no keyword before this colon; to search for a colon, write \:`)
			}
			return p.keyed(raw[:i], raw[i+1:], at, at+i+1)
		}
	}
	if err := p.count(raw, at); err != nil {
		return nil, err
	}
	text, err := p.unescape(raw, at)
	return Text{Pattern: text}, err
}

// count keeps to the bounds.
func (p *parser) count(raw string, at int) error {
	if p.terms++; p.terms > MaxTerms {
		return p.errorf(at, TooManyTerms, "the search has too many terms")
	}
	if len(raw) > MaxTermBytes {
		return p.errorf(at, TooLong, "this term is too long")
	}
	return nil
}

// unescape takes the backslashes from " : ( ) and -. Those of \ * and _ stay:
// they matter to whoever turns the text into a pattern.
func (p *parser) unescape(raw string, at int) (string, error) {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw, nil
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			b.WriteByte(c)
			continue
		}
		if i+1 == len(raw) || !strings.ContainsRune(`\":*_()-`, rune(raw[i+1])) {
			return "", p.badEscape(at + i)
		}
		i++
		if strings.ContainsRune(`\*_`, rune(raw[i])) {
			b.WriteByte('\\')
		}
		b.WriteByte(raw[i])
	}
	return b.String(), nil
}

// unescapeQuotes is for texts with escapes of their own, as regular expressions.
func unescapeQuotes(raw string) string { return strings.ReplaceAll(raw, `\"`, `"`) }
