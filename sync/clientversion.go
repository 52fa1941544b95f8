package sync

import (
	"strconv"
	"strings"
)

// clientVersion is what a client says of itself: "ankidesktop,2.1.49 (dev),lin:…"
// (docs/compat.md §5.5).
type clientVersion struct {
	name    string
	numbers [3]int
	// pre is -1 for a release; alphas count from 0, betas and later from 1000.
	pre int
}

func parseClientVersion(cv string) (v clientVersion, ok bool) {
	name, rest, ok := strings.Cut(cv, ",")
	if !ok {
		return v, false
	}
	version, _, _ := strings.Cut(rest, ",")
	v.name, v.pre = name, -1
	for _, s := range []struct {
		word string
		base int
	}{{"alpha", 0}, {"beta", 1000}, {"rc", 2000}} {
		// "arch" in a distribution's suffix contains no release stage.
		if i := strings.Index(version, s.word); i >= 0 && !strings.Contains(version, "arch") {
			n, _ := leadingInt(version[i+len(s.word):])
			v.pre = s.base + n
			version = version[:i]
			break
		}
	}
	for i, part := range strings.SplitN(version, ".", 3) {
		n, ok := leadingInt(part)
		if !ok {
			return v, i > 0
		}
		v.numbers[i] = n
	}
	return v, true
}

// leadingInt reads the digits that s begins with.
func leadingInt(s string) (int, bool) {
	end := 0
	for end < len(s) && end < 9 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	return n, err == nil
}

// less reports whether v's numbers are below a.b.c.
func (v clientVersion) less(a, b, c int) bool {
	for i, w := range [3]int{a, b, c} {
		if v.numbers[i] != w {
			return v.numbers[i] < w
		}
	}
	return false
}

// tooOld is true of clients that know only the protocols before 8. What cannot
// be read passes: the protocol version in the message decides then.
func tooOld(cv string) bool {
	v, ok := parseClientVersion(cv)
	if !ok {
		return false
	}
	switch v.name {
	case "ankidesktop":
		return v.less(2, 0, 27)
	case "ankidroid":
		// The alphas of 2.3 before the fourth had the old media protocol.
		if v.numbers == [3]int{2, 3, 0} && v.pre >= 0 && v.pre < 1000 {
			return v.pre < 4
		}
		return v.less(2, 2, 3)
	}
	return false
}

// textIDs is true of desktop clients that compare notetype ids as text
// (docs/protocol.md §10).
func textIDs(cv string) bool {
	v, ok := parseClientVersion(cv)
	return ok && v.name == "ankidesktop" && v.numbers[0] > 0 && v.less(2, 1, 24)
}
