package scheduling

import (
	"errors"
	"fmt"
	"math"
)

// Errors of answering.
var (
	// ErrRating is returned for a rating that is none of the four buttons.
	ErrRating = errors.New("scheduling: no such button")
	// ErrNotFiltered is returned for a card that lies in a filtered deck
	// without having a home deck.
	ErrNotFiltered = errors.New("scheduling: card in a filtered deck has no home deck")
)

// Rating is a button.
type Rating uint8

// The four buttons.
const (
	Again Rating = 1
	Hard  Rating = 2
	Good  Rating = 3
	Easy  Rating = 4
)

// Filtered are the settings of the filtered deck a card is in.
type Filtered struct {
	Reschedule       bool
	PreviewAgainSecs uint32 // 0: the card goes home
	PreviewHardSecs  uint32
	PreviewGoodSecs  uint32
}

// Context is what answering a card depends on besides the card.
type Context struct {
	Timing   Timing
	Config   Config    // preset of the card's home deck
	Filtered *Filtered // of the deck the card is in; nil for a normal deck

	// DesiredRetention is that of the home deck, if it has its own.
	DesiredRetention *float32

	FSRS                   bool // config key fsrs
	FSRSShortTermWithSteps bool // config key fsrsShortTermWithStepsEnabled

	// Load spreads reviews over the days of their fuzz range; nil: chance does.
	Load *Load

	// NoFuzz makes intervals exact; for tests and for comparisons.
	NoFuzz bool
}

// NeedsHistory reports whether [New] wants the review log of the card: with
// FSRS, if the card does not say when it was last reviewed or how well it is
// remembered.
func NeedsHistory(card Card, fsrs bool) bool {
	if !fsrs {
		return false
	}
	d := ParseData(card.Data)
	return d.LastReview == nil || d.Memory == nil && card.Type != TypeNew
}

// Session is one card in front of the learner.
type Session struct {
	original Card
	card     Card
	data     Data
	ctx      Context
	states   States
	fuzz     fuzz
}

// New looks at a card. revlog are the card's entries in any order; it may be
// nil unless [NeedsHistory].
func New(card Card, revlog []RevlogEntry, ctx Context) (*Session, error) {
	s := &Session{original: card, card: card.clean(), data: ParseData(card.Data), ctx: ctx}
	s.ctx.Timing.Today = min(s.ctx.Timing.Today, math.MaxInt32)
	s.fuzz = cardFuzz(!ctx.NoFuzz, s.card.ID, s.card.Reps)
	s.fuzz.load = ctx.Load
	t := transition{
		config:      &s.ctx.Config,
		fuzz:        s.fuzz,
		withSteps:   ctx.FSRSShortTermWithSteps,
		filtered:    ctx.Filtered,
		maxInterval: min(ctx.Config.MaximumReviewInterval, math.MaxInt32),
	}
	if ctx.FSRS {
		next, err := s.model(revlog)
		if err != nil {
			return nil, fmt.Errorf("card %d: %w", card.ID, err)
		}
		t.fsrs, t.shortTerm = next, allowsShortTerm(ctx.Config.FSRSParams)
	}
	s.states = t.next(s.current())
	return s, nil
}

// model asks FSRS about the four buttons, after filling in what the card does
// not say about its memory.
func (s *Session) model(revlog []RevlogEntry) (*[4]memoryInterval, error) {
	c := &s.ctx.Config
	f, err := NewFSRS(c.FSRSParams)
	if err != nil {
		return nil, err
	}
	decay := decayOf(c.FSRSParams)
	s.data.Decay = &decay
	if s.data.Memory == nil && s.card.Type != TypeNew {
		s.data.Memory, err = f.MemoryFromHistory(s.card, revlog, s.ctx.Timing, c.HistoricalRetention, c.IgnoreRevlogsBefore)
		if err != nil {
			return nil, err
		}
	}
	var days uint32
	if s.data.LastReview != nil {
		days = s.ctx.Timing.ElapsedDays(*s.data.LastReview)
	} else if at, ok := lastReview(revlog); ok {
		days = s.ctx.Timing.ElapsedDays(at)
	}
	return f.next(s.data.Memory, s.retention(), days)
}

func (s *Session) retention() float32 {
	if r := s.ctx.DesiredRetention; r != nil {
		return *r
	}
	return s.ctx.Config.DesiredRetention
}

// States are the current state of the card and the four next ones.
func (s *Session) States() States { return s.states }

// Intervals are the times until the card is shown again, by button. Steps that
// reach into the next day are given in days.
func (s *Session) Intervals() [4]Interval {
	var out [4]Interval
	for i := range out {
		next := s.states.For(Rating(i + 1))
		out[i] = next.interval().acrossRollover(s.ctx.Timing.untilRollover())
	}
	return out
}

// Labels are the intervals as clients print them on the buttons, in English;
// collapse is the learn-ahead time in seconds.
func (s *Session) Labels(collapse uint32) [4]string {
	var out [4]string
	for i, interval := range s.Intervals() {
		out[i] = ButtonLabel(interval.Seconds(), collapse)
	}
	return out
}

// current is the state the card is in.
func (s *Session) current() State {
	card, due := &s.card, s.card.Due
	if s.ctx.Filtered == nil {
		if card.Type == TypeReview {
			due = min(due, int64(s.ctx.Timing.Today))
		}
		return s.normal(due)
	}
	if !s.ctx.Filtered.Reschedule {
		return State{Kind: StatePreview, Preview: PreviewState{ScheduledSecs: s.ctx.Filtered.PreviewAgainSecs}}
	}
	if card.OriginalDue != 0 {
		due = card.OriginalDue
	}
	state := s.normal(due)
	state.Filtered = true
	return state
}

// normal is the state the card is in, less what a filtered deck adds.
func (s *Session) normal(due int64) State {
	card := &s.card
	review := ReviewState{
		ScheduledDays: uint32(card.Interval),
		ElapsedDays:   uint32(card.Interval),
		EaseFactor:    card.ease(),
		Lapses:        uint32(card.Lapses),
		Memory:        s.data.Memory,
	}
	switch card.Type {
	case TypeLearning:
		return State{Kind: StateLearning, Learning: s.step(s.ctx.Config.LearnSteps, due)}
	case TypeReview:
		late := int64(s.ctx.Timing.Today) - due
		review.ElapsedDays = uint32(clamp(card.Interval+late, 0, math.MaxInt32))
		return State{Kind: StateReview, Review: review}
	case TypeRelearning:
		return State{Kind: StateRelearning, Learning: s.step(s.ctx.Config.RelearnSteps, due), Review: review}
	}
	return State{Kind: StateNew, Position: uint32(max(due, 0))}
}

// step is the learning step the card is in, with the time since it began.
func (s *Session) step(st steps, due int64) LearningState {
	left := uint32(s.card.Left % 1000)
	last := st.current(left)
	state := LearningState{RemainingSteps: left, ScheduledSecs: last, Memory: s.data.Memory}
	switch s.card.Queue {
	case QueueLearning:
		fuzzed := cardFuzz(s.fuzz.on, s.card.ID, s.card.Reps-1).learning(last)
		state.ElapsedSecs = uint32(s.ctx.Timing.Now - (due - int64(fuzzed)))
	case QueueDayLearning:
		days := int64(s.ctx.Timing.Today) - due + int64(max(last/secsPerDay, 1))
		state.ElapsedSecs = uint32(days * secsPerDay)
	}
	return state
}
