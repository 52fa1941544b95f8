package scheduling

import "github.com/ankisyncd/ankisyncd/schema"

// ReviewOrder is the order in which due reviews are gathered.
type ReviewOrder int32

// The review orders (docs/collection-format.md §3, number 33).
const (
	ReviewByDay                      ReviewOrder = 0
	ReviewByDayThenDeck              ReviewOrder = 1
	ReviewByDeckThenDay              ReviewOrder = 2
	ReviewByIntervalAscending        ReviewOrder = 3
	ReviewByIntervalDescending       ReviewOrder = 4
	ReviewByEaseAscending            ReviewOrder = 5 // with FSRS: hardest first
	ReviewByEaseDescending           ReviewOrder = 6
	ReviewByRetrievabilityAscending  ReviewOrder = 7
	ReviewRandom                     ReviewOrder = 8
	ReviewByAdded                    ReviewOrder = 9
	ReviewByReverseAdded             ReviewOrder = 10
	ReviewByRetrievabilityDescending ReviewOrder = 11
	ReviewByRelativeOverdueness      ReviewOrder = 12
)

// GatherPriority is the order in which new cards are gathered.
type GatherPriority int32

// The gather priorities (docs/collection-format.md §3, number 34).
const (
	GatherByDeck                GatherPriority = 0
	GatherLowestPosition        GatherPriority = 1
	GatherHighestPosition       GatherPriority = 2
	GatherRandomNotes           GatherPriority = 3
	GatherRandomCards           GatherPriority = 4
	GatherByDeckThenRandomNotes GatherPriority = 5
)

// NewSortOrder is the order of the new cards once they are gathered.
type NewSortOrder int32

// The orders of new cards (docs/collection-format.md §3, number 32).
const (
	SortByTemplate               NewSortOrder = 0
	SortNone                     NewSortOrder = 1
	SortByTemplateThenRandom     NewSortOrder = 2
	SortByRandomNoteThenTemplate NewSortOrder = 3
	SortByRandomCard             NewSortOrder = 4
)

// Mix says how cards of one kind are placed among reviews.
type Mix int32

// The mixes (docs/collection-format.md §3, numbers 30 and 31).
const (
	MixEvenly     Mix = 0
	AfterReviews  Mix = 1
	BeforeReviews Mix = 2
)

// Config is what scheduling takes from a deck preset. The zero value is not
// useful: start from [ConfigFrom] or [DefaultConfig].
type Config struct {
	LearnSteps, RelearnSteps []float32 // minutes

	NewPerDay, ReviewsPerDay uint32

	InitialEase        float32
	EasyMultiplier     float32
	HardMultiplier     float32
	LapseMultiplier    float32
	IntervalMultiplier float32

	MaximumReviewInterval  uint32 // days, as are the next three
	MinimumLapseInterval   uint32
	GraduatingIntervalGood uint32
	GraduatingIntervalEasy uint32

	LeechThreshold      uint32
	LeechSuspend        bool
	CapAnswerTimeToSecs uint32

	Bury SiblingBury

	NewGather   GatherPriority
	NewSort     NewSortOrder
	ReviewOrder ReviewOrder
	NewMix      Mix // new cards among reviews
	LearningMix Mix // interday learning cards among reviews

	FSRSParams          []float32 // effective: 21, 19, 17 or no numbers
	DesiredRetention    float32
	HistoricalRetention float32
	IgnoreRevlogsBefore int64 // epoch milliseconds
}

// SiblingBury says which siblings of an answered card are put off for the day,
// by the queue they are in.
type SiblingBury struct {
	New              bool
	Reviews          bool
	InterdayLearning bool
}

// Any reports whether any siblings are put off.
func (b SiblingBury) Any() bool { return b.New || b.Reviews || b.InterdayLearning }

// Includes reports whether siblings in q are put off.
func (b SiblingBury) Includes(q Queue) bool {
	switch q {
	case QueueNew:
		return b.New
	case QueueReview:
		return b.Reviews
	case QueueDayLearning:
		return b.InterdayLearning
	}
	return false
}

// DefaultConfig is a preset as clients create it.
func DefaultConfig() Config { return ConfigFrom(schema.DefaultDeckConfig()) }

// ConfigFrom takes the settings out of a stored preset. Those out of their
// ranges are replaced by the defaults, as clients do when they read them.
func ConfigFrom(c schema.DeckConfigInner) Config {
	c = c.InRange()
	params := c.FSRSParams6
	if len(params) == 0 {
		params = c.FSRSParams5
	}
	if len(params) == 0 {
		params = c.FSRSParams4
	}
	return Config{
		LearnSteps:             c.LearnSteps,
		RelearnSteps:           c.RelearnSteps,
		NewPerDay:              c.NewPerDay,
		ReviewsPerDay:          c.ReviewsPerDay,
		InitialEase:            c.InitialEase,
		EasyMultiplier:         c.EasyMultiplier,
		HardMultiplier:         c.HardMultiplier,
		LapseMultiplier:        c.LapseMultiplier,
		IntervalMultiplier:     c.IntervalMultiplier,
		MaximumReviewInterval:  c.MaximumReviewInterval,
		MinimumLapseInterval:   c.MinimumLapseInterval,
		GraduatingIntervalGood: c.GraduatingIntervalGood,
		GraduatingIntervalEasy: c.GraduatingIntervalEasy,
		LeechThreshold:         c.LeechThreshold,
		LeechSuspend:           c.LeechAction == 0,
		CapAnswerTimeToSecs:    c.CapAnswerTimeToSecs,
		Bury:                   SiblingBury{c.BuryNew, c.BuryReviews, c.BuryInterdayLearning},
		NewGather:              GatherPriority(c.NewCardGatherPriority),
		NewSort:                NewSortOrder(c.NewCardSortOrder),
		ReviewOrder:            ReviewOrder(c.ReviewOrder),
		NewMix:                 Mix(c.NewMix),
		LearningMix:            Mix(c.InterdayLearningMix),
		FSRSParams:             params,
		DesiredRetention:       c.DesiredRetention,
		HistoricalRetention:    c.HistoricalRetention,
		IgnoreRevlogsBefore:    IgnoreBefore(c.IgnoreRevlogsBeforeDate),
	}
}

// DeckFrom takes what the queue needs out of a stored deck; preset is that of a
// normal deck, nil if it is missing.
func DeckFrom(d schema.Deck, preset *schema.DeckConfigInner) Deck {
	out := Deck{
		ID:   d.ID,
		Name: d.Name,
		Counters: Counters{
			Day:      d.Common.LastDayStudied,
			New:      d.Common.NewStudied,
			Reviews:  d.Common.ReviewStudied,
			Learning: d.Common.LearningStudied,
			Millis:   d.Common.MillisecondsStudied,
		},
	}
	n := d.Kind.Normal
	if n == nil || preset == nil {
		return out
	}
	c := ConfigFrom(*preset)
	out.Config = &c
	out.NewLimit, out.ReviewLimit = n.NewLimit, n.ReviewLimit
	out.NewLimitToday, out.ReviewLimitToday = dayLimit(n.NewLimitToday), dayLimit(n.ReviewLimitToday)
	return out
}

func dayLimit(l *schema.DayLimit) *DayLimit {
	if l == nil {
		return nil
	}
	return &DayLimit{Limit: l.Limit, Today: l.Today}
}

// FilteredFrom takes the settings out of a stored deck; it is nil for a normal
// one.
func FilteredFrom(k schema.DeckKind) *Filtered {
	f := k.Filtered
	if f == nil {
		return nil
	}
	return &Filtered{
		Reschedule:       f.Reschedule,
		PreviewAgainSecs: f.PreviewAgainSecs,
		PreviewHardSecs:  f.PreviewHardSecs,
		PreviewGoodSecs:  f.PreviewGoodSecs,
	}
}
