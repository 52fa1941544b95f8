//go:build !prometheus

package main

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/ankisyncd/ankisyncd/config"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// metrics stands in for those of metrics.go in a build without Prometheus'
// client library. It is always nil.
type metrics struct{}

func openMetrics(cfg *config.Config) (*metrics, error) {
	if cfg.MetricsPort != 0 {
		return nil, errors.New("metrics_port: this program was built without metrics (go build -tags prometheus)")
	}
	return nil, nil //nolint:nilnil // as documented in metrics.go
}

func (*metrics) watch(func() int, func() int) {}

func (*metrics) observe(ankisync.Observation) {}

func (*metrics) countLogins(log *slog.Logger) *slog.Logger { return log }

func (*metrics) handler() http.Handler { return http.NotFoundHandler() }
