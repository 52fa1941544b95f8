package scheduling

// steps are the learning or relearning steps of a preset, in minutes. Steps
// left are counted as cards store them, from the number of all steps down.
type steps []float32

func (s steps) index(left uint32) int {
	n := len(s)
	i := n - min(n, int(left%1000))
	return max(0, min(i, n-1))
}

// secs is the length of a step.
func (s steps) secs(i int) (secs uint32, ok bool) {
	if i >= len(s) {
		return 0, false
	}
	return toU32(float32(s[i] * 60)), true
}

func (s steps) again() (uint32, bool) { return s.secs(0) }

func (s steps) hard(left uint32) (uint32, bool) {
	i := s.index(left)
	current, ok := s.secs(i)
	if !ok || i != 0 {
		return current, ok
	}
	if next, ok := s.secs(1); ok {
		return wholeDays(satAdd(current, next) / 2), true
	}
	return wholeDays(min(satMul(current, 3)/2, satAdd(current, secsPerDay))), true
}

func (s steps) good(left uint32) (uint32, bool) { return s.secs(s.index(left) + 1) }

// current is the length of the step that a card is in.
func (s steps) current(left uint32) uint32 {
	secs, _ := s.secs(s.index(left))
	return secs
}

func (s steps) leftAfterGood(left uint32) uint32 {
	return uint32(max(0, len(s)-s.index(left)-1))
}

func (s steps) all() uint32 { return uint32(len(s)) }

// wholeDays rounds what is longer than a day to days, so that it does not
// matter how late in the day a card is answered.
func wholeDays(secs uint32) uint32 {
	if secs <= secsPerDay {
		return secs
	}
	return satMul(toU32(round32(float32(secs)/secsPerDay)), secsPerDay)
}
