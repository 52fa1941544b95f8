package collection

import (
	"encoding/json"
	"math"
	"time"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// timingConfig are the keys of the config table that the calendar depends on
// (docs/collection-format.md §9); nil is a key that is missing or mistyped.
type timingConfig struct {
	schedVer       int
	rollover       *int   // hour
	creationOffset *int32 // minutes west of UTC
	localOffset    *int32 // minutes west of UTC
}

const defaultRolloverHour = 4

// timing computes where now lies in the calendar of a collection that was
// created at crt, epoch s.
func timing(crt int64, c timingConfig, now time.Time) scheduling.Timing {
	clock := scheduling.Clock{
		Created: crt, V1: c.schedVer != 2, CreationOffset: c.creationOffset, Rollover: defaultRolloverHour,
	}
	if c.localOffset != nil {
		clock.LocalOffset = *c.localOffset
	}
	if c.rollover != nil && *c.rollover >= 0 {
		clock.Rollover = uint8(min(*c.rollover, 23))
	}
	return scheduling.TimingFor(clock, now.Unix())
}

// Zone is the time zone of the client that synced last, as far as it is known: its
// offset then; UTC until one has.
func (t *Txn) Zone() (*time.Location, error) {
	c, err := readTimingConfig(t.h)
	if err != nil || c.localOffset == nil {
		return time.UTC, err
	}
	const most = 23 * 60 // as scheduling.Clock
	west := max(-most, min(int(*c.localOffset), most))
	return time.FixedZone("", -west*60), nil
}

// jsonInt reads a JSON number as an int; false if it is none or out of range.
func jsonInt(raw []byte) (int, bool) {
	var f *float64
	if json.Unmarshal(raw, &f) != nil || f == nil || math.Abs(*f) > math.MaxInt32 {
		return 0, false
	}
	return int(*f), true
}
