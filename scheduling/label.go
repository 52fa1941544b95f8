package scheduling

import "strconv"

// ButtonLabel is an interval in seconds as clients print it on a button, in
// English: "<10m", "2h", "4d", "1.2mo". Times below collapse, the learn-ahead
// time, are marked with "<"; zero is "(end)".
func ButtonLabel(secs, collapse uint32) string {
	if secs == 0 {
		return "(end)"
	}
	label := shortTime(float32(secs))
	if secs < collapse {
		return "<" + label
	}
	return label
}

func shortTime(secs float32) string {
	const (
		minute = 60
		hour   = 60 * minute
		day    = 24 * hour
		year   = 365 * day
		month  = float32(year) / 12
	)
	whole := func(v float32, unit string) string {
		return strconv.FormatFloat(float64(round32(v)), 'f', -1, 32) + unit
	}
	tenths := func(v float32, unit string) string {
		return strconv.FormatFloat(float64(round32(float32(v*10))/10), 'f', -1, 32) + unit
	}
	switch {
	case secs < minute:
		return whole(secs, "s")
	case secs < hour:
		return whole(secs/minute, "m")
	case secs < day:
		return tenths(secs/hour, "h")
	case secs < month:
		return whole(secs/day, "d")
	case secs < year:
		return tenths(secs/month, "mo")
	}
	return tenths(secs/year, "y")
}
