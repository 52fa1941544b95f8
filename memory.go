package main

import (
	"runtime"
	"sync"

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
