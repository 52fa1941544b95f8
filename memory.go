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

// floor is never written to, so that it takes addresses and no memory.
var floor []byte

var tuneOnce sync.Once

// tuneMemory sets up the runtime for serving.
func tuneMemory(cfg *config.Config) {
	tuneOnce.Do(func() {
		floor = make([]byte, heapFloor)
		if !cfg.PProf {
			runtime.MemProfileRate = 0 // nobody can ask for it
		}
	})
}
