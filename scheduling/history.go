package scheduling

import (
	"slices"
	"time"
)

// MemoryFromHistory computes the memory state of a card from its review log
// entries (in any order), or, where they do not reach back far enough, from
// ease and interval (docs/scheduling-and-rendering.md §4). It returns nil for a
// new card and for one with neither history nor interval. Entries before
// ignoreBefore (epoch ms) are left out.
func (f *FSRS) MemoryFromHistory(card Card, revlog []RevlogEntry, t Timing, retention float32, ignoreBefore int64) (*Memory, error) {
	card = card.clean()
	entries := slices.Clone(revlog)
	slices.SortStableFunc(entries, func(a, b RevlogEntry) int {
		switch {
		case a.ID < b.ID:
			return -1
		case a.ID > b.ID:
			return 1
		}
		return 0
	})
	reviews, complete := usableReviews(entries, ignoreBefore)
	if len(reviews) == 0 {
		if card.Type == TypeNew || card.Interval == 0 {
			return nil, nil
		}
		m, err := f.FromSM2(card.ease(), float32(card.Interval), retention)
		return &m, err
	}
	var memory *Memory
	if !complete {
		start, err := f.startFrom(reviews[0], retention)
		if err != nil {
			return nil, err
		}
		memory = &start
	}
	for i := range reviews {
		if i == 0 && !complete {
			continue // the starting state stands for it
		}
		var days uint32
		if i > 0 {
			days = satSub(t.ElapsedDays(floorDiv(reviews[i-1].ID, 1000)), t.ElapsedDays(floorDiv(reviews[i].ID, 1000)))
		}
		m := f.step(memory, days, float32(clamp(reviews[i].Button, 1, 255)))
		memory = &m
	}
	return memory, nil
}

// startFrom is the state after the first review that is left of a history.
func (f *FSRS) startFrom(e RevlogEntry, retention float32) (Memory, error) {
	ease := float32(2500)
	if e.Factor != 0 {
		ease = float32(e.Factor)
	}
	ease /= 1000
	m, err := f.FromSM2(ease, float32(max(e.Interval, 1)), retention)
	if err == nil && ease <= 1.1 {
		// Written with FSRS on: the factor is a difficulty.
		m.Difficulty = float32((ease-0.1)*9) + 1
	}
	return m, err
}

// usableReviews drops what does not count from a history sorted by time:
// answers before the card was last forgotten or last learnt from new, answers
// before the cut-off, and entries that are no answers. complete says that the
// rest starts where the card was new.
func usableReviews(entries []RevlogEntry, ignoreBefore int64) (reviews []RevlogEntry, complete bool) {
	learnt, graded := -1, -1
scan:
	for i := len(entries) - 1; i >= 0; i-- {
		e := &entries[i]
		if e.isCramming() {
			continue
		}
		rated := e.Button > 0
		if rated && e.ID > ignoreBefore && (e.Interval >= 1 || e.Interval <= -secsPerDay) {
			graded = i
		}
		switch {
		case rated && e.Kind == KindLearning:
			learnt, complete = i, true
		case e.isReset():
			switch {
			case learnt >= 0:
				complete = true
			case graded >= 0:
				complete = false
			default:
				return nil, false
			}
			break scan
		case learnt >= 0:
			// Old clients left no trace of forgetting a card: a learning entry
			// that follows another kind starts afresh.
			break scan
		}
	}
	if learnt >= 0 && entries[learnt].ID < ignoreBefore && learnt < len(entries)-1 {
		complete, learnt = false, -1
	}
	start := learnt
	if start < 0 {
		start = graded
	}
	if start < 0 {
		return nil, false
	}
	for _, e := range entries[start:] {
		if e.counts() {
			reviews = append(reviews, e)
		}
	}
	return reviews, complete
}

// lastReview is the time (epoch s) of the last answer in revlog that counts.
func lastReview(revlog []RevlogEntry) (at int64, ok bool) {
	for _, e := range revlog {
		if e.counts() && e.Button <= 4 && (!ok || floorDiv(e.ID, 1000) > at) {
			at, ok = floorDiv(e.ID, 1000), true
		}
	}
	return at, ok
}

// IgnoreBefore is the cut-off of a preset ("YYYY-MM-DD" or empty) in epoch
// milliseconds; a date that cannot be read is none.
func IgnoreBefore(date string) int64 {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return 0
	}
	return t.UnixMilli()
}
