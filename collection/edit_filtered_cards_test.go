package collection

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/search"
)

// manyCards is a collection of n cards that differ in all that filtered decks
// sort by, and often do not.
func manyCards(t testing.TB, n int) *rig {
	t.Helper()
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(func(tx *Txn) error {
		if err := tx.write(); err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same cards each time
		for i := range n {
			c := Card{
				ID: int64(1000 + i), NID: int64(1 + rng.IntN(n)), DID: 1, Ord: rng.Int64N(3), Type: 2, Queue: 2, Due: rng.Int64N(400) - 50,
				Ivl: rng.Int64N(300), Factor: 2500, Lapses: rng.Int64N(4), Left: 2001, Flags: 3,
			}
			switch i % 7 {
			case 0:
				c.Type, c.Queue, c.Due = 1, 1, tx.now.Unix()+rng.Int64N(5000)
			case 1:
				c.Queue = -1 - rng.Int64N(3)
			case 2, 3:
				c.Data = fmt.Sprintf(`{"s":%d.5,"d":%d.25,"dr":0.9,"decay":0.2,"lrt":%d}`, 1+rng.IntN(90), 1+rng.IntN(9), tx.now.Unix()-rng.Int64N(9e6))
			}
			if err := tx.storeCard(&c); err != nil {
				return err
			}
			if _, err := tx.h.exec(`UPDATE cards SET mod = ? WHERE id = ?`, rng.IntN(5), c.ID); err != nil {
				return err
			}
			for range rng.IntN(3) {
				if _, err := tx.addReview(scheduling.RevlogEntry{ID: rng.Int64N(1e12), CardID: c.ID, Button: 3}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return r
}

// sortedForFiltered are all cards that a search of a filtered deck finds, in its
// order, from a sorting of all in memory.
func sortedForFiltered(tx *Txn, term schema.SearchTerm) ([]Card, error) {
	found, err := tx.FindCards(context.Background(), "("+term.Search+") -is:suspended -is:buried -deck:filtered", FindOptions{})
	if err != nil {
		return nil, err
	}
	rows, err := tx.cards(found)
	if err != nil {
		return nil, err
	}
	day, err := tx.Timing()
	if err != nil {
		return nil, err
	}
	fsrs, err := tx.configBool("fsrs", false)
	if err != nil {
		return nil, err
	}
	last := map[int64]int64{}
	reviews, err := tx.LastReviews()
	for _, e := range reviews {
		last[e.CID] = e.ID
	}
	by := scheduling.FilteredLess(scheduling.FilteredOrder(term.Order), day, fsrs, func(id int64) int64 { return last[id] }, nil)
	cards, place := make([]scheduling.Card, len(rows)), make([]int, len(rows))
	for i := range rows {
		cards[i], place[i] = schedulingCard(&rows[i]), i
	}
	slices.SortStableFunc(place, func(a, b int) int { return by(&cards[a], &cards[b]) })
	out := make([]Card, len(rows))
	for i, j := range place {
		out[i] = rows[j]
	}
	return out, err
}

// TestFilteredOrders compares the cards that a filtered deck collects with those
// of a sorting of all, in every order.
func TestFilteredOrders(t *testing.T) {
	r := manyCards(t, 3*spareCards)
	for _, fsrs := range []bool{false, true} {
		r.edit(func(tx *Txn) error { return tx.SetConfig("fsrs", fsrs) })
		r.view(func(tx *Txn) error {
			for order := scheduling.FilterOldestReviewed; order <= scheduling.FilterRelativeOverdueness; order++ {
				term := schema.SearchTerm{Search: "prop:lapses<3", Order: int32(order)}
				if order == scheduling.FilterRandom {
					term.Order = int32(scheduling.FilterAdded)
				}
				all, err := sortedForFiltered(tx, term)
				if err != nil {
					return err
				}
				term.Order = int32(order)
				for _, term.Limit = range []uint32{0, 1, spareCards - 100, 1 << 31, 1<<32 - 1} {
					got, err := tx.cardsForFiltered(context.Background(), term)
					if err != nil {
						return err
					}
					want := all[:int(min(int64(term.Limit), int64(len(all))))]
					if order == scheduling.FilterRandom {
						checkRandom(t, all, got, len(want))
					} else if !slices.Equal(got, want) {
						t.Errorf("order %d, limit %d, fsrs %v: got %d cards, want %d others", order, term.Limit, fsrs, len(got), len(want))
					}
				}
			}
			return nil
		})
	}
}

// checkRandom looks at n of all cards in random order.
func checkRandom(t *testing.T, all, got []Card, n int) {
	t.Helper()
	if len(got) != n {
		t.Errorf("got %d cards, want %d", len(got), n)
	}
	left := map[Card]bool{}
	for _, c := range all {
		left[c] = true
	}
	for _, c := range got {
		if !left[c] {
			t.Fatalf("card %d", c.ID)
		}
		delete(left, c)
	}
	if n > 100 && slices.IsSortedFunc(got, func(a, b Card) int { return cmp.Compare(a.NID, b.NID) }) {
		t.Error("the cards are in the order in which they were added")
	}
}

// TestFilteredDeckMemory: a deck that takes few of many cards does not hold all.
func TestFilteredDeckMemory(t *testing.T) {
	const cards = 5 * spareCards
	r := manyCards(t, cards)
	r.view(func(tx *Txn) error {
		first, err := tx.firstCards(scheduling.FilterDue, 10)
		if err != nil {
			return err
		}
		n := 0
		err = tx.eachForFiltered(t.Context(), search.All{}, scheduling.FilterDue, func(c filteredCard) {
			n++
			if first.add(c); len(first.cards) > 10+spareCards {
				t.Fatalf("%d cards are held", len(first.cards))
			}
		})
		if n != cards {
			t.Errorf("%d of %d cards", n, cards)
		}
		return err
	})
}

// BenchmarkFilteredDeck chooses 10 of 100,000 cards.
func BenchmarkFilteredDeck(b *testing.B) {
	r := manyCards(b, 100_000)
	for _, order := range []scheduling.FilteredOrder{scheduling.FilterRandom, scheduling.FilterDue, scheduling.FilterOldestReviewed, scheduling.FilterRelativeOverdueness} {
		b.Run(fmt.Sprint(order), func(b *testing.B) {
			b.ReportAllocs()
			runtime.GC()
			for b.Loop() {
				r.view(func(tx *Txn) error {
					_, err := tx.cardsForFiltered(context.Background(), schema.SearchTerm{Limit: 10, Order: int32(order)})
					return err
				})
			}
		})
	}
}
