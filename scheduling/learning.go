package scheduling

// fromLearning is the state of a card in learning (or new) after rating.
func (t *transition) fromLearning(s LearningState, r Rating) State {
	st := steps(t.config.LearnSteps)
	if r == Easy {
		return t.graduateEasy()
	}
	secs, left, ok := stepFor(st, s.RemainingSteps, r)
	memory := t.memory(r)
	if ok {
		return learningState(secs, left, memory)
	}
	interval := float32(t.config.GraduatingIntervalGood)
	if t.fsrs != nil {
		interval = t.fsrs[r-1].interval
	}
	if t.withinDay(interval, st) {
		out := learningState(toU32(float32(interval*secsPerDay)), s.RemainingSteps, memory)
		if r == Again {
			out.Learning.RemainingSteps = st.all()
		}
		return out
	}
	lo, hi := t.limits(1)
	return t.graduated(t.fuzz.days(max32(round32(interval), 1), lo, hi), memory)
}

func (t *transition) graduateEasy() State {
	lo, hi := t.limits(1)
	interval := t.config.GraduatingIntervalEasy
	if t.fsrs != nil {
		good := t.fuzz.days(t.fsrs[Good-1].interval, lo, hi)
		lo = satAdd(good, 1)
		interval = toU32(max32(round32(t.fsrs[Easy-1].interval), 1))
	}
	return t.graduated(t.fuzz.days(float32(interval), lo, hi), t.memory(Easy))
}

func (t *transition) graduated(days uint32, m *Memory) State {
	return State{Kind: StateReview, Review: ReviewState{
		ScheduledDays: days, EaseFactor: t.config.InitialEase, Memory: m,
	}}
}

func learningState(secs, left uint32, m *Memory) State {
	return State{Kind: StateLearning, Learning: LearningState{
		RemainingSteps: left, ScheduledSecs: secs, Memory: m,
	}}
}

// stepFor is the step that again, hard or good leads to, with the number of
// steps then left.
func stepFor(s steps, left uint32, r Rating) (secs, newLeft uint32, ok bool) {
	switch r {
	case Again:
		secs, ok = s.again()
		return secs, s.all(), ok
	case Hard:
		secs, ok = s.hard(left)
		return secs, left, ok
	}
	secs, ok = s.good(left)
	return secs, s.leftAfterGood(left), ok
}

// fromRelearning is the state of a lapsed card after rating.
func (t *transition) fromRelearning(s *State, r Rating) State {
	st := steps(t.config.RelearnSteps)
	review := s.Review
	review.ElapsedDays = 0
	review.Memory = t.memory(r)
	if r == Easy {
		return t.relearnedEasy(review)
	}
	secs, left, ok := stepFor(st, s.Learning.RemainingSteps, r)
	if ok {
		if r == Again {
			days, memory := t.failing(&s.Review)
			review.ScheduledDays, review.Memory = toU32(max32(round32(days), 1)), memory
		}
		out := relearningState(secs, left, review)
		if r == Hard {
			out.Learning.ElapsedSecs = s.Learning.ElapsedSecs
		}
		return out
	}
	if t.fsrs == nil {
		return State{Kind: StateReview, Review: s.Review}
	}
	review.ElapsedDays = s.Review.ElapsedDays
	interval := t.fsrs[r-1].interval
	lo, hi := t.limits(1)
	review.ScheduledDays = t.fuzz.days(max32(round32(interval), 1), lo, hi)
	if t.withinDay(interval, st) {
		left := s.Learning.RemainingSteps
		switch r {
		case Again:
			left = st.all()
		case Good:
			left = st.leftAfterGood(left)
		}
		out := relearningState(toU32(float32(interval*secsPerDay)), left, review)
		if r != Again {
			out.Learning.ElapsedSecs = s.Learning.ElapsedSecs
		}
		return out
	}
	return State{Kind: StateReview, Review: review}
}

func (t *transition) relearnedEasy(review ReviewState) State {
	if t.fsrs == nil {
		// Not held to the maximum interval, as in the reference.
		review.ScheduledDays = satAdd(review.ScheduledDays, 1)
		return State{Kind: StateReview, Review: review}
	}
	lo, hi := t.limits(1)
	good := t.fuzz.days(t.fsrs[Good-1].interval, lo, hi)
	review.ScheduledDays = t.fuzz.days(max32(round32(t.fsrs[Easy-1].interval), 1), satAdd(good, 1), hi)
	return State{Kind: StateReview, Review: review}
}

func relearningState(secs, left uint32, review ReviewState) State {
	return State{
		Kind:     StateRelearning,
		Learning: LearningState{RemainingSteps: left, ScheduledSecs: secs, Memory: review.Memory},
		Review:   review,
	}
}
