package main

import (
	"log/slog"
	"net/http"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ankisyncd/ankisyncd/config"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// metrics are the numbers that /metrics shows. A nil *metrics takes none.
type metrics struct {
	registry *prometheus.Registry
	clients  clientLabels
	requests *prometheus.CounterVec
	syncs    *prometheus.CounterVec
	logins   *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	size     *prometheus.HistogramVec
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
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ankisyncd_requests_total", Help: "Requests by step of the protocol (empty: none of ours), status code and client.",
		}, []string{"step", "code", "client"}),
		syncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ankisyncd_syncs_total", Help: "Syncs that ended, by kind (normal, upload, download, media), result (ok, refused, error) and client.",
		}, []string{"kind", "result", "client"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ankisyncd_logins_total", Help: "Logins by result: success, failure, throttled.",
		}, []string{"result"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ankisyncd_body_bytes_total", Help: "Bytes of bodies on the wire, by step and direction.",
		}, []string{"step", "direction"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ankisyncd_request_duration_seconds", Help: "Time from the head of a request to the end of its answer, by step.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"step"}),
		size: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ankisyncd_body_bytes", Help: "Size of bodies on the wire, by direction.",
			Buckets: prometheus.ExponentialBuckets(256, 4, 12), // to 1 GiB
		}, []string{"direction"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ankisyncd_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": programVersion(), "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.syncs, m.logins, m.bytes, m.duration, m.size, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, result := range []string{"success", "failure", "throttled"} {
		m.logins.WithLabelValues(result) // there from the start, so that a first failure is a change
	}
	return m
}

// watch adds what is looked up when it is asked for.
func (m *metrics) watch(openCollections func() int, users func() int) {
	if m == nil {
		return
	}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ankisyncd_open_collections", Help: "Collections that are open."},
			func() float64 { return float64(openCollections()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ankisyncd_users", Help: "Users who can log in."},
			func() float64 { return float64(users()) }),
	)
}

// observe is ankisync.Options.Observe.
func (m *metrics) observe(o ankisync.Observation) {
	if m == nil {
		return
	}
	client := m.clients.label(o)
	m.requests.WithLabelValues(o.Step, strconv.Itoa(o.Status), client).Inc()
	if kind, result := syncOf(o); kind != "" {
		m.syncs.WithLabelValues(kind, result, client).Inc()
	}
	m.duration.WithLabelValues(o.Step).Observe(o.Dur.Seconds())
	m.bytes.WithLabelValues(o.Step, "in").Add(float64(o.In))
	m.bytes.WithLabelValues(o.Step, "out").Add(float64(o.Out))
	m.size.WithLabelValues("in").Observe(float64(o.In))
	m.size.WithLabelValues("out").Observe(float64(o.Out))
}

// countLogins returns log with a counter of the logins that are told to it.
func (m *metrics) countLogins(log *slog.Logger) *slog.Logger {
	if m == nil {
		return log
	}
	return slog.New(loginCounter{log.Handler(), func(result string) { m.logins.WithLabelValues(result).Inc() }})
}

// handler is that of /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
