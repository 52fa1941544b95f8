package scheduling

import (
	"testing"

	"pgregory.net/rapid"
)

// chosen counts which days are chosen by many cards for an interval of ten days.
func chosen(l *Load) map[uint32]int {
	days := map[uint32]int{}
	for seed := range uint64(400) {
		f := fuzz{on: true, seed: seed, load: l}
		days[f.days(10, 1, 100)]++
	}
	return days
}

func TestBalance(t *testing.T) {
	const preset = 7
	crowded := func(easyDays []float32, siblings ...int) *Load {
		b := NewBalance(1, map[int64][]float32{preset: easyDays}) // tomorrow is Tuesday
		for day := range BalanceDays {
			b.Count(preset, day, 20)
		}
		b.Count(preset, 9, 400)
		return b.For(preset, siblings)
	}
	without := chosen(nil)
	if len(without) != 5 || without[9] < 40 {
		t.Fatalf("without a balance: %v", without)
	}
	if got := chosen(crowded(nil)); got[9] > 2 || got[8] < 50 || got[12] == 0 {
		t.Errorf("the crowded ninth day: %v", got)
	}
	// The eighth day from now is a Tuesday, as tomorrow is the first.
	if got := chosen(crowded([]float32{1, 0, 1, 1, 1, 1, 1})); got[8] != 0 || got[10] < 50 {
		t.Errorf("without Tuesdays: %v", got)
	}
	if got := chosen(crowded(nil, 10)); got[10] != 0 || got[11] >= got[12] {
		t.Errorf("with a sibling on the tenth day: %v", got)
	}
	if NewBalance(0, nil).For(preset, nil) != nil || NewBalance(0, map[int64][]float32{preset: nil}).For(preset, nil) != nil {
		t.Error("a load for a preset without cards")
	}
}

// TestBalanceKeepsRange: whatever is due, the day lies in the fuzz range.
func TestBalanceKeepsRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBalance(rapid.IntRange(0, 6).Draw(t, "weekday"), map[int64][]float32{1: rapid.SliceOfN(rapid.SampledFrom([]float32{0, 0.5, 1}), 0, 8).Draw(t, "easy")})
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			b.Count(1, rapid.IntRange(-2, 101).Draw(t, "day"), rapid.IntRange(0, 1<<40).Draw(t, "cards"))
		}
		interval := rapid.Float32().Draw(t, "interval")
		maximum := rapid.Uint32Range(1, 1<<31).Draw(t, "maximum")
		minimum := rapid.Uint32Range(1, maximum).Draw(t, "minimum")
		siblings := rapid.SliceOf(rapid.IntRange(0, BalanceDays-1)).Draw(t, "siblings")
		f := fuzz{on: true, seed: rapid.Uint64().Draw(t, "seed"), load: b.For(1, siblings)}
		lower, upper := fuzzBounds(interval, minimum, maximum)
		if got := f.days(interval, minimum, maximum); got < lower || got > upper {
			t.Fatalf("%d is not in %d to %d", got, lower, upper)
		}
	})
}

func TestWeekday(t *testing.T) {
	const tuesday = 1795478400 // 2026-11-24 00:00 UTC
	for _, c := range []struct {
		next int64
		west int32
		want int
	}{
		{tuesday, 0, 1}, {tuesday, 1, 0}, {tuesday - 1, 0, 0}, {tuesday - 1, -1, 1}, {tuesday + 5*86400, 0, 6}, {-86400, 0, 2}, {0, 0, 3},
	} {
		if got := (Timing{NextDayAt: c.next}).Weekday(c.west); got != c.want {
			t.Errorf("%d, %d west: got %d, want %d", c.next, c.west, got, c.want)
		}
	}
}
