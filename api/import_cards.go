package api

import (
	"cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// maxClozes is how many cards a cloze note has at most.
const maxClozes = 500

// calendars relate the days of a package to those of the collection.
type calendars struct {
	shift  int64  // days that a package's due day is later here
	today  int64  // here
	theirs uint32 // today there
	// first is true if the collection uses the scheduler of 2006, in which cards
	// that are being learned have other rows. Clients refuse such packages there.
	first bool
}

func calendarsOf(from, to *collection.Txn) (calendars, error) {
	theirs, err := from.Timing()
	if err != nil {
		return calendars{}, err
	}
	ours, err := to.Timing()
	return calendars{
		shift: int64(ours.Today) - int64(theirs.Today), today: int64(ours.Today), theirs: theirs.Today,
		first: to.Meta().SchedVer != 2,
	}, err
}

// cards brings the cards of a note of the package that the note has not got
// here, and their reviews.
func (m *merger) cards(nt *schema.Notetype, theirs, ours int64) error {
	cards, err := m.from.NoteCards(theirs)
	if err != nil {
		return err
	}
	made, err := m.to.NoteCards(ours)
	if err != nil {
		return err
	}
	have := map[int64]bool{}
	for i := range made {
		have[made[i].Ord] = true
	}
	for _, card := range cards {
		if have[card.Ord] || !hasCard(nt, card.Ord) {
			continue
		}
		have[card.Ord] = true
		deck, home := m.place(&card)
		id, err := m.to.ImportCard(m.calendar.card(card, ours, deck, home))
		if err != nil {
			return err
		}
		reviews, err := m.from.CardRevlog(card.ID)
		if err != nil {
			return err
		}
		if len(reviews) == 0 {
			continue
		}
		if _, err := m.to.ImportReviews(id, reviews); err != nil {
			return err
		}
	}
	if len(have) > 0 {
		return nil
	}
	deck := int64(1)
	if len(cards) > 0 {
		var home int64
		if deck, home = m.place(&cards[0]); home != 0 {
			deck = home
		}
	}
	return m.to.EnsureCards(ours, deck)
}

// hasCard tells whether notes of a notetype can have a card of that ordinal.
func hasCard(nt *schema.Notetype, ord int64) bool {
	if nt.Config.Kind == schema.KindCloze {
		return ord >= 0 && ord < maxClozes
	}
	return ord >= 0 && ord < int64(len(nt.Templates))
}

// card is a card of the package as it is to be here, in a deck and, if home is
// not 0, only lent to it, and due on the same day. What makes no sense becomes a
// new card.
func (k calendars) card(c collection.Card, note, deck, home int64) collection.Card {
	if home == 0 {
		s := scheduling.Card{
			OriginalDeckID: c.ODID, DeckID: c.DID, OriginalDue: c.ODue, Due: c.Due,
			Type: scheduling.CardType(small(c.Type)), Queue: scheduling.Queue(small(c.Queue)),
		}
		scheduling.ReturnHome(&s)
		c.ODue, c.Type, c.Queue, c.Due = 0, int64(s.Type), int64(s.Queue), s.Due
	}
	c.NID, c.DID, c.ODID = note, deck, home
	c.Data = cmp.Or(c.Data, "{}") // old clients wrote nothing
	if k.first {
		k.settle(&c)
	}
	k.shiftDays(&c)
	if collection.CheckScheduling(&c) == nil {
		return c
	}
	if home != 0 {
		deck = home
	}
	fresh := collection.Card{ID: c.ID, NID: note, DID: deck, Ord: c.Ord, Data: "{}", Flags: c.Flags & 7}
	if c.Type == 0 && home == 0 && c.Due >= 0 && c.Due <= 1<<31-1 {
		fresh.Due = c.Due
	}
	if c.Queue == -1 {
		fresh.Queue = -1
	}
	return fresh
}

// shiftDays counts a card's days from here, as clients do: of a learning card
// that is suspended or buried they leave the day as it was, and of one in a
// filtered deck its place there moves along.
func (k calendars) shiftDays(c *collection.Card) {
	if c.Queue == 2 || c.Queue == 3 || c.Type == 2 {
		c.Due += k.shift
	}
	if c.Type == 2 && c.ODue != 0 {
		c.ODue += k.shift
	}
}

// settle ends the learning of a card: one scheduler's steps mean nothing to the
// other. A card that had been learned before is due today, another is new.
func (k calendars) settle(c *collection.Card) {
	if c.Queue == -3 {
		c.Queue = -2 // one kind of burying
	}
	learning := c.Queue == 1 || c.Queue == 3 || c.Queue == 4 || c.Type == 1 || c.Type == 3
	if !learning {
		return
	}
	again := c.Type == 2 || c.Type == 3
	queue := min(c.Queue, 0) // suspended and buried ones stay so
	c.Left = 0
	if again {
		c.Type, c.Due, c.Ivl = 2, k.today-k.shift, max(c.Ivl, 1)
		if queue == 0 {
			queue = 2
		}
	} else {
		c.Type, c.Due, c.Ivl, c.Factor = 0, 0, 0, 0
	}
	c.Queue = queue
}

// small is v as a type or queue; what is neither stays neither.
func small(v int64) int8 { return int8(min(max(v, -128), 127)) }
