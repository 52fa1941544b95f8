package collection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/schema"
)

// TestDecksAreReadOnce: what a transaction knows of the decks follows what it
// writes. Read again after each, decks of a loop took a time that grew with their
// square.
func TestDecksAreReadOnce(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(func(tx *Txn) error {
		for _, name := range []string{"A", "A::b", "A::B::c", "a::D", "Zz", "Ärger", "ärger::x", "E"} {
			if _, err := tx.CreateDeck(name); err != nil {
				return err
			}
		}
		return nil
	})
	r.edit(func(tx *Txn) error {
		id := func(name string) int64 {
			d, err := tx.DeckByName(name)
			if err != nil {
				t.Fatal(err)
			}
			return d.ID
		}
		untouched := func() any {
			return tx.decks[slices.IndexFunc(tx.decks, func(d *schema.Deck) bool { return d.Name == "Zz" })]
		}
		if _, err := tx.Decks(); err != nil {
			return err
		}
		first := untouched()
		for _, c := range []struct {
			name string
			run  func() error
		}{
			{"rename", func() error { return tx.RenameDeck(t.Context(), id("A"), "zz top") }},
			{"case", func() error { return tx.RenameDeck(t.Context(), id("zz top::b"), "ZZ TOP::B") }},
			{"reparent", func() error { return tx.ReparentDeck(t.Context(), id("ÄRGER"), id("zz top::D")) }},
			{"create", func() error { _, err := tx.CreateDeck("B::C::D"); return err }},
			{"describe", func() error { return tx.SetDeckDescription(id("E"), "text", true) }},
			{"limits", func() error { return tx.ExtendLimits(id("zz top"), 1, 1) }},
			{"delete", func() error { _, err := tx.DeleteDeck(id("zz top::b"), false); return err }},
		} {
			if err := c.run(); err != nil {
				t.Fatal(c.name, err)
			}
			kept, same := tx.decks, untouched() == first
			if !same {
				t.Errorf("%s: the decks were read anew", c.name)
			}
			tx.decks = nil
			fresh, err := tx.Decks()
			if err != nil {
				return err
			}
			if d := gocmp.Diff(fresh, kept); d != "" {
				t.Errorf("%s: what is known differs from what is stored (-stored +known):\n%s", c.name, d)
			}
			tx.decks = kept
		}
		return nil
	})
	r.checkCollection()
}

// TestRenameIsBounded: the decks below a renamed one keep to the limits, too.
func TestRenameIsBounded(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	deep := strings.Repeat("x::", maxDeckDepth/2)
	r.edit(func(tx *Txn) error {
		_, err := tx.CreateDeck("A::" + deep + "y")
		return err
	})
	for _, c := range []struct {
		to   string
		fits bool
	}{{deep + "A", false}, {"B::A", true}} {
		err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
			d, err := tx.DeckByName("A")
			if err != nil {
				return err
			}
			return tx.RenameDeck(t.Context(), d.ID, c.to)
		})
		if (err == nil) != c.fits {
			t.Errorf("to %.20q: %v", c.to, err)
		}
	}
}

// TestRenameOntoOrphans: a name below a free one is taken by a deck that lacks the
// one above it.
func TestRenameOntoOrphans(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(func(tx *Txn) error {
		for _, name := range []string{"A::b", "X::B"} {
			if _, err := tx.CreateDeck(name); err != nil {
				return err
			}
		}
		_, err := tx.h.exec(`DELETE FROM decks WHERE name = 'X'`)
		return err
	})
	for _, to := range []string{"X", "Y"} {
		fits := to == "Y"
		err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
			d, err := tx.DeckByName("A")
			if err != nil {
				return err
			}
			return tx.RenameDeck(t.Context(), d.ID, to)
		})
		var refused *EditError
		if (err == nil) != fits || !fits && !errors.As(err, &refused) {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// TestDeleteCounts: a card is counted in its home deck, as in clients, and what a
// deck remembers goes with it, also with the one that stays.
func TestDeleteCounts(t *testing.T) {
	for _, c := range []struct {
		deck string
		keep bool
		want int
	}{{"A", false, 2}, {"A", true, 2}, {"A::F", false, 0}, {"Default", false, 1}} {
		r := newRig(t, Options{})
		r.seed(testUser)
		r.edit(func(tx *Txn) error {
			for i, deck := range []string{"A", "A::B", "Default"} {
				if _, err := tx.CreateDeck(deck); err != nil {
					return err
				}
				if err := adding("Basic", deck, nil, fmt.Sprint(i), "")(tx); err != nil {
					return err
				}
			}
			_, _, err := tx.SaveFilteredDeck(t.Context(), 0, FilteredDeck{Name: "A::F", Reschedule: true, Searches: []FilteredSearch{{Limit: 9}}}, false)
			return err
		})
		r.edit(func(tx *Txn) error {
			d, err := tx.DeckByName(c.deck)
			if err != nil {
				return err
			}
			n, err := tx.DeleteDeck(d.ID, c.keep)
			if n != c.want {
				t.Errorf("%s, keep %v: %d cards, want %d", c.deck, c.keep, n, c.want)
			}
			if _, ok, _ := tx.Config(lastNotetypeKey(d.ID)); ok {
				t.Errorf("%s: the deck's notetype is remembered", c.deck)
			}
			return err
		})
		r.checkCollection()
	}
}
