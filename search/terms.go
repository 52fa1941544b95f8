package search

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// keyed makes a node of key:val. The offsets are those of key and of val.
func (p *parser) keyed(key, val string, keyAt, valAt int) (Node, error) {
	key = lowerASCII(key)
	limit := val
	if key == "nid" || key == "cid" || key == "did" {
		limit = "" // lists are bounded by the length of the whole
	}
	if err := p.count(limit, keyAt); err != nil {
		return nil, err
	}
	if f, ok := keywords[key]; ok {
		return f(p, val, valAt)
	}
	return p.field(p.s[keyAt:keyAt+len(key)], val, keyAt, valAt)
}

type keyword func(p *parser, val string, at int) (Node, error)

var keywords map[string]keyword

func init() {
	keywords = map[string]keyword{
		"deck":       pattern(func(s string) Node { return Deck{s} }),
		"note":       pattern(func(s string) Node { return Notetype{s} }),
		"nc":         pattern(func(s string) Node { return Text{s, TextNoAccents} }),
		"sc":         pattern(func(s string) Node { return Text{s, TextNoClozes} }),
		"w":          (*parser).word,
		"has-cd":     pattern(func(s string) Node { return HasCustomData{s} }),
		"preset":     func(_ *parser, val string, _ int) (Node, error) { return Preset{val}, nil },
		"re":         (*parser).regexp,
		"tag":        (*parser).tag,
		"card":       (*parser).template,
		"flag":       (*parser).flag,
		"is":         (*parser).state,
		"prop":       (*parser).prop,
		"rated":      (*parser).rated,
		"resched":    days("resched", 0, func(n uint32) Node { return Rated{n, Rescheduled} }),
		"added":      days("added", 1, func(n uint32) Node { return Added{n} }),
		"edited":     days("edited", 1, func(n uint32) Node { return Edited{n} }),
		"introduced": days("introduced", 1, func(n uint32) Node { return Introduced{n} }),
		"did":        ids("did", func(l []int64) Node { return DeckIDs{l} }),
		"nid":        ids("nid", func(l []int64) Node { return NoteIDs{l} }),
		"cid":        ids("cid", func(l []int64) Node { return CardIDs{l} }),
		"mid":        (*parser).notetypeID,
		"dupe":       (*parser).duplicate,
	}
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func pattern(f func(string) Node) keyword {
	return func(p *parser, val string, at int) (Node, error) {
		s, err := p.unescape(val, at)
		if err != nil {
			return nil, err
		}
		return f(s), nil
	}
}

func (p *parser) word(val string, at int) (Node, error) {
	s, err := p.unescape(val, at)
	if err != nil {
		return nil, err
	}
	return Text{s, TextWord}, p.checkRegexp(wordRegexp(s), at)
}

func (p *parser) regexp(val string, at int) (Node, error) {
	re := unescapeQuotes(val)
	return Text{re, TextRegexp}, p.checkRegexp(re, at)
}

// checkRegexp finds out at once whether a regular expression can be used.
func (p *parser) checkRegexp(re string, at int) error {
	_, n, err := translateRegexp("(?i)" + re)
	if err != nil {
		return p.errorf(at, BadRegexp, "this regular expression cannot be used: "+err.Error())
	}
	if p.insts += n; p.insts > maxRegexpInsts {
		return p.errorf(at, BadRegexp, "this regular expression cannot be used: too complex")
	}
	return nil
}

func (p *parser) tag(val string, at int) (Node, error) {
	if re, ok := strings.CutPrefix(val, "re:"); ok {
		re = unescapeQuotes(re)
		return Tag{re, MatchRegexp}, p.checkRegexp(re, at+3)
	}
	mode := MatchPlain
	if rest, ok := strings.CutPrefix(val, "nc:"); ok {
		mode, val, at = MatchNoAccents, rest, at+3
	}
	s, err := p.unescape(val, at)
	if err != nil {
		return nil, err
	}
	if isGlob(s) {
		err = p.checkRegexp(tagRegexp(s), at)
	}
	return Tag{s, mode}, err
}

func (p *parser) field(name, val string, nameAt, valAt int) (Node, error) {
	name, err := p.unescape(name, nameAt)
	if err != nil {
		return nil, err
	}
	if re, ok := strings.CutPrefix(val, "re:"); ok {
		re = unescapeQuotes(re)
		return Field{name, re, MatchRegexp}, p.checkRegexp(re, valAt+3)
	}
	if text, ok := strings.CutPrefix(val, "nc:"); ok {
		return Field{name, unescapeQuotes(text), MatchNoAccents}, nil
	}
	text, err := p.unescape(val, valAt)
	if err != nil {
		return nil, err
	}
	return Field{name, text, MatchPlain}, nil
}

func (p *parser) template(val string, at int) (Node, error) {
	if n, err := parseUint(val, 16); err == nil {
		return TemplateOrd{max(int(n), 1) - 1}, nil
	}
	s, err := p.unescape(val, at)
	if err != nil {
		return nil, err
	}
	return TemplateName{s}, nil
}

func (p *parser) flag(val string, at int) (Node, error) {
	n, err := parseUint(val, 8)
	if err != nil || n > 7 {
		return nil, p.errorf(at, BadArgument, "flag: wants a number from 0 to 7: 0 none, 1 red, 2 orange, 3 green, 4 blue, 5 pink, 6 turquoise, 7 purple")
	}
	return Flag{uint8(n)}, nil
}

func (p *parser) state(val string, at int) (Node, error) {
	switch k := StateKind(val); k {
	case StateNew, StateLearn, StateReview, StateDue, StateSuspended, StateBuried, StateUserBuried, StateSchedBuried:
		return State{k}, nil
	}
	return nil, p.errorf(at, BadArgument, "is: knows new, learn, review, due, suspended, buried, buried-manually and buried-sibling, not "+strconv.Quote(val))
}

func days(key string, least uint32, f func(uint32) Node) keyword {
	return func(p *parser, val string, at int) (Node, error) {
		n, err := p.uint32(key+":", val, at)
		if err != nil {
			return nil, err
		}
		return f(max(n, least)), nil
	}
}

func (p *parser) rated(val string, at int) (Node, error) {
	d, b, hasButton := strings.Cut(val, ":")
	n, err := p.uint32("rated:", d, at)
	if err != nil {
		return nil, err
	}
	button, err := p.button(b, hasButton, at+len(d)+1)
	if err != nil {
		return nil, err
	}
	return Rated{max(n, 1), button}, nil
}

func (p *parser) button(s string, given bool, at int) (Button, error) {
	if !given {
		return AnyButton, nil
	}
	n, err := parseUint(s, 8)
	if err != nil || n < 1 || n > 4 {
		return 0, p.errorf(at, BadNumber, "an answer button is 1, 2, 3 or 4, not "+strconv.Quote(s))
	}
	return Button(n), nil
}

func ids(key string, f func([]int64) Node) keyword {
	return func(p *parser, val string, at int) (Node, error) {
		var list []int64
		for part := range strings.SplitSeq(val, ",") {
			if part == "" || strings.Trim(part, "0123456789") != "" {
				return nil, p.errorf(at, BadArgument, key+": wants numbers with commas between them")
			}
			n, err := strconv.ParseInt(part, 10, 64)
			if err != nil {
				n = math.MaxInt64 // too large for an id, so it is nobody's
			}
			list = append(list, n)
			at += len(part) + 1
		}
		return f(list), nil
	}
}

func (p *parser) notetypeID(val string, at int) (Node, error) {
	n, err := strconv.ParseInt(val, 10, 64)
	if err != nil {
		return nil, p.errorf(at, BadNumber, "mid: wants a whole number, not "+strconv.Quote(val))
	}
	return NotetypeID{n}, nil
}

func (p *parser) duplicate(val string, at int) (Node, error) {
	id, text, ok := strings.Cut(val, ",")
	n, err := strconv.ParseInt(id, 10, 64)
	if !ok || err != nil {
		return nil, p.errorf(at, BadArgument, "dupe: wants the id of a notetype, a comma and a text")
	}
	return Duplicate{n, strings.ReplaceAll(unescapeQuotes(text), `\\`, `\`)}, nil
}

var (
	propNames = []PropName{
		PropInterval, PropDue, PropReps, PropLapses, PropEase, PropPosition, PropRated, PropResched,
		PropStability, PropDifficulty, PropRetrievability, PropDataNumber, PropDataText,
	}
	propOps = []Op{"<=", ">=", "!=", "=", "<", ">"}
)

// prop reads name, operator and value. Names that begin alike stand in
// propNames with the longer one first.
func (p *parser) prop(val string, at int) (Node, error) {
	var pr Prop
	rest := val
	for _, name := range propNames {
		tail, ok := strings.CutPrefix(val, string(name))
		if !ok {
			continue
		}
		if name == PropDataNumber || name == PropDataText {
			key := len(tail) - len(strings.TrimLeft(tail, asciiAlnum))
			if key == 0 {
				break
			}
			pr.Key, tail = tail[:key], tail[key:]
		}
		pr.Name, rest = name, tail
		break
	}
	if pr.Name == "" {
		return nil, p.errorf(at, BadArgument, "prop: knows ivl, due, reps, lapses, ease, pos, rated, resched, s, d, r, cdn:key and cds:key, not "+strconv.Quote(val))
	}
	at += len(val) - len(rest)
	for _, op := range propOps {
		if tail, ok := strings.CutPrefix(rest, string(op)); ok {
			pr.Op = op
			return p.propValue(pr, tail, at+len(op))
		}
	}
	return nil, p.errorf(at, BadArgument, "prop:"+string(pr.Name)+pr.Key+" must be followed by =, !=, <, >, <= or >=")
}

const asciiAlnum = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (p *parser) propValue(pr Prop, val string, at int) (Node, error) {
	var err error
	switch pr.Name {
	case PropDue:
		pr.Int, err = p.int32(val, at)
	case PropRated, PropResched:
		d, b, has := val, "", false
		if pr.Name == PropRated {
			d, b, has = strings.Cut(val, ":")
		}
		if pr.Int, err = p.int32(d, at); err == nil && pr.Int > 0 {
			err = p.errorf(at, BadNumber, "a whole number not above 0 is wanted, 0 being today and -1 yesterday, not "+strconv.Quote(d))
		}
		if err != nil {
			return nil, err
		}
		pr.Button, err = p.button(b, has, at+len(d)+1)
	case PropInterval, PropReps, PropLapses, PropPosition:
		var n uint32
		n, err = p.uint32("prop:"+string(pr.Name), val, at)
		pr.Int = int64(n)
	case PropDataText:
		pr.Text = val
	case PropEase:
		pr.Float, err = p.ease(val, at)
	default:
		pr.Float, err = p.float32(val, at)
	}
	if err != nil {
		return nil, err
	}
	return pr, nil
}

func parseUint(s string, bits int) (uint64, error) {
	return strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, bits)
}

func (p *parser) uint32(what, s string, at int) (uint32, error) {
	n, err := parseUint(s, 32)
	if err != nil {
		return 0, p.errorf(at, BadNumber, what+" wants a whole number from 0 on, not "+strconv.Quote(s))
	}
	return uint32(n), nil
}

func (p *parser) int32(s string, at int) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return 0, p.errorf(at, BadNumber, "a whole number is wanted, not "+strconv.Quote(s))
	}
	return n, nil
}

var decimal = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// ease reads a number of which there may be too much: it is cut off at what an
// ease can be. What is no number counts as 0, as in the client.
func (p *parser) ease(s string, at int) (float32, error) {
	f, err := strconv.ParseFloat(s, 32)
	switch {
	case err == nil && math.IsNaN(f):
		return 0, nil
	case math.IsInf(f, 0) && (err == nil || decimal.MatchString(s)):
		return float32(min(max(f, -math.MaxFloat32), math.MaxFloat32)), nil
	}
	return p.float32(s, at)
}

func (p *parser) float32(s string, at int) (float32, error) {
	if decimal.MatchString(s) {
		if f, err := strconv.ParseFloat(s, 32); err == nil {
			return float32(f), nil
		}
	}
	return 0, p.errorf(at, BadNumber, "a number is wanted, not "+strconv.Quote(s))
}
