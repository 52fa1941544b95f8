package scheduling

// StateKind says which fields of a [State] are meaningful.
type StateKind uint8

// The kinds of states.
const (
	StateNew        StateKind = iota // Position
	StateLearning                    // Learning
	StateReview                      // Review
	StateRelearning                  // Learning and Review
	StatePreview                     // Preview
)

// State is where a card stands or would stand after an answer. With Filtered
// the card is in a filtered deck that reschedules, and stays in it.
type State struct {
	Kind     StateKind
	Filtered bool
	Position uint32
	Learning LearningState
	Review   ReviewState
	Preview  PreviewState
}

// LearningState is the part of a state that steps are kept in.
type LearningState struct {
	RemainingSteps uint32
	ScheduledSecs  uint32
	ElapsedSecs    uint32 // modulo 2^32
	Memory         *Memory
}

// ReviewState is the part of a state that intervals are kept in.
type ReviewState struct {
	ScheduledDays uint32
	ElapsedDays   uint32
	EaseFactor    float32
	Lapses        uint32
	Leeched       bool
	Memory        *Memory
}

// PreviewState is that of a card in a filtered deck that does not reschedule.
type PreviewState struct {
	ScheduledSecs uint32
	Finished      bool
}

// States are the state of a card and what the four buttons would make of it.
type States struct {
	Current                 State
	Again, Hard, Good, Easy State
}

// For is the state after pressing r.
func (s *States) For(r Rating) State {
	switch r {
	case Again:
		return s.Again
	case Hard:
		return s.Hard
	case Good:
		return s.Good
	}
	return s.Easy
}

// Interval is a time until a card is shown again, in days or in seconds.
type Interval struct {
	Days uint32 // if not 0, Secs is not used
	Secs uint32
	days bool
}

func inDays(d uint32) Interval { return Interval{Days: d, days: true} }

// Seconds is the interval in seconds, at most 2^32−1.
func (i Interval) Seconds() uint32 {
	if i.days {
		return satMul(i.Days, secsPerDay)
	}
	return i.Secs
}

// revlog is the interval as the review log stores it.
func (i Interval) revlog() int64 {
	if i.days {
		return int64(min(i.Days, 1<<31-1))
	}
	return -int64(min(i.Secs, 1<<31-1))
}

// acrossRollover turns seconds that reach into the next day into days.
func (i Interval) acrossRollover(untilRollover uint32) Interval {
	if !i.days && i.Secs >= untilRollover {
		return inDays((i.Secs-untilRollover)/secsPerDay + 1)
	}
	return i
}

// interval is the state's own, before the rollover is considered.
func (s *State) interval() Interval {
	switch s.Kind {
	case StateLearning, StateRelearning:
		return Interval{Secs: s.Learning.ScheduledSecs}
	case StateReview:
		return inDays(s.Review.ScheduledDays)
	case StatePreview:
		return Interval{Secs: s.Preview.ScheduledSecs}
	}
	return Interval{}
}

// revlogKind is the kind of an answer given in this state.
func (s *State) revlogKind() RevlogKind {
	switch s.Kind {
	case StateReview:
		if s.Review.daysLate() < 0 {
			return KindFiltered
		}
		return KindReview
	case StateRelearning:
		return KindRelearning
	case StatePreview:
		return KindFiltered
	}
	return KindLearning
}

// leeched reports whether getting into the state made the card a leech.
func (s *State) leeched() bool {
	return (s.Kind == StateReview || s.Kind == StateRelearning) && s.Review.Leeched
}

func (r *ReviewState) daysLate() int64 { return int64(r.ElapsedDays) - int64(r.ScheduledDays) }

// transition is what next states are computed from.
type transition struct {
	config      *Config
	fuzz        fuzz
	fsrs        *[4]memoryInterval // nil with SM-2
	shortTerm   bool               // the model may schedule within a day
	withSteps   bool               // … even where steps are configured
	filtered    *Filtered
	maxInterval uint32
}

// limits are the bounds of a review interval of at least minimum days.
func (t *transition) limits(minimum uint32) (lo, hi uint32) {
	hi = max(t.maxInterval, 1)
	return clamp(minimum, 1, hi), hi
}

// memory is the memory after rating, or nil with SM-2.
func (t *transition) memory(r Rating) *Memory {
	if t.fsrs == nil {
		return nil
	}
	m := t.fsrs[r-1].memory
	return &m
}

// withinDay reports whether the model sends a card without a step back into
// learning for the given interval.
func (t *transition) withinDay(interval float32, s steps) bool {
	return t.fsrs != nil && t.shortTerm && (t.withSteps || len(s) == 0) && interval < 0.5
}

// next computes the four next states of current.
func (t *transition) next(current State) States {
	out := States{Current: current}
	if current.Kind == StatePreview {
		out.Again = previewState(t.filtered.PreviewAgainSecs)
		out.Hard = previewState(t.filtered.PreviewHardSecs)
		out.Good = previewState(t.filtered.PreviewGoodSecs)
		out.Easy = previewState(0)
		return out
	}
	var apply func(Rating) State
	switch current.Kind {
	case StateReview:
		intervals := t.passing(&current.Review)
		apply = func(r Rating) State { return t.fromReview(&current.Review, r, intervals) }
	case StateRelearning:
		apply = func(r Rating) State { return t.fromRelearning(&current, r) }
	default:
		learning := current.Learning
		if current.Kind == StateNew {
			learning = LearningState{RemainingSteps: steps(t.config.LearnSteps).all()}
		}
		apply = func(r Rating) State { return t.fromLearning(learning, r) }
	}
	out.Again, out.Hard, out.Good, out.Easy = apply(Again), apply(Hard), apply(Good), apply(Easy)
	if current.Filtered {
		// A card that becomes a review goes home; others stay.
		for _, s := range []*State{&out.Again, &out.Hard, &out.Good, &out.Easy} {
			s.Filtered = s.Kind != StateReview
		}
	}
	return out
}

func previewState(secs uint32) State {
	return State{Kind: StatePreview, Preview: PreviewState{ScheduledSecs: secs, Finished: secs == 0}}
}
