package search_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/search"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// tableSQL are the tables of schema 18 that searches read.
const tableSQL = `
CREATE TABLE notes (id integer PRIMARY KEY, guid text, mid integer, mod integer, usn integer, tags text, flds text,
  sfld integer, csum integer, flags integer, data text);
CREATE TABLE cards (id integer PRIMARY KEY, nid integer, did integer, ord integer, mod integer, usn integer, type integer,
  queue integer, due integer, ivl integer, factor integer, reps integer, lapses integer, left integer, odue integer,
  odid integer, flags integer, data text);
CREATE TABLE revlog (id integer PRIMARY KEY, cid integer, usn integer, ease integer, ivl integer, lastIvl integer,
  factor integer, time integer, type integer);
CREATE INDEX ix_cards_nid ON cards (nid);
CREATE INDEX ix_cards_sched ON cards (did, queue, due);
CREATE INDEX ix_revlog_cid ON revlog (cid);
CREATE INDEX ix_notes_csum ON notes (csum);
CREATE TABLE decks (id integer PRIMARY KEY, name text COLLATE unicase, mtime_secs integer, usn integer, common blob, kind blob);
CREATE TABLE notetypes (id integer PRIMARY KEY, name text COLLATE unicase, mtime_secs integer, usn integer, config blob);
CREATE TABLE templates (ntid integer, ord integer, name text COLLATE unicase, mtime_secs integer, usn integer, config blob,
  PRIMARY KEY (ntid, ord)) WITHOUT ROWID;
CREATE UNIQUE INDEX idx_decks_name ON decks (name);
CREATE UNIQUE INDEX idx_notetypes_name ON notetypes (name);
CREATE INDEX idx_notes_mid ON notes (mid);
`

func newDB(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), filepath.Join(tb.TempDir(), "c.anki2"),
		sqlite.Options{Create: true, Synchronous: "off", CacheKiB: 16 << 10})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	if _, err := db.Exec(tableSQL); err != nil {
		tb.Fatal(err)
	}
	return db
}

// fixedCatalog is a catalog of what it holds.
type fixedCatalog struct {
	types []search.NotetypeInfo
	decks []int64
	err   error
}

func (c fixedCatalog) Notetypes(context.Context) ([]search.NotetypeInfo, error) {
	return c.types, c.err
}
func (c fixedCatalog) CurrentDeck(context.Context) (string, error)          { return "A\x1fB", c.err }
func (c fixedCatalog) PresetDecks(context.Context, string) ([]int64, error) { return c.decks, c.err }

// someCatalog has notetypes of several shapes, one with excluded fields.
func someCatalog() fixedCatalog {
	f := func(name string, excluded bool) search.FieldInfo {
		return search.FieldInfo{Name: name, Excluded: excluded}
	}
	return fixedCatalog{decks: []int64{1}, types: []search.NotetypeInfo{
		{ID: 1, Fields: []search.FieldInfo{f("Front", false), f("Back", false)}},
		{ID: 2, Fields: []search.FieldInfo{f("Front", false), f("Back", false)}},
		{ID: 3, Cloze: true, SortField: 1, Fields: []search.FieldInfo{f("Text", false), f("Extra", true), f("Back", false)}},
		{ID: 4, Fields: []search.FieldInfo{f("Only", true)}},
	}}
}

func compile(tb testing.TB, q string, c search.Catalog, o search.Options) (search.Statement, error) {
	tb.Helper()
	n, err := search.Parse(q)
	if err != nil {
		return search.Statement{}, err
	}
	return search.Compile(tb.Context(), n, c, o)
}

// did: and sc: keep together what belongs together, other than in the client.
func TestDeviations(t *testing.T) {
	db := openCollection(t, "rich")
	all, err := ids(t.Context(), db, search.Statement{SQL: "SELECT id FROM cards ORDER BY id"})
	if err != nil {
		t.Fatal(err)
	}
	run := func(q string) []int64 {
		st, err := compile(t, q, dbCatalog{db}, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		list, err := ids(t.Context(), db, st)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(list)
		return list
	}
	minus := func(a, b []int64) []int64 {
		return slices.DeleteFunc(slices.Clone(a), func(x int64) bool { return slices.Contains(b, x) })
	}
	for _, term := range []string{"did:1", "sc:dog"} {
		if len(run(term)) == 0 {
			t.Errorf("%s finds nothing: the test shows nothing", term)
		}
		if got, want := run("-"+term), minus(all, run(term)); !slices.Equal(got, want) {
			t.Errorf("-%s finds %d cards, want %d", term, len(got), len(want))
		}
		if got, want := run(term+" is:new"), minus(run(term), run("-is:new")); !slices.Equal(got, want) {
			t.Errorf("%s is:new finds %d cards, want %d", term, len(got), len(want))
		}
	}
}

// Nothing that a user typed is part of the SQL.
func TestValuesAreBound(t *testing.T) {
	const evil = `x'); DROP TABLE notes;--`
	for _, q := range []string{"%s", "deck:%s", "note:%s", "card:%s", "tag:%s", "tag:nc:%s", "tag:re:%s", "re:%s", "w:%s", "nc:%s", "sc:%s",
		"Front:%s", "Front:re:%s", "Front:nc:%s", "*:%s", "%s:x", "dupe:1,%s", "has-cd:%s", "prop:cds:k=%s", "preset:%s"} {
		q := `"` + strings.ReplaceAll(fmt.Sprintf(q, strings.ReplaceAll(evil, ")", `\)`)), `\\`, `\`) + `"`
		for _, items := range []search.Items{search.Cards, search.Notes} {
			st, err := compile(t, q, someCatalog(), search.Options{Items: items, Order: search.ByColumn{Column: search.ColDeck}})
			if err != nil {
				t.Errorf("%s: %v", q, err)
			}
			if strings.Contains(st.SQL, "DROP") || strings.Contains(st.SQL, "'x") {
				t.Errorf("%s: %s", q, st.SQL)
			}
		}
	}
}

// What is within the bounds of Parse is within those of SQLite.
func TestBounds(t *testing.T) {
	db := newDB(t)
	many := fixedCatalog{}
	for i := range 2000 { // notetypes that all differ
		nt := search.NotetypeInfo{ID: int64(i)}
		for f := range 2 + i%50 {
			nt.Fields = append(nt.Fields, search.FieldInfo{Name: fmt.Sprintf("F%d", f), Excluded: (i+f)%3 == 0})
		}
		many.types = append(many.types, nt)
	}
	// Something to look at: LIKE and regular expressions go through all of it.
	if _, err := db.Exec(`INSERT INTO notes (id, mid, flds, sfld, tags) VALUES (1, 1, ?1, 'x', ' t ')`, strings.Repeat("a b1 é ", 12_500)+"\x1fc"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO cards (id, nid, did, ord, queue, type) VALUES (1, 1, 1, 0, 0, 0)`); err != nil {
		t.Fatal(err)
	}
	idList := "nid:1" + strings.Repeat(",1234567890123", 70_000)
	for name, c := range map[string]struct {
		q    string
		cat  search.Catalog
		want int // cards found; -1 if it is too complex
	}{
		"and":                      {strings.Repeat("is:new ", search.MaxTerms), someCatalog(), 1},
		"or":                       {strings.TrimSuffix(strings.Repeat("a or ", search.MaxTerms), "or "), someCatalog(), 1},
		"nested":                   {strings.Repeat("-(a ", search.MaxDepth) + "b" + strings.Repeat(")", search.MaxDepth), someCatalog(), 1},
		"nots":                     {strings.Repeat("-(", search.MaxDepth) + "b" + strings.Repeat(")", search.MaxDepth), someCatalog(), 1},
		"ids":                      {idList, someCatalog(), 1},
		"wildcards":                {`"` + strings.Repeat("*a", search.MaxTermBytes/2) + `"`, someCatalog(), 1},
		"long":                     {strings.Repeat("a", search.MaxTermBytes), someCatalog(), 0},
		"notetypes":                {"a F1*:b re:x", many, 0},
		"too many":                 {strings.Repeat("a *1*:b ", 200), many, -1},
		"names":                    {strings.Repeat(`"*`+strings.Repeat("a*_", 5000)+`:x" `, 10), someCatalog(), -1},
		"grows":                    {"nc:" + strings.Repeat("ﷺ", 1000), someCatalog(), 0},
		"grows, fields":            {"Front:nc:" + strings.Repeat("ﷺ", 1000), someCatalog(), 0},
		"grows too much":           {"nc:" + strings.Repeat("ﷺ", 5000), someCatalog(), -1},
		"grows too much, included": {"nc:" + strings.Repeat("ﷺ", 5000), many, -1},
		"grows too much, fields":   {"Front:nc:" + strings.Repeat("ﷺ", 5000), someCatalog(), -1},
	} {
		start := time.Now()
		st, err := compile(t, c.q, c.cat, search.Options{})
		t.Logf("%s: compiled in %v to %d bytes", name, time.Since(start), len(st.SQL))
		if c.want < 0 {
			if !errors.Is(err, search.ErrTooComplex) {
				t.Errorf("%s: %.200v, want %v", name, err, search.ErrTooComplex)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		start = time.Now()
		if l, err := ids(t.Context(), db, st); err != nil || len(l) != c.want {
			t.Errorf("%s: %d found, want %d, %.200v", name, len(l), c.want, err)
		}
		t.Logf("%s: ran in %v", name, time.Since(start))
	}
}

// Nodes that somebody builds, and be it of nothing, have a text and a meaning.
func TestZeroNodes(t *testing.T) {
	db := newDB(t)
	for _, q := range []string{`INSERT INTO notes (id, mid, flds, sfld, tags) VALUES (1, 1, 'a', 'a', '')`,
		`INSERT INTO cards (id, nid, did, ord, queue, type, flags, data) VALUES (1, 1, 1, 0, 0, 0, 0, '')`} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	found := func(n search.Node) int {
		t.Helper()
		st, err := search.Compile(t.Context(), n, someCatalog(), search.Options{Now: time.Unix(0, 0)})
		if err != nil {
			t.Fatalf("%#v: %v", n, err)
		}
		l, err := ids(t.Context(), db, st)
		if err != nil {
			t.Fatalf("%#v: %v", n, err)
		}
		return len(l)
	}
	for _, c := range []struct {
		n    search.Node
		want int
	}{
		{search.All{}, 1}, {search.And{}, 1}, {search.Or{}, 0}, {search.Not{}, 0}, {search.Not{Node: search.And{}}, 0},
		{search.Not{Node: search.Or{}}, 1}, {search.And{search.And{}, search.Or{}}, 0}, {search.Or{search.And{}, search.Or{}}, 1},
		{search.Not{Node: search.Not{}}, 1}, {search.And{search.Not{Node: search.And{search.All{}}}}, 0},
		{search.Text{}, 1}, {search.Text{Mode: search.TextNoAccents}, 1}, {search.Text{Mode: search.TextRegexp}, 1},
		{search.Field{}, 0}, {search.Not{Node: search.Field{}}, 1}, {search.Tag{}, 0}, {search.Deck{}, 0},
		{search.DeckIDs{}, 0}, {search.NoteIDs{}, 0}, {search.CardIDs{}, 0}, {search.Not{Node: search.CardIDs{}}, 1},
		{search.Notetype{}, 0}, {search.NotetypeID{}, 0}, {search.TemplateOrd{}, 1}, {search.TemplateName{}, 0}, {search.Flag{}, 1},
		{search.HasCustomData{}, 0}, {search.Duplicate{}, 0},
	} {
		if got := found(c.n); got != c.want {
			t.Errorf("%#v finds %d, want %d", c.n, got, c.want)
		}
		again, err := search.Parse(c.n.String())
		if err != nil {
			t.Errorf("%#v writes %q: %v", c.n, c.n.String(), err)
		} else if got := found(again); got != c.want {
			t.Errorf("%#v writes %q, which finds %d, want %d", c.n, c.n.String(), got, c.want)
		}
	}
}

// Many wildcards on a long text take no exponential time, which would not end
// before the test's time-out.
func TestWildcardsAreNotSlow(t *testing.T) {
	db := newDB(t)
	if _, err := db.Exec(`INSERT INTO notes (id, mid, flds, sfld, tags) VALUES (1, 1, ?1, ?1, '')`, strings.Repeat("a", 20_000)); err != nil {
		t.Fatal(err)
	}
	stars := strings.Repeat("*a", 1000) + "b"
	for _, q := range []string{stars, "nc:" + stars, "Front:" + stars, "*:" + stars[len(stars)-201:], "w:" + stars[len(stars)-201:], "tag:" + stars[len(stars)-201:]} {
		st, err := compile(t, q, fixedCatalog{types: someCatalog().types[:2]}, search.Options{Items: search.Notes})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ids(t.Context(), db, st); err != nil || len(got) != 0 {
			t.Errorf("%.20s: %v, %v", q, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	broken := fixedCatalog{err: errors.New("broken")}
	for _, q := range []string{"a", "re:a", "w:a", "sc:a", "f:x", "f:re:x", "deck:current", "preset:x", "-(is:new or a)"} {
		if _, err := compile(t, q, broken, search.Options{}); !errors.Is(err, broken.err) {
			t.Errorf("%s: %v", q, err)
		}
	}
	for _, n := range []search.Node{
		search.Text{Pattern: "(", Mode: search.TextRegexp}, search.Tag{Pattern: "(", Mode: search.MatchRegexp},
		search.Field{Name: "*", Pattern: "(", Mode: search.MatchRegexp}, search.State{Kind: "x"},
		search.Prop{Name: "x", Op: "="}, search.Prop{Name: search.PropReps, Op: "= 1 OR 1 ="}, search.Prop{Name: search.PropRated, Op: "x"},
	} {
		if _, err := search.Compile(t.Context(), n, someCatalog(), search.Options{}); err == nil {
			t.Errorf("%#v compiles", n)
		}
	}
	for _, o := range []search.Order{
		search.ByColumn{Column: "question"}, search.ByColumn{Column: "x"}, search.ByKeys{{Column: "c.data; x"}},
	} {
		if _, err := compile(t, "a", someCatalog(), search.Options{Order: o}); !errors.Is(err, search.ErrOrder) {
			t.Errorf("%v: %v", o, err)
		}
	}
	for _, s := range []string{"", "c.ivl,", "c.ivl up", "ivl", "random()", "c.ivl collate binary", strings.Repeat("c.id,", 20) + "c.id"} {
		if _, err := search.ParseOrder(s); !errors.Is(err, search.ErrOrder) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
