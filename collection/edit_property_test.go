package collection

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// pick draws one of a query's ids; ErrNoObject if there is none.
func pick(rt *rapid.T, t *Txn, label, query string) (int64, error) {
	ids, err := collect(t.h, scanID, query)
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, errNothingThere
	}
	return rapid.SampledFrom(ids).Draw(rt, label), nil
}

// randomText is what people and programs put into fields and names.
var randomText = rapid.OneOf(
	rapid.SampledFrom([]string{"", " ", "a", "A", "ß", "e\u0301", "\u00e9", "007", "{{c1::x}}", "{{c2::y}}{{c700::z}}", "<br>", "::", "a::b", "A::B::", "\x00\x1f", "x y\u3000z"}),
	rapid.StringN(0, 12, 40),
)

// randomEdits are edits with random arguments.
var randomEdits = map[string]func(rt *rapid.T, t *Txn) error{
	"add": func(rt *rapid.T, t *Txn) error {
		mid, err := pick(rt, t, "notetype", `SELECT id FROM notetypes ORDER BY id`)
		if err != nil {
			return err
		}
		did, err := pick(rt, t, "deck", `SELECT id FROM decks ORDER BY id`)
		if err != nil {
			return err
		}
		nt, err := t.Notetype(mid)
		if err != nil {
			return err
		}
		fields := rapid.SliceOfN(randomText, len(nt.Fields), len(nt.Fields)).Draw(rt, "fields")
		id, _, err := t.AddNote(NewNote{NotetypeID: mid, DeckID: did, Fields: fields, Tags: rapid.SliceOfN(randomText, 0, 3).Draw(rt, "tags")})
		if err != nil {
			return err
		}
		return wantAllCards(t, id)
	},
	"update": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "note", `SELECT id FROM notes ORDER BY id`)
		if err != nil {
			return err
		}
		n, err := t.Note(id)
		if err != nil {
			return err
		}
		fields, tags := n.FieldList(), rapid.SliceOfN(randomText, 0, 3).Draw(rt, "tags")
		fields[rapid.IntRange(0, len(fields)-1).Draw(rt, "field")] = randomText.Draw(rt, "text")
		if err := t.UpdateNote(id, NoteChange{Fields: fields, Tags: &tags}); err != nil {
			return err
		}
		return wantAllCards(t, id)
	},
	"delete note": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "note", `SELECT id FROM notes ORDER BY id`)
		if err != nil {
			return err
		}
		_, err = t.DeleteNotes(id)
		return err
	},
	"cards": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "card", `SELECT id FROM cards ORDER BY id`)
		if err != nil {
			return err
		}
		do := rapid.SampledFrom([]func(...int64) (int, error){
			t.Suspend, t.Unsuspend, t.Bury, t.Unbury,
			func(ids ...int64) (int, error) { return t.SetDueDate("1-9", ids...) },
			func(ids ...int64) (int, error) { return t.Forget(ForgetOptions{RestorePosition: true}, ids...) },
			func(ids ...int64) (int, error) {
				return t.Reposition(RepositionOptions{Start: 1, Step: 1, Shift: true}, ids...)
			},
			func(ids ...int64) (int, error) { return t.SetFlag(5, ids...) },
		}).Draw(rt, "what")
		_, err = do(id)
		return err
	},
	"move": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "card", `SELECT id FROM cards ORDER BY id`)
		if err != nil {
			return err
		}
		did, err := pick(rt, t, "deck", `SELECT id FROM decks ORDER BY id`)
		if err != nil {
			return err
		}
		_, err = t.MoveCards(did, id)
		return err
	},
	"answer": func(rt *rapid.T, t *Txn) error {
		did, err := pick(rt, t, "deck", `SELECT id FROM decks ORDER BY id`)
		if err != nil {
			return err
		}
		c, ok, err := t.NextCard(did)
		if err != nil || !ok {
			return err
		}
		_, err = t.AnswerCard(Answer{CardID: c.Card.ID, Rating: scheduling.Rating(rapid.IntRange(1, 4).Draw(rt, "rating"))})
		return err
	},
	"undo":        func(_ *rapid.T, t *Txn) error { _, err := t.UndoAnswer(); return err },
	"create deck": func(rt *rapid.T, t *Txn) error { _, err := t.CreateDeck(randomText.Draw(rt, "name")); return err },
	"rename deck": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "deck", `SELECT id FROM decks ORDER BY id`)
		if err != nil {
			return err
		}
		return t.RenameDeck(context.Background(), id, randomText.Draw(rt, "name"))
	},
	"reparent deck": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "deck", `SELECT id FROM decks ORDER BY id`)
		if err != nil {
			return err
		}
		parent, err := pick(rt, t, "parent", `SELECT id FROM decks UNION SELECT 0`)
		if err != nil {
			return err
		}
		return t.ReparentDeck(context.Background(), id, parent)
	},
	"delete deck": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "deck", `SELECT id FROM decks WHERE id != 1 ORDER BY id`)
		if err != nil {
			return err
		}
		_, err = t.DeleteDeck(id, rapid.Bool().Draw(rt, "keep"))
		return err
	},
	"filtered deck": func(rt *rapid.T, t *Txn) error {
		_, _, err := t.SaveFilteredDeck(context.Background(), 0, FilteredDeck{
			Name: randomText.Draw(rt, "name"), Reschedule: rapid.Bool().Draw(rt, "reschedule"), PreviewAgainSecs: 60,
			Searches: []FilteredSearch{{Limit: 3, Order: scheduling.FilteredOrder(rapid.IntRange(0, 10).Draw(rt, "order"))}},
		}, true)
		return err
	},
	"rebuild": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "deck", `SELECT id FROM decks ORDER BY id`)
		if err != nil {
			return err
		}
		_, err = t.RebuildFilteredDeck(context.Background(), id)
		return err
	},
	"tags": func(rt *rapid.T, t *Txn) error {
		if _, err := t.RenameTag(randomText.Draw(rt, "from"), randomText.Draw(rt, "to")); err != nil {
			return err
		}
		_, err := t.ClearUnusedTags()
		return err
	},
	"fields": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "notetype", `SELECT id FROM notetypes ORDER BY id`)
		if err != nil {
			return err
		}
		nt, err := t.Notetype(id)
		if err != nil {
			return err
		}
		fields := rapid.Permutation(append(fieldChanges(nt), FieldChange{-1, randomText.Draw(rt, "name")})).Draw(rt, "fields")
		return t.UpdateNotetype(id, NotetypeChange{Fields: fields[:rapid.IntRange(1, len(fields)).Draw(rt, "keep")]})
	},
	"copy notetype": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "notetype", `SELECT id FROM notetypes ORDER BY id`)
		if err != nil {
			return err
		}
		_, err = t.AddNotetype(id, randomText.Draw(rt, "name"))
		return err
	},
	"delete notetype": func(rt *rapid.T, t *Txn) error {
		id, err := pick(rt, t, "notetype", `SELECT id FROM notetypes ORDER BY id`)
		if err != nil {
			return err
		}
		return t.DeleteNotetype(id)
	},
}

// TestRandomEdits runs random edits with random arguments. Each is done or
// refused, and after each the collection is sound; a refused one leaves no trace.
func TestRandomEdits(t *testing.T) {
	r := newRig(t, Options{Snapshots: Retention{Keep: -1}})
	start := filledFile(t)
	rapid.Check(t, func(rt *rapid.T) {
		r.reopen()
		r.put(testUser, start)
		r.clock.set(testNow)
		for range rapid.IntRange(1, 30).Draw(rt, "edits") {
			name := rapid.SampledFrom(slices.Sorted(maps.Keys(randomEdits))).Draw(rt, "edit")
			before := r.meta()
			err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error { return randomEdits[name](rt, tx) })
			switch {
			case err == nil:
			case isRefused(err) || isAny(err, ErrNoObject, ErrNothingToUndo):
				if r.meta() != before {
					rt.Fatalf("%s: refused (%v), but something was written", name, err)
				}
			default:
				rt.Fatalf("%s: %v", name, err)
			}
			if problems := r.problems(); len(problems) > 0 {
				rt.Fatalf("%s (%v): %v", name, err, problems)
			}
			r.clock.add(time.Duration(rapid.IntRange(0, 40000).Draw(rt, "seconds")) * time.Second)
		}
	})
}

// filledFile is a collection with notes, decks and some studies.
func filledFile(t *testing.T) string {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(func(tx *Txn) error {
		for _, name := range []string{"A::B", "A::C", "Z"} {
			d, err := tx.CreateDeck(name)
			if err != nil {
				return err
			}
			if err := tx.SelectDeck(d.ID); err != nil {
				return err
			}
			for _, notetype := range []string{"Basic", "Cloze", "Basic (and reversed card)"} {
				if err := addTo(notetype, "tag", "a::b")(tx); err != nil {
					return err
				}
			}
		}
		_, _, err := tx.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "F", Reschedule: true, Searches: []FilteredSearch{{Limit: 3}}}, false)
		if err != nil {
			return err
		}
		_, _, err = tx.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "A::P", PreviewAgainSecs: 30, Searches: []FilteredSearch{{Limit: 3}}}, false)
		if err != nil {
			return err
		}
		return answerSome(10)(tx)
	})
	r.checkCollection()
	return r.download(testUser, DownloadOptions{})
}
