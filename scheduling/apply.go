package scheduling

import (
	"fmt"
	"math"
)

// DeckDelta is what an answer adds to the counters of the deck the card was in
// and of each deck above it.
type DeckDelta struct {
	DeckID       int64
	New, Reviews int32
	Millis       int32
}

// Counters are the counters of a deck (docs/collection-format.md §3).
type Counters struct {
	Day                            uint32 // the day they are of
	New, Reviews, Learning, Millis int32
}

// Add counts d on day today, starting afresh if the counters are of another
// day.
func (c Counters) Add(today uint32, d DeckDelta) Counters {
	if c.Day != today {
		c = Counters{Day: today}
	}
	c.New = addCounter(c.New, d.New)
	c.Reviews = addCounter(c.Reviews, d.Reviews)
	c.Millis = addCounter(c.Millis, d.Millis)
	return c
}

// Extend raises today's limits by lowering the counters.
func (c Counters) Extend(today uint32, newCards, reviews int32) Counters {
	return c.Add(today, DeckDelta{New: negative(newCards), Reviews: negative(reviews)})
}

func negative(v int32) int32 { return int32(clamp(-int64(v), math.MinInt32, math.MaxInt32)) }

func addCounter(a, b int32) int32 {
	return int32(clamp(int64(a)+int64(b), math.MinInt32, math.MaxInt32))
}

// Result is what an answer makes necessary to write. Nothing has been written.
type Result struct {
	Card   Card        // the new row
	Revlog RevlogEntry // to be added; its id raised if taken
	Deck   DeckDelta   // for the deck the card was in, and all above it
	Bury   SiblingBury // other cards of the note, by queue: to QueueSchedBuried
	Leech  bool        // the note gets the tag "leech"

	// Finished is set when a preview ends: the card does not come back today.
	Finished bool

	Undo Undo
}

// Undo is what takes an answer back. The siblings that the writer buried, and
// whether the note had the tag before, are for the writer to add. A review log
// entry that has been synced cannot be taken back.
type Undo struct {
	Card     Card // the row as it was; to be written with a new mod
	RevlogID int64
	Deck     DeckDelta // to be added
}

// LeechTag is the tag that notes of leeches get.
const LeechTag = "leech"

// Answer presses a button at answeredAt (epoch ms) after takenMillis.
func (s *Session) Answer(r Rating, answeredAt int64, takenMillis uint32) (Result, error) {
	return s.AnswerCustom(r, answeredAt, takenMillis, nil)
}

// AnswerCustom is [Session.Answer] that also replaces the custom data of the
// card, unless custom is nil.
func (s *Session) AnswerCustom(r Rating, answeredAt int64, takenMillis uint32, custom *string) (Result, error) {
	if r < Again || r > Easy {
		return Result{}, fmt.Errorf("%w: %d", ErrRating, r)
	}
	if custom != nil {
		if err := ValidateCustom(*custom); err != nil {
			return Result{}, err
		}
	}
	next := s.states.For(r)
	if (next.Filtered || next.Kind == StatePreview) && s.card.OriginalDeckID == 0 {
		return Result{}, ErrNotFiltered
	}
	taken := min(takenMillis, satMul(s.ctx.Config.CapAnswerTimeToSecs, 1000), math.MaxInt32)
	w := &writer{session: s, card: s.card, data: s.data}
	res := Result{Revlog: w.apply(next)}
	res.Revlog.ID = answeredAt
	res.Revlog.CardID = s.card.ID
	res.Revlog.Button = int64(r)
	res.Revlog.TakenMillis = int64(taken)
	if s.states.Current.Kind != StatePreview {
		at := floorDiv(answeredAt, 1000)
		w.data.LastReview = &at
	}
	if custom != nil {
		w.data.Custom = *custom
	}
	w.card.Data = w.data.String()
	w.card.Mod = s.ctx.Timing.Now
	res.Card = w.card
	res.Deck = s.delta(taken)
	res.Bury = s.bury()
	res.Leech = next.leeched()
	res.Finished = next.Kind == StatePreview && next.Preview.Finished
	res.Undo = Undo{Card: s.original, RevlogID: answeredAt, Deck: DeckDelta{
		DeckID: res.Deck.DeckID, New: -res.Deck.New, Reviews: -res.Deck.Reviews, Millis: -res.Deck.Millis,
	}}
	return res, nil
}

// delta counts the answer for the deck the card was in.
func (s *Session) delta(taken uint32) DeckDelta {
	d := DeckDelta{DeckID: s.card.DeckID, Millis: int32(taken)}
	switch s.card.Queue {
	case QueueNew:
		d.New = 1
	case QueueReview, QueueDayLearning:
		d.Reviews = 1
	}
	return d
}

// bury is the preset's rule, less the queues that are gathered before the one
// the card was in: those cards have been seen by now.
func (s *Session) bury() SiblingBury {
	b := s.ctx.Config.Bury
	order := gatherOrder(s.card.Queue)
	b.InterdayLearning = b.InterdayLearning && order <= gatherOrder(QueueDayLearning)
	b.Reviews = b.Reviews && order <= gatherOrder(QueueReview)
	return b
}

func gatherOrder(q Queue) int {
	switch q {
	case QueueLearning, QueuePreview:
		return 0
	case QueueDayLearning:
		return 1
	case QueueReview:
		return 2
	case QueueNew:
		return 3
	}
	return 4
}

// writer turns a state into a row.
type writer struct {
	session *Session
	card    Card
	data    Data
}

// apply moves the card into next and returns the part of the review log entry
// that depends on the states.
func (w *writer) apply(next State) RevlogEntry {
	s := w.session
	current := s.states.Current
	rollover := s.ctx.Timing.untilRollover()
	entry := RevlogEntry{
		Interval:     next.interval().acrossRollover(rollover).revlog(),
		LastInterval: current.interval().acrossRollover(rollover).revlog(),
		Kind:         current.revlogKind(),
	}
	if next.Kind == StatePreview {
		w.preview(next.Preview)
		return entry
	}
	if current.Filtered && !next.Filtered {
		w.card.leaveFilteredBeforeReschedule()
	}
	w.card.Reps = min(w.card.Reps+1, math.MaxInt32)
	w.data.DesiredRetention = nil
	if s.ctx.FSRS {
		r := s.retention()
		w.data.DesiredRetention = &r
	}
	if current.Kind == StateNew {
		position := current.Position
		w.data.Position = &position
	}
	factor := w.normal(next)
	if m := w.data.Memory; m != nil {
		factor = m.shifted()
	}
	entry.Factor = int64(toU32(round32(float32(factor * 1000))))
	if next.leeched() && s.ctx.Config.LeechSuspend {
		w.card.Queue = QueueSuspended
	}
	if next.Filtered {
		w.card.OriginalDue = w.card.Due
	}
	return entry
}

// normal writes a state that is no preview, and returns the ease for the
// review log.
func (w *writer) normal(next State) (ease float32) {
	card := &w.card
	switch next.Kind {
	case StateReview:
		card.Type, card.Queue = TypeReview, QueueReview
		card.Due = w.day(next.Review.ScheduledDays)
		card.Left = 0
		w.review(&next.Review)
		w.data.Memory = next.Review.Memory
		return next.Review.EaseFactor
	case StateRelearning:
		card.Type = TypeRelearning
		w.review(&next.Review)
		w.learning(&next)
		return next.Review.EaseFactor
	}
	card.Type = TypeLearning
	w.learning(&next)
	return 0
}

func (w *writer) review(r *ReviewState) {
	w.card.Interval = int64(min(r.ScheduledDays, math.MaxInt32))
	w.card.Factor = int64(clamp(toU32(round32(float32(r.EaseFactor*1000))), 0, math.MaxUint16))
	w.card.Lapses = int64(min(r.Lapses, math.MaxInt32))
}

func (w *writer) learning(next *State) {
	w.card.Left = int64(next.Learning.RemainingSteps)
	w.data.Memory = next.Learning.Memory
	interval := next.interval().acrossRollover(w.session.ctx.Timing.untilRollover())
	if interval.days {
		w.card.Queue = QueueDayLearning
		w.card.Due = w.day(interval.Days)
		return
	}
	w.card.Queue = QueueLearning
	w.card.Due = w.after(interval.Secs)
}

func (w *writer) preview(p PreviewState) {
	if p.Finished {
		ReturnHome(&w.card)
		return
	}
	w.card.Queue = QueuePreview
	w.card.Due = w.after(p.ScheduledSecs)
}

// day is the day number days from today.
func (w *writer) day(days uint32) int64 {
	return min(int64(w.session.ctx.Timing.Today)+int64(days), math.MaxInt32)
}

// after is the time secs from now, fuzzed.
func (w *writer) after(secs uint32) int64 {
	return clamp(w.session.ctx.Timing.Now+int64(w.session.fuzz.learning(secs)), 0, math.MaxInt32)
}
