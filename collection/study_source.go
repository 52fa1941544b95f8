package collection

import (
	"database/sql/driver"
	"errors"
	"iter"
	"slices"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// sqlHash is the name, in SQL, of the hash by which clients break ties.
const sqlHash = "ankisyncd_hash"

func init() {
	sqlite.RegisterFunc(sqlHash, 2, func(args []driver.Value) (any, error) {
		return int64(scheduling.Hash(wholeNumber(args[0]), wholeNumber(args[1]))), nil
	})
}

func wholeNumber(v driver.Value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// cardSource hands out the cards of an open collection. SQLite sorts them, where
// it can, and they are read no further than the limits of the day.
type cardSource struct{ h *handle }

// queueColumns are what the queue needs of a card, less its data.
const queueColumns = `c.id, c.nid, c.did, c.odid, c.ord, CAST(c.mod AS INTEGER), c.type, c.queue, CAST(c.due AS INTEGER),
	CAST(c.odue AS INTEGER), CAST(c.ivl AS INTEGER), CAST(c.factor AS INTEGER), CAST(c.reps AS INTEGER)`

func scanQueued(c *scheduling.Card, more ...any) []any {
	return append([]any{
		&c.ID, &c.NoteID, &c.DeckID, &c.OriginalDeckID, &c.Ord, &c.Mod, &c.Type, &c.Queue, &c.Due,
		&c.OriginalDue, &c.Interval, &c.Factor, &c.Reps,
	}, more...)
}

// errEnough ends a query early.
var errEnough = errors.New("collection: enough rows")

// each yields the rows of a query, which has the queueColumns.
func (s cardSource) each(query string, args ...any) iter.Seq2[*scheduling.Card, error] {
	return func(yield func(*scheduling.Card, error) bool) {
		err := s.h.query(func(scan func(...any) error) error {
			c := &scheduling.Card{}
			if err := scan(scanQueued(c)...); err != nil {
				return err
			}
			if !yield(c, nil) {
				return errEnough
			}
			return nil
		}, query, args...)
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// Intraday implements scheduling.Source.
func (s cardSource) Intraday(decks []int64, until int64) iter.Seq2[*scheduling.Card, error] {
	return s.each(`SELECT `+queueColumns+` FROM cards c WHERE c.did IN (SELECT value FROM json_each(?)) AND c.queue IN (1, 4)
		AND c.due <= ? ORDER BY c.did, c.queue, c.due, c.id`, idList(decks), until)
}

// dueSelect names the deck's place among the decks d.key.
const dueSelect = `SELECT ` + queueColumns + ` FROM json_each(?1) d CROSS JOIN cards c ON c.did = d.value
	WHERE c.queue = ?2 AND c.due <= ?3 ORDER BY `

// dueOrders are the review orders that SQLite can sort by.
var dueOrders = map[scheduling.ReviewOrder]string{
	scheduling.ReviewByDay:                "c.due, ",
	scheduling.ReviewByDayThenDeck:        "c.due, d.key, ",
	scheduling.ReviewByDeckThenDay:        "d.key, c.due, ",
	scheduling.ReviewByIntervalAscending:  "c.ivl, ",
	scheduling.ReviewByIntervalDescending: "c.ivl DESC, ",
	scheduling.ReviewByEaseAscending:      "c.factor, ",
	scheduling.ReviewByEaseDescending:     "c.factor DESC, ",
	scheduling.ReviewRandom:               "",
	scheduling.ReviewByAdded:              "c.nid, c.ord, ",
	scheduling.ReviewByReverseAdded:       "c.nid DESC, c.ord, ",
}

// Due implements scheduling.Source.
func (s cardSource) Due(q scheduling.Queue, decks []int64, order scheduling.ReviewOrder, t scheduling.Timing, fsrs bool) iter.Seq2[*scheduling.Card, error] {
	by, ok := dueOrders[order]
	if order < scheduling.ReviewByDay || order > scheduling.ReviewByRelativeOverdueness {
		by, ok = dueOrders[scheduling.ReviewByDay], true
	}
	ease := order == scheduling.ReviewByEaseAscending || order == scheduling.ReviewByEaseDescending
	if !ok || fsrs && ease {
		return s.dueByMemory(q, decks, order, t, fsrs)
	}
	return s.each(dueSelect+by+sqlHash+`(c.id, c.mod), c.id`, idList(decks), int64(q), int64(t.Today))
}

// dueByMemory is Due for orders that depend on the cards' memory state. These
// cards have to be looked at one by one.
func (s cardSource) dueByMemory(q scheduling.Queue, decks []int64, order scheduling.ReviewOrder, t scheduling.Timing, fsrs bool) iter.Seq2[*scheduling.Card, error] {
	return func(yield func(*scheduling.Card, error) bool) {
		var cards []*scheduling.Card
		err := s.h.query(func(scan func(...any) error) error {
			c := &scheduling.Card{}
			cards = append(cards, c)
			return scan(scanQueued(c, &c.Data)...)
		}, `SELECT `+queueColumns+`, c.data FROM cards c WHERE c.did IN (SELECT value FROM json_each(?)) AND c.queue = ? AND c.due <= ?
			ORDER BY c.did, c.due, c.id`, idList(decks), int64(q), int64(t.Today))
		if err != nil {
			yield(nil, err)
			return
		}
		rank := make(map[int64]int, len(decks))
		for i, id := range decks {
			rank[id] = i
		}
		slices.SortStableFunc(cards, scheduling.ReviewCompare(order, t, fsrs, func(id int64) int { return rank[id] }))
		for _, c := range cards {
			if !yield(c, nil) {
				return
			}
		}
	}
}

const (
	newSelect    = `SELECT ` + queueColumns + ` FROM cards c WHERE c.did IN (SELECT value FROM json_each(?1)) AND c.queue = 0 AND ?2 = ?2 ORDER BY `
	newSelectOne = `SELECT ` + queueColumns + ` FROM cards c WHERE c.did = ?1 AND c.queue = 0 AND ?2 = ?2 ORDER BY `
)

// New implements scheduling.Source.
func (s cardSource) New(decks []int64, order scheduling.NewCardOrder, salt int64) iter.Seq2[*scheduling.Card, error] {
	by := `c.due, c.ord, `
	switch order {
	case scheduling.NewHighestPosition:
		by = `c.due DESC, c.ord, `
	case scheduling.NewRandomNotes:
		by = sqlHash + `(c.nid, ?2), c.ord, `
	case scheduling.NewRandomCards:
		by = sqlHash + `(c.id, ?2), `
	}
	by += `c.did, c.due, c.id`
	if len(decks) == 1 {
		// The index has the cards of one deck in the order of their positions:
		// nothing beyond the limit is read.
		return s.each(newSelectOne+by, decks[0], salt)
	}
	return s.each(newSelect+by, idList(decks), salt)
}
