package scheduling

import "math"

// CardType is the column type of a card (docs/collection-format.md §2.1).
type CardType int8

// The types of cards.
const (
	TypeNew        CardType = 0
	TypeLearning   CardType = 1
	TypeReview     CardType = 2
	TypeRelearning CardType = 3
)

// Queue is the column queue of a card (docs/collection-format.md §2.1).
type Queue int8

// The queues a card can be in.
const (
	QueueUserBuried  Queue = -3
	QueueSchedBuried Queue = -2
	QueueSuspended   Queue = -1
	QueueNew         Queue = 0
	QueueLearning    Queue = 1 // due is a time in seconds
	QueueReview      Queue = 2
	QueueDayLearning Queue = 3 // due is a day number
	QueuePreview     Queue = 4 // due is a time in seconds
)

// Card is a row of the table cards, less its usn, which is the writer's
// business. The integers are as wide as SQLite's, so that any row can be read
// into it; what the package computes from them stays within the ranges that
// clients store.
type Card struct {
	ID             int64 // epoch milliseconds
	NoteID         int64
	DeckID         int64 // where the card is now
	OriginalDeckID int64 // its home while in a filtered deck, else 0
	Ord            int64 // number of the template or cloze, from 0
	Mod            int64 // epoch seconds
	Type           CardType
	Queue          Queue
	Due            int64 // position, day number or epoch seconds
	OriginalDue    int64 // due at home while in a filtered deck, else 0
	Interval       int64 // days
	Factor         int64 // ease × 1000
	Reps           int64
	Lapses         int64
	Left           int64 // learning steps left
	Flags          int64 // low three bits are the colour
	Data           string
}

// HomeDeckID is the deck whose preset governs the card.
func (c *Card) HomeDeckID() int64 {
	if c.OriginalDeckID != 0 {
		return c.OriginalDeckID
	}
	return c.DeckID
}

// homeDue is the due of the card in its home deck.
func (c *Card) homeDue() int64 {
	if c.OriginalDeckID > 0 {
		return c.OriginalDue
	}
	return c.Due
}

// clean returns c with every number inside the range that clients can read.
func (c Card) clean() Card {
	c.Ord = clamp(c.Ord, 0, math.MaxUint16)
	if c.Type < TypeNew || c.Type > TypeRelearning {
		c.Type = TypeNew
	}
	if c.Queue < QueueUserBuried || c.Queue > QueuePreview {
		c.Queue = QueueNew
	}
	c.Due = clamp(c.Due, math.MinInt32, math.MaxInt32)
	c.OriginalDue = clamp(c.OriginalDue, math.MinInt32, math.MaxInt32)
	c.Interval = clamp(c.Interval, 0, math.MaxInt32)
	c.Factor = clamp(c.Factor, 0, math.MaxUint16)
	c.Reps = clamp(c.Reps, 0, math.MaxInt32)
	c.Lapses = clamp(c.Lapses, 0, math.MaxInt32)
	c.Left = clamp(c.Left, 0, math.MaxInt32)
	c.Flags = clamp(c.Flags, 0, math.MaxUint8)
	return c
}

// ease is the ease factor as a multiplier.
func (c *Card) ease() float32 { return float32(c.Factor) / 1000 }

// restoreQueueFromType undoes suspending, burying and previewing.
func (c *Card) restoreQueueFromType() {
	switch c.Type {
	case TypeLearning, TypeRelearning:
		if isTimestamp(c.Due) {
			c.Queue = QueueLearning
		} else {
			c.Queue = QueueDayLearning
		}
	case TypeReview:
		c.Queue = QueueReview
	default:
		c.Queue = QueueNew
	}
}

// leaveFilteredBeforeReschedule sends the card home; due, type and queue are
// set by what follows.
func (c *Card) leaveFilteredBeforeReschedule() {
	if c.OriginalDeckID != 0 {
		c.DeckID, c.OriginalDeckID, c.OriginalDue = c.OriginalDeckID, 0, 0
	}
}

// isTimestamp tells the two meanings of a learning card's due apart.
func isTimestamp(due int64) bool { return due > 1_000_000_000 }

// RevlogKind is the column type of the review log.
type RevlogKind int8

// The kinds of entries of the review log.
const (
	KindLearning    RevlogKind = 0
	KindReview      RevlogKind = 1
	KindRelearning  RevlogKind = 2
	KindFiltered    RevlogKind = 3
	KindManual      RevlogKind = 4
	KindRescheduled RevlogKind = 5
)

// RevlogEntry is a row of the table revlog, less its usn.
type RevlogEntry struct {
	ID           int64 // epoch milliseconds; the writer adds to it if it is taken
	CardID       int64
	Button       int64 // 1 to 4; 0 for an entry that is no answer
	Interval     int64 // days, or seconds if negative
	LastInterval int64
	Factor       int64 // ease × 1000, or with FSRS difficulty as 100 to 1100
	TakenMillis  int64
	Kind         RevlogKind
}

// isReset reports whether the entry says that the card was forgotten.
func (e *RevlogEntry) isReset() bool { return e.Kind == KindManual && e.Factor == 0 }

// isCramming reports whether the entry is an answer without consequences.
func (e *RevlogEntry) isCramming() bool { return e.Kind == KindFiltered && e.Factor == 0 }

// counts reports whether the entry is an answer that moved the card.
func (e *RevlogEntry) counts() bool { return e.Button > 0 && !e.isCramming() }

type integer interface {
	~int | ~int32 | ~int64 | ~uint32 | ~uint64
}

// clamp brings v between low and high, and is high where low > high.
func clamp[T integer](v, low, high T) T { return min(max(v, low), high) }
