package collection

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"sort"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/search"
)

// cardsForFiltered returns the cards that one search of a filtered deck
// collects, in its order.
func (t *Txn) cardsForFiltered(ctx context.Context, term schema.SearchTerm) ([]Card, error) {
	node, err := search.Parse(term.Search)
	if err != nil {
		return nil, &EditError{Reason: "the search of the filtered deck is not usable", Err: err}
	}
	order := scheduling.FilteredOrder(term.Order)
	first, err := t.firstCards(order, int(min(term.Limit, math.MaxInt32)))
	if err != nil {
		return nil, err
	}
	err = t.eachForFiltered(ctx, search.And{
		node,
		search.Not{Node: search.State{Kind: search.StateSuspended}},
		search.Not{Node: search.State{Kind: search.StateBuried}},
		search.Not{Node: search.Deck{Pattern: "filtered"}},
	}, order, first.add)
	if err != nil {
		return nil, err
	}
	first.trim()
	ids := make([]int64, len(first.cards))
	for i := range first.cards {
		ids[i] = first.cards[i].ID
	}
	return t.cards(ids)
}

// filteredCard is what the orders of filtered decks need of a card.
type filteredCard struct {
	scheduling.Card
	lastReview int64 // id of the newest review, 0 without one
}

// eachForFiltered calls f for each card that a search finds, with what the order
// needs of it. f must not use the transaction.
func (t *Txn) eachForFiltered(ctx context.Context, node search.Node, order scheduling.FilteredOrder, f func(c filteredCard)) error {
	so, err := t.searchOptions(search.Cards, nil)
	if err != nil {
		return err
	}
	found, err := search.Compile(ctx, node, catalog{t}, so)
	if err != nil {
		return err
	}
	data, last := `''`, `0`
	switch order {
	case scheduling.FilterOldestReviewed:
		last = `ifnull((SELECT max(id) FROM revlog WHERE cid = c.id), 0)`
	case scheduling.FilterRetrievabilityAscending, scheduling.FilterRetrievabilityDescending, scheduling.FilterRelativeOverdueness:
		data = `c.data`
	}
	st := search.Statement{SQL: `SELECT c.id, c.nid, c.ord, CAST(c.mod AS INTEGER), CAST(c.due AS INTEGER),
		CAST(c.odue AS INTEGER), CAST(c.ivl AS INTEGER), CAST(c.lapses AS INTEGER), ` + data + `, ` + last + ` FROM cards c WHERE c.id IN (` + found.SQL + `)`,
		Args: found.Args}
	var c filteredCard
	err = t.eachFound(ctx, st, func(scan func(...any) error) (more bool, err error) {
		err = scan(&c.ID, &c.NoteID, &c.Ord, &c.Mod, &c.Due, &c.OriginalDue, &c.Interval, &c.Lapses, &c.Data, &c.lastReview)
		if err == nil {
			f(c)
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("cards for filtered deck: %w", err)
	}
	return nil
}

// firstCards keeps the first cards in an order, of however many are added. What
// the order computes of cards it remembers, so it is made anew for each sorting.
type firstCards struct {
	cards []filteredCard
	limit int
	order func(lastReview func(cardID int64) int64) func(a, b *scheduling.Card) int
	by    func(a, b *scheduling.Card) int // while sorting
}

func (t *Txn) firstCards(order scheduling.FilteredOrder, limit int) (*firstCards, error) {
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	fsrs, err := t.configBool("fsrs", false)
	if err != nil {
		return nil, err
	}
	seed := maphash.MakeSeed()
	random := func(id int64) uint64 { return maphash.Comparable(seed, id) }
	return &firstCards{limit: limit, order: func(lastReview func(int64) int64) func(a, b *scheduling.Card) int {
		return scheduling.FilteredLess(order, day, fsrs, lastReview, random)
	}}, nil
}

// spareCards is how many cards are kept beyond the limit before the last ones are
// given up: sorting a few thousand at a time is quick and takes little memory.
const spareCards = 1000

func (f *firstCards) add(c filteredCard) {
	if f.cards = append(f.cards, c); len(f.cards)-f.limit >= max(f.limit, spareCards) {
		f.trim()
	}
}

// trim sorts the cards and gives up those beyond the limit. Cards that the order
// finds equal come by id.
func (f *firstCards) trim() {
	last := map[int64]int64{}
	for i := range f.cards {
		if c := &f.cards[i]; c.lastReview != 0 {
			last[c.ID] = c.lastReview
		}
	}
	f.by = f.order(func(id int64) int64 { return last[id] })
	sort.Sort(f)
	f.cards = f.cards[:min(len(f.cards), f.limit)]
}

// Len implements sort.Interface, as do the next two.
func (f *firstCards) Len() int { return len(f.cards) }

func (f *firstCards) Less(i, j int) bool {
	a, b := &f.cards[i], &f.cards[j]
	if c := f.by(&a.Card, &b.Card); c != 0 {
		return c < 0
	}
	return a.ID < b.ID
}

func (f *firstCards) Swap(i, j int) { f.cards[i], f.cards[j] = f.cards[j], f.cards[i] }
