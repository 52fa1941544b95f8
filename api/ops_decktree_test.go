package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
)

// tree is the answer of deck_tree, a line for each deck.
func tree(c *client) string {
	c.t.Helper()
	type node struct {
		Name     string
		Dyn      int
		New      int `json:"new_cards"`
		Learning int `json:"learning_cards"`
		Review   int `json:"review_cards"`
		Children json.RawMessage
	}
	var out []string
	var walk func(indent string, list []node)
	walk = func(indent string, list []node) {
		for _, n := range list {
			out = append(out, fmt.Sprintf("%s%s %d %d %d %d", indent, n.Name, n.Dyn, n.New, n.Learning, n.Review))
			walk(indent+" ", decodeTo[[]node](c.t, string(n.Children)))
		}
	}
	walk("", decodeTo[[]node](c.t, c.ok("deck_tree", "{}")))
	return strings.Join(out, "\n")
}

// cardsOf are the ids of the cards that a search finds.
func cardsOf(c *client, query string) (ids []int64) {
	c.t.Helper()
	for _, o := range decodeTo[[]struct{ ID int64 }](c.t, c.ok("find_cards", fmt.Sprintf(`{"query":%q}`, query))) {
		ids = append(ids, o.ID)
	}
	return ids
}

func TestDeckTree(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("create_deck", `{"name":"Languages::German"}`)
	c.ok("create_deck", `{"name":"languages::Polish"}`)
	for i, deck := range []string{"Languages", "Languages::German", "Languages::German", "Default"} {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"},"deck":%q}`, i, deck))
	}
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1}`, cardsOf(c, "deck:Languages::German")[0]))
	c.ok("create_dynamic_deck", `{"name":"Some","query":"deck:Default","mode":"added"}`)
	want := strings.Join([]string{
		"Default 0 0 0 0",
		"Languages 0 2 1 0",
		" Languages::German 0 1 1 0",
		" Languages::Polish 0 0 0 0",
		"Some 1 1 0 0",
	}, "\n")
	if diff := cmp.Diff(want, tree(c)); diff != "" {
		t.Error(diff)
	}
	small := newClient(t, Options{MaxAnswerBytes: 10}, collection.Options{})
	small.wants(400, "deck_tree", "{}")
}

func TestCreateDeck(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	id := func(text string) int64 { return decodeTo[struct{ ID int64 }](t, text).ID }
	first := id(c.ok("create_deck", `{"name":"A::B"}`))
	if again := id(c.ok("create_deck", `{"name":"a::b"}`)); again != first {
		t.Errorf("the deck that is there is %d, got %d", first, again)
	}
	for _, body := range []string{`{}`, `{"name":""}`, `{"name":"  "}`, `{"name":7}`, fmt.Sprintf(`{"name":%q}`, strings.Repeat("x", 5000))} {
		c.wants(400, "create_deck", body)
	}
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
	c.ok("create_dynamic_deck", `{"name":"Some"}`)
	c.wants(400, "create_deck", `{"name":"Some"}`)
	c.wants(400, "create_deck", `{"name":"Some::below"}`)
}

func TestRenameDeck(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("create_deck", `{"name":"A::B::C"}`)
	c.ok("create_deck", `{"name":"D"}`)
	for _, b := range []struct {
		status     int
		deck, body string
	}{
		{400, "A", `{}`}, {400, "A", `{"name":" "}`}, {400, "A", `{"name":["x"]}`},
		{400, "A", `{"name":"d"}`}, {400, "A", `{"name":"A::B::below"}`}, {404, "missing", `{"name":"x"}`},
	} {
		c.wants(b.status, "deck/"+b.deck+"/rename", b.body)
	}
	before := tree(c)
	if got := decodeTo[struct{ Name string }](t, c.ok("deck/A::B/rename", `{"name":"E::F"}`)); got.Name != "E::F" {
		t.Errorf("renamed to %q", got.Name)
	}
	if before != "A 0 0 0 0\n A::B 0 0 0 0\n  A::B::C 0 0 0 0\nD 0 0 0 0\nDefault 0 0 0 0" {
		t.Errorf("refused calls changed something:\n%s", before)
	}
	if got := tree(c); got != "A 0 0 0 0\nD 0 0 0 0\nDefault 0 0 0 0\nE 0 0 0 0\n E::F 0 0 0 0\n  E::F::C 0 0 0 0" {
		t.Errorf("afterwards:\n%s", got)
	}
}

func TestDescribeDeck(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	type deck struct {
		Desc string
		MD   bool
	}
	if got := decodeTo[deck](t, c.ok("deck/1/set_description", `{"desc":"**all**","md":true}`)); got != (deck{"**all**", true}) {
		t.Errorf("got %+v", got)
	}
	mod := func() int64 { return meta(t, c.s).Mod }
	before := mod()
	c.ok("deck/1/set_description", `{"desc":"**all**"}`)
	if mod() != before {
		t.Error("the same description is a change")
	}
	if got := decodeTo[deck](t, c.ok("deck/1", `{}`)); got != (deck{"**all**", true}) {
		t.Errorf("got %+v", got)
	}
	for _, body := range []string{`{}`, `{"desc":1}`, `{"desc":null}`, fmt.Sprintf(`{"desc":%q}`, strings.Repeat("x", 1<<16+1))} {
		c.wants(400, "deck/1/set_description", body)
	}
	c.wants(404, "deck/missing/set_description", `{"desc":"x"}`)
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
	c.ok("create_dynamic_deck", `{"name":"Some"}`)
	c.wants(400, "deck/Some/set_description", `{"desc":"x"}`)
}

// TestDeleteDeck: cards go with their deck or stay, and where many go the
// collection as it was is kept.
func TestDeleteDeck(t *testing.T) {
	for _, b := range []struct {
		notes     int
		body      string
		left      int
		snapshots int
	}{
		{3, `{}`, 0, 0}, {101, `{}`, 0, 1}, {101, `{"keep_cards":1}`, 101, 0},
	} {
		c := newClient(t, Options{}, collection.Options{})
		c.ok("create_deck", `{"name":"A::B"}`)
		for i := range b.notes {
			c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"},"deck":"A::B"}`, i))
		}
		if got, want := c.ok("deck/A/delete", b.body), fmt.Sprintf(`{"cards":%d}`, b.notes); got != want {
			t.Errorf("%s: %s, want %s", b.body, got, want)
		}
		if got := tree(c); strings.Count(got, "\n") != 0 || len(cardsOf(c, "")) != b.left {
			t.Errorf("%s: left are %d cards in\n%s", b.body, len(cardsOf(c, "")), got)
		}
		if kept, err := c.s.Snapshots("alice"); err != nil || len(kept) != b.snapshots {
			t.Errorf("%s of %d cards: %d snapshots, want %d, %v", b.body, b.notes, len(kept), b.snapshots, err)
		}
		c.wants(404, "deck/A/delete", `{}`)
	}
}
