package collection

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/search"
)

// operation is one kind of edit, on whatever collection.
type operation struct {
	name string
	run  func(t *Txn) error
}

// first returns the first id of a query; the operation is passed over if there
// is none.
func (t *Txn) first(query string, args ...any) (int64, error) {
	ids, err := collect(t.h, scanID, query, args...)
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, errNothingThere
	}
	return ids[0], nil
}

var errNothingThere = fmt.Errorf("test: %w", ErrNoObject)

// onCards is an operation on some cards.
func onCards(name, where string, f func(t *Txn, ids ...int64) (int, error)) operation {
	return operation{name, func(t *Txn) error {
		ids, err := collect(t.h, scanID, `SELECT id FROM cards WHERE `+where+` ORDER BY id LIMIT 3`)
		if err != nil {
			return err
		}
		_, err = f(t, ids...)
		return err
	}}
}

func onNote(name string, f func(t *Txn, id int64) error) operation {
	return operation{name, func(t *Txn) error {
		id, err := t.first(`SELECT id FROM notes ORDER BY id LIMIT 1`)
		if err != nil {
			return err
		}
		return f(t, id)
	}}
}

func addTo(notetype string, tags ...string) func(t *Txn) error {
	return func(t *Txn) error {
		nt, err := t.NotetypeByName(notetype)
		if err != nil {
			return err
		}
		fields := make([]string, len(nt.Fields))
		for i := range fields {
			fields[i] = fmt.Sprintf("<b>field %d</b> {{c%d::x}}&amp;\x01", i, i+1)
		}
		_, _, err = t.AddNote(NewNote{NotetypeID: nt.ID, Fields: fields, Tags: tags})
		return err
	}
}

func operations() []operation {
	return append(slices.Concat(noteOperations(), cardOperations(), deckOperations()), notetypeOperations()...)
}

func noteOperations() []operation {
	return []operation{
		{"add basic", addTo("Basic", "New::Tag", "marked")},
		{"add cloze", addTo("Cloze", "new::tag::Below")},
		{"add reversed", addTo("Basic (and reversed card)")},
		onNote("update fields", func(t *Txn, id int64) error {
			n, err := t.Note(id)
			if err != nil {
				return err
			}
			fields := n.FieldList()
			fields[0] = "42 e\u0301" + fields[0]
			return t.UpdateNote(id, NoteChange{Fields: fields, Tags: &[]string{"b", "A", "a"}})
		}),
		onNote("add tags", func(t *Txn, id int64) error {
			_, err := t.AddNoteTags([]int64{id, 5}, []string{"x y", "Y"}, true)
			return err
		}),
		onNote("remove tags", func(t *Txn, id int64) error {
			_, err := t.RemoveNoteTags([]int64{id}, []string{"X"}, false)
			return err
		}),
		{"rename tag", func(t *Txn) error { _, err := t.RenameTag("New", "Old::One"); return err }},
		{"clear unused tags", func(t *Txn) error { _, err := t.ClearUnusedTags(); return err }},
		onNote("delete note", func(t *Txn, id int64) error { _, err := t.DeleteNotes(id, id, 4711); return err }),
		{"config", func(t *Txn) error { return t.SetConfig("someAddon", map[string]int{"a": 1}) }},
		{"remove config", func(t *Txn) error { return t.RemoveConfig("someAddon") }},
	}
}

func cardOperations() []operation {
	return []operation{
		onCards("suspend", "queue >= 0", (*Txn).Suspend),
		onCards("unsuspend", "queue = -1", (*Txn).Unsuspend),
		onCards("bury", "queue >= 0", (*Txn).Bury),
		onCards("unbury", "queue < -1", (*Txn).Unbury),
		{"unbury deck", func(t *Txn) error { _, err := t.UnburyDeck(1); return err }},
		onCards("flag", "1", func(t *Txn, ids ...int64) (int, error) { return t.SetFlag(3, ids...) }),
		onCards("unflag", "1", func(t *Txn, ids ...int64) (int, error) { return t.SetFlag(0, ids...) }),
		onCards("due", "1", func(t *Txn, ids ...int64) (int, error) { return t.SetDueDate("0-2!", ids...) }),
		onCards("forget", "type = 2", func(t *Txn, ids ...int64) (int, error) {
			return t.Forget(ForgetOptions{RestorePosition: true, ResetCounts: true}, ids...)
		}),
		onCards("reposition", "1", func(t *Txn, ids ...int64) (int, error) {
			return t.Reposition(RepositionOptions{Start: 2, Step: 3, Shift: true, Random: true}, ids...)
		}),
		{"create deck", func(t *Txn) error { _, err := t.CreateDeck("Über::Neu::Drei"); return err }},
		onCards("move", "1", func(t *Txn, ids ...int64) (int, error) {
			d, err := t.CreateDeck("über::neu")
			if err != nil {
				return 0, err
			}
			return t.MoveCards(d.ID, ids...)
		}),
		{"answer", answerSome(12)},
		{"undo", func(t *Txn) error { _, err := t.UndoAnswer(); return err }},
		{"extend", func(t *Txn) error { return t.ExtendLimits(0, 3, 4) }},
		{"answer more", answerSome(8)},
	}
}

// answerSome studies the decks one after the other.
func answerSome(n int) func(t *Txn) error {
	return func(t *Txn) error {
		decks, err := t.Decks()
		if err != nil {
			return err
		}
		for i := range n {
			c, ok, err := t.NextCard(decks[i%len(decks)].ID)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if _, err := t.RenderCard(c.Card.ID, rendering.Options{}); err != nil {
				return err
			}
			_, err = t.AnswerCard(Answer{CardID: c.Card.ID, Rating: scheduling.Rating(1 + i%4), Taken: time.Second})
			if err != nil {
				return err
			}
		}
		_, err = t.DeckCounts()
		return err
	}
}

func deckOperations() []operation {
	onDeck := func(name, deck string, f func(t *Txn, id int64) error) operation {
		return operation{name, func(t *Txn) error {
			d, err := t.DeckByName(deck)
			if err != nil {
				return err
			}
			return f(t, d.ID)
		}}
	}
	return []operation{
		onDeck("rename deck", "Über", func(t *Txn, id int64) error { return t.RenameDeck(context.Background(), id, "Ober::Unter") }),
		onDeck("case of a deck", "ober", func(t *Txn, id int64) error { return t.RenameDeck(context.Background(), id, "OBER") }),
		onDeck("reparent deck", "ober::unter", func(t *Txn, id int64) error { return t.ReparentDeck(context.Background(), id, 0) }),
		{"filtered deck", func(t *Txn) error {
			_, _, err := t.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "Ober::F", Reschedule: true, Searches: []FilteredSearch{
				{Query: "is:new", Limit: 4, Order: scheduling.FilterAdded}, {Query: "-is:new or is:new", Limit: 3, Order: scheduling.FilterRandom},
			}}, true)
			return err
		}},
		{"preview deck", func(t *Txn) error {
			_, _, err := t.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "P", PreviewAgainSecs: 60, Searches: []FilteredSearch{
				{Limit: 5, Order: scheduling.FilterOldestReviewed},
			}}, true)
			return err
		}},
		{"answer in filtered decks", answerSome(20)},
		onDeck("rebuild", "Ober::F", func(t *Txn, id int64) error { _, err := t.RebuildFilteredDeck(context.Background(), id); return err }),
		onDeck("change filtered deck", "P", func(t *Txn, id int64) error {
			_, _, err := t.SaveFilteredDeck(context.Background(), id, FilteredDeck{Name: "Q", Searches: []FilteredSearch{{Query: "deck:*", Limit: 2}}}, true)
			return err
		}),
		onCards("move out of a filtered deck", "odid != 0", func(t *Txn, ids ...int64) (int, error) { return t.MoveCards(1, ids...) }),
		onDeck("empty", "Q", func(t *Txn, id int64) error { _, err := t.EmptyFilteredDeck(id); return err }),
		{"options", func(t *Txn) error {
			c, err := t.AddDeckConfig("Mine", 1)
			if err != nil {
				return err
			}
			d, err := t.CreateDeck("Mine")
			if err != nil {
				return err
			}
			if err := t.UseDeckConfig(d.ID, c.ID); err != nil {
				return err
			}
			return t.PatchDeckConfig(c.ID, map[string]json.RawMessage{"maxTaken": []byte("33"), "id": []byte("7")})
		}},
		onDeck("patch deck", "Mine", func(t *Txn, id int64) error {
			return t.PatchDeck(context.Background(), id, map[string]json.RawMessage{"desc": []byte(`"text"`), "name": []byte(`"Ours::Two"`)})
		}),
		{"delete options", func(t *Txn) error {
			c, err := t.AddDeckConfig("Gone", 0)
			if err != nil {
				return err
			}
			d, err := t.CreateDeck("Mine")
			if err != nil {
				return err
			}
			if err := t.UseDeckConfig(d.ID, c.ID); err != nil {
				return err
			}
			return t.DeleteDeckConfig(c.ID)
		}},
		onDeck("select deck", "Mine", func(t *Txn, id int64) error { return t.SelectDeck(id) }),
		onDeck("delete filtered deck", "Ober::F", func(t *Txn, id int64) error { _, err := t.DeleteDeck(id, false); return err }),
		onDeck("delete deck, keep cards", "Mine", func(t *Txn, id int64) error { _, err := t.DeleteDeck(id, true); return err }),
		onDeck("delete deck", "unter", func(t *Txn, id int64) error { _, err := t.DeleteDeck(id, false); return err }),
	}
}

func notetypeOperations() []operation {
	on := func(name, notetype string, f func(t *Txn, id int64) error) operation {
		return operation{name, func(t *Txn) error {
			nt, err := t.NotetypeByName(notetype)
			if err != nil {
				return err
			}
			return f(t, nt.ID)
		}}
	}
	return []operation{
		{"copy notetype", func(t *Txn) error {
			nt, err := t.NotetypeByName("Basic (and reversed card)")
			if err != nil {
				return err
			}
			if _, err = t.AddNotetype(nt.ID, "Mine"); err != nil {
				return err
			}
			if err := addTo("Mine")(t); err != nil {
				return err
			}
			return addTo("Mine")(t)
		}},
		on("add field", "Mine", func(t *Txn, id int64) error { return t.AddField(id, "Third") }),
		on("rename field", "Mine", func(t *Txn, id int64) error { return t.RenameField(id, "Front", "Vorn") }),
		on("sort by", "Mine", func(t *Txn, id int64) error { return t.UpdateNotetype(id, NotetypeChange{SortField: ptr(1)}) }),
		on("reorder fields", "Mine", func(t *Txn, id int64) error {
			return t.UpdateNotetype(id, NotetypeChange{Fields: []FieldChange{{1, "Back"}, {2, "Third"}, {0, "Vorn"}}})
		}),
		on("change templates", "Mine", func(t *Txn, id int64) error {
			return t.UpdateNotetype(id, NotetypeChange{
				Name: ptr("Mein"), CSS: ptr(".card{}"),
				Templates: []TemplateChange{
					{From: 1, Name: "B", Front: "{{Back}}", Back: "{{Vorn}}"},
					{From: -1, Name: "C", Front: "{{Vorn}} {{Back}}", Back: "x"},
					{From: 0, Name: "A", Front: "{{Vorn}}", Back: "{{Back}}"},
				},
			})
		}),
		on("remove a template", "Mein", func(t *Txn, id int64) error {
			return t.UpdateNotetype(id, NotetypeChange{Templates: []TemplateChange{{From: 2, Name: "A", Front: "{{Vorn}}", Back: "{{Back}}"}}})
		}),
		on("remove field", "Mein", func(t *Txn, id int64) error { return t.RemoveField(id, "third") }),
		on("delete notetype", "Mein", func(t *Txn, id int64) error { return t.DeleteNotetype(id) }),
	}
}

func ptr[T any](v T) *T { return &v }

// fixtures are stored collections of real clients.
func fixtures(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob("../testdata/collections/*.anki2.gz")
	if err != nil || len(list) < 10 {
		t.Fatalf("got %d collections, %v", len(list), err)
	}
	if testing.Short() {
		return list[:2]
	}
	return list
}

// TestOperations runs every operation on every collection. After each, the
// collection must have no fault that it had not before.
func TestOperations(t *testing.T) {
	for _, path := range fixtures(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".anki2.gz"), func(t *testing.T) {
			r := newRig(t, Options{})
			r.putGzip(path)
			r.clockAfter()
			problems, refused := r.problems(), []string{}
			for _, op := range operations() {
				before := r.meta()
				err := r.s.Edit(t.Context(), testUser, op.run)
				switch {
				case isAny(err, ErrOldScheduler, ErrNoObject, ErrNothingToUndo):
					if r.meta() != before {
						t.Errorf("%s: refused (%v), but something was written", op.name, err)
					}
					refused = append(refused, op.name)
					continue
				case err != nil:
					t.Fatalf("%s: %v", op.name, err)
				}
				r.clock.add(time.Second)
				for _, p := range r.problems() {
					if !slices.Contains(problems, p) {
						t.Fatalf("%s: %s", op.name, p)
					}
				}
			}
			if r.meta().SchedVer == 2 && len(refused) > 2 {
				t.Errorf("these operations did nothing: %v", refused)
			}
			t.Log(r.meta().SchedVer, refused)
		})
	}
}

// clockAfter puts the clock to a day of the stored collection's life.
func (r *rig) clockAfter() {
	r.t.Helper()
	var crt int64
	r.view(func(t *Txn) error {
		return t.h.row(`SELECT max(crt, (SELECT max(id) / 1000 FROM notetypes)) FROM col`, nil, &crt)
	})
	r.clock.set(time.Unix(crt+20*86400, 0))
}

// TestFindOrders: limit, offset and order, and an error that says where.
func TestFindOrders(t *testing.T) {
	r := newRig(t, Options{})
	r.putGzip("testdata/study/sm2.anki2.gz")
	r.view(func(tx *Txn) error {
		all, err := tx.FindCards(t.Context(), "deck:A", FindOptions{Order: search.ByKeys{{Column: "c.id", Desc: true}}})
		if err != nil {
			return err
		}
		some, err := tx.FindCards(t.Context(), "deck:A", FindOptions{Order: search.ByKeys{{Column: "c.id", Desc: true}}, Offset: 3, Limit: 4})
		if err != nil {
			return err
		}
		if len(all) < 10 || !slices.Equal(some, all[3:7]) {
			t.Errorf("got %v of %v", some, all)
		}
		order, err := tx.BrowserOrder()
		if err != nil {
			return err
		}
		notes, err := tx.FindNotes(t.Context(), "", FindOptions{Order: order})
		if err != nil || len(notes) != 220 {
			t.Errorf("got %d notes, %v", len(notes), err)
		}
		if _, err := tx.FindCards(t.Context(), "(oops", FindOptions{}); !isParseError(err) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}
