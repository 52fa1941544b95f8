package main

import (
	"log/slog"
	"net/http"
	"runtime"
	"strconv"

	"github.com/ankisyncd/ankisyncd/config"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// metrics are the numbers that /metrics shows. A nil *metrics takes none.
type metrics struct {
	all      exposition
	clients  clientLabels
	requests *family
	syncs    *family
	logins   *family
	bytes    *family
	duration *family
	size     *family
}

// openMetrics makes the metrics, if they are wanted.
func openMetrics(cfg *config.Config) (*metrics, error) {
	if cfg.MetricsPort == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	return newMetrics(), nil
}

func newMetrics() *metrics {
	m := &metrics{
		requests: newFamily("counter", "ankisyncd_requests_total",
			"Requests by step of the protocol (empty: none of ours), status code and client.", "client", "code", "step"),
		syncs: newFamily("counter", "ankisyncd_syncs_total",
			"Syncs that ended, by kind (normal, upload, download, media), result (ok, refused, error) and client.", "client", "kind", "result"),
		logins: newFamily("counter", "ankisyncd_logins_total", "Logins by result: success, failure, throttled.", "result"),
		bytes:  newFamily("counter", "ankisyncd_body_bytes_total", "Bytes of bodies on the wire, by step and direction.", "direction", "step"),
		duration: newHistogram("ankisyncd_request_duration_seconds", "Time from the head of a request to the end of its answer, by step.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}, "step"),
		size: newHistogram("ankisyncd_body_bytes", "Size of bodies on the wire, by direction.", sizes(), "direction"),
	}
	build := newFamily("gauge", "ankisyncd_build_info", "Always 1.", "goversion", "version")
	build.add(1, runtime.Version(), programVersion())
	m.all.families = []*family{m.requests, m.syncs, m.logins, m.bytes, m.duration, m.size, build}
	m.all.others = append(m.all.others, goMetrics, processMetrics)
	for _, result := range []string{"success", "failure", "throttled"} {
		m.logins.add(0, result) // there from the start, so that a first failure is a change
	}
	return m
}

// sizes are the buckets for bodies: from 256 bytes, each four times the one
// before, to 1 GiB.
func sizes() []float64 {
	var b []float64
	for n := 256.0; n <= 1<<30; n *= 4 {
		b = append(b, n)
	}
	return b
}

// watch adds what is looked up when it is asked for.
func (m *metrics) watch(openCollections func() int, users func() int) {
	if m == nil {
		return
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.all.gauges = append(m.all.gauges,
		gauge{"ankisyncd_open_collections", "Collections that are open.", func() float64 { return float64(openCollections()) }},
		gauge{"ankisyncd_users", "Users who can log in.", func() float64 { return float64(users()) }})
}

// observe is ankisync.Options.Observe.
func (m *metrics) observe(o ankisync.Observation) {
	if m == nil {
		return
	}
	client := m.clients.label(o)
	m.requests.add(1, client, strconv.Itoa(o.Status), o.Step)
	if kind, result := syncOf(o); kind != "" {
		m.syncs.add(1, client, kind, result)
	}
	m.duration.observe(o.Dur.Seconds(), o.Step)
	m.bytes.add(float64(o.In), "in", o.Step)
	m.bytes.add(float64(o.Out), "out", o.Step)
	m.size.observe(float64(o.In), "in")
	m.size.observe(float64(o.Out), "out")
}

// countLogins returns log with a counter of the logins that are told to it.
func (m *metrics) countLogins(log *slog.Logger) *slog.Logger {
	if m == nil {
		return log
	}
	return slog.New(loginCounter{log.Handler(), func(result string) { m.logins.add(1, result) }})
}

// handler is that of /metrics.
func (m *metrics) handler() http.Handler {
	return &m.all
}
