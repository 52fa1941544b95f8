package scheduling

const (
	minimumEase    = 1.3
	easeAfterAgain = -0.2
	easeAfterHard  = -0.15
	easeAfterEasy  = 0.15
	// maximumEase is where the column ends.
	maximumEase = 65.535
)

// fromReview is the state of a review card after rating; intervals are those
// of [transition.passing].
func (t *transition) fromReview(s *ReviewState, r Rating, intervals [3]uint32) State {
	out := *s
	out.ElapsedDays = 0
	out.Memory = t.memory(r)
	switch r {
	case Again:
		return t.lapse(s)
	case Hard:
		out.EaseFactor = max32(s.EaseFactor+easeAfterHard, minimumEase)
	case Easy:
		out.EaseFactor = min32(s.EaseFactor+easeAfterEasy, maximumEase)
	}
	out.ScheduledDays = intervals[r-Hard]
	return State{Kind: StateReview, Review: out}
}

// failing is the interval a card has after a lapse.
func (t *transition) failing(s *ReviewState) (days float32, m *Memory) {
	if t.fsrs != nil {
		return t.fsrs[Again-1].interval, t.memory(Again)
	}
	lo, hi := t.limits(t.config.MinimumLapseInterval)
	return float32(t.fuzz.days(max32(float32(s.ScheduledDays), 1)*t.config.LapseMultiplier, lo, hi)), nil
}

func (t *transition) lapse(s *ReviewState) State {
	days, memory := t.failing(s)
	st := steps(t.config.RelearnSteps)
	lapses := satAdd(s.Lapses, 1)
	review := ReviewState{
		ScheduledDays: toU32(max32(round32(days), 1)),
		EaseFactor:    max32(s.EaseFactor+easeAfterAgain, minimumEase),
		Lapses:        lapses,
		Leeched:       isLeech(lapses, t.config.LeechThreshold),
		Memory:        memory,
	}
	if secs, ok := st.again(); ok {
		return relearningState(secs, st.all(), review)
	}
	if t.withinDay(days, st) {
		return relearningState(toU32(float32(days*secsPerDay)), st.all(), review)
	}
	// Not held to the maximum interval, as in the reference.
	return State{Kind: StateReview, Review: review}
}

// isLeech is true at the threshold, and every half threshold after that.
func isLeech(lapses, threshold uint32) bool {
	if threshold == 0 || lapses < threshold {
		return false
	}
	half := max(1, threshold/2+threshold%2)
	return (lapses-threshold)%half == 0
}

// passing are the intervals for hard, good and easy.
func (t *transition) passing(s *ReviewState) [3]uint32 {
	switch {
	case t.fsrs != nil:
		return t.passingFSRS(s)
	case s.daysLate() < 0:
		return t.passingEarly(s)
	}
	return t.passingDue(s)
}

func (t *transition) passingFSRS(s *ReviewState) (out [3]uint32) {
	floor := uint32(1)
	for i := range out {
		interval := t.fsrs[i+1].interval
		least := fuzzMinimum(interval, s.ScheduledDays, t.maxInterval)
		out[i] = t.constrain(interval, max(least, floor), true)
		floor = satAdd(out[i], 1)
	}
	return out
}

func (t *transition) passingDue(s *ReviewState) [3]uint32 {
	current := max32(float32(s.ScheduledDays), 1)
	late := float32(max(s.daysLate(), 0))
	longer := satAdd(s.ScheduledDays, 1)

	hardMin := longer
	if t.config.HardMultiplier <= 1 {
		hardMin = 0
	}
	hard := t.constrain(float32(current*t.config.HardMultiplier), hardMin, true)
	goodMin := satAdd(hard, 1)
	if t.config.HardMultiplier <= 1 {
		goodMin = longer
	}
	good := t.constrain(float32((current+late/2)*s.EaseFactor), goodMin, true)
	easy := t.constrain(float32((current+late)*s.EaseFactor*t.config.EasyMultiplier), satAdd(good, 1), true)
	return [3]uint32{hard, good, easy}
}

// passingEarly is for cards that a filtered deck shows before they are due.
func (t *transition) passingEarly(s *ReviewState) [3]uint32 {
	scheduled := max32(float32(s.ScheduledDays), 1)
	elapsed := float32(s.ElapsedDays)
	hardFactor := t.config.HardMultiplier
	hard := max32(float32(elapsed*hardFactor), float32(scheduled*(hardFactor/2)))
	good := max32(float32(elapsed*s.EaseFactor), scheduled)
	bonus := t.config.EasyMultiplier - (t.config.EasyMultiplier-1)/2
	return [3]uint32{
		t.constrain(hard, 0, false),
		t.constrain(good, 0, false),
		t.constrain(float32(good*bonus), 0, false),
	}
}

// constrain applies the multiplier of the preset (SM-2 only), fuzz, and the
// bounds.
func (t *transition) constrain(interval float32, minimum uint32, fuzzed bool) uint32 {
	if t.fsrs == nil {
		interval = float32(interval * t.config.IntervalMultiplier)
	}
	lo, hi := t.limits(minimum)
	f := t.fuzz
	f.on = f.on && fuzzed
	return f.days(interval, lo, hi)
}
