package collection

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// extracted are the rows of an extract, as e2e/golden/exports.py records those of a
// package.
type extracted map[string][][]any

// extractQueries are those of e2e/golden/exports.py.
var extractQueries = map[string]string{
	"notes":       `SELECT id, guid, mid, mod, tags, flds, sfld, csum, flags, data FROM notes ORDER BY id`,
	"cards":       `SELECT id, nid, did, ord, mod, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data FROM cards ORDER BY id`,
	"revlog":      `SELECT id, cid, ease, ivl, lastIvl, factor, time, type FROM revlog ORDER BY id`,
	"decks":       `SELECT id, name, lower(hex(common)), lower(hex(kind)) FROM decks ORDER BY id`,
	"deck_config": `SELECT id, name, lower(hex(config)) FROM deck_config ORDER BY id`,
	"notetypes":   `SELECT id, name, mtime_secs, lower(hex(config)) FROM notetypes ORDER BY id`,
	"templates":   `SELECT ntid, ord, name, lower(hex(config)) FROM templates ORDER BY 1, 2`,
	"fields":      `SELECT ntid, ord, name, lower(hex(config)) FROM fields ORDER BY 1, 2`,
	"config":      `SELECT key, lower(hex(val)) FROM config WHERE key IN ('creationOffset', 'schedVer') ORDER BY key`,
	"col":         `SELECT crt FROM col`,
}

// The columns of recorded cards.
const (
	colDID, colLeft, colODID, colData = 2, 12, 14, 16
)

func readExtract(t *testing.T, path string) extracted {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	out := extracted{}
	for name, query := range extractQueries {
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		columns, _ := rows.Columns()
		for rows.Next() {
			row, dest := make([]any, len(columns)), make([]any, len(columns))
			for i := range row {
				dest[i] = &row[i]
			}
			if err := rows.Scan(dest...); err != nil {
				t.Fatal(err)
			}
			for i, v := range row {
				if n, ok := v.(int64); ok {
					row[i] = float64(n) // as JSON has it
				}
			}
			out[name] = append(out[name], row)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// extract makes an extract.
func (r *rig) extract(o ExtractOptions) (*Extract, error) {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "extract")
	return r.s.Extract(r.t.Context(), testUser, path, func(*Txn) (ExtractOptions, error) { return o, nil })
}

func (r *rig) mustExtract(o ExtractOptions) (*Extract, extracted) {
	r.t.Helper()
	e, err := r.extract(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return e, readExtract(r.t.(*testing.T), e.Path)
}

func columnOf(rows [][]any, i int) (out []int64) {
	for _, row := range rows {
		out = append(out, int64(row[i].(float64)))
	}
	return out
}

// TestExtractAsTheClient extracts the notes that the newest client's library put
// into packages (e2e/golden/exports.py): the rows are those of the packages, but
// for what is documented in docs/rest-api.md.
func TestExtractAsTheClient(t *testing.T) {
	var packages map[string]extracted
	if err := json.Unmarshal(readGzip(t, "testdata/extract/packages.json.gz"), &packages); err != nil {
		t.Fatal(err)
	}
	if len(packages) != 36 {
		t.Fatalf("%d packages", len(packages))
	}
	r := newRig(t, Options{StayBuried: true})
	r.putGzip("testdata/extract/collection.anki2.gz")
	homes, names := map[any]any{}, map[any]string{}
	for _, card := range packages["scheduling"]["cards"] {
		if card[colODID] != float64(0) {
			homes[card[0]] = card[colODID]
		}
	}
	for _, d := range packages["scheduling"]["decks"] {
		names[d[0]] = d[1].(string)
	}
	if len(homes) < 20 {
		t.Fatalf("%d cards are lent", len(homes))
	}
	before := r.dump(testUser)
	for name, want := range packages {
		o := ExtractOptions{
			Notes: columnOf(want["notes"], 0), Scheduling: strings.Contains(name, "scheduling"), DeckOptions: strings.Contains(name, "options"),
		}
		_, got := r.mustExtract(o)
		if !o.Scheduling {
			want["decks"] = leftBehind(want, got, homes, names)
			if o.DeckOptions { // of other decks, then
				delete(want, "deck_config")
			}
		}
		for table, rows := range want {
			if table == "notetypes" || table == "templates" || table == "fields" {
				if len(o.Notes) == 0 {
					continue // those of a new collection
				}
			}
			if diff := cmp.Diff(rows, got[table]); diff != "" && len(rows)+len(got[table]) > 0 {
				t.Errorf("%q: %s (-want +got):\n%s", name, table, diff)
			}
		}
	}
	if diff := cmp.Diff(before, r.dump(testUser)); diff != "" {
		t.Errorf("the collection has changed: %s", diff)
	}
}

// leftBehind makes of a package without scheduling what is ours: cards are at home,
// and nothing of their learning is left in them. It returns the decks.
func leftBehind(want, got extracted, homes map[any]any, names map[any]string) [][]any {
	above := map[string]bool{}
	for _, card := range want["cards"] {
		if home, ok := homes[card[0]]; ok {
			card[colDID] = home
		}
		card[colLeft], card[colData] = float64(0), "{}"
		for name := names[card[colDID]]; name != ""; name = name[:max(0, strings.LastIndex(name, deckSeparator))] {
			above[name] = true
		}
	}
	var decks [][]any
	for _, d := range want["decks"] {
		if above[d[1].(string)] || d[0] == float64(1) {
			decks = append(decks, d)
			delete(above, d[1].(string))
		}
	}
	for _, d := range got["decks"] {
		if above[d[1].(string)] { // the client leaves it out
			decks = append(decks, d)
		}
	}
	slices.SortFunc(decks, func(a, b []any) int { return int(a[0].(float64) - b[0].(float64)) })
	return decks
}

// TestExtractOfDecks: the notes of a deck are those of the client's package, and
// those whose cards are lent to a filtered deck.
func TestExtractOfDecks(t *testing.T) {
	var packages map[string]extracted
	if err := json.Unmarshal(readGzip(t, "testdata/extract/packages.json.gz"), &packages); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{StayBuried: true})
	r.putGzip("testdata/extract/collection.anki2.gz")
	more := 0
	for _, name := range []string{"A", "A::B", "E", "F", "Elsewhere", "Empty", "Default"} {
		var id int64
		var tree []int64
		lent := map[int64]bool{}
		r.view(func(tx *Txn) error {
			d, err := tx.DeckByName(name)
			if err != nil {
				return err
			}
			id = d.ID
			if tree, err = tx.deckIDs(id); err != nil {
				return err
			}
			return tx.EachCard(nil, func(c Card) error {
				if slices.Contains(tree, c.ODID) {
					lent[c.NID] = true
				}
				return nil
			})
		})
		want := map[int64]bool{}
		for _, nid := range columnOf(packages["deck "+name]["notes"], 0) {
			want[nid] = true
		}
		for nid := range lent {
			if !want[nid] {
				more++
			}
			want[nid] = true
		}
		for _, scheduling := range []bool{false, true} {
			e, got := r.mustExtract(ExtractOptions{Deck: id, Scheduling: scheduling})
			have := map[int64]bool{}
			for _, nid := range columnOf(got["notes"], 0) {
				have[nid] = true
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("%s: notes (-want +got): %s", name, diff)
			}
			if (len(e.Notetypes) > 0) != (len(want) > 0) {
				t.Errorf("%s: notetypes are %v", name, e.Notetypes)
			}
			in := 0 // of the filtered deck itself
			for _, did := range columnOf(got["cards"], colDID) {
				if did == id {
					in++
				}
			}
			if name == "F" && in == 0 {
				t.Error("a filtered deck that is asked for has no cards")
			}
			if problems, err := CheckDatabase(t.Context(), e.Path, t.TempDir()); err != nil || len(problems) > 0 {
				t.Errorf("%s: %v %v", name, problems, err)
			}
		}
	}
	if more == 0 {
		t.Error("nothing is lent")
	}
}

// TestExtractSeesTheLatest: what lies beside the file still is part of it, and the
// collection can be used on afterwards.
func TestExtractSeesTheLatest(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(addTo("Basic"))
	before := r.meta()
	for range 2 {
		_, got := r.mustExtract(ExtractOptions{Notes: allNotes(r)})
		if len(got["notes"]) == 0 || len(got["cards"]) == 0 {
			t.Fatalf("%d notes, %d cards", len(got["notes"]), len(got["cards"]))
		}
	}
	if r.meta() != before {
		t.Error("an extract is a change")
	}
	r.edit(addTo("Basic"))
	r.checkCollection()
}

// by changes the collection by statements.
func (r *rig) by(queries ...string) {
	r.t.Helper()
	r.edit(func(tx *Txn) error {
		for _, q := range queries {
			if _, err := tx.h.exec(q); err != nil {
				return err
			}
		}
		return tx.write()
	})
}

func allNotes(r *rig) (out []int64) {
	r.view(func(tx *Txn) (err error) {
		out, err = tx.FindNotes(r.t.Context(), "", FindOptions{})
		return err
	})
	return out
}

// TestExtractFails: whatever ends it, the collection can be used on.
func TestExtractFails(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(addTo("Basic"))
	own := errors.New("own")
	path := filepath.Join(t.TempDir(), "it's here")
	if _, err := r.s.Extract(t.Context(), testUser, path, func(*Txn) (ExtractOptions, error) { return ExtractOptions{}, own }); !errors.Is(err, own) {
		t.Errorf("got %v", err)
	}
	if _, err := r.s.Extract(t.Context(), testUser, path, func(*Txn) (ExtractOptions, error) { return ExtractOptions{}, nil }); err == nil {
		t.Error("a file that is there is overwritten")
	}
	if _, err := r.extract(ExtractOptions{Deck: 99}); !errors.Is(err, ErrNoObject) {
		t.Errorf("got %v, want ErrNoObject", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	notes := allNotes(r)
	_, err := r.s.Extract(ctx, testUser, path+"2", func(*Txn) (ExtractOptions, error) {
		cancel() // while it is going on
		return ExtractOptions{Notes: notes}, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if _, err := r.s.Extract(t.Context(), "nobody", path+"3", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	r.edit(addTo("Basic"))
	r.mustExtract(ExtractOptions{Notes: notes})
	r.checkCollection()
}

// TestExtractOddDecks: a deck may have the name that the first one has elsewhere,
// and cards the id of a deck that is not there.
func TestExtractOddDecks(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(addTo("Basic"))
	r.by(
		`UPDATE decks SET name = 'Standard' WHERE id = 1`,
		`INSERT INTO decks SELECT 10, 'Default', mtime_secs, usn, common, kind FROM decks WHERE id = 1`,
		`UPDATE cards SET did = 10`)
	_, got := r.mustExtract(ExtractOptions{Deck: 10, Scheduling: true, DeckOptions: true})
	var names []string
	for _, d := range got["decks"] {
		names = append(names, d[1].(string))
	}
	if diff := cmp.Diff([]string{"Standard", "Default"}, names); diff != "" || len(got["cards"]) == 0 {
		t.Errorf("%d cards, decks: %s", len(got["cards"]), diff)
	}
	r.by(`UPDATE cards SET did = 11, data = 'no JSON', due = 1e300, type = 2, queue = 2`)
	_, got = r.mustExtract(ExtractOptions{Notes: allNotes(r)})
	for _, c := range got["cards"] {
		if c[5] != float64(0) || c[7].(float64) > 1000 {
			t.Errorf("card %v", c)
		}
	}
}

// TestExtractDowngrade: the copies for old clients, and which scheduler they say.
func TestExtractDowngrade(t *testing.T) {
	for _, c := range []struct {
		seed           string
		scheduling, by bool // by: the first scheduler is asked for
		want           string
		first          bool
	}{
		{`SELECT 1`, true, false, "2", false},
		{`SELECT 1`, false, true, "1", true},
		{`UPDATE config SET val = CAST('1' AS BLOB) WHERE KEY = 'schedVer'`, true, false, "1", true},
	} {
		r := newRig(t, Options{})
		r.seed(testUser)
		r.edit(addTo("Basic"))
		r.by(c.seed)
		e, _ := r.mustExtract(ExtractOptions{Notes: allNotes(r), Scheduling: c.scheduling})
		path := filepath.Join(t.TempDir(), "old")
		if err := e.Downgrade(t.Context(), path, c.by); err != nil {
			t.Fatal(err)
		}
		db, err := sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		var ver int
		var sched string
		err = errors.Join(db.QueryRow(`SELECT ver, json_extract(conf, '$.schedVer') FROM col`).Scan(&ver, &sched), db.Close())
		if err != nil || ver != 11 || sched != c.want || e.FirstScheduler() != c.first {
			t.Errorf("%+v: schema %d, scheduler %s, %t, %v", c, ver, sched, e.FirstScheduler(), err)
		}
	}
}
