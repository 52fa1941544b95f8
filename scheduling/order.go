package scheduling

import (
	"cmp"
	"math"
)

// Hash is the hash that clients break ties with: FNV-1a, 64 bits, over the
// little-endian bytes of the values. In the database functions of clients it
// is read as a signed number.
func Hash(values ...int64) uint64 {
	h := uint64(14695981039346656037)
	for _, v := range values {
		for i := 0; i < 64; i += 8 {
			h = (h ^ uint64(byte(v>>i))) * 1099511628211
		}
	}
	return h
}

func compare[T cmp.Ordered](a, b T) int { return cmp.Compare(a, b) }

// firstOf is the first comparison that decides.
func firstOf(results ...int) int {
	for _, r := range results {
		if r != 0 {
			return r
		}
	}
	return 0
}

func reverse(by func(a, b *Card) int) func(a, b *Card) int {
	return func(a, b *Card) int { return by(b, a) }
}

func compareHash(a, b *Card) int {
	return compare(int64(Hash(a.ID, a.Mod)), int64(Hash(b.ID, b.Mod)))
}

func byInterval(a, b *Card) int { return compare(a.Interval, b.Interval) }

func byAdded(a, b *Card) int {
	return firstOf(compare(a.NoteID, b.NoteID), compare(a.Ord, b.Ord))
}

func byReverseAdded(a, b *Card) int {
	return firstOf(compare(b.NoteID, a.NoteID), compare(a.Ord, b.Ord))
}

// ReviewCompare returns the order of due cards for a preset's review order, as
// a comparison in the manner of [cmp.Compare], to be used for one sort. deckRank
// gives the place of a deck among the decks that are studied.
func ReviewCompare(order ReviewOrder, t Timing, fsrs bool, deckRank func(deckID int64) int) func(a, b *Card) int {
	key := reviewKey(order, t, fsrs, deckRank)
	return func(a, b *Card) int {
		if key != nil {
			if c := key(a, b); c != 0 {
				return c
			}
		}
		return compareHash(a, b)
	}
}

func reviewKey(order ReviewOrder, t Timing, fsrs bool, deckRank func(int64) int) func(a, b *Card) int {
	byDay := func(a, b *Card) int { return compare(a.Due, b.Due) }
	byDeck := func(a, b *Card) int { return compare(deckRank(a.DeckID), deckRank(b.DeckID)) }
	byEase := func(a, b *Card) int { return compare(a.Factor, b.Factor) }
	if fsrs {
		byEase = reverse(byNumber(difficulty))
	}
	switch order {
	case ReviewByDayThenDeck:
		return func(a, b *Card) int { return firstOf(byDay(a, b), byDeck(a, b)) }
	case ReviewByDeckThenDay:
		return func(a, b *Card) int { return firstOf(byDeck(a, b), byDay(a, b)) }
	case ReviewByIntervalAscending:
		return byInterval
	case ReviewByIntervalDescending:
		return reverse(byInterval)
	case ReviewByEaseAscending:
		return byEase
	case ReviewByEaseDescending:
		return reverse(byEase)
	case ReviewByRetrievabilityAscending:
		return byRetrievability(t)
	case ReviewByRetrievabilityDescending:
		return reverse(byRetrievability(t))
	case ReviewByRelativeOverdueness:
		if fsrs {
			return byRelativeRetrievability(t)
		}
		return byNumber(func(c *Card) *float64 { return overdueness(c, t) })
	case ReviewByAdded:
		return byAdded
	case ReviewByReverseAdded:
		return byReverseAdded
	case ReviewRandom:
		return nil
	}
	return byDay
}

// byNumber compares by a number that a card may not have; those without come
// first. The number is computed once for each card.
func byNumber[T cmp.Ordered](number func(*Card) *T) func(a, b *Card) int {
	known := map[int64]*T{}
	of := func(c *Card) *T {
		v, ok := known[c.ID]
		if !ok {
			v = number(c)
			known[c.ID] = v
		}
		return v
	}
	return func(a, b *Card) int {
		x, y := of(a), of(b)
		switch {
		case x == nil && y == nil:
			return 0
		case x == nil:
			return -1
		case y == nil:
			return 1
		}
		return compare(*x, *y)
	}
}

func difficulty(c *Card) *float32 {
	if m := ParseData(c.Data).Memory; m != nil {
		return &m.Difficulty
	}
	return nil
}

// overdueness is minus the share of its interval that a card is late.
func overdueness(c *Card, t Timing) *float64 {
	if c.Interval == 0 {
		return nil
	}
	v := -(1 + (float64(t.Today)-float64(c.Due)+0.001)/float64(c.Interval))
	return &v
}

func byRetrievability(t Timing) func(a, b *Card) int {
	return byNumber(func(c *Card) *float32 { return CardRetrievability(*c, t) })
}

func byRelativeRetrievability(t Timing) func(a, b *Card) int {
	return byNumber(func(c *Card) *float32 { v := relativeRetrievability(c, t); return &v })
}

// effectiveDue is the due at home, where there is one.
func effectiveDue(c *Card) int64 {
	if c.OriginalDue != 0 {
		return c.OriginalDue
	}
	return c.Due
}

// low32 is how the reference narrows a time or a day before subtracting.
func low32(v int64) uint32 { return uint32(v) }

// CardRetrievability is the chance that the card would be recalled now, or nil
// where its memory state is not known.
func CardRetrievability(c Card, t Timing) *float32 {
	d := ParseData(c.Data)
	if d.Memory == nil {
		return nil
	}
	due := effectiveDue(&c)
	var secs uint32
	switch {
	case d.LastReview != nil:
		secs = satSub(low32(t.Now), low32(*d.LastReview))
	case due > 365_000:
		secs = satSub(low32(t.Now), satSub(low32(due), low32(c.Interval)))
	default:
		secs = satMul(satSub(t.Today, satSub(low32(due), low32(c.Interval))), secsPerDay)
	}
	r := Retrievability(*d.Memory, float32(secs)/secsPerDay, decayOr(d.Decay))
	if r != r {
		return nil
	}
	return &r
}

func decayOr(decay *float32) float32 {
	if decay != nil {
		return *decay
	}
	return decayFSRS5
}

// relativeRetrievability rises with the chance of recall in proportion to the
// one desired; without a memory state it falls with overdueness.
func relativeRetrievability(c *Card, t Timing) float32 {
	due := effectiveDue(c)
	var secs uint32
	if due > 365_000 {
		secs = satSub(low32(t.Now), low32(due))
	} else {
		secs = satMul(satSub(t.Today, low32(due-c.Interval)), secsPerDay)
	}
	d := ParseData(c.Data)
	if d.Memory != nil && d.DesiredRetention != nil {
		if d.LastReview != nil {
			secs = satSub(low32(t.Now), low32(*d.LastReview))
		}
		decay := decayOr(d.Decay)
		desired := max32(*d.DesiredRetention, 0.0001)
		current := max32(Retrievability(*d.Memory, float32(secs)/secsPerDay, decay), 0.0001)
		v := -(pow32(current, -1/decay) - 1) / (pow32(desired, -1/decay) - 1)
		if isFinite(v) {
			return v
		}
		return -math.MaxFloat32
	}
	return -(float32(secs/secsPerDay) + 0.001) / max32(float32(c.Interval), 1)
}
