package scheduling

import "math"

// The reference computes in single precision with functions that are correctly
// rounded in nearly every case; rounding the double-precision result once is.

func exp32(x float32) float32    { return float32(math.Exp(float64(x))) }
func expm132(x float32) float32  { return float32(math.Expm1(float64(x))) }
func ln32(x float32) float32     { return float32(math.Log(float64(x))) }
func pow32(x, y float32) float32 { return float32(math.Pow(float64(x), float64(y))) }

// round32 rounds half away from zero.
func round32(x float32) float32 { return float32(math.Round(float64(x))) }

func floor32(x float32) float32 { return float32(math.Floor(float64(x))) }

// fma32 is x·y + z, rounded once.
func fma32(x, y, z float32) float32 {
	return float32(math.FMA(float64(x), float64(y), float64(z)))
}

func isFinite(x float32) bool {
	return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0)
}

// max32 and min32 ignore a NaN if the other operand is a number.
func max32(a, b float32) float32 {
	if a != a || b > a {
		return b
	}
	return a
}

func min32(a, b float32) float32 {
	if a != a || b < a {
		return b
	}
	return a
}

// clamp32 brings x between low and high; a NaN stays one.
func clamp32(x, low, high float32) float32 {
	if x < low {
		return low
	}
	if x > high {
		return high
	}
	return x
}

// toU32 drops the fraction and saturates; a NaN is 0.
func toU32(x float32) uint32 {
	switch {
	case !(x > 0): // NaN too
		return 0
	case x >= math.MaxUint32:
		return math.MaxUint32
	}
	return uint32(x)
}

// roundPlaces rounds x to the places that factor, a power of ten, has. A number
// too large for that is whole already.
func roundPlaces(x, factor float32) float32 {
	if scaled := x * factor; isFinite(scaled) {
		return round32(scaled) / factor
	}
	return x
}

func satAdd(a, b uint32) uint32 {
	if s := a + b; s >= a {
		return s
	}
	return math.MaxUint32
}

func satMul(a, b uint32) uint32 {
	if p := uint64(a) * uint64(b); p <= math.MaxUint32 {
		return uint32(p)
	}
	return math.MaxUint32
}

func satSub(a, b uint32) uint32 {
	if a < b {
		return 0
	}
	return a - b
}
