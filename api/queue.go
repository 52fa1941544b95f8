package api

import (
	"encoding/json"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/scheduling"
)

// nextUnseen is the next card of the current deck that was not given out since
// the queue was reset: the original took each card off its queue when it gave
// it out, so that programs may fetch several ahead.
func (c *call) nextUnseen(t *collection.Txn) (int64, bool, error) {
	next, ok, err := t.NextCard(0)
	if err != nil || !ok {
		return 0, false, err
	}
	seen := map[int64]bool{}
	c.with(func(s *userState) {
		for id := range s.handed {
			seen[id] = true
		}
	})
	if !seen[next.Card.ID] {
		return next.Card.ID, true, nil
	}
	queue, err := studyQueue(t)
	if err != nil {
		return 0, false, err
	}
	queue.Counts(t.Now().Unix())
	for _, e := range queue.Next(len(seen) + 1) {
		if !seen[e.CardID] {
			return e.CardID, true, nil
		}
	}
	return 0, false, nil
}

// studyQueue builds the queue of the current deck, to look further into it than
// the collection's own lets. It costs what the deck is large.
func studyQueue(t *collection.Txn) (*scheduling.StudyQueue, error) {
	current, err := t.CurrentDeck()
	if err != nil {
		return nil, err
	}
	all, err := t.Decks()
	if err != nil {
		return nil, err
	}
	decks := make([]scheduling.Deck, 0, len(all))
	for _, d := range all {
		if d.Kind.Normal == nil {
			decks = append(decks, scheduling.DeckFrom(*d, nil))
			continue
		}
		preset, err := t.DeckConfigOf(d.ID)
		if err != nil {
			return nil, err
		}
		decks = append(decks, scheduling.DeckFrom(*d, &preset.Config))
	}
	var cards scheduling.Cards
	if err := t.EachCard([]int64{current.ID}, func(c collection.Card) error {
		cards = append(cards, scheduling.Card{
			ID: c.ID, NoteID: c.NID, DeckID: c.DID, OriginalDeckID: c.ODID, Ord: c.Ord, Mod: c.Mod,
			Type: scheduling.CardType(c.Type), Queue: scheduling.Queue(c.Queue), Due: c.Due, OriginalDue: c.ODue,
			Interval: c.Ivl, Factor: c.Factor, Reps: c.Reps, Lapses: c.Lapses, Left: c.Left, Flags: c.Flags, Data: c.Data,
		})
		return nil
	}); err != nil {
		return nil, err
	}
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	o := scheduling.QueueOptions{Timing: day, LearnAhead: uint32(max(0, learnAhead(t)))}
	for key, flag := range map[string]*bool{
		"fsrs": &o.FSRS, "newCardsIgnoreReviewLimit": &o.IgnoreReview, "applyAllParentLimits": &o.AllParents,
	} {
		raw, ok, err := t.Config(key)
		if err != nil {
			return nil, err
		}
		if ok {
			_ = json.Unmarshal(raw, flag) // anything but true is false
		}
	}
	return scheduling.BuildQueue(decks, current.ID, cards, o)
}
