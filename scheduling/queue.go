package scheduling

import (
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Errors of the queue.
var (
	// ErrNoDeck is returned if the deck to be studied is not among the decks.
	ErrNoDeck = errors.New("scheduling: no such deck")
	// ErrNotNext is returned for an answer to a card that is not at the head of
	// its queue. The queue is then to be built anew.
	ErrNotNext = errors.New("scheduling: card is not at the head of the queue")
)

// QueueOptions is what the order of study depends on besides decks and cards.
type QueueOptions struct {
	Timing       Timing
	LearnAhead   uint32 // seconds, config key collapseTime
	FSRS         bool   // config key fsrs
	IgnoreReview bool   // config key newCardsIgnoreReviewLimit
	AllParents   bool   // config key applyAllParentLimits
}

// Kind says which of the three counts a card is part of.
type Kind uint8

// The kinds of queued cards.
const (
	KindOfNew Kind = iota
	KindOfLearning
	KindOfReview
)

// Entry is a card in the queue.
type Entry struct {
	CardID int64
	Mod    int64 // of the card when it was gathered
	Kind   Kind

	due  int64 // intraday learning only
	reps int64
}

// Counts are the numbers below a deck: cards that are to be studied today.
type Counts struct{ New, Learning, Review int }

// StudyQueue is the order in which the cards of a deck come up. It is built
// once and then kept up with [StudyQueue.Answered]; after any other change of
// cards or decks, and on the next day, it is to be built anew.
type StudyQueue struct {
	main       []Entry
	learning   []Entry // intraday
	counts     Counts
	learnAhead int64
	cutoff     int64 // learning cards due until then come first
	timing     Timing
}

// Active returns the decks that are studied with the deck rootID: itself and
// those below it, from decks sorted by name as clients sort them.
func Active(decks []Deck, rootID int64) []*Deck {
	var root *Deck
	for i := range decks {
		if decks[i].ID == rootID {
			root = &decks[i]
		}
	}
	if root == nil {
		return nil
	}
	out := []*Deck{root}
	for i := range decks {
		if below(&decks[i], root) {
			out = append(out, &decks[i])
		}
	}
	return out
}

// below goes by the stored text, as names of a family share their case.
func below(d, parent *Deck) bool {
	n := len(parent.Name)
	return len(d.Name) > n && d.Name[:n] == parent.Name && d.Name[n] == separator[0]
}

// ancestors are the decks above d, the nearest first, as far as they exist.
func ancestors(decks []Deck, d *Deck) []*Deck {
	byName := make(map[string]*Deck, len(decks))
	for i := range decks {
		byName[decks[i].Name] = &decks[i]
	}
	var out []*Deck
	for i := len(d.Name) - 1; i > 0; i-- {
		if d.Name[i] != separator[0] {
			continue
		}
		parent, ok := byName[d.Name[:i]]
		if !ok {
			break
		}
		out = append(out, parent)
	}
	return out
}

// BuildQueue gathers the cards to be studied for the deck rootID
// (docs/scheduling-and-rendering.md §2). decks are all decks of the collection,
// sorted by name as clients sort them.
func BuildQueue(decks []Deck, rootID int64, src Source, o QueueOptions) (*StudyQueue, error) {
	active := Active(decks, rootID)
	if len(active) == 0 {
		return nil, fmt.Errorf("%w: %d", ErrNoDeck, rootID)
	}
	tree := active
	if o.AllParents {
		for _, p := range ancestors(decks, active[0]) {
			tree = slices.Insert(slices.Clone(tree), 0, p)
		}
	}
	g := &gatherer{
		src:    src,
		o:      o,
		active: active,
		limits: newLimitTree(tree, o.Timing.Today, o.IgnoreReview),
		bury:   make(map[int64]SiblingBury, len(decks)),
		seen:   map[int64]SiblingBury{},
		sort:   Config{NewSort: SortNone},
	}
	for i := range decks {
		if c := decks[i].Config; c != nil {
			g.bury[decks[i].ID] = c.Bury
		}
	}
	if c := active[0].Config; c != nil {
		g.sort = *c
	}
	if err := g.gather(); err != nil {
		return nil, err
	}
	return g.build(), nil
}

// build merges what was gathered into one order.
func (g *gatherer) build() *StudyQueue {
	g.sortNew()
	q := &StudyQueue{
		learnAhead: int64(g.o.LearnAhead),
		cutoff:     g.o.Timing.Now,
		timing:     g.o.Timing,
		learning:   g.learning,
	}
	sort.SliceStable(q.learning, func(i, j int) bool { return lessLearning(&q.learning[i], &q.learning[j]) })
	q.counts = Counts{New: len(g.fresh), Review: len(g.reviews), Learning: len(g.dayLearning)}
	for i := range q.learning {
		if q.learning[i].due <= q.aheadCutoff() {
			q.counts.Learning++
		}
	}
	fresh := make([]Entry, len(g.fresh))
	for i := range g.fresh {
		fresh[i] = g.fresh[i].Entry
	}
	q.main = merge(merge(g.reviews, g.dayLearning, g.sort.LearningMix), fresh, g.sort.NewMix)
	return q
}

// lessLearning puts cards that were never answered last, and sorts by due.
func lessLearning(a, b *Entry) bool {
	if a.reps == 0 != (b.reps == 0) {
		return b.reps == 0
	}
	return a.due < b.due
}

// merge places others among reviews.
func merge(reviews, others []Entry, m Mix) []Entry {
	out := make([]Entry, 0, len(reviews)+len(others))
	switch m {
	case AfterReviews:
		return append(append(out, reviews...), others...)
	case BeforeReviews:
		return append(append(out, others...), reviews...)
	}
	ratio := float32(len(reviews)+1) / float32(len(others)+1)
	i, j := 0, 0
	for i < len(reviews) && j < len(others) {
		if float32(j+1)*ratio < float32(i+1) {
			out = append(out, others[j])
			j++
		} else {
			out = append(out, reviews[i])
			i++
		}
	}
	return append(append(out, reviews[i:]...), others[j:]...)
}

func (q *StudyQueue) aheadCutoff() int64 { return q.cutoff + q.learnAhead }

// Counts are the numbers of cards left. At now (epoch s), if none are left,
// learning cards that have come within reach are counted.
func (q *StudyQueue) Counts(now int64) Counts {
	if q.counts == (Counts{}) {
		q.Advance(now)
	}
	return q.counts
}

// Advance moves the cut-off to now (epoch s), and counts the learning cards that
// come within reach by it. [StudyQueue.Answered] does so, too.
func (q *StudyQueue) Advance(now int64) {
	last := q.aheadCutoff()
	q.cutoff = now
	for i := range q.learning {
		if due := q.learning[i].due; due > last && due <= q.aheadCutoff() {
			q.counts.Learning++
		}
	}
}

// Stale reports whether the queue is of another day than now. A collection that is
// not a day old has more than one of the same number.
func (q *StudyQueue) Stale(now Timing) bool {
	return q.timing.Today != now.Today || q.timing.NextDayAt != now.NextDayAt
}

// Next are the cards to be shown next, at most limit: learning cards that are
// due, the main queue, and learning cards that will be due soon. It is to be
// called after [StudyQueue.Counts].
func (q *StudyQueue) Next(limit int) []Entry {
	out := make([]Entry, 0, max(0, min(limit, len(q.main)+len(q.learning))))
	add := func(e Entry) bool {
		if len(out) >= limit {
			return false
		}
		out = append(out, e)
		return true
	}
	for _, e := range q.learning {
		if e.due <= q.cutoff && !add(e) {
			return out
		}
	}
	for _, e := range q.main {
		if !add(e) {
			return out
		}
	}
	for _, e := range q.learning {
		if e.due > q.cutoff && e.due <= q.aheadCutoff() && !add(e) {
			return out
		}
	}
	return out
}

// Has reports whether a card is in the queue, or will be by the end of the day.
func (q *StudyQueue) Has(cardID int64) bool {
	is := func(e Entry) bool { return e.CardID == cardID }
	return slices.ContainsFunc(q.main, is) || slices.ContainsFunc(q.learning, is)
}

// Answered takes the answered card out of the queue and, if it is still to be
// learnt today, puts it back. card is the new row; finished is
// [Result.Finished]. On [ErrNotNext] nothing has changed. What it returns is for
// [StudyQueue.Undo].
func (q *StudyQueue) Answered(card Card, now int64, finished bool) (Step, error) {
	at := slices.IndexFunc(q.learning, func(e Entry) bool { return e.CardID == card.ID })
	step := Step{at: at, counts: q.counts, cutoff: q.cutoff}
	switch {
	case at >= 0:
		step.entry = q.learning[at]
		q.learning = slices.Delete(q.learning, at, at+1)
		q.counts.Learning = max(0, q.counts.Learning-1)
	case len(q.main) > 0 && q.main[0].CardID == card.ID:
		step.entry = q.main[0]
		q.pop()
	default:
		return Step{}, fmt.Errorf("%w: %d", ErrNotNext, card.ID)
	}
	intraday := card.Queue == QueueLearning || card.Queue == QueuePreview
	if !finished && intraday && card.Due < q.timing.NextDayAt {
		q.requeue(Entry{CardID: card.ID, Mod: card.Mod, Kind: KindOfLearning, due: card.Due, reps: card.Reps})
	}
	q.Advance(now)
	return step, nil
}

// Step is how an answer moved a queue on.
type Step struct {
	entry  Entry
	at     int // in the learning queue; −1: it was the head of the main one
	counts Counts
	cutoff int64
}

// Undo takes the last answer of a queue back: its card is the next one again.
// mod is the card's mod now.
func (q *StudyQueue) Undo(s Step, mod int64) {
	s.entry.Mod = mod
	q.learning = slices.DeleteFunc(q.learning, func(e Entry) bool { return e.CardID == s.entry.CardID })
	if s.at >= 0 {
		q.learning = slices.Insert(q.learning, min(s.at, len(q.learning)), s.entry)
	} else {
		q.main = slices.Insert(q.main, 0, s.entry)
	}
	q.counts, q.cutoff = s.counts, s.cutoff
}

func (q *StudyQueue) pop() {
	switch q.main[0].Kind {
	case KindOfNew:
		q.counts.New = max(0, q.counts.New-1)
	case KindOfReview:
		q.counts.Review = max(0, q.counts.Review-1)
	default:
		q.counts.Learning = max(0, q.counts.Learning-1)
	}
	q.main = q.main[1:]
}

// requeue puts a learning card back, after the next one if it would otherwise
// be shown again at once.
func (q *StudyQueue) requeue(e Entry) {
	ahead := q.aheadCutoff()
	if e.due <= ahead && len(q.main) == 0 && len(q.learning) > 0 {
		if next := q.learning[0].due; next >= e.due && next+1 < ahead {
			e.due = next + 1
		}
	}
	if e.due <= ahead {
		q.counts.Learning++
	}
	// After all that come earlier; among equals, clients find the last one and
	// put the card before it.
	at := sort.Search(len(q.learning), func(i int) bool { return lessLearning(&e, &q.learning[i]) })
	if at > 0 && !lessLearning(&q.learning[at-1], &e) {
		at--
	}
	q.learning = slices.Insert(q.learning, at, e)
}
