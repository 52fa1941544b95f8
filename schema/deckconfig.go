package schema

// DeckConfig is a row of `deck_config`, or one object of schema 11's `dconf`.
type DeckConfig struct {
	ID     int64 // epoch milliseconds; 1 is the default
	Name   string
	Mtime  int64 // epoch seconds
	USN    int32
	Config DeckConfigInner
}

// DeckConfigInner is DeckConfig.Config of docs/collection-format.md §3, which
// has the meanings of the enumerations. Steps are minutes, intervals days.
type DeckConfigInner struct {
	LearnSteps                      []float32
	RelearnSteps                    []float32
	FSRSParams4                     []float32
	EasyDaysPercentages             []float32 // Monday first, 0–1
	FSRSParams5                     []float32
	FSRSParams6                     []float32
	NewPerDay                       uint32
	ReviewsPerDay                   uint32
	InitialEase                     float32
	EasyMultiplier                  float32
	HardMultiplier                  float32
	LapseMultiplier                 float32
	IntervalMultiplier              float32
	MaximumReviewInterval           uint32
	MinimumLapseInterval            uint32
	GraduatingIntervalGood          uint32
	GraduatingIntervalEasy          uint32
	NewCardInsertOrder              int32 // 0 due, 1 random
	LeechAction                     int32 // 0 suspend, 1 tag only
	LeechThreshold                  uint32
	DisableAutoplay                 bool
	CapAnswerTimeToSecs             uint32
	ShowTimer                       bool
	SkipQuestionWhenReplayingAnswer bool
	BuryNew                         bool
	BuryReviews                     bool
	BuryInterdayLearning            bool
	NewMix                          int32
	InterdayLearningMix             int32
	NewCardSortOrder                int32
	ReviewOrder                     int32
	NewCardGatherPriority           int32
	NewPerDayMinimum                uint32
	QuestionAction                  int32
	DesiredRetention                float32
	StopTimerOnAnswer               bool
	HistoricalRetention             float32
	SecondsToShowQuestion           float32
	SecondsToShowAnswer             float32
	AnswerAction                    int32
	WaitForAudio                    bool
	ParamSearch                     string
	IgnoreRevlogsBeforeDate         string // "YYYY-MM-DD" or ""
	Other                           []byte
	Unknown                         []byte
}

func (c *DeckConfigInner) message() message {
	return message{&c.Unknown, []binding{
		{1, (*packedF32)(&c.LearnSteps)},
		{2, (*packedF32)(&c.RelearnSteps)},
		{3, (*packedF32)(&c.FSRSParams4)},
		{4, (*packedF32)(&c.EasyDaysPercentages)},
		{5, (*packedF32)(&c.FSRSParams5)},
		{6, (*packedF32)(&c.FSRSParams6)},
		{9, (*u32)(&c.NewPerDay)},
		{10, (*u32)(&c.ReviewsPerDay)},
		{11, (*f32)(&c.InitialEase)},
		{12, (*f32)(&c.EasyMultiplier)},
		{13, (*f32)(&c.HardMultiplier)},
		{14, (*f32)(&c.LapseMultiplier)},
		{15, (*f32)(&c.IntervalMultiplier)},
		{16, (*u32)(&c.MaximumReviewInterval)},
		{17, (*u32)(&c.MinimumLapseInterval)},
		{18, (*u32)(&c.GraduatingIntervalGood)},
		{19, (*u32)(&c.GraduatingIntervalEasy)},
		{20, (*i32)(&c.NewCardInsertOrder)},
		{21, (*i32)(&c.LeechAction)},
		{22, (*u32)(&c.LeechThreshold)},
		{23, (*flag)(&c.DisableAutoplay)},
		{24, (*u32)(&c.CapAnswerTimeToSecs)},
		{25, (*flag)(&c.ShowTimer)},
		{26, (*flag)(&c.SkipQuestionWhenReplayingAnswer)},
		{27, (*flag)(&c.BuryNew)},
		{28, (*flag)(&c.BuryReviews)},
		{29, (*flag)(&c.BuryInterdayLearning)},
		{30, (*i32)(&c.NewMix)},
		{31, (*i32)(&c.InterdayLearningMix)},
		{32, (*i32)(&c.NewCardSortOrder)},
		{33, (*i32)(&c.ReviewOrder)},
		{34, (*i32)(&c.NewCardGatherPriority)},
		{35, (*u32)(&c.NewPerDayMinimum)},
		{36, (*i32)(&c.QuestionAction)},
		{37, (*f32)(&c.DesiredRetention)},
		{38, (*flag)(&c.StopTimerOnAnswer)},
		{40, (*f32)(&c.HistoricalRetention)},
		{41, (*f32)(&c.SecondsToShowQuestion)},
		{42, (*f32)(&c.SecondsToShowAnswer)},
		{43, (*i32)(&c.AnswerAction)},
		{44, (*flag)(&c.WaitForAudio)},
		{45, (*str)(&c.ParamSearch)},
		{46, (*str)(&c.IgnoreRevlogsBeforeDate)},
		{255, (*raw)(&c.Other)},
	}}
}

// DecodeDeckConfigInner reads the blob of deck_config.config, as it is: see
// InRange for the values that count.
func DecodeDeckConfigInner(b []byte) (DeckConfigInner, error) {
	return decodeMessage[DeckConfigInner](b, "deck config")
}

// Encode writes the blob of deck_config.config.
func (c DeckConfigInner) Encode() []byte { return c.message().append([]byte{}) }

// DefaultDeckConfig is what new deck options have
// (docs/collection-format.md §3).
func DefaultDeckConfig() DeckConfigInner {
	return DeckConfigInner{
		LearnSteps:             []float32{1, 10},
		RelearnSteps:           []float32{10},
		EasyDaysPercentages:    []float32{1, 1, 1, 1, 1, 1, 1},
		NewPerDay:              20,
		ReviewsPerDay:          200,
		InitialEase:            2.5,
		EasyMultiplier:         1.3,
		HardMultiplier:         1.2,
		IntervalMultiplier:     1,
		MaximumReviewInterval:  36500,
		MinimumLapseInterval:   1,
		GraduatingIntervalGood: 1,
		GraduatingIntervalEasy: 4,
		LeechAction:            leechTagOnly,
		LeechThreshold:         8,
		CapAnswerTimeToSecs:    60,
		WaitForAudio:           true,
		DesiredRetention:       0.9,
		HistoricalRetention:    0.9,
	}
}

// numberRange is a number of deck options and what clients take it for.
type numberRange[T uint32 | float32] struct {
	key           string // of the JSON form (docs/collection-format.md §4.3)
	v             *T
	def, min, max T
}

// holds is false for NaN.
func (r *numberRange[T]) holds() bool { return *r.v >= r.min && *r.v <= r.max }

// ranges are those of docs/collection-format.md §3.
func (c *DeckConfigInner) ranges() ([]numberRange[uint32], []numberRange[float32]) {
	def := DefaultDeckConfig()
	return []numberRange[uint32]{
			{"new.perDay", &c.NewPerDay, def.NewPerDay, 0, 9999},
			{"rev.perDay", &c.ReviewsPerDay, def.ReviewsPerDay, 0, 9999},
			{"newPerDayMinimum", &c.NewPerDayMinimum, def.NewPerDayMinimum, 0, 9999},
			{"rev.maxIvl", &c.MaximumReviewInterval, def.MaximumReviewInterval, 1, 36500},
			{"lapse.minInt", &c.MinimumLapseInterval, def.MinimumLapseInterval, 1, 36500},
			{"new.ints", &c.GraduatingIntervalGood, def.GraduatingIntervalGood, 1, 36500},
			{"new.ints", &c.GraduatingIntervalEasy, def.GraduatingIntervalEasy, 1, 36500},
			{"lapse.leechFails", &c.LeechThreshold, def.LeechThreshold, 1, 9999},
			{"maxTaken", &c.CapAnswerTimeToSecs, def.CapAnswerTimeToSecs, 1, 9999},
		}, []numberRange[float32]{
			{"new.initialFactor", &c.InitialEase, def.InitialEase, 1.31, 5},
			{"rev.ease4", &c.EasyMultiplier, def.EasyMultiplier, 1, 5},
			{"rev.hardFactor", &c.HardMultiplier, def.HardMultiplier, 0.5, 1.3},
			{"lapse.mult", &c.LapseMultiplier, def.LapseMultiplier, 0, 1},
			{"rev.ivlFct", &c.IntervalMultiplier, def.IntervalMultiplier, 0.5, 2},
			{"desiredRetention", &c.DesiredRetention, def.DesiredRetention, 0.7, 0.99},
			{"sm2Retention", &c.HistoricalRetention, def.HistoricalRetention, 0.7, 0.97},
		}
}

// InRange returns the config as clients read it: every number outside its range
// is replaced by its default. The slices are shared with c.
func (c DeckConfigInner) InRange() DeckConfigInner {
	whole, fractions := c.ranges()
	for _, r := range whole {
		if !r.holds() {
			*r.v = r.def
		}
	}
	for _, r := range fractions {
		if !r.holds() {
			*r.v = r.def
		}
	}
	return c
}

// OutOfRange lists the keys, in the JSON form, of the numbers that InRange
// replaces.
func (c DeckConfigInner) OutOfRange() (keys []string) {
	whole, fractions := c.ranges()
	for _, r := range whole {
		if !r.holds() {
			keys = append(keys, r.key)
		}
	}
	for _, r := range fractions {
		if !r.holds() {
			keys = append(keys, r.key)
		}
	}
	return keys
}
