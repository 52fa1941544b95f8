package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/api"
	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/config"
	"github.com/ankisyncd/ankisyncd/media"
)

// newREST is the handler of the RESTful API, with base_path and without; nil if
// it is off.
func newREST(cfg *config.Config, log *slog.Logger, users *auth.Store, collections *collection.Store, files *media.Store) (http.Handler, error) {
	if cfg.RestPort == 0 {
		return nil, nil //nolint:nilnil // off
	}
	if err := api.CheckHosts(cfg.RestAllowedHosts); err != nil {
		return nil, fmt.Errorf("rest_allowed_hosts: %w", err)
	}
	return belowBase(cfg.BasePath, api.New(api.Options{
		Collections:   collections,
		Users:         users,
		Media:         files,
		MaxMediaBytes: int64(cfg.MaxMediaFileMB) * mib,
		AllowedHosts:  cfg.RestAllowedHosts,
		Token:         string(cfg.RestToken),
		ClientAddr:    clientAddr(cfg),
		TempDir:       config.Abs(cfg.DataRoot),
		Log:           log.With(loggerKey, "rest"),
	})), nil
}

// cutBase is a path without base_path, if it lies below that.
func cutBase(base, path string) string {
	if rest, ok := strings.CutPrefix(path, base); ok && strings.HasPrefix(rest, "/") {
		return rest
	}
	return path
}

// belowBase hands requests on without base_path in their paths.
func belowBase(base string, next http.Handler) http.Handler {
	if base == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cut := *r
		url := *r.URL
		url.Path, url.RawPath = cutBase(base, url.Path), cutBase(base, url.RawPath)
		cut.URL = &url
		next.ServeHTTP(w, &cut)
	})
}

// restShared is true if the API answers on the sync server's own addresses, as
// AnkiServer's did.
func restShared(cfg *config.Config) bool { return cfg.RestPort != 0 && cfg.RestPort == cfg.Port }

// isREST is true of the paths of the API, where it shares an address.
func isREST(path string) bool {
	path = strings.TrimLeft(path, "/")
	return path == "list_collections" || strings.HasPrefix(path, "collection/")
}

// serveREST serves the API on a listener of its own until stop is called, over TLS
// if there is a certificate; stop waits for calls that are under way. Without a
// listener of its own it does nothing.
func serveREST(ctx context.Context, cfg *config.Config, log *slog.Logger, cert *certificate, rest http.Handler) (stop func(), err error) {
	if rest == nil || restShared(cfg) {
		return func() {}, nil
	}
	ln, err := listen(ctx, net.JoinHostPort(cfg.RestHost, strconv.Itoa(cfg.RestPort)), 0)
	if err != nil {
		return nil, err
	}
	log = log.With(loggerKey, "rest")
	s := &http.Server{
		Handler:           &guard{next: rest, stall: cfg.HTTPStallTimeout},
		ReadHeaderTimeout: cfg.HTTPHeaderTimeout,
		IdleTimeout:       cfg.HTTPIdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	serve := s.Serve
	if cert != nil {
		s.TLSConfig = cert.config()
		serve = func(ln net.Listener) error { return s.ServeTLS(ln, "", "") }
	}
	log.Info("Serving the RESTful API", "addr", ln.Addr().String(), "tls", cert != nil)
	go func() {
		if err := serve(movingListener{ln, cfg.HTTPStallTimeout}); !errors.Is(err, http.ErrServerClosed) {
			log.Error("listener of the RESTful API failed", "err", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			_ = s.Close()
		}
	}, nil
}
