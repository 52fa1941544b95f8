package search_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/search"
	"pgregory.net/rapid"
)

// FuzzParse: whatever is typed is either an error with a place in the text and
// a reason, or a node that its String gives back and whose SQL prepares.
func FuzzParse(f *testing.F) {
	for _, q := range []string{
		"", "dog cat or -(d_g \"a b\") and c*t", `deck:"a::b" -tag:x::y card:1 card:a note:b is:due flag:3`,
		`prop:ivl>=3 prop:rated<-1:2 prop:cdn:a!=1.5 prop:cds:b=x prop:r<0.9 prop:s>1e3`, "rated:3:1 added:1 edited:2 introduced:3 resched:4",
		"nid:1,2 cid:3 did:4 mid:5", `dupe:1,a\\b has-cd:x preset:y`, `f*:a front:re:\bx\w nc:é sc:a w:b`, `tag:re:^a tag:nc:b tag:none`,
		`re:[\d_]{2}\<(?i:x)**`, "a\u3000\xff\u00a0b", `"\"\\\*\:"`, `-and`, `((`, `a\`, `tag:""`, "deck:current deck:filtered deck:*",
	} {
		f.Add(q)
	}
	db := newDB(f)
	f.Fuzz(func(t *testing.T, q string) { checkQuery(t, db, q) })
}

// TestRandomQueries puts searches together of what the grammar knows.
func TestRandomQueries(t *testing.T) {
	db := newDB(t)
	piece := rapid.SampledFrom([]string{
		"a", "é", " ", " ", "(", ")", "-", `"`, `\`, ":", "*", "_", "and", "or", "\u3000", "\xff", "\u00a0", "%", "'", ",", "[", "]", "{2}", "+", "?",
		"deck:", "tag:", "note:", "card:", "is:", "new", "due", "prop:", "ivl", "rated", "cdn:x", "cds:", "s", "=", "<=", "1", "-1", "0.5", "1e9",
		"rated:", "added:", "flag:", "nid:", "mid:", "dupe:", "Front:", "F*:", "*:", "re:", "nc:", "w:", "sc:", "has-cd:", "preset:", "none", "::",
		`\b`, `\w`, `\*`, `\"`, `\:`, `\(`, "filtered", "current",
	})
	rapid.Check(t, func(rt *rapid.T) {
		var q strings.Builder
		for range rapid.IntRange(1, 14).Draw(rt, "pieces") {
			q.WriteString(piece.Draw(rt, "piece"))
		}
		checkQuery(rt, db, q.String())
	})
}

func checkQuery(t rapid.TB, db *sql.DB, q string) {
	t.Helper()
	if len(q) > 4096 {
		return
	}
	n, err := search.Parse(q)
	if err != nil {
		var e *search.ParseError
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(q) || e.Reason == "" {
			t.Fatalf("%#v", err)
		}
		return
	}
	again, err := search.Parse(n.String())
	if err != nil || !reflect.DeepEqual(n, again) {
		t.Fatalf("%q: %#v\nwrites %q: %#v, %v", q, n, n.String(), again, err)
	}
	orders := []search.Order{nil, search.ByColumn{Column: search.ColTemplate}, search.ByColumn{Column: search.ColDue, Desc: true}}
	o := search.Options{Now: time.Unix(1_700_000_000, 0), Order: orders[len(q)%3], IgnoreAccents: len(q)%2 == 0}
	for _, o.Items = range []search.Items{search.Cards, search.Notes} {
		st, err := search.Compile(context.Background(), n, someCatalog(), o)
		if errors.Is(err, search.ErrTooComplex) {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		if _, err := ids(context.Background(), db, st); err != nil {
			t.Fatalf("%q: %v\n%s", q, err, st)
		}
	}
}
