package collection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/scheduling"
)

const cardState = `SELECT did, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data FROM cards WHERE id = `

// studyRig is a collection with a note of two cards in deck 1 whose options bury
// siblings.
func studyRig(t *testing.T) (r *rig, cards []int64) {
	t.Helper()
	r = newRig(t, Options{})
	r.seed(testUser, `UPDATE col SET usn = 4`)
	r.edit(func(tx *Txn) error {
		c, err := tx.DeckConfig(1)
		if err != nil {
			return err
		}
		c.Config.BuryNew, c.Config.LeechThreshold, c.Config.LeechAction = true, 1, 0
		if err := tx.saveDeckConfig(c); err != nil {
			return err
		}
		nt, err := tx.NotetypeByName("Basic (and reversed card)")
		if err != nil {
			return err
		}
		_, cards, err = tx.AddNote(NewNote{NotetypeID: nt.ID, Fields: []string{"front", "back"}, Tags: []string{"x"}})
		return err
	})
	r.clock.add(time.Minute)
	return r, cards
}

func (r *rig) answer(id int64, rating scheduling.Rating) {
	r.t.Helper()
	r.edit(func(tx *Txn) error {
		_, err := tx.AnswerCard(Answer{CardID: id, Rating: rating, Taken: 3 * time.Second})
		return err
	})
}

// one returns the only row of a query.
func (r *rig) one(query string, args ...any) string {
	r.t.Helper()
	rows := r.rows(testUser, query, args...)
	if len(rows) != 1 {
		r.t.Fatalf("%s: got %d rows", query, len(rows))
	}
	return rows[0]
}

// TestUndo takes back an answer that buried a sibling: card, sibling, counters
// and review are as before, and it works once.
func TestUndo(t *testing.T) {
	r, cards := studyRig(t)
	state := func() []string {
		var out []string
		for _, id := range cards {
			out = append(out, r.one(cardState+fmt.Sprint(id)))
		}
		return append(out, r.one(`SELECT count(*) FROM revlog`), r.one(`SELECT tags FROM notes`))
	}
	before := state()
	r.answer(cards[0], scheduling.Easy)
	if got := r.one(`SELECT queue FROM cards WHERE id = ?`, cards[1]); got != "-2" {
		t.Errorf("got queue %s of the sibling, want -2", got)
	}
	r.clock.add(time.Second)
	var done Undone
	r.edit(func(tx *Txn) (err error) { done, err = tx.UndoAnswer(); return err })
	if got := state(); !slices.Equal(got, before) || done != (Undone{CardID: cards[0]}) {
		t.Errorf("got %+v and\n%v, want\n%v", done, got, before)
	}
	r.view(func(tx *Txn) error {
		d, err := tx.Deck(1)
		if err == nil && (d.Common.NewStudied != 0 || d.Common.MillisecondsStudied != 0) {
			t.Errorf("got the counters %+v", d.Common)
		}
		return err
	})
	if err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error { _, err := tx.UndoAnswer(); return err }); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("got %v, want ErrNothingToUndo", err)
	}
	r.checkCollection()
}

// TestUndoAfterSync: a review that a device may have stays in the log.
func TestUndoAfterSync(t *testing.T) {
	for name, between := range map[string]func(r *rig){
		"sync":     func(r *rig) { r.start(0, false); r.finish() },
		"download": func(r *rig) { r.download(testUser, DownloadOptions{}) },
	} {
		t.Run(name, func(t *testing.T) {
			r, cards := studyRig(t)
			r.answer(cards[0], scheduling.Good)
			between(r)
			var done Undone
			r.edit(func(tx *Txn) (err error) { done, err = tx.UndoAnswer(); return err })
			if !done.ReviewKept || r.one(`SELECT count(*) FROM revlog`) != "1" {
				t.Errorf("got %+v", done)
			}
			r.wantRows(`SELECT queue, reps FROM cards ORDER BY id`, "0|0", "0|0")
			r.checkCollection()
		})
	}
}

// TestUndoAfterFilteredDeckIsGone: the answer sent the card home, so the deck
// could be deleted without touching it; the undo must not bring it back there.
func TestUndoAfterFilteredDeckIsGone(t *testing.T) {
	r, cards := studyRig(t)
	before := r.one(`SELECT did, odid, type, queue, due, reps FROM cards WHERE id = ?`, cards[0])
	var filtered int64
	r.edit(func(tx *Txn) error {
		d, _, err := tx.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "F", Reschedule: true, Searches: []FilteredSearch{{Limit: 9}}}, false)
		if err == nil {
			filtered = d.ID
		}
		return err
	})
	r.answer(cards[0], scheduling.Easy)
	r.edit(func(tx *Txn) error { _, err := tx.DeleteDeck(filtered, false); return err })
	r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
	if got := r.one(`SELECT did, odid, type, queue, due, reps FROM cards WHERE id = ?`, cards[0]); got != before {
		t.Errorf("got %s, want %s", got, before)
	}
	r.checkCollection()
}

// TestUndoOfFlaggedCard: a flag says nothing of the schedule, wherever it was set.
func TestUndoOfFlaggedCard(t *testing.T) {
	for name, flag := range map[string]func(r *rig, id int64){
		"here": func(r *rig, id int64) {
			r.edit(func(tx *Txn) error { _, err := tx.SetFlag(2, id); return err })
		},
		"after a sync": func(r *rig, id int64) {
			r.start(0, false)
			r.finish()
			r.edit(func(tx *Txn) error { _, err := tx.SetFlag(2, id); return err })
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, cards := studyRig(t)
			const schedule = `SELECT did, odid, type, queue, due, ivl, reps, left FROM cards WHERE id = ?`
			before := r.one(schedule, cards[0])
			r.answer(cards[0], scheduling.Good)
			flag(r, cards[0])
			r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
			if got := r.one(schedule, cards[0]); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			if got := r.one(`SELECT flags FROM cards WHERE id = ?`, cards[0]); got != "2" {
				t.Errorf("the flag is now %s", got)
			}
		})
	}
}

// TestUndoOfChangedCard: what somebody changed since is not overwritten.
func TestUndoOfChangedCard(t *testing.T) {
	r, cards := studyRig(t)
	r.answer(cards[0], scheduling.Good)
	r.edit(func(tx *Txn) error { _, err := tx.Suspend(cards[0]); return err })
	if err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error { _, err := tx.UndoAnswer(); return err }); !errors.Is(err, ErrNothingToUndo) {
		t.Errorf("got %v, want ErrNothingToUndo", err)
	}
}

// TestFailedEditKeepsUndo: an edit that was rolled back changes nothing of what
// is kept in memory.
func TestFailedEditKeepsUndo(t *testing.T) {
	r, cards := studyRig(t)
	r.answer(cards[0], scheduling.Good)
	failure := errors.New("no")
	for range 2 {
		err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
			if _, err := tx.UndoAnswer(); err != nil {
				return err
			}
			return failure
		})
		if !errors.Is(err, failure) {
			t.Fatal(err)
		}
	}
	r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
	r.wantRows(`SELECT count(*) FROM revlog`, "0")
}

// TestUndoOfLeechInList: the tag goes from the list again, unless it was there, is
// in use by now, or a device may have it.
func TestUndoOfLeechInList(t *testing.T) {
	for name, tt := range map[string]struct {
		before, between func(r *rig)
		want            []string
	}{
		"new": {want: []string{"x"}},
		"known": {before: func(r *rig) {
			r.edit(func(tx *Txn) error { _, err := tx.registerTag("Leech"); return err })
		}, want: []string{"Leech", "x"}},
		"in use": {between: func(r *rig) {
			r.edit(func(tx *Txn) error {
				nt, err := tx.Notetypes()
				if err != nil {
					return err
				}
				_, _, err = tx.AddNote(NewNote{NotetypeID: nt[0].ID, Fields: []string{"other", ""}, Tags: []string{"LEECH"}})
				return err
			})
		}, want: []string{"leech", "x"}},
		"synced": {between: func(r *rig) { r.start(0, false); r.finish() }, want: []string{"leech", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, cards := studyRig(t)
			r.edit(func(tx *Txn) error { _, err := tx.SetDueDate("0", cards[0]); return err })
			for _, step := range []func(*rig){tt.before, func(r *rig) { r.answer(cards[0], scheduling.Again) }, tt.between} {
				if step != nil {
					step(r)
				}
			}
			r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
			r.wantRows(`SELECT tag FROM tags ORDER BY tag`, tt.want...)
		})
	}
}

// TestLeech: the tag, the suspension, and their undoing.
func TestLeech(t *testing.T) {
	r, cards := studyRig(t)
	r.edit(func(tx *Txn) error { _, err := tx.SetDueDate("0", cards[0]); return err })
	r.answer(cards[0], scheduling.Again)
	r.wantRows(`SELECT tags FROM notes`, " leech x ")
	r.wantRows(`SELECT tag FROM tags ORDER BY tag`, "leech", "x")
	if got := r.one(`SELECT queue, type, lapses FROM cards WHERE id = ?`, cards[0]); got != "-1|3|1" {
		t.Errorf("got %s", got)
	}
	err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
		_, err := tx.AnswerCard(Answer{CardID: cards[0], Rating: scheduling.Good})
		return err
	})
	if !isRefused(err) {
		t.Errorf("got %v for a suspended card", err)
	}
	r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
	r.wantRows(`SELECT tags FROM notes`, " x ")
	r.checkCollection()
}

// TestReviewIDs: two answers in one millisecond have two ids.
func TestReviewIDs(t *testing.T) {
	r, cards := studyRig(t)
	now := r.clock.Now()
	for range 3 {
		r.edit(func(tx *Txn) error {
			_, err := tx.AnswerCard(Answer{CardID: cards[0], Rating: scheduling.Good, At: now})
			return err
		})
	}
	ms := now.UnixMilli()
	r.wantRows(`SELECT id, usn FROM revlog ORDER BY id`, fmt.Sprintf("%d|4", ms), fmt.Sprintf("%d|4", ms+1), fmt.Sprintf("%d|4", ms+2))
}

// TestQueueFollowsChanges: the kept queue is never out of date, whoever changes
// what.
func TestQueueFollowsChanges(t *testing.T) {
	r, cards := studyRig(t)
	next := func() int64 {
		var c StudyCard
		r.view(func(tx *Txn) (err error) { c, _, err = tx.NextCard(1); return err })
		return c.Card.ID
	}
	if got := next(); got != cards[0] {
		t.Fatalf("got %d, want %d", got, cards[0])
	}
	r.edit(func(tx *Txn) error { _, err := tx.Suspend(cards[0]); return err })
	if got := next(); got != cards[1] {
		t.Errorf("got %d after suspending, want %d", got, cards[1])
	}
	r.edit(func(tx *Txn) error {
		if _, err := tx.Bury(cards[1]); err != nil {
			return err
		}
		if c, ok, err := tx.NextCard(1); err != nil || ok {
			t.Errorf("got %d inside the transaction, %v", c.Card.ID, err)
		}
		return nil
	})
	if got := next(); got != 0 {
		t.Errorf("got %d after burying, want none", got)
	}
	r.clock.add(24 * time.Hour)
	mod := r.meta().Mod
	if got := next(); got != cards[1] {
		t.Errorf("got %d on the next day, want %d", got, cards[1])
	}
	if r.meta().Mod != mod {
		t.Error("the new day changed mod")
	}
	// A device deletes the card.
	r.start(0, true)
	if err := r.s.ApplyGraves(t.Context(), testUser, "k", Graves{Cards: []int64{cards[1]}}); err != nil {
		t.Fatal(err)
	}
	r.finish()
	if got := next(); got != 0 {
		t.Errorf("got %d after the sync, want none", got)
	}
}

// TestQueueOfMixedEdits: an answer beside another change, or one that was rolled
// back, does not leave a queue behind that is wrong.
func TestQueueOfMixedEdits(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	for range 3 {
		r.edit(addTo("Basic"))
		r.clock.add(time.Second)
	}
	next := func(tx *Txn) int64 {
		c, _, err := tx.NextCard(1)
		if err != nil {
			t.Fatal(err)
		}
		return c.Card.ID
	}
	var ids []int64
	r.view(func(tx *Txn) (err error) {
		ids, err = tx.FindCards(t.Context(), "", FindOptions{})
		next(tx)
		return err
	})
	failure := errors.New("no")
	err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
		if _, err := tx.AnswerCard(Answer{CardID: next(tx), Rating: scheduling.Easy}); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	r.edit(func(tx *Txn) error {
		if got := next(tx); got != ids[0] {
			t.Errorf("got %d after the answer was rolled back, want %d", got, ids[0])
		}
		if _, err := tx.Suspend(ids[1]); err != nil {
			return err
		}
		_, err := tx.AnswerCard(Answer{CardID: ids[0], Rating: scheduling.Easy})
		return err
	})
	r.view(func(tx *Txn) error {
		if got := next(tx); got != ids[2] {
			t.Errorf("got %d after the second was suspended, want %d", got, ids[2])
		}
		return nil
	})
}

// TestExtendLimits: a deck below and one above get more cards, too.
func TestExtendLimits(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	var middle int64
	r.edit(func(tx *Txn) error {
		d, err := tx.CreateDeck("A::B::C")
		if err != nil {
			return err
		}
		for range 25 {
			if err := addTo("Basic")(tx); err != nil {
				return err
			}
		}
		ids, err := tx.FindCards(t.Context(), "", FindOptions{})
		if err != nil {
			return err
		}
		if _, err := tx.MoveCards(d.ID, ids...); err != nil {
			return err
		}
		b, err := tx.DeckByName("a::b")
		middle = b.ID
		return err
	})
	counts := func() (studied, listed scheduling.Counts) {
		r.view(func(tx *Txn) error {
			a, err := tx.DeckByName("A")
			if err != nil {
				return err
			}
			if studied, err = tx.StudyCounts(a.ID); err != nil {
				return err
			}
			all, err := tx.DeckCounts()
			listed = all[a.ID]
			return err
		})
		return studied, listed
	}
	if s, l := counts(); s != (scheduling.Counts{New: 20}) || l != s {
		t.Errorf("got %v and %v, want 20", s, l)
	}
	r.edit(func(tx *Txn) error { return tx.ExtendLimits(middle, 3, 0) })
	if s, l := counts(); s != (scheduling.Counts{New: 23}) || l != s {
		t.Errorf("got %v and %v, want 23", s, l)
	}
}

// TestFirstScheduler: such a collection can be read and edited, but not studied.
func TestFirstScheduler(t *testing.T) {
	r, cards := studyRig(t)
	r.rows(testUser, `UPDATE config SET val = '1' WHERE KEY = 'schedVer'`)
	r.rows(testUser, `UPDATE cards SET type = 1, queue = 1, due = 1700000000, left = 1001`)
	before := r.one(`SELECT group_concat(due || queue || left || usn || mod) FROM cards`)
	for name, f := range map[string]func(tx *Txn) error{
		"next":    func(tx *Txn) error { _, _, err := tx.NextCard(0); return err },
		"answer":  func(tx *Txn) error { _, err := tx.AnswerCard(Answer{CardID: cards[0], Rating: 3}); return err },
		"buttons": func(tx *Txn) error { _, err := tx.Buttons(cards[0]); return err },
		"suspend": func(tx *Txn) error { _, err := tx.Suspend(cards[0]); return err },
		"bury":    func(tx *Txn) error { _, err := tx.Bury(cards[0]); return err },
		"forget":  func(tx *Txn) error { _, err := tx.Forget(ForgetOptions{}, cards[0]); return err },
		"due":     func(tx *Txn) error { _, err := tx.SetDueDate("1", cards[0]); return err },
		"counts":  func(tx *Txn) error { _, err := tx.DeckCounts(); return err },
		"extend":  func(tx *Txn) error { return tx.ExtendLimits(1, 1, 1) },
		"filtered": func(tx *Txn) error {
			_, _, err := tx.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "F", Searches: []FilteredSearch{{Limit: 9}}}, true)
			return err
		},
	} {
		if err := r.s.Edit(t.Context(), testUser, f); !errors.Is(err, ErrOldScheduler) {
			t.Errorf("%s: got %v, want ErrOldScheduler", name, err)
		}
	}
	r.edit(addTo("Basic"))
	if after := r.one(`SELECT group_concat(due || queue || left || usn || mod) FROM cards WHERE id IN (?, ?)`, cards[0], cards[1]); after != before {
		t.Errorf("got %s, want %s", after, before)
	}
}

// TestRenderCard renders a card with all that the collection knows of it.
func TestRenderCard(t *testing.T) {
	r, cards := studyRig(t)
	r.edit(func(tx *Txn) error {
		nt, err := tx.NotetypeByName("Basic (and reversed card)")
		if err != nil {
			return err
		}
		err = tx.UpdateNotetype(nt.ID, NotetypeChange{CSS: ptr("x{}"), Templates: []TemplateChange{
			{From: 0, Name: "One", Front: "{{Front}} {{Deck}} {{Subdeck}} {{Tags}} {{CardFlag}} {{Card}} {{Type}}", Back: "{{FrontSide}}{{Back}}"},
			{From: 1, Name: "Two", Front: "{{Back}}", Back: "x"},
		}})
		if err != nil {
			return err
		}
		d, err := tx.CreateDeck("A::B")
		if err != nil {
			return err
		}
		if _, err := tx.MoveCards(d.ID, cards[0]); err != nil {
			return err
		}
		_, err = tx.SetFlag(3, cards[0])
		return err
	})
	var out RenderedCard
	r.view(func(tx *Txn) (err error) { out, err = tx.RenderCard(cards[0], rendering.Options{}); return err })
	question := "front A::B B x flag3 One Basic (and reversed card)"
	if out.Question != question || out.Answer != question+"back" || out.CSS != "x{}" || !strings.Contains(rendering.Page(out.Answer, out.CSS, out.Ord), "x{}") {
		t.Errorf("got %+v", out)
	}
}
