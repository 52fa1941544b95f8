package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestExposition: the form is the one that Prometheus's own library writes.
func TestExposition(t *testing.T) {
	requests := newFamily("counter", "requests_total", "Requests.", "client", "code")
	requests.add(1, "b", "200")
	requests.add(2, `a"\`+"\n\xff", "200")
	requests.add(1e6, "b", "200")
	took := newHistogram("took_seconds", "Time.", []float64{.001, 2.5, 1048576}, "step")
	for _, v := range []float64{.0005, .001, .002, 2.5, 2.6, 1e9} {
		took.observe(v, "meta")
	}
	plain := newHistogram("size", "Size.", []float64{1})
	plain.observe(1)
	e := &exposition{
		families: []*family{requests, newFamily("counter", "never_total", "Not yet.", "step"), took, plain},
		gauges:   []gauge{{"open", "Open.", func() float64 { return -1 }}},
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	const want = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{client="a\"\\\n�",code="200"} 2
requests_total{client="b",code="200"} 1.000001e+06
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{step="meta",le="0.001"} 2
took_seconds_bucket{step="meta",le="2.5"} 4
took_seconds_bucket{step="meta",le="1.048576e+06"} 5
took_seconds_bucket{step="meta",le="+Inf"} 6
took_seconds_sum{step="meta"} 1.0000000051035e+09
took_seconds_count{step="meta"} 6
# HELP size Size.
# TYPE size histogram
size_bucket{le="1"} 1
size_bucket{le="+Inf"} 1
size_sum 1
size_count 1
# HELP open Open.
# TYPE open gauge
open -1
`
	if got := w.Body.String(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Error(got)
	}
}

// TestRuntimeMetrics: each metric has a type and is there once.
func TestRuntimeMetrics(t *testing.T) {
	var b strings.Builder
	goMetrics(&b)
	processMetrics(&b)
	typed := map[string]bool{}
	for line := range strings.Lines(b.String()) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if typed[name] {
				t.Errorf("%s twice", name)
			}
			typed[name] = true
		}
		if !strings.HasPrefix(line, "#") {
			name, value, _ := strings.Cut(line, " ")
			name, _, _ = strings.Cut(name, "{")
			name = strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
			if !typed[name] || value == "" {
				t.Errorf("%q before its type", line)
			}
		}
	}
	if !typed["go_memstats_alloc_bytes"] || len(typed) < 28 {
		t.Errorf("%d metrics", len(typed))
	}
}
