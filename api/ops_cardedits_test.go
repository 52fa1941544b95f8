package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

// cardRow is a card as far as its schedule goes.
type cardRow struct {
	ID, DID, Queue, Type, Due, Ivl, ODID, Reps, Lapses, Mod, USN int64
	Flags                                                        int64
}

func card(c *client, id int64) (r cardRow) {
	c.t.Helper()
	if err := c.s.View(c.t.Context(), "alice", func(t *collection.Txn) error {
		x, err := t.Card(id)
		r = cardRow{x.ID, x.DID, x.Queue, x.Type, x.Due, x.Ivl, x.ODID, x.Reps, x.Lapses, x.Mod, int64(x.USN), x.Flags}
		return err
	}); err != nil {
		c.t.Fatal(err)
	}
	return r
}

// TestEditCards runs the calls one after the other on one of two cards.
func TestEditCards(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	for i := range 2 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	deck := decodeTo[struct{ ID int64 }](t, c.ok("create_deck", `{"name":"A::B"}`)).ID
	ids := cardsOf(c, "")
	other := card(c, ids[1])
	logged := 0
	for _, b := range []struct {
		call, keys string
		changed    int
		check      func(r cardRow) bool
		log        int // rows that it adds to the review log
	}{
		{"move_cards", `"deck":"A::B"`, 1, func(r cardRow) bool { return r.DID == deck }, 0},
		{"move_cards", fmt.Sprintf(`"deck":%d`, deck), 0, func(r cardRow) bool { return r.DID == deck }, 0},
		{"flag_cards", `"flag":3`, 1, func(r cardRow) bool { return r.Flags == 3 }, 0},
		{"flag_cards", `"flag":3`, 0, func(r cardRow) bool { return r.Flags == 3 }, 0},
		{"flag_cards", `"flag":0`, 1, func(r cardRow) bool { return r.Flags == 0 }, 0},
		{"bury_cards", ``, 1, func(r cardRow) bool { return r.Queue == -3 && r.Type == 0 }, 0},
		{"unbury_cards", ``, 1, func(r cardRow) bool { return r.Queue == 0 }, 0},
		{"unbury_cards", ``, 0, func(r cardRow) bool { return r.Queue == 0 }, 0},
		{"set_due_date", `"days":"4!"`, 1, func(r cardRow) bool { return r.Queue == 2 && r.Type == 2 && r.Ivl == 4 }, 1},
		{"set_due_date", `"days":9`, 1, func(r cardRow) bool { return r.Queue == 2 && r.Ivl == 4 }, 1},
		{"set_due_date", `"days":5.0`, 1, func(r cardRow) bool { return r.Queue == 2 && r.Ivl == 4 }, 1},
		{"set_due_date", `"days":1e1`, 1, func(r cardRow) bool { return r.Queue == 2 && r.Ivl == 4 }, 1},
		{"set_due_date", `"days":"1-7"`, 1, func(r cardRow) bool { return r.Queue == 2 }, 1},
		{"forget_cards", `"reset_counts":1,"restore_position":true`, 1, func(r cardRow) bool { return r.Queue == 0 && r.Due == 1 && r.Ivl == 0 }, 1},
		{"forget_cards", ``, 1, func(r cardRow) bool { return r.Queue == 0 && r.Due == 3 }, 1},
	} {
		before := meta(t, c.s).Mod
		body := strings.TrimSuffix(fmt.Sprintf(`{"ids":[%d,7],%s`, ids[0], b.keys), ",") + "}"
		if got, want := c.ok(b.call, body), fmt.Sprintf(`{"cards":%d}`, b.changed); got != want {
			t.Errorf("%s %s: %s, want %s", b.call, b.keys, got, want)
		}
		if r := card(c, ids[0]); !b.check(r) {
			t.Errorf("%s %s: the card is now %+v", b.call, b.keys, r)
		}
		if changed := meta(t, c.s).Mod != before; changed != (b.changed > 0) {
			t.Errorf("%s %s: devices will sync: %v", b.call, b.keys, changed)
		}
		logged += b.log
		if log := decodeTo[[]struct{}](t, c.ok("latest_revlog", "{}")); len(log) != logged {
			t.Errorf("%s %s: %d rows in the log, want %d", b.call, b.keys, len(log), logged)
		}
	}
	if got := card(c, ids[1]); got != other {
		t.Errorf("the card that was not named is %+v, was %+v", got, other)
	}
}

// TestEditCardsOfFilteredDecks: those that are given another schedule or deck go
// home, as in clients.
func TestEditCardsOfFilteredDecks(t *testing.T) {
	for call, home := range map[string]bool{
		`move_cards "deck":"Other"`: true, `bury_cards "x":0`: false, `forget_cards "x":0`: true, `set_due_date "days":"1"`: true,
		`suspend_cards "x":0`: false, `flag_cards "flag":1`: false,
	} {
		c := newClient(t, Options{}, collection.Options{})
		c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
		c.ok("create_deck", `{"name":"Other"}`)
		c.ok("create_dynamic_deck", `{"name":"Some","mode":"added"}`)
		id := cardsOf(c, "")[0]
		if r := card(c, id); r.ODID != 1 {
			t.Fatalf("not in the filtered deck: %+v", r)
		}
		name, keys, _ := strings.Cut(call, " ")
		c.ok(name, fmt.Sprintf(`{"ids":[%d],%s}`, id, keys))
		if r := card(c, id); (r.ODID == 0) != home {
			t.Errorf("%s: %+v, want home: %v", call, r, home)
		}
	}
}

func TestEditCardsRefuses(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
	c.ok("create_dynamic_deck", `{"name":"Some"}`)
	c.h.maxEdited = 3
	id := cardsOf(c, "")[0]
	before, row := meta(t, c.s), card(c, id)
	for _, b := range []struct {
		status     int
		call, keys string
	}{
		{400, "move_cards", ``}, {400, "move_cards", `"deck":null`}, {404, "move_cards", `"deck":"missing"`}, {404, "move_cards", `"deck":77`},
		{400, "move_cards", `"deck":"Some"`}, {404, "move_cards", `"deck":["Default"]`},
		{400, "flag_cards", ``}, {400, "flag_cards", `"flag":8`}, {400, "flag_cards", `"flag":-1`}, {400, "flag_cards", `"flag":"red"`},
		{400, "set_due_date", ``}, {400, "set_due_date", `"days":""`}, {400, "set_due_date", `"days":"soon"`}, {400, "set_due_date", `"days":-1`},
		{400, "set_due_date", `"days":1.5`}, {400, "set_due_date", `"days":[1]`}, {400, "set_due_date", `"days":"99999999999"`},
		{400, "set_due_date", `"days":"1-36501"`},
	} {
		c.wants(b.status, b.call, strings.TrimSuffix(fmt.Sprintf(`{"ids":[%d],%s`, id, b.keys), ",")+"}")
	}
	for _, call := range []string{"move_cards", "bury_cards", "unbury_cards", "flag_cards", "forget_cards", "set_due_date"} {
		for _, ids := range []string{`{}`, `{"ids":null}`, `{"ids":7}`, `{"ids":["x"]}`, `{"ids":[1,2,3,4]}`} {
			c.wants(400, call, strings.TrimSuffix(ids, "}")+strings.Repeat(",", min(len(ids)-2, 1))+`"deck":1,"flag":1,"days":"1"}`)
		}
	}
	if meta(t, c.s) != before || card(c, id) != row {
		t.Error("what was refused changed something")
	}
}
