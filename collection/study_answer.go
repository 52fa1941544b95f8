package collection

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Answer is an answer to a card.
type Answer struct {
	CardID int64
	Rating scheduling.Rating
	// At is when it was given; zero, or a time to come, means now. It names the
	// review and is when the card was last seen; due dates count from now.
	At time.Time
	// Taken is how long the learner looked at the card; the options cap it.
	Taken time.Duration
	// Custom is new custom data of the card (docs/collection-format.md §2.4).
	Custom *string
}

// AnswerCard answers a card, and returns it as it is now. What goes with it is
// done, too: the review log, the counters of the card's deck and those above it,
// siblings that are put off until tomorrow, and what happens to a leech.
//
// The card need not be the next one of a queue, but it must not be suspended or
// buried: that is an EditError, as is a button that does not exist.
func (t *Txn) AnswerCard(a Answer) (Card, error) {
	if t.readOnly {
		return Card{}, ErrReadOnly
	}
	if err := t.secondScheduler(); err != nil {
		return Card{}, err
	}
	row, err := t.Card(a.CardID)
	if err != nil {
		return Card{}, err
	}
	if row.Queue < 0 {
		return Card{}, refuse("the card is suspended or buried")
	}
	session, err := t.session(&row)
	if err != nil {
		return Card{}, err
	}
	at := a.At
	if at.IsZero() || at.After(t.now) {
		at = t.now
	}
	taken := min(max(a.Taken.Milliseconds(), 0), 1<<31-1)
	result, err := session.AnswerCustom(a.Rating, at.UnixMilli(), uint32(taken), a.Custom)
	if err != nil {
		return Card{}, &EditError{Reason: "the answer is not usable", Err: err}
	}
	wasStale, balance := t.stale, t.study.balance
	day, err := t.Timing()
	if err != nil {
		return Card{}, err
	}
	undo := &answerUndo{before: row, deck: result.Undo.Deck, day: day.Today}
	row.take(&result.Card)
	if err := t.saveCard(&row); err != nil {
		return Card{}, err
	}
	undo.after = row
	if undo.review, err = t.addReview(result.Revlog); err != nil {
		return Card{}, err
	}
	if err := t.countForDeck(result.Deck); err != nil {
		return Card{}, err
	}
	if undo.buried, err = t.burySiblings(&row, result.Bury); err != nil {
		return Card{}, err
	}
	if result.Leech {
		_, known, err := knownTag(t.h, scheduling.LeechTag)
		if err != nil {
			return Card{}, err
		}
		undo.leechIsNew = !known
		n, err := t.AddNoteTags([]int64{row.NID}, []string{scheduling.LeechTag}, false)
		if err != nil {
			return Card{}, err
		}
		undo.leech = n > 0
	}
	if err := t.answered(balance, &undo.before, &result.Card); err != nil {
		return Card{}, err
	}
	t.study.undo = undo
	t.advance(&result, wasStale)
	return row, nil
}

// advance moves the queue that was asked last on to its next card. It is of no
// use if the card was not its head, if it was out of date before, or if one of its
// cards was buried: a deck that does not bury siblings may have them in the queue
// behind a card of one that does.
func (t *Txn) advance(result *scheduling.Result, wasStale bool) {
	q := t.study.queues[t.study.last]
	if wasStale || q == nil {
		return
	}
	for _, b := range t.study.undo.buried {
		if q.Has(b.after.ID) {
			return
		}
	}
	step, err := q.Answered(result.Card, t.now.Unix(), result.Finished)
	if err != nil {
		return
	}
	t.study.undo.queue, t.study.undo.step = q, step
	// Other decks may share its cards, their siblings and limits.
	t.study.queues = map[int64]*scheduling.StudyQueue{t.study.last: q}
	t.stale = false
}

// countForDeck adds to the counters of a deck and of those above it.
func (t *Txn) countForDeck(delta scheduling.DeckDelta) error {
	day, err := t.Timing()
	if err != nil {
		return err
	}
	d, err := t.deckOrNil(delta.DeckID)
	if err != nil || d == nil {
		return err
	}
	chain, err := t.above(d)
	if err != nil {
		return err
	}
	for _, d := range append(chain, d) {
		setCounters(d, counters(d).Add(day.Today, delta))
		if err := t.saveDeck(d); err != nil {
			return err
		}
	}
	return nil
}

// above lists the decks above d, as far as they exist.
func (t *Txn) above(d *schema.Deck) ([]*schema.Deck, error) {
	all, err := t.allDecks()
	if err != nil {
		return nil, err
	}
	var out []*schema.Deck
	for parts := strings.Split(d.Name, deckSeparator); len(parts) > 1; {
		parts = parts[:len(parts)-1]
		name := strings.Join(parts, deckSeparator)
		i := slices.IndexFunc(all, func(o *schema.Deck) bool { return sqlite.EqualFold(o.Name, name) })
		if i < 0 {
			continue
		}
		own := *all[i]
		out = append(out, &own)
	}
	return out, nil
}

func counters(d *schema.Deck) scheduling.Counters {
	c := &d.Common
	return scheduling.Counters{
		Day: c.LastDayStudied, New: c.NewStudied, Reviews: c.ReviewStudied,
		Learning: c.LearningStudied, Millis: c.MillisecondsStudied,
	}
}

func setCounters(d *schema.Deck, c scheduling.Counters) {
	d.Common.LastDayStudied, d.Common.NewStudied, d.Common.ReviewStudied = c.Day, c.New, c.Reviews
	d.Common.LearningStudied, d.Common.MillisecondsStudied = c.Learning, c.Millis
}

// burySiblings puts the other cards of an answered card's note off until
// tomorrow, and returns them as they were.
func (t *Txn) burySiblings(answered *Card, b scheduling.SiblingBury) ([]buriedCard, error) {
	if !b.Any() {
		return nil, nil
	}
	siblings, err := t.NoteCards(answered.NID)
	if err != nil {
		return nil, err
	}
	var out []buriedCard
	for i := range siblings {
		row := siblings[i]
		s := schedulingCard(&row)
		if row.ID == answered.ID || !b.Includes(s.Queue) || !scheduling.BuryBySched(&s) {
			continue
		}
		row.take(&s)
		if err := t.saveCard(&row); err != nil {
			return nil, fmt.Errorf("bury sibling: %w", err)
		}
		out = append(out, buriedCard{before: siblings[i], after: row})
	}
	return out, nil
}

// ExtendLimits raises today's limits of a deck (0: the current one), of those
// above and of those below it, as the original did: the cards come up in whichever
// of them is studied. Current clients raise those of the deck alone, and of the
// decks above it only if their limits count when it is studied (config key
// applyAllParentLimits).
func (t *Txn) ExtendLimits(deckID int64, newCards, reviews int32) error {
	if err := t.secondScheduler(); err != nil {
		return err
	}
	if t.readOnly {
		return ErrReadOnly
	}
	if deckID == 0 {
		id, err := t.currentDeckID()
		if err != nil {
			return err
		}
		deckID = id
	}
	d, err := t.Deck(deckID)
	if err != nil {
		return err
	}
	day, err := t.Timing()
	if err != nil {
		return err
	}
	above, err := t.above(d)
	if err != nil {
		return err
	}
	below, err := t.below(d)
	if err != nil {
		return err
	}
	for _, d := range slices.Concat(above, []*schema.Deck{d}, below) {
		setCounters(d, counters(d).Extend(day.Today, newCards, reviews))
		if err := t.saveDeck(d); err != nil {
			return err
		}
	}
	return nil
}
