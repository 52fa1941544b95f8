package collection

import (
	"math"
	"time"
)

// CardRevlog returns the reviews of a card, oldest first.
func (t *Txn) CardRevlog(cardID int64) ([]RevlogEntry, error) {
	return collect(t.h, scanReview, `SELECT `+revlogColumns+` FROM revlog WHERE cid = ? ORDER BY id`, cardID)
}

// LatestRevlog returns the newest reviews after a time (zero: ever), newest
// first, at most limit.
func (t *Txn) LatestRevlog(since time.Time, limit int) ([]RevlogEntry, error) {
	return collect(t.h, scanReview, `SELECT `+revlogColumns+` FROM revlog WHERE id > ? ORDER BY id DESC LIMIT ?`,
		unixMilli(since), max(limit, 0))
}

func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixMilli()
}

func unixSecond(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.Unix()
}

// LastReviews returns the newest entry of the review log of each card that has
// one, by card; without ids that of all cards.
func (t *Txn) LastReviews(cardIDs ...int64) (out []RevlogEntry, err error) {
	err = t.EachLastReview(cardIDs, func(r RevlogEntry) error {
		out = append(out, r)
		return nil
	})
	return out, err
}

// EachLastReview calls f for what LastReviews returns. f must not use the
// transaction.
func (t *Txn) EachLastReview(cardIDs []int64, f func(RevlogEntry) error) error {
	each := func(scan func(...any) error) error {
		r, err := scanReview(scan)
		if err != nil {
			return err
		}
		return f(r)
	}
	const all = `SELECT ` + revlogColumns + ` FROM revlog WHERE id IN (SELECT max(id) FROM revlog GROUP BY cid) ORDER BY cid`
	if len(cardIDs) == 0 {
		return t.h.query(each, all)
	}
	return t.h.query(each, `SELECT `+revlogColumns+` FROM revlog WHERE id IN (
		SELECT max(id) FROM revlog WHERE cid IN (SELECT value FROM json_each(?)) GROUP BY cid) ORDER BY cid`, idList(cardIDs))
}

// LatestNotes returns the ids of notes that were modified after a time (zero:
// ever), newest first, at most limit.
func (t *Txn) LatestNotes(since time.Time, limit int) ([]int64, error) {
	return collect(t.h, scanID, `SELECT id FROM notes WHERE mod > ? ORDER BY mod DESC, id LIMIT ?`, unixSecond(since), max(limit, 0))
}

// LatestCards is LatestNotes for the cards of notes, in the order of the notes.
func (t *Txn) LatestCards(since time.Time, limit int) ([]int64, error) {
	return collect(t.h, scanID, `SELECT c.id FROM notes n JOIN cards c ON c.nid = n.id WHERE n.mod > ?
		ORDER BY n.mod DESC, n.id, c.ord LIMIT ?`, unixSecond(since), max(limit, 0))
}

// EachCard calls f for every card of decks and of those below them, also those
// that are in a filtered deck at the moment; without decks for all cards. f must
// not use the transaction.
func (t *Txn) EachCard(deckIDs []int64, f func(Card) error) error {
	each := func(scan func(...any) error) error {
		c, err := scanCard(scan)
		if err != nil {
			return err
		}
		return f(c)
	}
	if len(deckIDs) == 0 {
		return t.h.query(each, `SELECT `+cardColumns+` FROM cards`)
	}
	ids, err := t.deckIDs(deckIDs...)
	if err != nil {
		return err
	}
	return t.h.query(each, `SELECT `+cardColumns+` FROM cards
		WHERE CASE WHEN odid = 0 THEN did ELSE odid END IN (SELECT value FROM json_each(?))`, idList(ids))
}

// EachReview calls f, by time, for every entry of the review log since a time
// (epoch ms) of the cards that EachCard would be given; without decks also of
// cards that were deleted. f must not use the transaction.
func (t *Txn) EachReview(deckIDs []int64, since int64, f func(RevlogEntry) error) error {
	each := func(scan func(...any) error) error {
		r, err := scanReview(scan)
		if err != nil {
			return err
		}
		return f(r)
	}
	if len(deckIDs) == 0 {
		return t.h.query(each, `SELECT `+revlogColumns+` FROM revlog WHERE id >= ? ORDER BY id`, since)
	}
	ids, err := t.deckIDs(deckIDs...)
	if err != nil {
		return err
	}
	return t.h.query(each, `SELECT `+revlogColumns+` FROM revlog WHERE id >= ? AND cid IN (SELECT id FROM cards
		WHERE CASE WHEN odid = 0 THEN did ELSE odid END IN (SELECT value FROM json_each(?))) ORDER BY id`, since, idList(ids))
}
