package scheduling

import (
	"errors"
	"fmt"
)

// ErrParameters is returned for FSRS parameters that are not 0, 17, 19 or 21
// finite numbers, or with which no memory state can be computed.
var ErrParameters = errors.New("scheduling: invalid FSRS parameters")

const (
	decayFSRS5 = 0.5
	decayFSRS6 = 0.1542

	stabilityMin, stabilityMax   = 0.001, 36500
	difficultyMin, difficultyMax = 1, 10
)

var defaultParameters = [21]float32{
	0.212, 1.2931, 2.3065, 8.2956, 6.4133, 0.8334, 3.0194, 0.001, 1.8722, 0.1666, 0.796,
	1.4835, 0.0614, 0.2629, 1.6483, 0.6014, 1.8729, 0.5425, 0.0912, 0.0658, decayFSRS6,
}

var parameterRanges = [21][2]float32{
	{stabilityMin, 100}, {stabilityMin, 100}, {stabilityMin, 100}, {stabilityMin, 100},
	{difficultyMin, difficultyMax}, {0.001, 4}, {0.001, 4}, {0.001, 0.75}, {0, 4.5}, {0, 0.8},
	{0.001, 3.5}, {0.001, 5}, {0.001, 0.25}, {0.001, 0.9}, {0, 4}, {0, 1}, {1, 6},
	{0, 2}, {0, 2}, {0, 0.8}, {0.1, 0.8},
}

// FSRS is the memory model with one set of parameters
// (docs/scheduling-and-rendering.md §4).
type FSRS struct {
	w      [21]float32
	decay  float32 // −w20
	factor float32 // F of the spec
}

// NewFSRS makes a model from the parameters of a preset: 21, 19 (FSRS-5), 17
// (FSRS-4.5), or none for the defaults.
func NewFSRS(params []float32) (*FSRS, error) {
	f := &FSRS{}
	switch len(params) {
	case 0:
		f.w = defaultParameters
	case 21:
		copy(f.w[:], params)
	case 19:
		copy(f.w[:], params)
		f.w[20] = decayFSRS5
	case 17:
		copy(f.w[:], params)
		f.w[4] = fma32(f.w[5], 2, f.w[4])
		f.w[5] = ln32(fma32(f.w[5], 3, 1)) / 3
		f.w[6] += 0.5
		f.w[20] = decayFSRS5
	default:
		return nil, fmt.Errorf("%w: %d numbers", ErrParameters, len(params))
	}
	for i, r := range parameterRanges {
		if !isFinite(f.w[i]) {
			return nil, fmt.Errorf("%w: number %d is not finite", ErrParameters, i)
		}
		f.w[i] = clamp32(f.w[i], r[0], r[1])
	}
	f.decay = -f.w[20]
	f.factor = exp32(ln32(0.9)/f.decay) - 1
	return f, nil
}

// decayOf is the decay that is stored on cards of a preset with params.
func decayOf(params []float32) float32 {
	switch {
	case len(params) == 0:
		return decayFSRS6
	case len(params) < 21:
		return decayFSRS5
	}
	return params[20]
}

// allowsShortTerm reports whether params let the model schedule within a day.
func allowsShortTerm(params []float32) bool {
	if len(params) >= 19 {
		return params[17] > 0 && params[18] > 0
	}
	return len(params) == 0
}

// Retrievability is the chance of recalling a card with memory m, days after
// its last review, for the decay stored on it (positive).
func Retrievability(m Memory, days, decay float32) float32 {
	factor := pow32(0.9, 1/-decay) - 1
	return pow32(float32(days/m.Stability*factor)+1, -decay)
}

// Interval is the number of days after which the chance of recall falls to
// retention.
func (f *FSRS) Interval(stability, retention float32) float32 {
	return float32(stability / f.factor * (pow32(retention, 1/f.decay) - 1))
}

func (f *FSRS) retrievability(days, stability float32) float32 {
	return pow32(float32(days/stability*f.factor)+1, f.decay)
}

// initialDifficulty is not clamped.
func (f *FSRS) initialDifficulty(rating float32) float32 {
	return f.w[4] - exp32(f.w[5]*(rating-1)) + 1
}

func (f *FSRS) initial(rating float32) Memory {
	rating = clamp32(rating, 1, 4)
	return Memory{
		Stability:  clamp32(f.w[int(rating)-1], stabilityMin, stabilityMax),
		Difficulty: clamp32(f.initialDifficulty(rating), difficultyMin, difficultyMax),
	}
}

// step is the memory after answering with rating (1 to 4), days after the last
// answer. A nil memory is that of a card never seen.
func (f *FSRS) step(m *Memory, days uint32, rating float32) Memory {
	if m == nil {
		return f.initial(rating)
	}
	s := clamp32(m.Stability, stabilityMin, stabilityMax)
	d := clamp32(m.Difficulty, difficultyMin, difficultyMax)
	if rating == 0 {
		return Memory{s, d}
	}
	var next float32
	switch r := f.retrievability(float32(days), s); {
	case days == 0:
		next = f.sameDay(s, rating)
	case rating == 1:
		next = f.afterFailure(s, d, r)
	default:
		next = f.afterSuccess(s, d, r, rating)
	}
	return Memory{clamp32(next, stabilityMin, stabilityMax), f.nextDifficulty(d, rating)}
}

func (f *FSRS) sameDay(s, rating float32) float32 {
	growth := float32(exp32(f.w[17]*(rating-3+f.w[18])) * pow32(s, -f.w[19]))
	if rating >= 2 {
		growth = max32(growth, 1)
	}
	return s * growth
}

func (f *FSRS) afterSuccess(s, d, r, rating float32) float32 {
	hard, easy := float32(1), float32(1)
	switch rating {
	case 2:
		hard = f.w[15]
	case 4:
		easy = f.w[16]
	}
	growth := float32(exp32(f.w[8]) * (11 - d) * pow32(s, -f.w[9]) * (exp32((1-r)*f.w[10]) - 1) * hard * easy)
	return s * (growth + 1)
}

func (f *FSRS) afterFailure(s, d, r float32) float32 {
	next := f.w[11] * pow32(d, -f.w[12]) * (pow32(s+1, f.w[13]) - 1) * exp32((1-r)*f.w[14])
	return min32(next, s/exp32(f.w[17]*f.w[18]))
}

func (f *FSRS) nextDifficulty(d, rating float32) float32 {
	delta := -f.w[6] * (rating - 3)
	next := d + float32((10-d)*delta/9)
	next = float32(f.w[7]*(f.initialDifficulty(4)-next)) + next
	return clamp32(next, difficultyMin, difficultyMax)
}

// FromSM2 guesses a memory state from the ease (a multiplier) and the interval
// (days) of a card without history, learnt at the given retention.
func (f *FSRS) FromSM2(ease, interval, retention float32) (Memory, error) {
	factor := pow32(0.9, 1/f.decay) - 1
	s := max32(interval, stabilityMin) * factor / (pow32(retention, 1/f.decay) - 1)
	d := 11 - float32((ease-1)/(exp32(f.w[8])*pow32(s, -f.w[9])*expm132((1-retention)*f.w[10])))
	if !isFinite(s) || !isFinite(d) {
		return Memory{}, fmt.Errorf("%w: no memory state for ease %v and interval %v", ErrParameters, ease, interval)
	}
	return Memory{s, clamp32(d, difficultyMin, difficultyMax)}, nil
}

// memoryInterval is what one button does to the memory, and the days until
// recall falls to the desired retention.
type memoryInterval struct {
	memory   Memory
	interval float32
}

// next is the outcome of the four buttons.
func (f *FSRS) next(m *Memory, retention float32, days uint32) (*[4]memoryInterval, error) {
	var out [4]memoryInterval
	for i := range out {
		memory := f.step(m, days, float32(i+1))
		if !isFinite(memory.Stability) || !isFinite(memory.Difficulty) {
			return nil, fmt.Errorf("%w: memory is not finite", ErrParameters)
		}
		out[i] = memoryInterval{memory, f.Interval(memory.Stability, retention)}
	}
	return &out, nil
}
