package scheduling

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The functions of this file change a card without an answer. They return
// whether there is anything to write; mod and usn are set by the writer.

// Suspend takes the card out of study.
func Suspend(c *Card) bool { return setAside(c, QueueSuspended) }

// BuryByUser puts the card off until tomorrow, for the user.
func BuryByUser(c *Card) bool { return setAside(c, QueueUserBuried) }

// BuryBySched puts the card off until tomorrow, for the scheduler.
func BuryBySched(c *Card) bool { return setAside(c, QueueSchedBuried) }

// setAside never touches a suspended card, as that would free it tomorrow.
func setAside(c *Card, q Queue) bool {
	if c.Queue == q || c.Queue == QueueSuspended {
		return false
	}
	c.Queue = q
	return true
}

// Restore brings a suspended or buried card back. At the rollover, when
// clients do it to all buried cards, the rows keep mod and usn.
func Restore(c *Card) bool {
	if c.Queue >= 0 {
		return false
	}
	c.restoreQueueFromType()
	return true
}

// MoveTo moves a card to a normal deck, out of a filtered one if need be; from and to
// are the options of its home deck and of that deck. The steps that are left become
// steps of the new deck. How well it is remembered was reckoned with the options of
// the old deck: it is reckoned anew from its reviews with the next answer.
func MoveTo(c *Card, deckID int64, from, to *Config) {
	if c.OriginalDeckID != 0 {
		ReturnHome(c)
	}
	switch c.Type {
	case TypeLearning:
		c.Left = leftIn(c.Left, from.LearnSteps, to.LearnSteps)
	case TypeRelearning:
		c.Left = leftIn(c.Left, from.RelearnSteps, to.RelearnSteps)
	}
	if d := ParseData(c.Data); d.Memory != nil || d.DesiredRetention != nil || d.Decay != nil {
		d.Memory, d.DesiredRetention, d.Decay = nil, nil, nil
		c.Data = d.String()
	}
	c.DeckID = deckID
}

// leftIn is what a card has left that goes on with other steps: those after the last
// one that is no longer than the step it is in, at least one, and all of them if it
// is at the beginning or has more left than there were. Without old steps nothing is
// known. Where the number stays, so do the thousands in which old clients counted
// the steps of the day [run: 26.9.3].
func leftIn(left int64, from, to []float32) int64 {
	remaining := left % 1000
	if len(from) == 0 {
		return left
	}
	n := int64(len(to))
	if i := int64(len(from)) - remaining - 1; remaining >= 0 && i >= 0 {
		for k, delay := range to {
			if delay <= from[i] {
				n = int64(len(to) - k - 1)
			}
		}
	}
	if n = max(n, 1); n == remaining {
		return left
	}
	return n
}

// NeedsUnburying reports whether the buried cards are to be restored, because
// the day has changed since lastUnburied (config key lastUnburied).
func NeedsUnburying(lastUnburied, today uint32) bool {
	return lastUnburied < today || satAdd(today, 7) < lastUnburied
}

// SetFlag gives the card one of the colours 1 to 7, or none (0).
func SetFlag(c *Card, colour uint8) bool {
	flags := c.Flags&^7 | int64(colour&7)
	changed := flags != c.Flags
	c.Flags = flags
	return changed
}

// lastPosition is the place of the card in the new queue, if it is known.
func lastPosition(c *Card, d *Data) (uint32, bool) {
	if c.Type == TypeNew {
		return uint32(clamp(c.homeDue(), 0, math.MaxInt32)), true
	}
	if d.Position == nil {
		return 0, false
	}
	return *d.Position, true
}

// ForgetOptions are the choices of resetting cards.
type ForgetOptions struct {
	RestorePosition bool  // where the card knows it
	ResetCounts     bool  // reps and lapses
	NoLog           bool  // leave the review log alone
	Now             int64 // epoch milliseconds
}

// Forget makes the card new again. position is used unless the card gets its
// old one back; used says whether it was, and then the next card needs the
// next. The entry for the review log is nil with NoLog.
func Forget(c Card, position uint32, o ForgetOptions) (out Card, entry *RevlogEntry, used bool) {
	last := c.Interval
	c = c.clean()
	d := ParseData(c.Data)
	due, known := lastPosition(&c, &d)
	if !known || !o.RestorePosition {
		due, used = position, true
	}
	c.leaveFilteredBeforeReschedule()
	c.Due = int64(min(due, math.MaxInt32))
	c.Type, c.Queue = TypeNew, QueueNew
	c.Interval, c.Factor = 0, 0
	d.Position, d.Memory = nil, nil
	if o.ResetCounts {
		c.Reps, c.Lapses = 0, 0
	}
	c.Data = d.String()
	if !o.NoLog {
		e := manualEntry(&c, &d, last, o.Now)
		entry = &e
	}
	return c, entry, used
}

// manualEntry logs a change that is no answer. A factor of 0 means that the
// card was forgotten.
func manualEntry(c *Card, d *Data, lastInterval, now int64) RevlogEntry {
	factor := c.Factor
	if d.Memory != nil {
		factor = int64(min(toU32(float32(d.Memory.shifted()*1000)), math.MaxUint16))
	}
	return RevlogEntry{
		ID:           now,
		CardID:       c.ID,
		Interval:     c.Interval,
		LastInterval: clamp(lastInterval, 0, math.MaxInt32),
		Factor:       factor,
		Kind:         KindManual,
	}
}

// ErrDueDate is returned for a due date that is not "3", "1-7" or "0!".
var ErrDueDate = errors.New("scheduling: invalid due date")

// DueDate is when cards are made due.
type DueDate struct {
	Min, Max uint32 // days from today, both included
	Reset    bool   // the interval becomes that number of days, too
}

// ParseDueDate reads a number of days or a range of them, followed by "!" if
// intervals are to be changed with it.
func ParseDueDate(text string) (DueDate, error) {
	bare, reset := strings.CutSuffix(text, "!")
	low, high, ranged := strings.Cut(bare, "-")
	lo, okLo := days(low)
	hi := lo
	okHi := true
	if ranged {
		hi, okHi = days(high)
	}
	if !okLo || !okHi {
		return DueDate{}, fmt.Errorf("%w: %.40q", ErrDueDate, text)
	}
	return DueDate{Min: min(lo, hi), Max: max(lo, hi), Reset: reset}, nil
}

// days reads an unsigned decimal number without a sign.
func days(text string) (uint32, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	v, err := strconv.ParseUint(text, 10, 32)
	return uint32(v), err == nil
}

// Pick chooses a day of the range; random is any number.
func (d DueDate) Pick(random uint64) uint32 {
	return d.Min + uint32(random%(uint64(max(d.Max, d.Min))-uint64(d.Min)+1))
}

// DueOptions is what setting a due date depends on.
type DueOptions struct {
	Timing      Timing
	Days        uint32 // from today; see [DueDate.Pick]
	Reset       bool
	InitialEase float32 // of the preset of the home deck
	FSRS        bool
	Now         int64 // epoch milliseconds
}

// SetDueDate makes the card a review card that is due on a day.
func SetDueDate(c Card, o DueOptions) (Card, RevlogEntry) {
	last := c.Interval
	c = c.clean()
	d := ParseData(c.Data)
	today := int64(min(o.Timing.Today, math.MaxInt32))
	due := min(today+int64(o.Days), math.MaxInt32)
	interval := dueInterval(&c, &d, o, today, due)

	if position, ok := lastPosition(&c, &d); ok {
		d.Position = &position
	}
	c.leaveFilteredBeforeReschedule()
	c.Type, c.Queue = TypeReview, QueueReview
	c.Interval = clamp(interval, 0, math.MaxInt32)
	c.Due = due
	if c.Factor == 0 {
		c.Factor = int64(clamp(toU32(round32(float32(o.InitialEase*1000))), 0, math.MaxUint16))
	}
	c.Data = d.String()
	return c, manualEntry(&c, &d, last, o.Now)
}

// dueInterval is the interval that goes with a new due date.
func dueInterval(c *Card, d *Data, o DueOptions, today, due int64) int64 {
	if !o.FSRS {
		if o.Reset || c.Type != TypeReview && c.Type != TypeRelearning {
			return max(int64(o.Days), 1)
		}
		return max(c.Interval, 1)
	}
	switch {
	case c.Queue == QueueNew || c.Interval == 0:
		return 0
	case d.LastReview != nil:
		return int64(o.Timing.ElapsedDays(*d.LastReview)) + int64(o.Days)
	}
	old := c.homeDue()
	if isTimestamp(old) {
		old = today + (old-o.Timing.NextDayAt)/secsPerDay
	}
	return c.Interval + due - old
}

// Reposition gives a card of the new queue a place in it.
func Reposition(c *Card, position uint32) bool {
	due := int64(min(position, math.MaxInt32))
	switch {
	case c.Type == TypeNew && c.OriginalDeckID > 0:
		c.OriginalDue = due
	case c.Type == TypeNew || c.Queue == QueueNew:
		c.Due = due
	default:
		return false
	}
	return true
}

// NewOrder is the order in which notes get their places in the new queue.
type NewOrder int

// The orders of notes.
const (
	OrderPreserved NewOrder = iota // as the cards are given
	OrderByNote                    // by the time the notes were added
	OrderRandom
)

// Positions hands out places in the new queue by note: start, start+step, and
// so on. shuffle is used for [OrderRandom] only and may be nil.
func Positions(cards []Card, start, step uint32, order NewOrder, shuffle func(n int, swap func(i, j int))) map[int64]uint32 {
	seen := make(map[int64]uint32, len(cards))
	var notes []int64
	for i := range cards {
		if _, ok := seen[cards[i].NoteID]; !ok {
			seen[cards[i].NoteID] = 0
			notes = append(notes, cards[i].NoteID)
		}
	}
	if order != OrderPreserved {
		slices.Sort(notes)
	}
	if order == OrderRandom && shuffle != nil {
		shuffle(len(notes), func(i, j int) { notes[i], notes[j] = notes[j], notes[i] })
	}
	for i, id := range notes {
		seen[id] = satAdd(start, satMul(uint32(i), step))
	}
	return seen
}

// Shift makes room in the new queue: a new card at or after start moves back by
// the given number of places.
func Shift(c *Card, start, by uint32) bool {
	if c.Type != TypeNew || c.Due < int64(start) {
		return false
	}
	return Reposition(c, satAdd(uint32(clamp(c.Due, 0, math.MaxInt32)), by))
}
