package collection

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// TestBuriedCardLeavesQueue: a sibling that the answer buries is in the queue,
// because its own deck does not bury any. It is not given out.
func TestBuriedCardLeavesQueue(t *testing.T) {
	r, cards := studyRig(t)
	var parent int64
	r.edit(func(tx *Txn) error {
		for i, name := range []string{"A::2", "A::1"} { // of the card that buries, and of the other
			d, err := tx.CreateDeck(name)
			if err != nil {
				return err
			}
			if i == 1 {
				c, err := tx.AddDeckConfig("no burying", 0)
				if err != nil {
					return err
				}
				if err := tx.UseDeckConfig(d.ID, c.ID); err != nil {
					return err
				}
			}
			if _, err := tx.MoveCards(d.ID, cards[i]); err != nil {
				return err
			}
		}
		d, err := tx.DeckByName("A")
		parent = d.ID
		return err
	})
	next := func(tx *Txn) []int64 {
		list, err := tx.NextCards(parent, 9)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int64
		for _, c := range list {
			ids = append(ids, c.ID)
		}
		return ids
	}
	r.view(func(tx *Txn) error {
		if got := next(tx); !slices.Equal(got, cards) {
			t.Fatalf("got %v, want %v", got, cards)
		}
		return nil
	})
	r.edit(func(tx *Txn) error {
		if _, err := tx.AnswerCard(Answer{CardID: cards[0], Rating: scheduling.Easy}); err != nil {
			return err
		}
		if got := next(tx); len(got) != 0 {
			t.Errorf("got %v in the same transaction", got)
		}
		return nil
	})
	r.wantRows(`SELECT queue FROM cards ORDER BY ord`, "2", "-2")
	r.view(func(tx *Txn) error {
		if got := next(tx); len(got) != 0 {
			t.Errorf("got %v", got)
		}
		return nil
	})
	r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
	r.view(func(tx *Txn) error {
		if got := next(tx); !slices.Equal(got, cards) {
			t.Errorf("got %v after the undo, want %v", got, cards)
		}
		return nil
	})
}

// TestUndoOnNextDay: the counters of the new day are not lowered by an answer of
// the day before.
func TestUndoOnNextDay(t *testing.T) {
	r, cards := studyRig(t)
	r.answer(cards[0], scheduling.Good)
	before := r.one(`SELECT common FROM decks WHERE id = 1`)
	r.clock.add(24 * time.Hour)
	err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
	if !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("got %v, want ErrNothingToUndo", err)
	}
	if got := r.one(`SELECT common FROM decks WHERE id = 1`); got != before {
		t.Errorf("got the counters %q, want %q", got, before)
	}
	r.wantRows(`SELECT count(*) FROM revlog`, "1")
	r.answer(cards[0], scheduling.Good)
	r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
	r.wantRows(`SELECT count(*) FROM revlog`, "1")
}

// TestLearningCardsComeDue: what came due while nobody studied is counted by a
// queue that is begun anew, and let into one that goes on.
func TestLearningCardsComeDue(t *testing.T) {
	r, cards := studyRig(t)
	r.edit(func(tx *Txn) error {
		c, err := tx.DeckConfig(1)
		if err != nil {
			return err
		}
		c.Config.BuryNew, c.Config.LearnSteps = false, []float32{40}
		return tx.saveDeckConfig(c)
	})
	r.view(func(tx *Txn) error { _, _, err := tx.NextCard(1); return err })
	r.answer(cards[0], scheduling.Again)
	state := func(prepare func(tx *Txn) error) (n scheduling.Counts, first int64) {
		r.view(func(tx *Txn) error {
			if err := prepare(tx); err != nil {
				return err
			}
			next, err := tx.NextCards(1, 1)
			if err == nil {
				first = next[0].ID
				n, err = tx.StudyCounts(1)
			}
			return err
		})
		return n, first
	}
	kept := func(*Txn) error { return nil }
	want := scheduling.Counts{New: 1}
	if n, first := state(kept); n != want || first != cards[1] {
		t.Errorf("at once: got %+v and card %d", n, first)
	}
	r.clock.add(3 * time.Hour)
	// As clients do while there is something else to study.
	if n, first := state(kept); n != want || first != cards[1] {
		t.Errorf("later: got %+v and card %d", n, first)
	}
	want.Learning = 1
	if n, first := state(func(tx *Txn) error { return tx.AdvanceStudy(1) }); n != want || first != cards[0] {
		t.Errorf("advanced: got %+v and card %d", n, first)
	}
	r.answer(cards[0], scheduling.Again)
	r.clock.add(3 * time.Hour)
	if n, first := state(func(tx *Txn) error { tx.ResetStudy(); return nil }); n != want || first != cards[0] {
		t.Errorf("anew: got %+v and card %d", n, first)
	}
}
