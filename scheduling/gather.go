package scheduling

import (
	"iter"
	"slices"
)

// NewCardOrder is an order of cards of the new queue.
type NewCardOrder uint8

// The orders in which a [Source] is asked for new cards.
const (
	NewLowestPosition  NewCardOrder = iota // due, ord
	NewHighestPosition                     // due descending, ord
	NewRandomNotes                         // Hash(nid, salt), ord
	NewRandomCards                         // Hash(id, salt)
)

// Source hands out the cards of decks. A source over a database lets the
// database sort and is read no further than the limits of the day; [Cards] is
// one over a slice. A sequence that yields an error ends with it.
//
// Of the cards, the columns that identify and order them are needed: not data,
// for instance, unless the order depends on it.
type Source interface {
	// Intraday yields the cards in QueueLearning and QueuePreview that are due
	// until the given time (epoch s), ordered by deck, queue, due, id.
	Intraday(decks []int64, until int64) iter.Seq2[*Card, error]
	// Due yields the cards of a queue (QueueReview or QueueDayLearning) that are
	// due until today, in the order of [ReviewCompare] with the ranks of decks
	// being their places in decks.
	Due(q Queue, decks []int64, order ReviewOrder, t Timing, fsrs bool) iter.Seq2[*Card, error]
	// New yields the cards in QueueNew, in the order of [NewCompare].
	New(decks []int64, order NewCardOrder, salt int64) iter.Seq2[*Card, error]
}

// NewCompare returns an order of new cards, as a comparison in the manner of
// [cmp.Compare]. Cards that it finds equal come by deck, due and id.
func NewCompare(order NewCardOrder, salt int64) func(a, b *Card) int {
	byOrd := func(a, b *Card) int { return compare(a.Ord, b.Ord) }
	switch order {
	case NewHighestPosition:
		return func(a, b *Card) int { return firstOf(compare(b.Due, a.Due), byOrd(a, b)) }
	case NewRandomNotes:
		return func(a, b *Card) int {
			return firstOf(compare(int64(Hash(a.NoteID, salt)), int64(Hash(b.NoteID, salt))), byOrd(a, b))
		}
	case NewRandomCards:
		return func(a, b *Card) int { return compare(int64(Hash(a.ID, salt)), int64(Hash(b.ID, salt))) }
	}
	return func(a, b *Card) int { return firstOf(compare(a.Due, b.Due), byOrd(a, b)) }
}

// newSalt spreads consecutive days over the numbers below 2^32.
func newSalt(today uint32) int64 { return int64(today * 2654435761) }

// gatherer collects the cards of a queue.
type gatherer struct {
	src    Source
	o      QueueOptions
	active []*Deck
	limits *limitTree
	bury   map[int64]SiblingBury // by home deck
	seen   map[int64]SiblingBury // by note: what its cards so far ask for
	sort   Config                // the options of the studied deck

	learning, dayLearning, reviews []Entry
	fresh                          []newEntry
}

// newEntry keeps what new cards are sorted by.
type newEntry struct {
	Entry
	noteID, ord int64
	hash        uint64
}

func (g *gatherer) gather() error {
	ids := make([]int64, len(g.active))
	for i, d := range g.active {
		ids[i] = d.ID
	}
	for c, err := range g.src.Intraday(ids, g.o.Timing.NextDayAt) {
		if err != nil {
			return err
		}
		g.note(c)
		g.learning = append(g.learning, Entry{
			CardID: c.ID, Mod: c.Mod, Kind: KindOfLearning, due: clamp(c.Due, -1<<31, 1<<31-1), reps: c.Reps,
		})
	}
	if err := g.due(QueueDayLearning, ids); err != nil {
		return err
	}
	if err := g.due(QueueReview, ids); err != nil {
		return err
	}
	return g.newCards(ids)
}

// note registers a card for the burying of its siblings, and returns what the
// cards of the note before it asked for.
func (g *gatherer) note(c *Card) SiblingBury {
	before := g.seen[c.NoteID]
	own := g.bury[c.HomeDeckID()]
	g.seen[c.NoteID] = SiblingBury{
		New:              before.New || own.New,
		Reviews:          before.Reviews || own.Reviews,
		InterdayLearning: before.InterdayLearning || own.InterdayLearning,
	}
	return before
}

func (g *gatherer) due(q Queue, ids []int64) error {
	if g.limits.rootReached(reviewLimit) {
		return nil
	}
	for c, err := range g.src.Due(q, ids, g.sort.ReviewOrder, g.o.Timing, g.o.FSRS) {
		if err != nil {
			return err
		}
		if g.limits.rootReached(reviewLimit) {
			break
		}
		if g.limits.reached(c.DeckID, reviewLimit) || g.note(c).Includes(q) {
			continue
		}
		e := Entry{CardID: c.ID, Mod: c.Mod, Kind: KindOfReview}
		if q == QueueDayLearning {
			e.Kind = KindOfLearning
			g.dayLearning = append(g.dayLearning, e)
		} else {
			g.reviews = append(g.reviews, e)
		}
		g.limits.take(c.DeckID, reviewLimit)
	}
	return nil
}

func (g *gatherer) newCards(ids []int64) error {
	salt := newSalt(g.o.Timing.Today)
	switch g.sort.NewGather {
	case GatherLowestPosition:
		return g.newFrom(ids, NewLowestPosition, salt)
	case GatherHighestPosition:
		return g.newFrom(ids, NewHighestPosition, salt)
	case GatherRandomNotes:
		return g.newFrom(ids, NewRandomNotes, salt)
	case GatherRandomCards:
		return g.newFrom(ids, NewRandomCards, salt)
	}
	order := NewLowestPosition
	if g.sort.NewGather == GatherByDeckThenRandomNotes {
		order = NewRandomNotes
	}
	for _, id := range ids {
		if g.limits.rootReached(newLimit) {
			break
		}
		if g.limits.reached(id, newLimit) {
			continue
		}
		if err := g.newFrom([]int64{id}, order, salt); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatherer) newFrom(ids []int64, order NewCardOrder, salt int64) error {
	if g.limits.rootReached(newLimit) {
		return nil
	}
	for c, err := range g.src.New(ids, order, salt) {
		if err != nil {
			return err
		}
		if g.limits.rootReached(newLimit) || len(ids) == 1 && g.limits.reached(ids[0], newLimit) {
			break
		}
		if g.limits.reached(c.DeckID, newLimit) || g.note(c).New {
			continue
		}
		g.fresh = append(g.fresh, newEntry{
			Entry:  Entry{CardID: c.ID, Mod: c.Mod, Kind: KindOfNew},
			noteID: c.NoteID,
			ord:    c.Ord,
		})
		g.limits.take(c.DeckID, newLimit)
	}
	return nil
}

// sortNew puts the gathered new cards into the order of the preset.
func (g *gatherer) sortNew() {
	today := int64(g.o.Timing.Today)
	byNote := g.sort.NewSort == SortByRandomNoteThenTemplate
	for i := range g.fresh {
		e := &g.fresh[i]
		if byNote {
			e.hash = Hash(e.noteID, today)
		} else {
			e.hash = Hash(e.CardID, today)
		}
	}
	var by func(a, b newEntry) int
	switch g.sort.NewSort {
	case SortNone:
		return
	case SortByTemplateThenRandom:
		by = func(a, b newEntry) int { return firstOf(compare(a.ord, b.ord), compare(a.hash, b.hash)) }
	case SortByRandomNoteThenTemplate:
		by = func(a, b newEntry) int { return firstOf(compare(a.hash, b.hash), compare(a.ord, b.ord)) }
	case SortByRandomCard:
		by = func(a, b newEntry) int { return compare(a.hash, b.hash) }
	default:
		by = func(a, b newEntry) int { return compare(a.ord, b.ord) }
	}
	slices.SortStableFunc(g.fresh, by)
}

// Cards is a [Source] over cards in memory, in any order.
type Cards []Card

func (s Cards) pick(decks []int64, want func(*Card) bool) []*Card {
	in := make(map[int64]bool, len(decks))
	for _, id := range decks {
		in[id] = true
	}
	var out []*Card
	for i := range s {
		if c := &s[i]; in[c.DeckID] && want(c) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b *Card) int {
		return firstOf(compare(a.DeckID, b.DeckID), compare(a.Queue, b.Queue), compare(a.Due, b.Due), compare(a.ID, b.ID))
	})
	return out
}

// Intraday implements [Source].
func (s Cards) Intraday(decks []int64, until int64) iter.Seq2[*Card, error] {
	return each(s.pick(decks, func(c *Card) bool {
		return (c.Queue == QueueLearning || c.Queue == QueuePreview) && c.Due <= until
	}))
}

// Due implements [Source].
func (s Cards) Due(q Queue, decks []int64, order ReviewOrder, t Timing, fsrs bool) iter.Seq2[*Card, error] {
	cards := s.pick(decks, func(c *Card) bool { return c.Queue == q && c.Due <= int64(t.Today) })
	rank := make(map[int64]int, len(decks))
	for i, id := range decks {
		rank[id] = i
	}
	slices.SortStableFunc(cards, ReviewCompare(order, t, fsrs, func(id int64) int { return rank[id] }))
	return each(cards)
}

// New implements [Source].
func (s Cards) New(decks []int64, order NewCardOrder, salt int64) iter.Seq2[*Card, error] {
	cards := s.pick(decks, func(c *Card) bool { return c.Queue == QueueNew })
	slices.SortStableFunc(cards, NewCompare(order, salt))
	return each(cards)
}

func each(cards []*Card) iter.Seq2[*Card, error] {
	return func(yield func(*Card, error) bool) {
		for _, c := range cards {
			if !yield(c, nil) {
				return
			}
		}
	}
}
