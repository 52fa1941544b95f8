package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/ankisyncd/ankisyncd/config"
)

// heapFloor is what the garbage collector takes the heap to hold at least, in
// bytes. A server that does little has 3 MiB, and is collected whenever it has
// grown by as much again: every 250 requests, which is a tenth of its work. Now
// it may grow by the floor as well.
const heapFloor = 12 << 20

var noProfiles sync.Once

// tuneMemory sets up the runtime for serving. What it returns must be kept; it is
// never written to, so that it takes addresses and no memory.
func tuneMemory(cfg *config.Config) (floor []byte) {
	if !cfg.PProf {
		noProfiles.Do(func() { runtime.MemProfileRate = 0 }) // nobody can ask for them
	}
	return make([]byte, heapFloor)
}

var givingBack atomic.Bool

// giveBackMemory gives garbage back to the system, without waiting for it: small
// machines have other uses for it, and the next login or upload may be weeks away.
func giveBackMemory() {
	if !givingBack.CompareAndSwap(false, true) {
		return // it is under way
	}
	go func() {
		defer givingBack.Store(false)
		debug.FreeOSMemory()
	}()
}
