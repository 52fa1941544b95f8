package collection

import (
	"encoding/json"
	"math"
	"time"
)

// Timing is where "now" lies in a collection's calendar
// (docs/collection-format.md §9).
type Timing struct {
	// Today is the day number, counted from the collection's first day.
	Today int64
	// NextDayAt is the next rollover, epoch s.
	NextDayAt int64
}

// timingConfig are the keys of the config table that the calendar depends on.
type timingConfig struct {
	schedVer       int
	rollover       *int
	creationOffset *int // minutes west of UTC
	localOffset    *int // minutes west of UTC
}

const defaultRolloverHour = 4

// timing computes the calendar; crt in epoch s.
func timing(crt int64, c timingConfig, now time.Time) Timing {
	nowS := now.Unix()
	if c.schedVer < 2 {
		today := floorDiv(nowS-crt, 86400)
		return Timing{Today: today, NextDayAt: crt + (today+1)*86400}
	}
	local := offsetZone(c.localOffset)
	hour := defaultRolloverHour
	if c.rollover != nil {
		hour = min(max(*c.rollover, 0), 23)
	}
	t := now.In(local)
	rollover := time.Date(t.Year(), t.Month(), t.Day(), hour, 0, 0, 0, local)
	next := rollover
	if !t.Before(rollover) {
		next = rollover.AddDate(0, 0, 1)
	}
	var today int64
	if c.creationOffset == nil {
		crtT := time.Unix(crt, 0).In(local)
		first := time.Date(crtT.Year(), crtT.Month(), crtT.Day(), hour, 0, 0, 0, local)
		today = floorDiv(nowS-first.Unix(), 86400)
	} else {
		today = civilDay(t) - civilDay(time.Unix(crt, 0).In(offsetZone(c.creationOffset)))
		if t.Before(rollover) {
			today--
		}
	}
	return Timing{Today: max(today, 0), NextDayAt: next.Unix()}
}

// offsetZone makes a zone of minutes west of UTC; nil and absurd values are UTC.
func offsetZone(west *int) *time.Location {
	if west == nil || *west < -24*60 || *west > 24*60 {
		return time.UTC
	}
	return time.FixedZone("", -*west*60)
}

// civilDay numbers the days of the calendar that t shows.
func civilDay(t time.Time) int64 {
	return floorDiv(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Unix(), 86400)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// jsonInt reads a JSON number as an int; false if it is none or out of range.
func jsonInt(raw []byte) (int, bool) {
	var f float64
	if json.Unmarshal(raw, &f) != nil || string(raw) == "null" || math.Abs(f) > math.MaxInt32 {
		return 0, false
	}
	return int(f), true
}
