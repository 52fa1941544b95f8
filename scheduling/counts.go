package scheduling

// DeckCounts are the cards of one deck that are due, whatever the limits.
type DeckCounts struct {
	New              int // in QueueNew
	Review           int // in QueueReview, due until today
	InterdayLearning int // in QueueDayLearning, due until today
	// IntradayLearning are the cards in QueueLearning due before, and those in
	// QueuePreview due until, the learn-ahead time from now.
	IntradayLearning int
}

// CountOptions is what the counts of the deck list depend on.
type CountOptions struct {
	Today        uint32
	IgnoreReview bool // config key newCardsIgnoreReviewLimit
	AllParents   bool // config key applyAllParentLimits
}

// CountDecks returns the numbers that the deck list shows: for each deck what
// is due in it and below it, within the limits. decks are sorted by name as
// clients sort them; due is by deck.
func CountDecks(decks []Deck, due map[int64]DeckCounts, o CountOptions) map[int64]Counts {
	out := make(map[int64]Counts, len(decks))
	w := countWalk{decks: decks, due: due, o: o, out: out}
	for w.next < len(decks) {
		if decks[w.next].level() > 1 {
			w.next++ // its parent is missing
			continue
		}
		var parent *Limits
		if o.AllParents {
			parent = &Limits{Reviews: noLimit, New: noLimit}
		}
		w.walk(parent)
	}
	return out
}

// countWalk goes through the decks depth first, which is the order of names.
type countWalk struct {
	decks []Deck
	due   map[int64]DeckCounts
	o     CountOptions
	out   map[int64]Counts
	next  int
}

// maxDepth is how deep decks are nested; deeper ones are not counted.
const maxDepth = 99

// walk counts the next deck and those below it. A nil parent means that the
// limits of the decks above are not applied from above.
func (w *countWalk) walk(parent *Limits) DeckCounts {
	d := &w.decks[w.next]
	w.next++
	level := d.level()
	limits := d.Limits(w.o.Today, w.o.IgnoreReview)
	if parent != nil {
		limits.capTo(*parent)
		parent = &limits
	}
	sum := w.due[d.ID]
	for w.next < len(w.decks) {
		l := w.decks[w.next].level()
		if l <= level {
			break
		}
		if l > level+1 || level >= maxDepth {
			w.next++ // its parent is missing
			continue
		}
		child := w.walk(parent)
		sum.New += child.New
		sum.Review += child.Review
		sum.InterdayLearning += child.InterdayLearning
		sum.IntradayLearning += child.IntradayLearning
	}
	sum = sum.within(limits)
	w.out[d.ID] = Counts{New: sum.New, Learning: sum.IntradayLearning + sum.InterdayLearning, Review: sum.Review}
	return sum
}

// within holds the counts to the limits, interday learning first.
func (c DeckCounts) within(l Limits) DeckCounts {
	left := int(l.Reviews)
	c.InterdayLearning = min(c.InterdayLearning, left)
	left -= c.InterdayLearning
	c.Review = min(c.Review, left)
	c.New = min(c.New, int(l.New))
	if l.CapNew {
		c.New = min(c.New, left-c.Review)
	}
	return c
}
