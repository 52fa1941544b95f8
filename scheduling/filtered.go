package scheduling

// FilteredOrder is the order in which a filtered deck collects cards.
type FilteredOrder int32

// The orders of filtered decks (docs/collection-format.md §3).
const (
	FilterOldestReviewed           FilteredOrder = 0
	FilterRandom                   FilteredOrder = 1
	FilterIntervalsAscending       FilteredOrder = 2
	FilterIntervalsDescending      FilteredOrder = 3
	FilterLapses                   FilteredOrder = 4
	FilterAdded                    FilteredOrder = 5
	FilterDue                      FilteredOrder = 6
	FilterReverseAdded             FilteredOrder = 7
	FilterRetrievabilityAscending  FilteredOrder = 8
	FilterRetrievabilityDescending FilteredOrder = 9
	FilterRelativeOverdueness      FilteredOrder = 10
)

// FilteredStart is the due of the first card of a filtered deck; the following
// ones count up from it.
const FilteredStart = -100_000

// MoveToFiltered puts a card into the filtered deck deckID at a position, which
// starts at [FilteredStart] and rises by one with each card that matched.
func MoveToFiltered(c *Card, deckID int64, position int64, reschedule bool) bool {
	if c.OriginalDue != 0 || c.OriginalDeckID != 0 {
		return false
	}
	c.OriginalDeckID, c.DeckID = c.DeckID, deckID
	c.OriginalDue = c.Due
	if !reschedule {
		c.Queue = QueueReview
	}
	if c.Due > 0 {
		c.Due = position
	}
	return true
}

// ReturnHome takes a card out of its filtered deck, unanswered.
func ReturnHome(c *Card) bool {
	if c.OriginalDeckID == 0 {
		return false
	}
	c.DeckID, c.OriginalDeckID = c.OriginalDeckID, 0
	if c.OriginalDue != 0 {
		c.Due = c.OriginalDue
	}
	if c.Queue >= 0 {
		c.restoreQueueFromType()
	}
	c.OriginalDue = 0
	return true
}

// FilteredLess returns the order of cards for a filtered deck, as a comparison
// in the manner of [cmp.Compare]. lastReview gives the id of the newest review
// log entry of a card (0 without one), random a number per card; each is only
// called for the order that needs it.
func FilteredLess(order FilteredOrder, t Timing, fsrs bool, lastReview func(cardID int64) int64, random func(cardID int64) uint64) func(a, b *Card) int {
	key := filteredKey(order, t, fsrs, lastReview, random)
	return func(a, b *Card) int {
		if key != nil {
			if c := key(a, b); c != 0 {
				return c
			}
		}
		return compareHash(a, b)
	}
}

func filteredKey(order FilteredOrder, t Timing, fsrs bool, lastReview func(int64) int64, random func(int64) uint64) func(a, b *Card) int {
	switch order {
	case FilterOldestReviewed:
		return func(a, b *Card) int { return compare(lastReview(a.ID), lastReview(b.ID)) }
	case FilterRandom:
		return func(a, b *Card) int { return compare(random(a.ID), random(b.ID)) }
	case FilterIntervalsAscending:
		return byInterval
	case FilterIntervalsDescending:
		return reverse(byInterval)
	case FilterLapses:
		return func(a, b *Card) int { return compare(b.Lapses, a.Lapses) }
	case FilterAdded:
		return byAdded
	case FilterReverseAdded:
		return byReverseAdded
	case FilterDue:
		return func(a, b *Card) int { return firstOf(compare(dueTime(a, t), dueTime(b, t)), compare(a.Ord, b.Ord)) }
	case FilterRetrievabilityAscending:
		if fsrs {
			return byRetrievability(t)
		}
	case FilterRetrievabilityDescending:
		if fsrs {
			return reverse(byRetrievability(t))
		}
	case FilterRelativeOverdueness:
		return byRelativeRetrievability(t)
	}
	return nil
}

// dueTime puts days and times on one scale.
func dueTime(c *Card, t Timing) int64 {
	if isTimestamp(c.Due) {
		return c.Due
	}
	return (clamp(c.Due, -1<<31, 1<<31)-int64(t.Today))*secsPerDay + t.Now
}
