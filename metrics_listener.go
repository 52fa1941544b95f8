package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strconv"
	"time"

	"github.com/ankisyncd/ankisyncd/config"
)

// serveMetrics serves /metrics, and profiles if they are wanted, on a listener
// of their own until stop is called. Without metrics_port it does nothing.
func serveMetrics(ctx context.Context, cfg *config.Config, log *slog.Logger, m *metrics) (stop func(), err error) {
	if m == nil {
		return func() {}, nil
	}
	address := net.JoinHostPort(cfg.MetricsHost, strconv.Itoa(cfg.MetricsPort))
	ln, err := listen(ctx, address, 0)
	if err != nil {
		return nil, err
	}
	log = log.With(loggerKey, "http")
	s := &http.Server{
		Handler:           metricsMux(m.handler(), cfg.PProf),
		ReadHeaderTimeout: cfg.HTTPHeaderTimeout,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("Serving metrics", "addr", ln.Addr().String(), "pprof", cfg.PProf)
	go func() {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics listener failed", "err", err)
		}
	}()
	return func() { _ = s.Close() }, nil // nobody waits for a scrape
}

// metricsMux routes the listener of /metrics. Profiles tell a lot, down to parts
// of the memory: only this machine gets them, wherever the listener is.
func metricsMux(metrics http.Handler, profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	if profiles {
		local := http.NewServeMux()
		local.HandleFunc("/debug/pprof/", pprof.Index)
		local.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		local.HandleFunc("/debug/pprof/profile", pprof.Profile)
		local.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		local.HandleFunc("/debug/pprof/trace", pprof.Trace)
		mux.Handle("/debug/pprof/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !fromThisMachine(r) {
				http.Error(w, "profiles are for this machine only", http.StatusForbidden)
				return
			}
			local.ServeHTTP(w, r)
		}))
	}
	return mux
}

// fromThisMachine is true of a request that a program here sent to an address or
// to localhost. A name in Host means a proxy, or a web page that tries its luck
// in a browser here.
func fromThisMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err = netip.ParseAddr(host)
	return host == "localhost" || err == nil
}
