package main

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	rtmetrics "runtime/metrics"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// goMetrics writes what the Go runtime tells of itself, under the names that
// every Go program has on /metrics and dashboards know.
func goMetrics(w *strings.Builder) {
	one := func(kind, name, help string, v float64) {
		head(w, kind, name, help)
		sample(w, name, "", v)
	}
	gc := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&gc)
	head(w, "summary", "go_gc_duration_seconds", "Pauses of the garbage collection.")
	for i, q := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		sample(w, "go_gc_duration_seconds", `quantile="`+q+`"`, gc.PauseQuantiles[i].Seconds())
	}
	sample(w, "go_gc_duration_seconds_sum", "", gc.PauseTotal.Seconds())
	sample(w, "go_gc_duration_seconds_count", "", float64(gc.NumGC))
	settings := []rtmetrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	rtmetrics.Read(settings)
	one("gauge", "go_gc_gogc_percent", "Heap growth that starts a garbage collection (GOGC).", float64(settings[0].Value.Uint64()))
	one("gauge", "go_gc_gomemlimit_bytes", "Memory limit of the Go runtime (GOMEMLIMIT).", float64(settings[1].Value.Uint64()))
	one("gauge", "go_goroutines", "Goroutines.", float64(runtime.NumGoroutine()))
	head(w, "gauge", "go_info", "Version of Go.")
	sample(w, "go_info", labelText([]string{"version"}, []string{runtime.Version()}), 1)
	one("gauge", "go_sched_gomaxprocs_threads", "Threads that run Go code at once (GOMAXPROCS).", float64(runtime.GOMAXPROCS(0)))
	one("gauge", "go_threads", "Threads of the system.", float64(pprof.Lookup("threadcreate").Count()))
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for _, g := range []struct {
		name, help string
		v          uint64
	}{
		{"alloc_bytes", "Heap in use by objects.", m.Alloc},
		{"buck_hash_sys_bytes", "Memory of profiles.", m.BuckHashSys},
		{"gc_sys_bytes", "Memory of the garbage collection.", m.GCSys},
		{"heap_alloc_bytes", "Heap in use by objects.", m.HeapAlloc},
		{"heap_idle_bytes", "Heap that waits to be used.", m.HeapIdle},
		{"heap_inuse_bytes", "Heap in use.", m.HeapInuse},
		{"heap_objects", "Objects on the heap.", m.HeapObjects},
		{"heap_released_bytes", "Heap given back to the system.", m.HeapReleased},
		{"heap_sys_bytes", "Heap got from the system.", m.HeapSys},
		{"mcache_inuse_bytes", "Memory of mcache structures in use.", m.MCacheInuse},
		{"mcache_sys_bytes", "Memory of mcache structures.", m.MCacheSys},
		{"mspan_inuse_bytes", "Memory of mspan structures in use.", m.MSpanInuse},
		{"mspan_sys_bytes", "Memory of mspan structures.", m.MSpanSys},
		{"next_gc_bytes", "Heap at which the next garbage collection starts.", m.NextGC},
		{"other_sys_bytes", "Other memory got from the system.", m.OtherSys},
		{"stack_inuse_bytes", "Stacks in use.", m.StackInuse},
		{"stack_sys_bytes", "Stacks got from the system.", m.StackSys},
		{"sys_bytes", "All memory got from the system.", m.Sys},
	} {
		one("gauge", "go_memstats_"+g.name, g.help, float64(g.v))
	}
	one("gauge", "go_memstats_last_gc_time_seconds", "When the last garbage collection ended, since 1970.", float64(m.LastGC)/1e9)
	one("counter", "go_memstats_alloc_bytes_total", "Bytes allocated on the heap, ever.", float64(m.TotalAlloc))
	one("counter", "go_memstats_frees_total", "Objects freed, ever.", float64(m.Frees))
	one("counter", "go_memstats_mallocs_total", "Objects allocated, ever.", float64(m.Mallocs))
}

// processMetrics writes what Linux tells of this process; elsewhere there is
// no /proc, and nothing.
func processMetrics(w *strings.Builder) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return
	}
	// The fields after the program's name, which may have spaces in it
	// (proc(5)); the first of them is the third.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 22 {
		return
	}
	field := func(n int) float64 {
		v, _ := strconv.ParseFloat(f[n-3], 64)
		return v
	}
	const ticks = 100 // USER_HZ, the same on every architecture that Go knows
	one := func(kind, name, help string, v float64) {
		head(w, kind, name, help)
		sample(w, name, "", v)
	}
	one("counter", "process_cpu_seconds_total", "Time on processors, of program and kernel.", (field(14)+field(15))/ticks)
	one("gauge", "process_virtual_memory_bytes", "Addresses in use.", field(23))
	one("gauge", "process_resident_memory_bytes", "Memory in use.", field(24)*float64(os.Getpagesize()))
	if boot, ok := procValue("/proc/stat", "btime"); ok {
		one("gauge", "process_start_time_seconds", "When the process began, since 1970.", boot+field(22)/ticks)
	}
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		one("gauge", "process_open_fds", "Open files.", float64(len(files)-1)) // not the one that is read
	}
	if most, ok := procValue("/proc/self/limits", "Max open files"); ok {
		one("gauge", "process_max_fds", "Open files that are allowed.", most)
	}
	if most, ok := procValue("/proc/self/limits", "Max address space"); ok {
		one("gauge", "process_virtual_memory_max_bytes", "Addresses that are allowed.", most)
	}
}

// procValue returns the first number after what a line of a file begins with.
func procValue(path, begins string) (float64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, begins)
		if f := strings.Fields(rest); ok && len(f) > 0 {
			if f[0] == "unlimited" {
				return math.MaxUint64, true
			}
			v, err := strconv.ParseFloat(f[0], 64)
			return v, err == nil
		}
	}
	return 0, false
}
