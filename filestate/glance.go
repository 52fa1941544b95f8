package filestate

import (
	"sync/atomic"
	"time"
)

// Glance is for files that are looked at again and again: it remembers when. The
// zero value is one that has not looked yet. It may be used by many at once.
type Glance struct {
	last atomic.Int64 // ns since epoch; 0 is never
}

var epoch = time.Now()

// Again begins a look at files that were seen before, one in each folder as seen,
// and returns the way to do so: Of, or a quicker one that does the same if that is
// sure to wait for nothing (see nowait).
func (g *Glance) Again(seen ...State) func(path string) State {
	now := int64(time.Since(epoch)) + 1
	if last := g.last.Swap(now); last == 0 || now-last >= moment {
		return Of
	}
	for _, a := range seen {
		if !a.quick() {
			return Of
		}
	}
	return quickly
}
