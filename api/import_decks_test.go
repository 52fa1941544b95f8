package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/schema"
)

// recordedImport is what e2e/golden/imports.py records.
type recordedImport struct {
	Now                    int64
	Decks                  []struct{ Name, Kind, Common string }
	Cards, Configs, Revlog [][]any
}

// importRig imports a recorded package into the recorded collection.
func importRig(t *testing.T, name string) (*client, recordedImport, string) {
	t.Helper()
	const dir = "testdata/imports/"
	var want recordedImport
	readGolden(t, dir+name+".json.gz", &want)
	packed, err := os.ReadFile(dir + name + ".apkg")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(want.Now, 0)
	c := clientOf(t, func() time.Time { return now }, unzipped(t, dir+name+".anki2.gz"))
	body := `{"filetype":"apkg","data":"` + base64.StdEncoding.EncodeToString(packed) + `"}`
	c.ok("import_file", body)
	return c, want, body
}

// TestImportAsTheClient imports packages into collections into which the newest
// client's library imported them, with schedules and deck options: cards,
// reviews, decks and options are the same afterwards (e2e/golden/imports.py).
func TestImportAsTheClient(t *testing.T) {
	for name, least := range map[string]struct{ cards, lent, reviews, configs int }{
		"latest":        {92, 35, 108, 8},
		"legacy":        {92, 35, 108, 8},
		"clashing":      {90, 35, 108, 8},
		"younger":       {92, 35, 108, 8}, // the collection began after the package's
		"older":         {92, 35, 108, 8}, // and long before it
		"one-filtered":  {18, 4, 5, 6},    // the package is of a filtered deck
		"without-home":  {92, 0, 108, 8},  // and lacks the home of cards in one
		"old-exporter":  {65, 5, 28, 7},
		"first-package": {92, 35, 108, 8}, // the package uses the scheduler of 2006
	} {
		t.Run(name, func(t *testing.T) {
			c, want, _ := importRig(t, name)
			got := importedInto(t, c.s)
			for _, card := range want.Cards {
				if card[3] == "" {
					// A lapse of 2006 leaves its day in odue there, which the client's own
					// check of the database mends.
					card[7] = float64(0)
				}
			}
			var decks []string
			for _, d := range want.Decks {
				decks = append(decks, recordedDeck(t, d.Name, d.Kind, d.Common))
			}
			slices.Sort(decks)
			if diff := cmp.Diff(decks, got.decks); diff != "" {
				t.Errorf("decks (-want +got):\n%s", diff)
			}
			for what, b := range map[string]struct {
				want  [][]any
				got   []string
				least int
			}{
				"cards":   {want.Cards, rows(got.cards), least.cards},
				"options": {want.Configs, got.configs, least.configs},
				"reviews": {want.Revlog, got.reviews, least.reviews},
			} {
				if diff := cmp.Diff(rows(b.want), b.got); diff != "" || len(b.got) < b.least {
					t.Errorf("%d %s (-want +got):\n%s", len(b.got), what, diff)
				}
			}
			lent := 0
			for _, card := range got.cards {
				if card[3] != "" {
					lent++
				}
			}
			if lent != least.lent {
				t.Errorf("%d cards in filtered decks, want %d", lent, least.lent)
			}
		})
	}
}

// recordedDeck is a deck as importedInto prints it.
func recordedDeck(t *testing.T, name, kind, common string) string {
	t.Helper()
	k, err := hex.DecodeString(kind)
	if err != nil {
		t.Fatal(err)
	}
	c, err := hex.DecodeString(common)
	if err != nil {
		t.Fatal(err)
	}
	dk, err := schema.DecodeDeckKind(k)
	if err != nil {
		t.Fatal(err)
	}
	dc, err := schema.DecodeDeckCommon(c)
	if err != nil {
		t.Fatal(err)
	}
	return deckLine(name, dk, dc)
}

func deckLine(name string, kind schema.DeckKind, common schema.DeckCommon) string {
	return name + " " + hex.EncodeToString(kind.Encode()) + " " + hex.EncodeToString(common.Encode())
}

// TestImportAgain imports a package once more. Decks that got other names do so
// again and stay empty, as in the client; everything else is left alone.
func TestImportAgain(t *testing.T) {
	for name, more := range map[string]int{"latest": 0, "without-home": 0, "clashing": 2} {
		t.Run(name, func(t *testing.T) {
			c, _, body := importRig(t, name)
			before := importedInto(t, c.s)
			for again := range 2 { // in the same second
				c.ok("import_file", body)
				after := importedInto(t, c.s)
				if got, want := len(after.decks), len(before.decks)+(again+1)*more; got != want {
					t.Errorf("%d decks, want %d: %q", got, want, after.decks)
				}
				after.decks = before.decks
				if diff := cmp.Diff(before, after, cmp.AllowUnexported(importResult{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestImportNotetypesAsTheClient imports a package that was one with the
// collection and has changed since, as the collection has: the newer version of a
// note wins, and that of a notetype if fields and templates are the same; else
// it comes under another name. No device is to do a full sync.
func TestImportNotetypesAsTheClient(t *testing.T) {
	var want struct {
		Notes, Notetypes [][]any
		Rescoped         bool
	}
	const name = "notetypes"
	readGolden(t, "testdata/imports/"+name+".json.gz", &want)
	c, _, _ := importRig(t, name)
	before := meta(t, clientOf(t, time.Now, unzipped(t, "testdata/imports/"+name+".anki2.gz")).s)
	if after := meta(t, c.s); after.SCM != before.SCM || want.Rescoped {
		t.Errorf("the schema's time went from %d to %d", before.SCM, after.SCM)
	}
	notes, notetypes := recordedParts(t, c.s)
	// The client tells notetypes by their ids only, so that every collection's
	// "Basic" comes once more; here one that is alike will do.
	alike := func(n []any) bool { return n[0] == "Alike+" }
	if !slices.ContainsFunc(want.Notetypes, alike) {
		t.Error("no notetype that is alike")
	}
	want.Notetypes = slices.DeleteFunc(want.Notetypes, alike)
	for _, n := range want.Notes {
		if n[1] == "Alike+" {
			n[1] = "Alike"
		}
	}
	for what, pair := range map[string][2][]string{"notes": {rows(want.Notes), notes}, "notetypes": {rows(want.Notetypes), notetypes}} {
		slices.Sort(pair[0])
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" || len(pair[1]) < 15 {
			t.Errorf("%d %s (-want +got):\n%s", len(pair[1]), what, diff)
		}
	}
}

// recordedParts are the notes and notetypes that e2e/golden/imports.py records.
func recordedParts(t *testing.T, s *collection.Store) (notes, notetypes []string) {
	t.Helper()
	if err := s.View(t.Context(), "alice", func(x *collection.Txn) error {
		ids, err := x.FindNotes(t.Context(), "", collection.FindOptions{})
		if err != nil {
			return err
		}
		for _, id := range ids {
			n, err := x.Note(id)
			if err != nil || !strings.HasPrefix(n.GUID, "guid") {
				continue
			}
			nt, err := x.Notetype(n.MID)
			if err != nil {
				return err
			}
			cards, err := x.NoteCards(id)
			if err != nil {
				return err
			}
			var ords []string
			for _, c := range cards {
				ords = append(ords, fmt.Sprint(c.Ord))
			}
			notes = append(notes, row(n.GUID, nt.Name, n.Flds, n.Tags, n.Mod, strings.Join(ords, ",")))
		}
		all, err := x.Notetypes()
		for _, nt := range all {
			fields, templates := []any{}, []any{}
			for _, f := range nt.Fields {
				fields = append(fields, f.Name)
			}
			for _, t := range nt.Templates {
				templates = append(templates, []any{t.Name, t.Config.QFormat, t.Config.AFormat})
			}
			notetypes = append(notetypes, row(nt.Name, fields, templates, nt.Config.CSS, nt.Config.SortFieldIdx))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(notes)
	slices.Sort(notetypes)
	return notes, notetypes
}

// TestImportBrokenTemplatesAsTheClient imports a package with templates that
// clients refuse to save: they import them, and the notes have the cards that they
// had. A notetype that is here is broken in the same way if the package's is newer.
func TestImportBrokenTemplatesAsTheClient(t *testing.T) {
	var want struct{ Notes, Notetypes, Reqs [][]any }
	readGolden(t, "testdata/imports/broken.json.gz", &want)
	c, _, body := importRig(t, "broken")
	var reqs [][]any
	if err := c.s.View(t.Context(), "alice", func(x *collection.Txn) error {
		for _, r := range want.Reqs {
			nt, err := x.NotetypeByName(r[0].(string))
			if err != nil {
				return err
			}
			text, err := nt.JSON(false)
			if err != nil {
				return err
			}
			var object struct{ Req any }
			if err := json.Unmarshal(text, &object); err != nil {
				return err
			}
			reqs = append(reqs, []any{nt.Name, object.Req})
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Reqs, reqs); diff != "" || len(reqs) != 5 {
		t.Errorf("requirements (-want +got):\n%s", diff)
	}
	for range 2 {
		notes, notetypes := recordedParts(t, c.s)
		for what, pair := range map[string][2][]string{"notes": {rows(want.Notes), notes}, "notetypes": {rows(want.Notetypes), notetypes}} {
			slices.Sort(pair[0])
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" || len(pair[1]) < 6 {
				t.Errorf("%d %s (-want +got):\n%s", len(pair[1]), what, diff)
			}
		}
		c.ok("import_file", body) // once more changes nothing
	}
}

// TestImportMediaAsTheClient imports a package with media files, whose names mean
// other files here: the same files are there afterwards, and notes refer to them.
func TestImportMediaAsTheClient(t *testing.T) {
	var want struct {
		Now           int64
		Before, Files map[string]string
		Notes         [][]any
	}
	const base = "testdata/imports/media"
	readGolden(t, base+".json.gz", &want)
	packed, err := os.ReadFile(base + ".apkg")
	if err != nil {
		t.Fatal(err)
	}
	files := media.Open(t.TempDir(), media.Options{})
	t.Cleanup(func() { _ = files.Close() })
	for name, text := range want.Before {
		if _, err := files.Put(t.Context(), "alice", name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	c := newClient(t, Options{Now: func() time.Time { return time.Unix(want.Now, 0) }, Media: files}, collection.Options{})
	if err := c.s.Upload(t.Context(), "alice", bytes.NewReader(unzipped(t, base+".anki2.gz"))); err != nil {
		t.Fatal(err)
	}
	c.ok("import_file", `{"filetype":"apkg","data":"`+base64.StdEncoding.EncodeToString(packed)+`"}`)
	have := map[string]string{}
	for _, name := range append(slices.Collect(maps.Keys(want.Files)), "unused.png", "ü x.jpg") {
		f, err := files.OpenFile(t.Context(), "alice", name)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(f)
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
		have[name] = string(text)
	}
	if diff := cmp.Diff(want.Files, have); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	var fields, wanted []string
	for guid, n := range learnedBy(t, c.s) {
		if strings.HasPrefix(guid, "guid") {
			fields = append(fields, schema.JoinFields(n.Fields))
		}
	}
	for _, n := range want.Notes {
		wanted = append(wanted, n[2].(string))
	}
	slices.Sort(fields)
	if diff := cmp.Diff(wanted, fields); diff != "" || len(fields) < 9 {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// importResult is what importedInto finds.
type importResult struct {
	decks, configs, reviews []string
	cards                   [][]any
}

func importedInto(t *testing.T, s *collection.Store) (r importResult) {
	t.Helper()
	if err := s.View(t.Context(), "alice", func(x *collection.Txn) error {
		r = imported(t, x)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

// imported is what e2e/golden/imports.py records.
func imported(t *testing.T, x *collection.Txn) (r importResult) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := x.Decks()
	must(err)
	names := map[int64]string{}
	for _, d := range all {
		names[d.ID] = d.Name
		r.decks = append(r.decks, deckLine(d.Name, d.Kind, d.Common))
	}
	slices.Sort(r.decks)
	presets, err := x.DeckConfigs()
	must(err)
	slices.SortFunc(presets, func(a, b *schema.DeckConfig) int { return int(a.ID - b.ID) })
	for _, p := range presets {
		r.configs = append(r.configs, row(p.ID, p.Name, strings.ToUpper(hex.EncodeToString(p.Config.Encode()))))
	}
	ids, err := x.FindNotes(context.Background(), "", collection.FindOptions{})
	must(err)
	of := map[int64]string{}
	for _, id := range ids {
		n, err := x.Note(id)
		must(err)
		cards, err := x.NoteCards(id)
		must(err)
		for _, c := range cards {
			of[c.ID] = row(n.GUID, c.Ord)
			r.cards = append(r.cards, []any{
				n.GUID, c.Ord, names[c.DID], names[c.ODID], c.Type, c.Queue, c.Due, c.ODue, c.Ivl, c.Factor, c.Reps, c.Lapses, c.Left, c.Flags, c.Data,
			})
		}
	}
	slices.SortStableFunc(r.cards, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	must(x.EachReview(nil, 0, func(v collection.RevlogEntry) error {
		r.reviews = append(r.reviews, row(of[v.CID], v.ID, v.Ease, v.Ivl, v.LastIvl, v.Factor, v.Time, v.Type))
		return nil
	}))
	return r
}
