package search_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/search"
)

// golden is what e2e/golden/search.py recorded of one collection.
type golden struct {
	File       string
	Now        int64
	Today      int64
	NextDayAt  int64 `json:"next_day_at"`
	LearnAhead int64 `json:"learn_ahead"`
	Accents    bool
	Found      []goldenCase
	Sorted     []goldenCase
}

// goldenCase has positions among all cards and notes, ordered by id.
type goldenCase struct {
	Q      string
	Error  string
	Column search.Column
	Desc   bool
	Custom string
	Cards  []int
	Notes  []int
}

// deviations are the searches that mean something else here than in the
// client, on purpose, and why.
var deviations = map[string]string{
	"prop:due<2147483647": "the client's day number wraps around at 32 bits",
}

func loadGolden(t *testing.T) map[string]golden {
	t.Helper()
	var all map[string]golden
	if err := json.Unmarshal(gunzip(t, "golden.json.gz"), &all); err != nil {
		t.Fatal(err)
	}
	for name, g := range all {
		if g.File == "" {
			g.File = name
			all[name] = g
		}
	}
	return all
}

func (g golden) options(items search.Items) search.Options {
	return search.Options{Items: items, Now: time.Unix(g.Now, 0), Today: g.Today, NextDayAt: g.NextDayAt,
		LearnAhead: g.LearnAhead, IgnoreAccents: g.Accents}
}

// positions maps all ids of a table, in their order, to 0, 1, …
func positions(t *testing.T, db *sql.DB, table string) map[int64]int {
	t.Helper()
	all, err := ids(t.Context(), db, search.Statement{SQL: "SELECT id FROM " + table + " ORDER BY id"})
	if err != nil {
		t.Fatal(err)
	}
	m := map[int64]int{}
	for i, id := range all {
		m[id] = i
	}
	return m
}

// find runs a search as a user of the package does.
func find(t *testing.T, db *sql.DB, q string, o search.Options, at map[int64]int) ([]int, error) {
	t.Helper()
	n, err := search.Parse(q)
	if err != nil {
		return nil, err
	}
	st, err := search.Compile(t.Context(), n, dbCatalog{db}, o)
	if err != nil {
		return nil, err
	}
	list, err := ids(t.Context(), db, st)
	if err != nil {
		t.Fatalf("%q: %v\n%s", q, err, st)
	}
	out := make([]int, len(list))
	for i, id := range list {
		out[i] = at[id]
	}
	return out, nil
}

func TestGolden(t *testing.T) {
	for name, g := range loadGolden(t) {
		t.Run(name, func(t *testing.T) {
			db := openCollection(t, g.File)
			cards, notes := positions(t, db, "cards"), positions(t, db, "notes")
			for _, c := range g.Found {
				if deviations[c.Q] != "" {
					continue
				}
				got, err := find(t, db, c.Q, g.options(search.Cards), cards)
				if (err != nil) != (c.Error != "") {
					t.Errorf("%q: error %v, the client's %q", c.Q, err, c.Error)
					continue
				}
				var pe *search.ParseError
				if err != nil && (!errors.As(err, &pe) || pe.Offset < 0 || pe.Offset > len(c.Q) || pe.Reason == "" || pe.Kind == 0) {
					t.Errorf("%q: error %#v", c.Q, err)
				}
				slices.Sort(got)
				if !slices.Equal(got, c.Cards) {
					t.Errorf("%q: cards %v, want %v", c.Q, short(got), short(c.Cards))
				}
				got, _ = find(t, db, c.Q, g.options(search.Notes), notes)
				slices.Sort(got)
				if !slices.Equal(got, c.Notes) {
					t.Errorf("%q: notes %v, want %v", c.Q, short(got), short(c.Notes))
				}
			}
		})
	}
}

// TestGoldenOrder compares orders. Among equals the client's order is an
// accident of its query plan, and so is the same whether rising or falling;
// what it does put in order changes with the direction, and must be equal.
func TestGoldenOrder(t *testing.T) {
	for name, g := range loadGolden(t) {
		t.Run(name, func(t *testing.T) {
			db := openCollection(t, g.File)
			at := map[search.Items]map[int64]int{search.Cards: positions(t, db, "cards"), search.Notes: positions(t, db, "notes")}
			for i := 0; i < len(g.Sorted); i++ {
				c := g.Sorted[i]
				o := g.options(search.Cards)
				if c.Custom != "" {
					keys, err := search.ParseOrder(c.Custom)
					if err != nil {
						t.Fatal(err)
					}
					o.Order = keys
					if got, err := find(t, db, c.Q, o, at[search.Cards]); err != nil || !slices.Equal(got, c.Cards) {
						t.Errorf("%q by %s: got %v, want %v, %v", c.Q, c.Custom, short(got), short(c.Cards), err)
					}
					continue
				}
				i++ // the same, falling
				checkOrder(t, db, o, at[search.Cards], c, c.Cards, g.Sorted[i].Cards)
				o.Items = search.Notes
				checkOrder(t, db, o, at[search.Notes], c, c.Notes, g.Sorted[i].Notes)
			}
		})
	}
}

func checkOrder(t *testing.T, db *sql.DB, o search.Options, at map[int64]int, c goldenCase, rising, falling []int) {
	t.Helper()
	for desc, want := range map[bool][]int{false: rising, true: falling} {
		o.Order = search.ByColumn{Column: c.Column, Desc: desc}
		got, err := find(t, db, c.Q, o, at)
		if want == nil && errors.Is(err, search.ErrOrder) {
			continue
		}
		if err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%q by %s, items %v: %v, got %v, want %v", c.Q, c.Column, o.Items, err, short(got), short(want))
			continue
		}
		up, down, ours := places(rising), places(falling), places(got)
		client := up
		if desc {
			client = down
		}
		wrong := 0
		for i, a := range got {
			for _, b := range got[:i] {
				if ordered := up[a] < up[b] != (down[a] < down[b]); ordered && ours[a] < ours[b] != (client[a] < client[b]) {
					wrong++
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%q by %s desc %v, items %v: %d pairs in the wrong order:\n got %v\nwant %v", c.Q, c.Column, desc, o.Items, wrong, short(got), short(want))
		}
	}
}

// places tells where each position stands in l.
func places(l []int) []int {
	m := make([]int, slices.Max(append(l, 0))+1)
	for i, x := range l {
		m[x] = i
	}
	return m
}

func short(l []int) []int { return l[:min(len(l), 40)] }
