package api

import (
	"maps"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

// silence is how long a user's calls stay away until next_card begins anew. The
// original closed the collection then, and the queue was gone with it: what a
// program was given and never answered came again.
const silence = 90 * time.Second

// arrive notes that a call came.
func (c *call) arrive() {
	now := c.now()
	c.with(func(s *userState) {
		if now.Sub(s.last) > silence {
			clear(s.handed)
		}
		s.last = now
	})
}

// nextUnseen is the next card of the current deck that was not given out since
// the queue was reset: the original took each card off its queue when it gave
// it out, so that programs may fetch several ahead. A new day begins anew, and a
// card that was changed since, as by another device, counts as not given out.
func (c *call) nextUnseen(t *collection.Txn) (card collection.NextCard, ok bool, err error) {
	day, err := t.Timing()
	if err != nil {
		return collection.NextCard{}, false, err
	}
	seen := map[int64]int64{}
	c.with(func(s *userState) {
		if s.handedOn != day.Today {
			clear(s.handed)
			s.handedOn = day.Today
		}
		maps.Copy(seen, s.handed)
	})
	if card, ok, err = unseen(t, seen); ok || err != nil {
		return card, ok, err
	}
	// All were given out, and none answered, since which learning cards may have
	// come due.
	if err := t.AdvanceStudy(0); err != nil {
		return collection.NextCard{}, false, err
	}
	return unseen(t, seen)
}

// unseen is the next card that is not among those that were given out, which are
// by their mod.
func unseen(t *collection.Txn, seen map[int64]int64) (card collection.NextCard, ok bool, err error) {
	next, err := t.NextCards(0, len(seen)+1)
	if err != nil {
		return collection.NextCard{}, false, err
	}
	for _, card := range next {
		if mod, given := seen[card.ID]; !given || mod != card.Mod {
			return card, true, nil
		}
	}
	return collection.NextCard{}, false, nil
}

// maxHanded is how many cards are remembered as given out.
const maxHanded = 10_000

// give remembers a card as given out.
func (c *call) give(card collection.NextCard) {
	c.with(func(s *userState) {
		if len(s.handed) >= maxHanded {
			clear(s.handed)
		}
		s.handed[card.ID] = card.Mod
	})
}

// takeBack forgets that a card was given out.
func (c *call) takeBack(id int64) { c.with(func(s *userState) { delete(s.handed, id) }) }
