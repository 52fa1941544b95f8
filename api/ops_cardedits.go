package api

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/scheduling"
)

// maxEdited is how many cards one call changes at most: each is read, changed and
// written in one transaction.
const maxEdited = 100_000

// maxDueDays is how far away a due date is at most: the longest interval that
// options of decks allow.
const maxDueDays = 36_500

// editCards makes a call of a change of the cards that are named in "ids". Those
// that are not there are passed over, as in clients; the answer is how many
// changed. The change is made of the call's other keys.
func editCards(prepare func(c *call) (func(t *collection.Txn, ids []int64) (int, error), error)) func(context.Context, *call) (any, error) {
	return func(ctx context.Context, c *call) (any, error) {
		ids, ok, err := c.p.ids("ids")
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, badRequest("ids are missing")
		}
		if len(ids) > c.a.maxEdited {
			return nil, badRequest("These are more than %d cards: name fewer at once", c.a.maxEdited)
		}
		change, err := prepare(c)
		if err != nil {
			return nil, err
		}
		n := 0
		if _, err := c.edit(ctx, func(t *collection.Txn) (err error) {
			n, err = change(t, ids)
			return err
		}); err != nil {
			return nil, err
		}
		return object{"cards": n}, nil
	}
}

// simply is for changes that take nothing but cards.
func simply(change func(t *collection.Txn, ids ...int64) (int, error)) func(*call) (func(*collection.Txn, []int64) (int, error), error) {
	return func(*call) (func(*collection.Txn, []int64) (int, error), error) {
		return func(t *collection.Txn, ids []int64) (int, error) { return change(t, ids...) }, nil
	}
}

func moveCards(c *call) (func(*collection.Txn, []int64) (int, error), error) {
	deck := c.p["deck"]
	if deck == nil {
		return nil, badRequest("deck is missing")
	}
	return func(t *collection.Txn, ids []int64) (int, error) {
		d, err := deckFor(t, deck)
		if err != nil {
			return 0, err
		}
		return t.MoveCards(d.ID, ids...)
	}, nil
}

func flagCards(c *call) (func(*collection.Txn, []int64) (int, error), error) {
	flag, ok := asInt(c.p["flag"])
	if !ok || flag < 0 || flag > 7 {
		return nil, badRequest("flag must be a number from 0 to 7")
	}
	return func(t *collection.Txn, ids []int64) (int, error) { return t.SetFlag(int(flag), ids...) }, nil
}

func forgetCards(c *call) (func(*collection.Txn, []int64) (int, error), error) {
	o := collection.ForgetOptions{
		RestorePosition: c.p.truth("restore_position", false),
		ResetCounts:     c.p.truth("reset_counts", false),
	}
	return func(t *collection.Txn, ids []int64) (int, error) { return t.Forget(o, ids...) }, nil
}

func setDueDate(c *call) (func(*collection.Txn, []int64) (int, error), error) {
	days, ok := c.p["days"].(string)
	if n, isNumber := c.p["days"].(json.Number); isNumber {
		if days, ok = n.String(), true; strings.ContainsAny(days, ".eE") { // 5.0 is 5
			f, err := n.Float64()
			ok = err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<31
			days = strconv.FormatFloat(f, 'f', 0, 64)
		}
	}
	if !ok {
		return nil, badRequest(`days must be a text, such as "3", "1-7" or "0!", or a whole number`)
	}
	if due, err := scheduling.ParseDueDate(days); err == nil && due.Max > maxDueDays {
		return nil, badRequest("days are at most %d", maxDueDays)
	}
	return func(t *collection.Txn, ids []int64) (int, error) { return t.SetDueDate(days, ids...) }, nil
}
