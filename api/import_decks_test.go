package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

// TestImportAsTheClient imports packages into collections into which the newest
// client's library imported them, with schedules and deck options: cards, decks
// and options are the same afterwards (e2e/golden/imports.py).
func TestImportAsTheClient(t *testing.T) {
	for _, name := range []string{"latest", "legacy", "clashing"} {
		t.Run(name, func(t *testing.T) {
			const dir = "testdata/imports/"
			var want struct {
				Now            int64
				Decks          []struct{ Name, Kind string }
				Cards, Configs [][]any
			}
			if err := json.Unmarshal(unzipped(t, dir+name+".json.gz"), &want); err != nil {
				t.Fatal(err)
			}
			packed, err := os.ReadFile(dir + name + ".apkg")
			if err != nil {
				t.Fatal(err)
			}
			now := time.Unix(want.Now, 0)
			c := newClient(t, Options{Now: func() time.Time { return now }}, collection.Options{})
			if err := c.s.Upload(t.Context(), "alice", bytes.NewReader(unzipped(t, dir+name+".anki2.gz"))); err != nil {
				t.Fatal(err)
			}
			body := `{"filetype":"apkg","data":"` + base64.StdEncoding.EncodeToString(packed) + `"}`
			c.ok("import_file", body)
			var decks, configs []string
			var cards [][]any
			if err := c.s.View(t.Context(), "alice", func(x *collection.Txn) error {
				decks, configs, cards = imported(t, x)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			var wantDecks []string
			for _, d := range want.Decks {
				raw, err := hex.DecodeString(d.Kind)
				if err != nil {
					t.Fatal(err)
				}
				kind, err := schema.DecodeDeckKind(raw)
				if err != nil {
					t.Fatal(err)
				}
				wantDecks = append(wantDecks, d.Name+" "+hex.EncodeToString(kind.Encode()))
			}
			slices.Sort(wantDecks)
			if diff := cmp.Diff(wantDecks, decks); diff != "" {
				t.Errorf("decks (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(rows(want.Cards), rows(cards)); diff != "" || len(cards) < 80 {
				t.Errorf("%d cards (-want +got):\n%s", len(cards), diff)
			}
			if diff := cmp.Diff(rows(want.Configs), configs); diff != "" || len(configs) < 8 {
				t.Errorf("%d options (-want +got):\n%s", len(configs), diff)
			}
			lent := 0
			for _, card := range cards {
				if card[3] != "" {
					lent++
				}
			}
			if lent < 10 {
				t.Errorf("only %d cards in filtered decks", lent)
			}
		})
	}
}

// imported is what e2e/golden/imports.py records.
func imported(t *testing.T, x *collection.Txn) (decks, configs []string, cards [][]any) {
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
		decks = append(decks, d.Name+" "+hex.EncodeToString(d.Kind.Encode()))
	}
	slices.Sort(decks)
	presets, err := x.DeckConfigs()
	must(err)
	slices.SortFunc(presets, func(a, b *schema.DeckConfig) int { return int(a.ID - b.ID) })
	for _, p := range presets {
		configs = append(configs, row(p.ID, p.Name, strings.ToUpper(hex.EncodeToString(p.Config.Encode()))))
	}
	ids, err := x.FindNotes(context.Background(), "", collection.FindOptions{})
	must(err)
	for _, id := range ids {
		n, err := x.Note(id)
		must(err)
		of, err := x.NoteCards(id)
		must(err)
		for _, c := range of {
			cards = append(cards, []any{n.GUID, c.Ord, names[c.DID], names[c.ODID], c.Type, c.Queue, c.Due, c.ODue, c.Ivl, c.Factor, c.Reps,
				c.Lapses, c.Left, c.Flags, c.Data})
		}
	}
	slices.SortStableFunc(cards, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	return decks, configs, cards
}
