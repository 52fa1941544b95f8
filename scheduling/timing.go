package scheduling

import (
	"errors"
	"fmt"
	"math"
)

const secsPerDay = 86_400

// ErrOldScheduler is returned for collections of the first scheduler. Their
// cards mean other things (buried queues, negative intervals, learning cards in
// filtered decks); they are upgraded by a client, and until then only looked at.
var ErrOldScheduler = errors.New("scheduling: collection uses the first scheduler")

// CheckVersion returns [ErrOldScheduler] unless schedVer, the config key (1 if
// it is missing), is that of a collection that may be studied here.
func CheckVersion(schedVer int) error {
	if schedVer != 2 {
		return fmt.Errorf("%w: version %d", ErrOldScheduler, schedVer)
	}
	return nil
}

// Timing says what day it is for a collection (docs/collection-format.md §9).
type Timing struct {
	Now       int64  // epoch seconds
	Today     uint32 // days since the collection was created
	NextDayAt int64  // epoch seconds of the next rollover, after Now
}

// Clock is what a collection says about days. Offsets are minutes west of
// Greenwich: +10 h is −600.
type Clock struct {
	Created        int64  // col.crt, epoch seconds
	V1             bool   // schedVer is not 2: days are counted from Created
	CreationOffset *int32 // creationOffset; nil where the collection has none
	LocalOffset    int32  // localOffset; 0 where the collection has none
	Rollover       uint8  // hour at which the day ends; 4 unless configured
}

// TimingFor returns the day at now (epoch seconds). Offsets beyond ±23 hours
// are cut to that, hours beyond 23 wrap, and times beyond ±2^40 seconds are
// clamped.
func TimingFor(c Clock, now int64) Timing {
	const far = 1 << 40
	now, created := clamp(now, -far, far), clamp(c.Created, -far, far)
	hour := int64(c.Rollover%24) * 3600
	west := offsetSecs(c.LocalOffset)
	switch {
	case c.V1:
		days := (now - created) / secsPerDay
		return Timing{Now: now, Today: dayNumber(days), NextDayAt: created + (days+1)*secsPerDay}
	case c.CreationOffset == nil:
		start := rolloverOn(created, west, hour)
		next := rolloverOn(now, west, hour)
		if next < now {
			next += secsPerDay
		}
		return Timing{Now: now, Today: dayNumber((now - start) / secsPerDay), NextDayAt: next}
	}
	days := civilDay(now, west) - civilDay(created, offsetSecs(*c.CreationOffset))
	next := rolloverOn(now, west, hour)
	if next <= now {
		next += secsPerDay
	} else {
		days--
	}
	return Timing{Now: now, Today: dayNumber(days), NextDayAt: next}
}

// ElapsedDays is the number of whole days from the day of t to today, as FSRS
// counts them: rollovers passed since t (epoch seconds).
func (t Timing) ElapsedDays(since int64) uint32 {
	if since >= t.NextDayAt {
		return 0
	}
	return uint32(clamp(uint64(t.NextDayAt)-uint64(since), 0, math.MaxUint32*secsPerDay) / secsPerDay)
}

// untilRollover is the number of seconds left of the day.
func (t Timing) untilRollover() uint32 {
	return uint32(clamp(t.NextDayAt-t.Now, 0, math.MaxUint32))
}

func offsetSecs(minutesWest int32) int64 {
	return int64(clamp(minutesWest, -23*60, 23*60)) * 60
}

func dayNumber(days int64) uint32 { return uint32(clamp(days, 0, math.MaxInt32)) }

// civilDay is the number of the calendar day at t for a clock west seconds
// behind Greenwich.
func civilDay(t, west int64) int64 { return floorDiv(t-west, secsPerDay) }

// rolloverOn is the rollover that falls on the calendar day of t.
func rolloverOn(t, west, hour int64) int64 {
	return civilDay(t, west)*secsPerDay + west + hour
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
