package search

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	dog, cat := Text{Pattern: "dog"}, Text{Pattern: "cat"}
	for q, want := range map[string]Node{
		"":                      All{},
		" \u3000\n":             All{},
		"dog":                   dog,
		"dog\u3000cat":          And{dog, cat},
		"dog AND cat Or dog":    Or{And{dog, cat}, dog},
		"((dog)) -(dog or cat)": And{dog, Not{Or{dog, cat}}},
		"--dog":                 Not{Text{Pattern: "-dog"}},
		"-":                     Text{Pattern: "-"},
		`"and"`:                 Text{Pattern: "and"},
		`a\:b\*\"`:              Text{Pattern: `a:b\*"`},
		`deck:"a b"c`:           And{Deck{"a b"}, Text{Pattern: "c"}},
		`"deck:a b"`:            Deck{"a b"},
		`a:b:"c d"`:             And{Field{Name: "a", Pattern: "b:"}, Text{Pattern: "c d"}},
		`DECK:x`:                Deck{"x"},
		`re:\d\"`:               Text{`\d"`, TextRegexp},
		`front:re:\d`:           Field{"front", `\d`, MatchRegexp},
		`front:re\:x`:           Field{"front", `re:x`, MatchPlain},
		`has\-cd:x`:             Field{Name: "has-cd", Pattern: "x"},
		`tag:nc:é`:              Tag{"é", MatchNoAccents},
		"card:0":                TemplateOrd{0},
		"card:2":                TemplateOrd{1},
		"card:70000":            TemplateName{"70000"},
		"rated:0:3":             Rated{1, 3},
		"resched:0":             Rated{0, Rescheduled},
		"prop:rated<=-2:4":      Prop{Name: PropRated, Op: "<=", Int: -2, Button: 4},
		"prop:d!=.5":            Prop{Name: PropDifficulty, Op: "!=", Float: 0.5},
		"prop:cdn:x1>=1e1":      Prop{Name: PropDataNumber, Op: ">=", Key: "x1", Float: 10},
		"prop:cds:v=<":          Prop{Name: PropDataText, Op: "=", Key: "v", Text: "<"},
		"nid:1,2":               NoteIDs{[]int64{1, 2}},
		`"dupe:5,a \\ b\",c"`:   Duplicate{5, `a \ b",c`},
	} {
		got, err := Parse(q)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", q, err, diff)
		}
		checkString(t, got)
	}
}

// checkString demands that a node's text parses to the node.
func checkString(t *testing.T, n Node) {
	t.Helper()
	if n == nil {
		return
	}
	again, err := Parse(n.String())
	if err != nil || !reflect.DeepEqual(n, again) {
		t.Errorf("%#v\nwrites %q\nwhich parses to %#v, %v", n, n.String(), again, err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		q      string
		offset int
		kind   ErrorKind
		reason string
	}{
		{"a and", 2, MisplacedAnd, "between two terms"},
		{"or a", 0, MisplacedOr, `"or"`},
		{"a or and b", 5, MisplacedAnd, ""},
		{"a -or b", 3, MisplacedOr, ""},
		{"(a (b)", 0, UnclosedGroup, "no closing one"},
		{"a (b))", 5, UnopenedGroup, ""},
		{"é ()", 3, EmptyGroup, ""},
		{"\u3000\u3000)", 6, UnopenedGroup, ""},
		{"é\u00a0\xff\xff (", 7, UnclosedGroup, ""},
		{`a "b`, 2, UnclosedQuote, ""},
		{`tag:""`, 4, EmptyQuote, `\"`},
		{`ab\xé`, 2, UnknownEscape, `\x`},
		{`deck:a\`, 6, UnknownEscape, ""},
		{`"front:ab\q"`, 9, UnknownEscape, `\q`},
		{"x :a", 2, MissingKey, ""},
		{"is:xyz", 3, BadArgument, `"xyz"`},
		{"flag:9", 5, BadArgument, "0 to 7"},
		{"prop:foo=1", 5, BadArgument, "ivl"},
		{"prop:ivl~1", 8, BadArgument, "prop:ivl must be followed by"},
		{"prop:ivl>=x", 10, BadNumber, `"x"`},
		{"prop:rated=1", 11, BadNumber, "not above 0"},
		{"prop:s>nan", 7, BadNumber, ""},
		{"rated:2:7", 8, BadNumber, "1, 2, 3 or 4"},
		{"added:x", 6, BadNumber, "added:"},
		{"nid:1,x,2", 6, BadArgument, "commas"},
		{"mid:x", 4, BadNumber, ""},
		{"dupe:1", 5, BadArgument, ""},
		{`"re:(x"`, 4, BadRegexp, "missing closing )"},
		{`a "front:re:["`, 12, BadRegexp, "unclosed character class"},
		{`tag:re:\1`, 7, BadRegexp, `\1`},
		{`re:[a&&b]`, 3, BadRegexp, "nested"},
		{`"re:(?x)a"`, 4, BadRegexp, "flags"},
		{`re:` + strings.Repeat(`[\W]`, 3000), 3, BadRegexp, "too complex"},
		{`re:` + strings.Repeat("x{999}", 30), 3, BadRegexp, "too complex"},
		{strings.Repeat("(", MaxDepth+1) + "a" + strings.Repeat(")", MaxDepth+1), MaxDepth, TooDeep, ""},
		{strings.Repeat("a ", MaxTerms+1), 2 * MaxTerms, TooManyTerms, ""},
		{"b " + strings.Repeat("a", MaxTermBytes+1), 2, TooLong, ""},
		{strings.Repeat("a", MaxQueryBytes+1), MaxQueryBytes, TooLong, ""},
	} {
		_, err := Parse(c.q)
		var e *ParseError
		if !errors.As(err, &e) || e.Offset != c.offset || e.Kind != c.kind || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("%.60q: got %#v, want offset %d, kind %d, %q", c.q, err, c.offset, c.kind, c.reason)
		}
	}
}
