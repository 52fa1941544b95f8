package scheduling

import "math"

// Fuzz chooses within the range of days that an interval may be moved by, to
// keep cards that were learnt together from coming back together.
type fuzz struct {
	on   bool
	seed uint64
	load *Load // nil: all days of the range are alike
}

// cardFuzz is the fuzz for the next answer of a card that was answered reps
// times before.
func cardFuzz(on bool, cardID, reps int64) fuzz {
	return fuzz{on: on, seed: uint64(cardID) + uint64(uint32(reps))}
}

// factor is the place within the range, in [0, 1).
func (f fuzz) factor() float32 { return newGenerator(f.seed).float32() }

// days brings interval (days) between minimum and maximum, fuzzed. It never
// exceeds maximum, even where minimum does.
func (f fuzz) days(interval float32, minimum, maximum uint32) uint32 {
	if !f.on {
		return clamp(toU32(round32(interval)), minimum, maximum)
	}
	if day, ok := f.load.pick(interval, minimum, maximum, newGenerator(f.seed)); ok {
		return day
	}
	lower, upper := fuzzBounds(interval, minimum, maximum)
	span := float32(f.factor() * float32(1+upper-lower))
	return clamp(toU32(floor32(float32(lower)+span)), lower, upper)
}

// learning adds up to a quarter, and not more than five minutes, to secs.
func (f fuzz) learning(secs uint32) uint32 {
	if !f.on {
		return secs
	}
	upper := satAdd(secs, toU32(floor32(min32(float32(secs)*0.25, 300))))
	if secs >= upper {
		return secs
	}
	return newGenerator(f.seed).between(secs, upper)
}

// fuzzBounds is the range of days that interval may be moved to.
func fuzzBounds(interval float32, minimum, maximum uint32) (lower, upper uint32) {
	minimum = min(minimum, maximum)
	interval = clamp32(interval, float32(minimum), float32(maximum))
	delta := fuzzDelta(interval)
	lower = clamp(toU32(round32(interval-delta)), minimum, maximum)
	upper = clamp(toU32(round32(interval+delta)), minimum, maximum)
	if upper == lower && upper > 2 && upper < maximum {
		upper = lower + 1
	}
	return lower, max(lower, upper)
}

// fuzzDelta is how many days the interval may be moved by either way.
func fuzzDelta(interval float32) float32 {
	if !(interval >= 2.5) {
		return 0
	}
	delta := float32(1)
	for _, r := range [...]struct{ start, end, share float32 }{
		{2.5, 7, 0.15}, {7, 20, 0.1}, {20, math.MaxFloat32, 0.05},
	} {
		delta += float32(r.share * max32(min32(interval, r.end)-r.start, 0))
	}
	return delta
}

// fuzzMinimum is the least interval that fuzz may choose for a card whose last
// interval was previous: a longer interval must stay longer, and one that stays
// about the same must not shrink.
func fuzzMinimum(interval float32, previous, maximum uint32) uint32 {
	_, upper := fuzzBounds(interval, 1, maximum)
	switch {
	case toU32(round32(interval)) > previous:
		return satAdd(previous, 1)
	case previous <= upper:
		return previous
	}
	return 0
}
