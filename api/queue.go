package api

import "github.com/ankisyncd/ankisyncd/collection"

// nextUnseen is the next card of the current deck that was not given out since
// the queue was reset: the original took each card off its queue when it gave
// it out, so that programs may fetch several ahead.
func (c *call) nextUnseen(t *collection.Txn) (int64, bool, error) {
	seen := map[int64]bool{}
	c.with(func(s *userState) {
		for id := range s.handed {
			seen[id] = true
		}
	})
	next, err := t.NextCards(0, len(seen)+1)
	if err != nil {
		return 0, false, err
	}
	for _, id := range next {
		if !seen[id] {
			return id, true, nil
		}
	}
	return 0, false, nil
}

// maxHanded is how many cards are remembered as given out.
const maxHanded = 10_000

// give remembers a card as given out.
func (c *call) give(id int64) {
	c.with(func(s *userState) {
		if len(s.handed) >= maxHanded {
			clear(s.handed)
		}
		s.handed[id] = true
	})
}

// takeBack forgets that a card was given out.
func (c *call) takeBack(id int64) { c.with(func(s *userState) { delete(s.handed, id) }) }
