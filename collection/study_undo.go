package collection

import (
	"errors"
	"fmt"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// answerUndo is what takes an answer back.
type answerUndo struct {
	before, after Card
	review        int64 // its id in the review log
	deck          scheduling.DeckDelta
	day           uint32 // on which deck counts
	buried        []buriedCard
	leech         bool // the note got the tag
	leechIsNew    bool // which was not in the list
	// queue was moved on by step, unless it is nil.
	queue *scheduling.StudyQueue
	step  scheduling.Step
	// handedOut: somebody has downloaded the collection since.
	handedOut bool
}

type buriedCard struct{ before, after Card }

// handedOut notes that a device got the whole collection as it is, with reviews
// that must not vanish from then on.
func (s *studyState) handedOut() {
	if s.undo != nil {
		s.undo.handedOut = true
	}
}

// Undone is what UndoAnswer did.
type Undone struct {
	CardID int64
	// ReviewKept means that a device may already have got the review. There is
	// no way to take it from there, so it stays in the log.
	ReviewKept bool
}

// UndoAnswer takes back the last answer that was given through this Store: the
// card and the siblings that it buried are what they were, the decks' counters are
// lowered, a tag that it added is removed, also from the list of tags. The review is removed from the log if
// no device can have got it; else the cards get a new mod. A card that was answered
// in a filtered deck that is gone since goes back to its home deck.
//
// It is ErrNothingToUndo if there was no answer today (a restart forgets it), or
// if the card was changed since; a flag does not count, and stays. Clients, too,
// forget an answer at the day's end: the counters are those of a day.
func (t *Txn) UndoAnswer() (Undone, error) {
	if t.readOnly {
		return Undone{}, ErrReadOnly
	}
	undo := t.study.undo
	if undo == nil {
		return Undone{}, ErrNothingToUndo
	}
	day, err := t.Timing()
	if err != nil {
		return Undone{}, err
	}
	if day.Today != undo.day {
		t.study.undo = nil
		return Undone{}, ErrNothingToUndo
	}
	now, err := t.Card(undo.after.ID)
	if errors.Is(err, ErrNoObject) || err == nil && !sameButFlag(now, undo.after) {
		t.study.undo = nil
		return Undone{}, ErrNothingToUndo
	}
	if err != nil {
		return Undone{}, err
	}
	row, wasStale := undo.before, t.stale
	row.Flags = now.Flags
	if err := t.homeIfDeckGone(&row); err != nil {
		return Undone{}, err
	}
	kept, err := t.removeReview(undo)
	if err != nil {
		return Undone{}, err
	}
	// Where nobody has seen the answer, nothing needs to be newer than it; and the
	// order of study depends on the old mod.
	save := t.restoreCard
	if kept {
		save = t.saveCard
	}
	if err := save(&row); err != nil {
		return Undone{}, err
	}
	for _, b := range undo.buried {
		now, err := t.Card(b.after.ID)
		if errors.Is(err, ErrNoObject) || err == nil && !sameButFlag(now, b.after) {
			continue
		}
		if err != nil {
			return Undone{}, err
		}
		row := b.before
		row.Flags = now.Flags
		if err := save(&row); err != nil {
			return Undone{}, err
		}
	}
	if err := t.countForDeck(undo.deck); err != nil {
		return Undone{}, err
	}
	if undo.leech {
		if _, err := t.RemoveNoteTags([]int64{undo.before.NID}, []string{scheduling.LeechTag}, false); err != nil {
			return Undone{}, err
		}
		if err := t.unlistLeech(undo, kept); err != nil {
			return Undone{}, err
		}
	}
	if !wasStale && undo.queue != nil && t.study.queues[t.study.last] == undo.queue {
		undo.queue.Undo(undo.step, row.Mod)
		t.study.queues = map[int64]*scheduling.StudyQueue{t.study.last: undo.queue}
		t.stale = false
	}
	t.study.undo = nil
	return Undone{CardID: undo.after.ID, ReviewKept: kept}, nil
}

// sameButFlag is true of a card that nothing but a flag was given since: neither
// here nor on a device does that change the mod.
func sameButFlag(now, before Card) bool {
	now.Flags, now.USN = before.Flags, before.USN
	return now == before
}

// unlistLeech takes the tag from the list if the answer put it there, no device can
// have got it, and no note has it.
func (t *Txn) unlistLeech(undo *answerUndo, kept bool) error {
	if !undo.leechIsNew || kept {
		return nil
	}
	_, err := t.h.exec(`DELETE FROM tags WHERE tag = ? AND usn = ? AND NOT EXISTS (SELECT 1 FROM notes WHERE tags LIKE ?)`,
		scheduling.LeechTag, t.usn, "% "+scheduling.LeechTag+" %")
	if err != nil {
		return fmt.Errorf("remove tag: %w", err)
	}
	return nil
}

// homeIfDeckGone takes a card home whose filtered deck was deleted after the
// answer had sent it home: nothing else says then that the card was there, and
// it must not end up in no deck.
func (t *Txn) homeIfDeckGone(row *Card) error {
	if row.ODID == 0 {
		return nil
	}
	d, err := t.deckOrNil(row.DID)
	if err != nil || d != nil && d.Kind.Filtered != nil {
		return err
	}
	c := schedulingCard(row)
	scheduling.ReturnHome(&c)
	row.take(&c)
	return nil
}

// removeReview removes an answer's review from the log, unless a device may have
// it: every sync since raised the collection's usn above that of the review.
func (t *Txn) removeReview(undo *answerUndo) (kept bool, err error) {
	if undo.handedOut {
		return true, nil
	}
	n, err := t.h.exec(`DELETE FROM revlog WHERE id = ? AND cid = ? AND usn = ?`, undo.review, undo.after.ID, t.usn)
	if err != nil {
		return false, fmt.Errorf("remove review: %w", err)
	}
	t.delta.Revlog -= n
	return n == 0, nil
}
