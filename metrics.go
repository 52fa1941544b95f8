package main

import (
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/ankisyncd/ankisyncd/config"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// metrics are the numbers that /metrics shows. A nil *metrics takes none.
//
// Of the libraries that speak Prometheus's format this is the small one:
// Prometheus's own, with protobuf, would be an eighth of the program.
type metrics struct {
	set     *vm.Set
	clients clientLabels
}

// openMetrics makes the metrics, if they are wanted.
func openMetrics(cfg *config.Config) (*metrics, error) {
	if cfg.MetricsPort == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	return newMetrics(), nil
}

// The names of the metrics, and what they say (docs/configuration.md).
const (
	requestsTotal   = "ankisyncd_requests_total"           // by step of the protocol (empty: none of ours), status code and client
	syncsTotal      = "ankisyncd_syncs_total"              // that ended, by kind (normal, upload, download, media), result (ok, refused, error) and client
	loginsTotal     = "ankisyncd_logins_total"             // by result: success, failure, throttled
	bodyBytesTotal  = "ankisyncd_body_bytes_total"         // on the wire, by step and direction
	requestDuration = "ankisyncd_request_duration_seconds" // from the head of a request to the end of its answer, by step
	bodyBytes       = "ankisyncd_body_bytes"               // size of each body on the wire, by direction
	openCollections = "ankisyncd_open_collections"
	usersTotal      = "ankisyncd_users" // who can log in
	buildInfo       = "ankisyncd_build_info"
)

func newMetrics() *metrics {
	vm.ExposeMetadata(true)
	m := &metrics{set: vm.NewSet()}
	m.set.NewGauge(labelled(buildInfo, "goversion", runtime.Version(), "version", programVersion()), func() float64 { return 1 })
	for _, result := range []string{"success", "failure", "throttled"} {
		m.count(0, loginsTotal, "result", result) // there from the start, so that a first failure is a change
	}
	return m
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// labelled writes a metric's name with its labels: pairs of name and value.
func labelled(name string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(name)
	for i := 0; i < len(pairs); i += 2 {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(pairs[i] + `="` + labelEscaper.Replace(strings.ToValidUTF8(pairs[i+1], "�")) + `"`)
	}
	b.WriteByte('}')
	return b.String()
}

// count adds n to a counter.
func (m *metrics) count(n int64, name string, pairs ...string) {
	m.set.GetOrCreateCounter(labelled(name, pairs...)).AddInt64(n)
}

var durations = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// bodySizes are the buckets for bodies: from 256 bytes, each four times the one
// before, to 1 GiB.
var bodySizes = vm.ExponentialBuckets(256, 4, 12)

// watch adds what is looked up when it is asked for.
func (m *metrics) watch(open func() int, users func() int) {
	if m == nil {
		return
	}
	m.set.NewGauge(openCollections, func() float64 { return float64(open()) })
	m.set.NewGauge(usersTotal, func() float64 { return float64(users()) })
}

// observe is ankisync.Options.Observe.
func (m *metrics) observe(o ankisync.Observation) {
	if m == nil {
		return
	}
	client := m.clients.label(o)
	m.count(1, requestsTotal, "client", client, "code", strconv.Itoa(o.Status), "step", o.Step)
	if kind, result := syncOf(o); kind != "" {
		m.count(1, syncsTotal, "client", client, "kind", kind, "result", result)
	}
	m.set.GetOrCreatePrometheusHistogramExt(labelled(requestDuration, "step", o.Step), durations).Update(o.Dur.Seconds())
	for _, d := range []struct {
		direction string
		n         int64
	}{{"in", o.In}, {"out", o.Out}} {
		m.count(d.n, bodyBytesTotal, "direction", d.direction, "step", o.Step)
		m.set.GetOrCreatePrometheusHistogramExt(labelled(bodyBytes, "direction", d.direction), bodySizes).Update(float64(d.n))
	}
}

// countLogins returns log with a counter of the logins that are told to it.
func (m *metrics) countLogins(log *slog.Logger) *slog.Logger {
	if m == nil {
		return log
	}
	return slog.New(loginCounter{log.Handler(), func(result string) { m.count(1, loginsTotal, "result", result) }})
}

// handler is that of /metrics.
func (m *metrics) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		m.set.WritePrometheus(w)
		vm.WriteProcessMetrics(w) // of the process and of Go
		vm.WriteFDMetrics(w)
	})
}
