package api

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestDeckByNumber: digits are an id, and a name only if there is no such id.
func TestDeckByNumber(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("list_decks", "{}") // makes the collection
	if err := c.s.Edit(t.Context(), "alice", func(x *collection.Txn) error {
		_, err1 := x.CreateDeck("1")
		_, err2 := x.CreateDeck("2024")
		return errors.Join(err1, err2)
	}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"deck/1": "Default", "deck/2024": "2024", "deck/Default": "Default"} {
		if got := decodeTo[struct{ Name string }](t, c.ok(path, "{}")).Name; got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	c.wants(404, "deck/2", "{}")
	c.wants(404, "next_card", `{"deck":[1]}`)
}

// TestBrowserOrder sorts by what the client's browser sorts by; by a column of an
// add-on not at all.
func TestBrowserOrder(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	for i := range 3 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, 3-i))
	}
	for column, last := range map[string]string{"noteFld": "f3", "addonColumn": "f1", "": "f3"} {
		if err := c.s.Edit(t.Context(), "alice", func(x *collection.Txn) error { return x.SetConfig("sortType", column) }); err != nil {
			t.Fatal(err)
		}
		cards := decodeTo[[]struct{ Question string }](t, c.ok("find_cards", `{"order":true,"preload":1}`))
		if len(cards) != 3 || cards[2].Question != last {
			t.Errorf("by %q: %v, want three, %s as the last", column, cards, last)
		}
	}
}

// bySync brings rows to the collection as a device does.
func (c *client) bySync(rows collection.Chunk) {
	c.t.Helper()
	ctx := c.t.Context()
	_, err := c.s.Start(ctx, "alice", collection.StartOptions{SKey: "k"})
	if err == nil {
		_, err = c.s.ApplyChanges(ctx, "alice", "k", collection.Changes{})
	}
	for err == nil {
		var theirs collection.Chunk
		if theirs, err = c.s.Chunk(ctx, "alice", "k"); theirs.Done {
			break
		}
	}
	rows.Done = true
	if err == nil {
		err = c.s.ApplyChunk(ctx, "alice", "k", rows)
	}
	if err == nil {
		_, err = c.s.Finish(ctx, "alice", "k")
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// TestDamagedCard: a card whose template is gone does not keep a program from the
// others, nor from those that come after it.
func TestDamagedCard(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
	note := decodeTo[[]struct{ ID int64 }](t, c.ok("find_notes", "{}"))[0].ID
	const damaged = 5
	c.bySync(collection.Chunk{
		Cards: []collection.Card{{ID: damaged, NID: note, DID: 1, Ord: 7}, {ID: 6, NID: note, DID: 9, Ord: 8}},
	})
	type card struct {
		ID                    int64
		Question, Answer, CSS string
		Note, Deck            *struct{ ID int64 }
	}
	for _, path := range []string{"find_cards", "latest_cards"} {
		cards := decodeTo[[]card](t, c.ok(path, `{"preload":1,"load_note":1,"load_deck":1}`))
		if len(cards) != 3 {
			t.Fatalf("%s: %d cards", path, len(cards))
		}
		for _, got := range cards {
			bad := got.ID == damaged || got.ID == 6
			if (got.Question == "") != bad || (got.CSS == "") != bad || got.Note == nil || (got.Deck == nil) != (got.ID == 6) {
				t.Errorf("%s: %+v", path, got)
			}
		}
	}
	c.ok(fmt.Sprintf("card/%d", damaged), "{}")
	seen := map[int64]bool{}
	for range 2 {
		seen[decodeTo[card](t, c.ok("next_card", "{}")).ID] = true
	}
	if !seen[damaged] || len(seen) != 2 {
		t.Errorf("next_card gave %v", seen)
	}
}
