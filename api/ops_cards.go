package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/search"
)

func (c *call) cardList(ctx context.Context, t *collection.Txn, ids []int64) (any, error) {
	o := readCardOptions(c.p)
	return c.idList(ctx, ids, func(id int64) (object, error) { return cardObject(t, id, o) })
}

func findCards(ctx context.Context, c *call) (any, error) {
	query, err := c.p.str("query", "")
	if err != nil {
		return nil, err
	}
	limit, err := c.p.count("limit", 0)
	if err != nil {
		return nil, err
	}
	offset, err := c.p.count("offset", 0)
	if err != nil {
		return nil, err
	}
	if offset > 0 && limit == 0 {
		return []object{}, nil // as in the original, where it was bad SQL
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		order, err := c.cardOrder(t)
		var ids []int64
		if err == nil {
			ids, err = t.FindCards(ctx, query, collection.FindOptions{Order: order})
		}
		if ids, err = c.foundNothing(ids, err); err != nil {
			return nil, err
		}
		if order == nil {
			slices.Sort(ids)
		}
		ids = ids[min(offset, len(ids)):]
		if limit > 0 {
			ids = ids[:min(limit, len(ids))]
		}
		return c.cardList(ctx, t, ids)
	})
}

// cardOrder is the key "order": false, true for the order of the collection's
// browser, or columns as text.
func (c *call) cardOrder(t *collection.Txn) (search.Order, error) {
	if text, ok := c.p["order"].(string); ok && text != "" {
		return search.ParseOrder(text)
	}
	if !c.p.truth("order", false) {
		return nil, nil
	}
	return t.BrowserOrder()
}

func cardIndex(ctx context.Context, c *call) (any, error) {
	id, err := c.pathID()
	if err != nil {
		return nil, err
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		o, err := c.counted(cardObject(t, id, readCardOptions(c.p)))
		return o, unknown(err)
	})
}

func cardLatestRevlog(ctx context.Context, c *call) (any, error) {
	id, err := c.pathID()
	if err != nil {
		return nil, err
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) { return latestReview(t, id) })
}

// setSuspended is suspend_cards and unsuspend_cards.
func setSuspended(change func(*collection.Txn, ...int64) (int, error)) func(context.Context, *call) (any, error) {
	return func(ctx context.Context, c *call) (any, error) {
		ids, ok, err := c.p.ids("ids")
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fault("ids are missing")
		}
		return c.edit(ctx, func(t *collection.Txn) error {
			_, err := change(t, ids...)
			return err
		})
	}
}

// recentEase is the last review of each card, or of those that are named, which
// was an error in the original.
func recentEase(ctx context.Context, c *call) (any, error) {
	ids, named, err := c.p.ids("ids")
	if err != nil {
		return nil, err
	}
	if named && len(ids) == 0 {
		return []object{}, nil
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		out := []object{}
		err := t.EachLastReview(ids, func(r collection.RevlogEntry) error {
			if len(out) == c.a.maxReviews {
				return badRequest("These are more than %d cards: name fewer at once", c.a.maxReviews)
			}
			out = append(out, object{"id": r.CID, "ease": r.Ease, "timestamp": r.ID / 1000})
			return ctx.Err()
		})
		return out, err
	})
}

func latestRevlog(ctx context.Context, c *call) (any, error) {
	limit, err := c.p.count("limit", 100)
	if err != nil {
		return nil, err
	}
	if limit > c.a.maxReviews {
		return nil, badRequest("limit is at most %d", c.a.maxReviews)
	}
	since, err := c.since()
	if err != nil {
		return nil, err
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		rs, err := t.LatestRevlog(since, limit)
		if err != nil {
			return nil, err
		}
		return each(rs, func(r collection.RevlogEntry) (object, error) {
			return object{
				"id": r.ID, "ease": r.Ease, "timestamp": r.ID / 1000, "card_id": r.CID, "usn": r.USN,
				"interval": r.Ivl, "last_interval": r.LastIvl, "factor": r.Factor, "time": r.Time, "type": r.Type,
			}, nil
		})
	})
}

// nextCard is the next card of the current deck, or of the one that is named and
// becomes it. A card is given out once until the queue is reset.
func nextCard(ctx context.Context, c *call) (any, error) {
	var deck any
	if v, ok := c.p["deck"]; ok && v != nil {
		deck = v
	}
	if c.kind == "deck" {
		deck = c.id
	}
	var out object
	var given int64
	done := false
	defer func() {
		if !done {
			c.takeBack(given)
		}
	}()
	_, err := c.edit(ctx, func(t *collection.Txn) error {
		if deck != nil {
			if _, err := c.choose(t, deck); err != nil {
				return err
			}
		}
		next, ok, err := c.nextUnseen(t)
		if err != nil || !ok {
			return err
		}
		id := next.ID
		// Here, where nobody else gets at the collection: two calls at once would
		// be given the same card.
		given = id
		c.give(next)
		if out, err = c.counted(cardObject(t, id, readCardOptions(c.p))); err != nil {
			return err
		}
		out["timerStarted"] = seconds(c.now())
		out["answer_buttons"], err = c.answerButtons(t, id)
		return err
	})
	if err != nil || out == nil {
		return nil, err
	}
	done = true
	return out, nil
}

// seconds is a time as Python has it.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// buttonsOf are the buttons of a card, in order: new cards and those being
// learnt had no "hard" in the original. With the key "buttons" set to 4, which
// is not the original's, all cards have all.
func (c *call) buttonsOf(card collection.Card) []scheduling.Rating {
	all := []scheduling.Rating{scheduling.Again, scheduling.Hard, scheduling.Good, scheduling.Easy}
	if n, _ := asInt(c.p["buttons"]); n == 4 || card.Queue == int64(scheduling.QueueReview) {
		return all
	}
	return []scheduling.Rating{scheduling.Again, scheduling.Good, scheduling.Easy}
}

func (c *call) answerButtons(t *collection.Txn, cardID int64) ([]object, error) {
	card, err := t.Card(cardID)
	if err != nil {
		return nil, err
	}
	buttons, err := t.Buttons(cardID)
	if err != nil {
		return nil, err
	}
	lang, english := c.language(), languages["en"]
	ahead := learnAhead(t)
	out := []object{}
	for i, r := range c.buttonsOf(card) {
		secs := float64(buttons[r-scheduling.Again].Interval.Seconds())
		out = append(out, object{
			"ease": i + 1, "label": english.button(r), "string_label": lang.button(r),
			"interval": int64(secs), "string_interval": lang.interval(secs, ahead),
		})
	}
	return out, nil
}

func (l *language) button(r scheduling.Rating) string {
	return [...]string{l.again, l.hard, l.good, l.easy}[r-scheduling.Again]
}

// learnAhead is how soon, in seconds, a card comes back in the same session.
func learnAhead(t *collection.Txn) float64 {
	if v, ok, err := t.Config("collapseTime"); err == nil && ok {
		if f, ok := asFloat(jsonNumber(v)); ok {
			return f
		}
	}
	return 1200
}

func answerCard(ctx context.Context, c *call) (any, error) {
	id, ok := asInt(c.p["id"])
	if !ok {
		return nil, fault("id is missing")
	}
	ease, ok := asInt(c.p["ease"])
	if !ok {
		return nil, fault("ease is missing")
	}
	var taken time.Duration
	if v, ok := c.p["timerStarted"]; ok && v != nil {
		started, ok := asFloat(v)
		if !ok {
			return nil, badRequest("timerStarted must be a time in seconds")
		}
		secs := math.Max(0, math.Min(seconds(c.now())-started, 24*3600))
		taken = time.Duration(math.Round(secs*1000)) * time.Millisecond
	}
	v, err := c.edit(ctx, func(t *collection.Txn) error {
		card, err := t.Card(id)
		if err != nil {
			return unknown(err)
		}
		ratings := c.buttonsOf(card)
		if ease < 1 || ease > int64(len(ratings)) {
			return badRequest("the card has %d buttons", len(ratings))
		}
		if err := c.unanswered(t, &card); err != nil {
			return err
		}
		_, err = t.AnswerCard(collection.Answer{CardID: id, Rating: ratings[ease-1], Taken: taken})
		if errors.Is(err, scheduling.ErrRating) {
			return badRequest("no such button")
		}
		return err
	})
	if err == nil {
		c.takeBack(id)
	}
	return v, err
}

// unanswered is a conflict if the card was answered, or taken out of study, since
// the caller got it, as he shows with the key "latest_revlog": the answer to a
// call may be lost on its way, and a second one must not count again. The card's
// mod would not do: it has seconds, and programs are quicker.
func (c *call) unanswered(t *collection.Txn, card *collection.Card) error {
	v, ok := c.p["latest_revlog"]
	if !ok {
		return nil
	}
	var seen int64
	if v != nil {
		if raw, isRaw := v.(json.RawMessage); isRaw {
			var review struct{ ID json.Number }
			_ = json.Unmarshal(raw, &review)
			v = review.ID
		}
		if seen, ok = asInt(v); !ok {
			return badRequest("latest_revlog must be a review of the card or null")
		}
	}
	rs, err := t.LastReviews(card.ID)
	if err != nil {
		return err
	}
	var newest int64
	if len(rs) > 0 {
		newest = rs[0].ID
	}
	if newest != seen {
		return &httpError{status: http.StatusConflict, detail: "The card was answered since."}
	}
	if card.Queue < 0 {
		return &httpError{status: http.StatusConflict, detail: "The card was suspended or buried since."}
	}
	return nil
}
