package api

import "github.com/ankisyncd/ankisyncd/collection"

// nextUnseen is the next card of the current deck that was not given out yet.
func (c *call) nextUnseen(t *collection.Txn) (int64, bool, error) {
	next, ok, err := t.NextCard(0)
	if err != nil || !ok {
		return 0, false, err
	}
	return next.Card.ID, true, nil
}
