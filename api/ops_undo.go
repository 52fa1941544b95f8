package api

import (
	"context"
	"errors"

	"github.com/ankisyncd/ankisyncd/collection"
)

// undoAnswer takes the last answer back.
func undoAnswer(ctx context.Context, c *call) (any, error) {
	var u collection.Undone
	_, err := c.edit(ctx, func(t *collection.Txn) (err error) {
		u, err = t.UndoAnswer()
		return err
	})
	if errors.Is(err, collection.ErrNothingToUndo) {
		return object{"undone": false}, nil
	}
	if err != nil {
		return nil, err
	}
	c.takeBack(u.CardID)
	return object{"undone": true, "card_id": u.CardID, "review_kept": u.ReviewKept}, nil
}
