package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	return unzipped(t, "../testdata/collections/"+name+".anki2.gz")
}

// learned is all that is imported of a note.
type learned struct {
	Fields, Tags []string
	Model        string
	Mod          int64
	Cards        []collection.Card
	Decks        []string
	Reviews      [][]collection.RevlogEntry
}

// learnedBy lists the notes of a collection by guid, days counted from today.
func learnedBy(t testing.TB, s *collection.Store) map[string]learned {
	t.Helper()
	out := map[string]learned{}
	err := s.View(t.Context(), "alice", func(x *collection.Txn) error {
		day, err := x.Timing()
		if err != nil {
			return err
		}
		ids, err := x.FindNotes(context.Background(), "", collection.FindOptions{})
		if err != nil {
			return err
		}
		for _, id := range ids {
			n, err := x.Note(id)
			if err != nil {
				return err
			}
			nt, err := x.Notetype(n.MID)
			if err != nil {
				return err
			}
			l := learned{Fields: n.FieldList(), Tags: n.TagList(), Model: nt.Name, Mod: n.Mod}
			if l.Cards, err = x.NoteCards(id); err != nil {
				return err
			}
			for i := range l.Cards {
				c := &l.Cards[i]
				log, err := x.CardRevlog(c.ID)
				if err != nil {
					return err
				}
				for j := range log {
					log[j].USN = 0
				}
				l.Reviews = append(l.Reviews, log)
				atHome(c)
				d, err := x.Deck(c.DID)
				if err != nil {
					return err
				}
				l.Decks = append(l.Decks, schema.HumanDeckName(d.Name))
				if c.Type != 0 && c.Due < 1_000_000 {
					c.Due -= int64(day.Today)
				}
				c.DID, c.Mod, c.USN = 0, 0, 0
				if c.Data == "" {
					c.Data = "{}"
				}
			}
			out[n.GUID] = l
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// atHome is what the specification says of a card that leaves a filtered deck.
func atHome(c *collection.Card) {
	if c.ODID == 0 {
		return
	}
	c.DID, c.ODID = c.ODID, 0
	if c.ODue != 0 {
		c.Due, c.ODue = c.ODue, 0
	}
	if c.Queue < 0 {
		return
	}
	c.Queue = c.Type
	if (c.Type == 1 || c.Type == 3) && c.Due < 1_000_000_000 {
		c.Queue = 3
	} else if c.Type == 3 {
		c.Queue = 1
	}
}

// TestImportSchedules imports what others have learned into a collection that
// was begun long before.
func TestImportSchedules(t *testing.T) {
	for _, name := range []string{"v18-26.09", "v18-23.10", "v18-2.1.66", "v11-2.1.49", "v18-upgraded-from-2.1.49"} {
		t.Run(name, func(t *testing.T) {
			data := fixture(t, name)
			now := time.Unix(1795428000, 0)
			o := collection.Options{Now: func() time.Time { return now }}
			theirs := collection.New(t.TempDir(), collection.Options{Now: o.Now, StayBuried: true})
			t.Cleanup(func() { _ = theirs.Close() })
			if err := theirs.Upload(t.Context(), "alice", bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			want := learnedBy(t, theirs)

			now = now.AddDate(0, 0, -100)
			c := newClient(t, Options{Now: o.Now}, o)
			c.wants(200, "add_note", `{"model":"Basic","fields":{"Front":"ours"}}`)
			now = now.AddDate(0, 0, 100)
			own := learnedBy(t, c.s)
			if len(own) != 1 {
				t.Fatalf("%d notes of our own", len(own))
			}
			for guid, l := range own {
				want[guid] = l
			}
			part := file{"collection.anki21b", compress(t, data)}
			if name[1:3] == "11" {
				part = file{"collection.anki2", data}
			}
			packed := importOf("apkg", pack(t, part))
			c.ok("import_file", packed)
			got := learnedBy(t, c.s)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			learnt := 0
			for _, l := range got {
				for _, card := range l.Cards {
					if card.Type != 0 {
						learnt++
					}
				}
			}
			if learnt < 10 || len(got) < 10 {
				t.Errorf("only %d cards of %d notes had been learned: nothing was shown", learnt, len(got))
			}
			state := meta(t, c.s)
			now = now.Add(time.Minute)
			c.ok("import_file", packed)
			if again := meta(t, c.s); again != state {
				t.Errorf("the second import: %+v, before %+v", again, state)
			}
			if diff := cmp.Diff(got, learnedBy(t, c.s)); diff != "" {
				t.Errorf("the second import: %s", diff)
			}
		})
	}
}

func meta(t testing.TB, s *collection.Store) (m collection.Meta) {
	t.Helper()
	if err := s.View(t.Context(), "alice", func(x *collection.Txn) error {
		m = x.Meta()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestImportKeepsSchedules imports a package of notes that are here, learned
// further: only what a note lacks is added.
func TestImportKeepsSchedules(t *testing.T) {
	now := time.Unix(1795428000, 0).AddDate(0, 0, 2) // the day of a limit of a deck
	data := fixture(t, "v18-26.09")
	c := clientOf(t, func() time.Time { return now }, data)
	var cards []int64
	if err := c.s.Edit(t.Context(), "alice", func(x *collection.Txn) (err error) {
		if cards, err = x.FindCards(t.Context(), "is:new -deck:filtered -is:buried", collection.FindOptions{Limit: 5}); err != nil {
			return err
		}
		_, err = x.SetDueDate("9", cards...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want, before := learnedBy(t, c.s), meta(t, c.s)
	c.ok("import_file", importOf("apkg", pack(t, file{"collection.anki21b", compress(t, data)})))
	if diff := cmp.Diff(want, learnedBy(t, c.s)); diff != "" {
		t.Error(diff)
	}
	if after := meta(t, c.s); after != before || len(cards) != 5 {
		t.Errorf("%d cards, %+v, before %+v", len(cards), after, before)
	}
}

// changed is a fixture as a package, after a change.
func changed(t testing.TB, name string, now time.Time, f func(x *collection.Txn) error) string {
	t.Helper()
	s := collection.New(t.TempDir(), collection.Options{Now: func() time.Time { return now }})
	defer func() { _ = s.Close() }()
	if err := s.Upload(t.Context(), "alice", bytes.NewReader(fixture(t, name))); err != nil {
		t.Fatal(err)
	}
	if err := s.Edit(t.Context(), "alice", f); err != nil {
		t.Fatal(err)
	}
	d, err := s.Download(t.Context(), "alice", collection.DownloadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(d)
	if err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	return importOf("apkg", pack(t, file{"collection.anki21b", compress(t, text)}))
}

// TestImportUpdates imports newer versions of notes: their text is taken, how
// far they are learned is not.
func TestImportUpdates(t *testing.T) {
	now := time.Unix(1795428000, 0)
	c := clientOf(t, func() time.Time { return now }, fixture(t, "v18-26.09"))
	want := learnedBy(t, c.s)
	var guid string
	packed := changed(t, "v18-26.09", now, func(x *collection.Txn) error {
		cards, err := x.FindCards(t.Context(), "is:review -deck:filtered", collection.FindOptions{Limit: 1})
		if err != nil {
			return err
		}
		if _, err := x.SetDueDate("77", cards...); err != nil {
			return err
		}
		card, err := x.Card(cards[0])
		if err != nil {
			return err
		}
		n, err := x.Note(card.NID)
		if err != nil {
			return err
		}
		guid = n.GUID
		fields := n.FieldList()
		fields[0] = "newer"
		return x.UpdateNote(n.ID, collection.NoteChange{Fields: fields})
	})
	c.ok("import_file", packed)
	note := want[guid]
	note.Fields, note.Mod = append([]string{"newer"}, note.Fields[1:]...), now.Unix()
	want[guid] = note
	if diff := cmp.Diff(want, learnedBy(t, c.s)); diff != "" {
		t.Error(diff)
	}
}

// TestImportFirstScheduler imports into a collection of the scheduler of 2006:
// nothing stays half learned. A package of that scheduler is upgraded first.
func TestImportFirstScheduler(t *testing.T) {
	now := time.Unix(1795428000, 0)
	first := func(x *collection.Txn) error { return x.SetConfig("schedVer", 1) }
	for name, b := range map[string]struct {
		package1, collection1 bool
		want                  map[string]int
	}{
		"package":    {true, false, map[string]int{"": 54, "is:learn": 9, "is:review": 9, "is:new": 36, "deck:filtered": 16}},
		"collection": {false, true, map[string]int{"": 54, "is:learn": 0, "is:review": 9, "is:new": 45, "deck:filtered": 0}},
		"both":       {true, true, map[string]int{"": 54, "is:learn": 0, "is:review": 9, "is:new": 45, "deck:filtered": 0}},
	} {
		t.Run(name, func(t *testing.T) {
			packed := changed(t, "v18-26.09", now, func(x *collection.Txn) error {
				if b.package1 {
					return first(x)
				}
				return nil
			})
			c := newClient(t, Options{Now: func() time.Time { return now }}, collection.Options{})
			c.ok("list_decks", "{}") // makes the collection
			if b.collection1 {
				if err := c.s.Edit(t.Context(), "alice", first); err != nil {
					t.Fatal(err)
				}
			}
			c.ok("import_file", packed)
			for query, want := range b.want {
				if got := decodeTo[[]any](t, c.ok("find_cards", fmt.Sprintf(`{"query":%q}`, query))); len(got) != want {
					t.Errorf("%q: %d cards, want %d", query, len(got), want)
				}
			}
		})
	}
}

// TestImportedCard shows what becomes of rows that do not fit.
func TestImportedCard(t *testing.T) {
	base := collection.Card{ID: 5, NID: 6, DID: 7, Ord: 1}
	for _, b := range []struct {
		what      string
		k         calendars
		card      string // type queue due ivl odue odid
		want      string // type queue due ivl
		left, out int64
		home      int64 // the card stays lent to deck 70
		odue      int64
	}{
		{what: "lent review", k: calendars{shift: 3}, card: "2 2 -99999 5 10 3", want: "2 2 -99996 5", home: 80, odue: 13},
		{what: "lent new card", k: calendars{shift: 3}, card: "0 2 -99999 0 10 3", want: "0 2 -99996 0", home: 80, odue: 10},
		{what: "lent step", k: calendars{shift: 3}, card: "1 1 1795394701 0 1795394701 3", want: "1 1 1795394701 0", home: 80, odue: 1795394701},
		{what: "lent step of days", k: calendars{shift: 3}, card: "3 3 8 4 8 3", want: "3 3 11 4", home: 80, odue: 8},
		{what: "lent preview", k: calendars{shift: 3}, card: "2 4 1795394701 4 8 3", want: "2 4 1795394704 4", home: 80, odue: 11},
		{what: "lent nonsense", k: calendars{shift: 3}, card: "9 2 8 4 8 3", want: "0 0 0 0", home: -80},
		{what: "new", card: "0 0 12 0 0 0", want: "0 0 12 0"},
		{what: "new of a filtered deck", card: "0 0 -100000 0 12 3", want: "0 0 12 0"},
		{what: "review", k: calendars{shift: -3}, card: "2 2 10 5 0 0", want: "2 2 7 5"},
		{what: "suspended review", k: calendars{shift: 3}, card: "2 -1 10 5 0 0", want: "2 -1 13 5"},
		{what: "suspended step of days", k: calendars{shift: 3}, card: "3 -1 8 4 0 0", want: "3 -1 8 4"},
		{what: "lent buried review", k: calendars{shift: 3}, card: "2 -2 -99999 4 8 3", want: "2 -2 -99996 4", home: 80, odue: 11},
		{what: "suspended step", k: calendars{shift: 3}, card: "1 -1 1795394701 0 0 0", want: "1 -1 1795394701 0", left: 2, out: 2},
		{what: "step", k: calendars{shift: 3}, card: "1 1 1795394701 0 0 0", want: "1 1 1795394701 0", left: 2, out: 2},
		{what: "step of days", k: calendars{shift: 3}, card: "3 3 8 4 0 0", want: "3 3 11 4", left: 1, out: 1},
		{what: "preview", k: calendars{shift: 3}, card: "2 4 1795394701 4 8 3", want: "2 2 11 4"},
		{what: "2006: step", k: calendars{today: 50, shift: 3, first: true}, card: "1 1 1795394701 0 0 0", want: "0 0 0 0", left: 2},
		{what: "2006: lapse", k: calendars{today: 50, shift: 3, first: true}, card: "2 1 1795394701 4 8 0", want: "2 2 50 4", left: 2},
		{what: "2006: relearning", k: calendars{today: 50, first: true}, card: "3 3 8 4 0 0", want: "2 2 50 4", left: 2},
		{what: "2006: buried lapse", k: calendars{today: 50, first: true}, card: "3 -3 8 0 0 0", want: "2 -2 50 1", left: 2},
		{what: "2006: review", k: calendars{today: 50, shift: 3, first: true}, card: "2 2 8 4 0 0", want: "2 2 11 4"},
		{what: "wrong queue", card: "0 2 12 0 0 0", want: "0 0 12 0"},
		{what: "no type", card: "9 2 12 3 0 0", want: "0 0 0 0"},
		{what: "out of range", card: "2 2 12 -3 0 0", want: "0 0 0 0"},
		{what: "out of range, suspended", card: "2 -1 12 -3 0 0", want: "0 -1 0 0"},
	} {
		c := base
		c.Left = b.left
		if _, err := fmt.Sscan(b.card, &c.Type, &c.Queue, &c.Due, &c.Ivl, &c.ODue, &c.ODID); err != nil {
			t.Fatal(err)
		}
		got := b.k.card(c, 60, 70, max(b.home, -b.home))
		if text := fmt.Sprint(got.Type, got.Queue, got.Due, got.Ivl); text != b.want || got.Left != b.out || got.ODue != b.odue {
			t.Errorf("%s: %s, left %d, odue %d, want %s, %d, %d", b.what, text, got.Left, got.ODue, b.want, b.out, b.odue)
		}
		deck := int64(70)
		if b.home < 0 { // only its home is left
			deck = -b.home
		} else if got.ODID != b.home {
			t.Errorf("%s: home %d, want %d", b.what, got.ODID, b.home)
		}
		if err := collection.CheckScheduling(&got); err != nil {
			t.Errorf("%s: %v", b.what, err)
		}
		if ids := []int64{got.ID, got.NID, got.DID, got.Ord}; !slices.Equal(ids, []int64{5, 60, deck, 1}) {
			t.Errorf("%s: ids %v", b.what, ids)
		}
	}
}

// TestImportedCardAnything: whatever a package says of a card, it becomes one
// that a client could have made, in the deck that it was given or at its home.
func TestImportedCardAnything(t *testing.T) {
	number := rapid.OneOf(rapid.Int64Range(-5, 5), rapid.Int64Range(-100_010, 100_010), rapid.Int64Range(1e9, 2e9), rapid.Int64())
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(what string) int64 { return number.Draw(rt, what) }
		c := collection.Card{
			ID: 5, NID: 6, DID: 7, ODID: rapid.Int64Range(0, 1).Draw(rt, "odid"), Type: draw("type"), Queue: draw("queue"), Due: draw("due"),
			ODue: draw("odue"), Ivl: draw("ivl"), Factor: draw("factor"), Reps: draw("reps"), Lapses: draw("lapses"), Left: draw("left"),
			Flags: draw("flags"), Data: rapid.SampledFrom([]string{"", "{}", `{"pos":3}`, "[]", "{"}).Draw(rt, "data"),
		}
		k := calendars{shift: rapid.Int64Range(-20_000, 20_000).Draw(rt, "shift"), today: 4000, first: rapid.Bool().Draw(rt, "first")}
		home := rapid.SampledFrom([]int64{0, 80}).Draw(rt, "home")
		got := k.card(c, 60, 70, home)
		if err := collection.CheckScheduling(&got); err != nil {
			rt.Fatalf("%+v: %v", got, err)
		}
		lent := got.DID == 70 && got.ODID == home
		if got.NID != 60 || !lent && (got.DID != home || got.ODID != 0) {
			rt.Fatalf("%+v", got)
		}
	})
}
