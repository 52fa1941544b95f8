package collection

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// secondScheduler is ErrOldScheduler for a collection whose rows mean something
// else.
func (t *Txn) secondScheduler() error {
	if err := scheduling.CheckVersion(t.before.SchedVer); err != nil {
		return ErrOldScheduler
	}
	return nil
}

// changeCards applies change to the cards that exist, in the order of the ids, and
// writes those for which it returns true. It returns how many these were.
func (t *Txn) changeCards(ids []int64, change func(c *scheduling.Card) (bool, error)) (int, error) {
	return t.changeAndSave(ids, t.saveCard, change)
}

func (t *Txn) changeAndSave(ids []int64, save func(*Card) error, change func(c *scheduling.Card) (bool, error)) (int, error) {
	if t.readOnly {
		return 0, ErrReadOnly
	}
	cards, err := t.cards(ids)
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range cards {
		s := schedulingCard(&cards[i])
		changed, err := change(&s)
		if err != nil {
			return n, err
		}
		if !changed {
			continue
		}
		cards[i].take(&s)
		if err := save(&cards[i]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// MoveCards moves cards to a normal deck, out of a filtered one if need be, and
// returns how many moved. With FSRS, how well they are remembered is reckoned anew.
// Cards that are in the deck already stay as they are.
func (t *Txn) MoveCards(deckID int64, ids ...int64) (int, error) {
	d, err := t.Deck(deckID)
	if err != nil {
		return 0, err
	}
	if d.Kind.Normal == nil {
		return 0, refuse("cards cannot be moved to a filtered deck")
	}
	remember, err := t.rememberIn(deckID)
	if err != nil {
		return 0, err
	}
	to, _, err := t.homeConfig(&scheduling.Card{DeckID: deckID})
	if err != nil {
		return 0, err
	}
	homes := map[int64]*scheduling.Config{deckID: &to}
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		if c.DeckID == deckID {
			return false, nil
		}
		from := homes[c.HomeDeckID()]
		if from == nil {
			config, _, err := t.homeConfig(c)
			if err != nil {
				return false, err
			}
			from = &config
			homes[c.HomeDeckID()] = from
		}
		if c.OriginalDeckID != 0 {
			if err := t.secondScheduler(); err != nil {
				return false, err
			}
		}
		scheduling.MoveTo(c, deckID, from, &to)
		return true, remember(c)
	})
}

// rememberIn returns what reckons anew how well a card is remembered that has come
// to a deck; without FSRS that is left alone. So it is where the deck's parameters
// are not usable: the next answer tells.
func (t *Txn) rememberIn(deckID int64) (func(c *scheduling.Card) error, error) {
	fsrs, err := t.configBool("fsrs", false)
	if err != nil || !fsrs || t.secondScheduler() != nil {
		return func(*scheduling.Card) error { return nil }, err
	}
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	config, retention, err := t.homeConfig(&scheduling.Card{DeckID: deckID})
	if err != nil {
		return nil, err
	}
	return func(c *scheduling.Card) error {
		rows, err := t.CardRevlog(c.ID)
		if err != nil {
			return err
		}
		history := make([]scheduling.RevlogEntry, len(rows))
		for i := range rows {
			history[i] = schedulingReview(&rows[i])
		}
		err = scheduling.Remember(c, history, &config, retention, day)
		if errors.Is(err, scheduling.ErrParameters) {
			return nil
		}
		return err
	}, nil
}

// untouched is ErrOldScheduler for a card that the first scheduler would first
// take out of learning or of a filtered deck.
func (t *Txn) untouched(c *scheduling.Card) error {
	settled := c.OriginalDeckID == 0 && c.Queue != scheduling.QueueLearning && c.Queue != scheduling.QueueDayLearning &&
		(c.Type == scheduling.TypeNew || c.Type == scheduling.TypeReview)
	if settled {
		return nil
	}
	return t.secondScheduler()
}

// Suspend takes cards out of study and returns how many changed.
func (t *Txn) Suspend(ids ...int64) (int, error) {
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		if err := t.untouched(c); err != nil {
			return false, err
		}
		return scheduling.Suspend(c), nil
	})
}

// Unsuspend brings suspended cards back and returns how many changed.
func (t *Txn) Unsuspend(ids ...int64) (int, error) {
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		if c.Queue != scheduling.QueueSuspended {
			return false, nil
		}
		if err := t.untouched(c); err != nil {
			return false, err
		}
		return scheduling.Restore(c), nil
	})
}

// Bury puts cards off until tomorrow and returns how many changed.
func (t *Txn) Bury(ids ...int64) (int, error) {
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		if err := t.secondScheduler(); err != nil {
			return false, err
		}
		return scheduling.BuryByUser(c), nil
	})
}

// Unbury brings buried cards back and returns how many changed.
func (t *Txn) Unbury(ids ...int64) (int, error) {
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		if c.Queue != scheduling.QueueUserBuried && c.Queue != scheduling.QueueSchedBuried {
			return false, nil
		}
		if err := t.untouched(c); err != nil {
			return false, err
		}
		return scheduling.Restore(c), nil
	})
}

// UnburyDeck brings back the buried cards of a deck and of those below it.
func (t *Txn) UnburyDeck(deckID int64) (int, error) {
	decks, err := t.deckIDs(deckID)
	if err != nil {
		return 0, err
	}
	ids, err := collect(t.h, scanID,
		`SELECT id FROM cards WHERE did IN (SELECT value FROM json_each(?)) AND queue IN (-2, -3)`, idList(decks))
	if err != nil {
		return 0, err
	}
	return t.Unbury(ids...)
}

// SetFlag gives cards the colour 1…7, or none (0), and returns how many changed.
// Their mod stays, as in clients [run: 26.9.3]: a flag must not win over an answer
// that a device has not sent yet.
func (t *Txn) SetFlag(colour int, ids ...int64) (int, error) {
	if colour < 0 || colour > 7 {
		return 0, refuse("there is no flag %d", colour)
	}
	return t.changeAndSave(ids, t.restoreCard, func(c *scheduling.Card) (bool, error) {
		return scheduling.SetFlag(c, uint8(colour)), nil
	})
}

// ForgetOptions are the choices of Forget.
type ForgetOptions struct {
	RestorePosition bool // where a card knows it; else to the end of the new queue
	ResetCounts     bool // reps and lapses
}

// Forget makes cards new again, with an entry in the review log, and returns
// how many there were. Those that go to the end of the new queue go there in the
// order of the ids.
func (t *Txn) Forget(o ForgetOptions, ids ...int64) (int, error) {
	if err := t.secondScheduler(); err != nil {
		return 0, err
	}
	position, err := t.nextPosition(0)
	if err != nil {
		return 0, err
	}
	start := position
	n, err := t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		out, entry, used := scheduling.Forget(*c, uint32(position), scheduling.ForgetOptions{
			RestorePosition: o.RestorePosition, ResetCounts: o.ResetCounts, Now: t.now.UnixMilli(),
		})
		if used {
			position++
		}
		*c = out
		if entry != nil {
			if _, err := t.addReview(*entry); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil || position == start {
		return n, err
	}
	_, err = t.nextPosition(position - start)
	return n, err
}

// SetDueDate makes cards review cards that are due as days says: "3", "1-7" (at
// random), or "0!" (which changes the interval, too). It returns how many there
// were.
func (t *Txn) SetDueDate(days string, ids ...int64) (int, error) {
	due, err := scheduling.ParseDueDate(days)
	if err != nil {
		return 0, &EditError{Reason: "the due date is not usable", Err: err}
	}
	if err := t.secondScheduler(); err != nil {
		return 0, err
	}
	day, err := t.Timing()
	if err != nil {
		return 0, err
	}
	fsrs, err := t.configBool("fsrs", false)
	if err != nil {
		return 0, err
	}
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		config, _, err := t.homeConfig(c)
		if err != nil {
			return false, err
		}
		out, entry := scheduling.SetDueDate(*c, scheduling.DueOptions{
			Timing: day, Days: due.Pick(rand.Uint64()), Reset: due.Reset, //nolint:gosec // not a secret
			InitialEase: config.InitialEase, FSRS: fsrs, Now: t.now.UnixMilli(),
		})
		*c = out
		_, err = t.addReview(entry)
		return true, err
	})
}

// RepositionOptions are the choices of Reposition.
type RepositionOptions struct {
	Start, Step uint32
	Random      bool // else by the time the notes were added
	Shift       bool // make room among the other new cards
}

// Reposition gives new cards new places in the queue, the cards of a note the
// same, and returns how many changed. Other cards are passed over.
func (t *Txn) Reposition(o RepositionOptions, ids ...int64) (int, error) {
	if t.readOnly {
		return 0, ErrReadOnly
	}
	cards, err := collect(t.h, scanCard,
		`SELECT `+cardColumns+` FROM cards WHERE id IN (SELECT value FROM json_each(?)) AND type = 0 ORDER BY id`, idList(ids))
	if err != nil || len(cards) == 0 {
		return 0, err
	}
	list := make([]scheduling.Card, len(cards))
	for i := range cards {
		list[i] = schedulingCard(&cards[i])
	}
	order := scheduling.OrderByNote
	if o.Random {
		order = scheduling.OrderRandom
	}
	places := scheduling.Positions(list, o.Start, o.Step, order, rand.Shuffle)
	if o.Shift {
		if err := t.shift(o, len(ids)); err != nil {
			return 0, err
		}
	}
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		place, ok := places[c.NoteID]
		return ok && c.Type == scheduling.TypeNew && scheduling.Reposition(c, place), nil
	})
}

// shift moves the new cards from a place on back, to make room for as many cards.
// Those in filtered decks keep their places, as in clients.
func (t *Txn) shift(o RepositionOptions, cards int) error {
	later, err := collect(t.h, scanID, `SELECT id FROM cards WHERE type = 0 AND odid = 0 AND due >= ?`, o.Start)
	if err != nil {
		return err
	}
	by := min(uint64(cards)*uint64(o.Step), 1<<31-1)
	if _, err := t.changeCards(later, func(c *scheduling.Card) (bool, error) {
		return scheduling.Reposition(c, uint32(min(c.Due+int64(by), 1<<31-1))), nil
	}); err != nil {
		return fmt.Errorf("make room: %w", err)
	}
	return nil
}
