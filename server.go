package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/ankisyncd/ankisyncd/config"
	"github.com/ankisyncd/ankisyncd/shortcut"
)

// maxHeaderBytes bounds the head of a request: clients send some 500 bytes,
// proxies add cookies of other parts of a site.
const maxHeaderBytes = 64 << 10

// server is the running HTTP server on all its listeners.
type server struct {
	cfg       *config.Config
	log       *slog.Logger
	handler   http.Handler
	guard     *guard
	front     *shortcut.Front
	http      *http.Server
	listeners []net.Listener
	cert      *certificate // nil without TLS
	cut       func()       // ends the context of all requests
}

// newServer listens, and has everything ready to serve.
func newServer(ctx context.Context, cfg *config.Config, log *slog.Logger, handler http.Handler) (*server, error) {
	s := &server{cfg: cfg, log: log, handler: handler, guard: &guard{next: handler, stall: cfg.HTTPStallTimeout}}
	if cfg.TLSCert != "" {
		var err error
		if s.cert, err = loadCertificate(config.Abs(cfg.TLSCert), config.Abs(cfg.TLSKey), log); err != nil {
			return nil, err
		}
	}
	listeners, err := listenAll(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.listeners = listeners
	// Requests outlive ctx: they may finish while the server shuts down.
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	s.cut = cut
	s.http = &http.Server{
		Handler:           s.guard,
		IdleTimeout:       cfg.HTTPIdleTimeout, // protocol §10 Connections: 10 minutes or more
		ReadHeaderTimeout: cfg.HTTPHeaderTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(log.With(loggerKey, "http").Handler(), slog.LevelDebug),
		// No ReadTimeout and WriteTimeout: see guard.
	}
	s.front = &shortcut.Front{
		Handler: s.guard.counted(), Context: base, Wants: isStatusCheck,
		IdleTimeout: cfg.HTTPIdleTimeout, HeaderTimeout: cfg.HTTPHeaderTimeout, WriteTimeout: cfg.HTTPStallTimeout,
	}
	s.front.Attach(s.http)
	if s.cert != nil {
		s.http.TLSConfig = s.cert.config()
	}
	return s, nil
}

// isStatusCheck is true of the requests with which clients find out whether there
// is anything to sync: many, small, and answered from memory.
func isStatusCheck(path string) bool {
	return strings.HasSuffix(path, "/meta") || strings.HasSuffix(path, "/begin")
}

// secure reports whether a listener speaks TLS: all but unix sockets do.
func (s *server) secure(ln net.Listener) bool {
	return s.cert != nil && ln.Addr().Network() != "unix"
}

// start serves on every listener; the channel gets the first that fails.
func (s *server) start() <-chan error {
	failed := make(chan error, len(s.listeners))
	for i, ln := range limitConnections(s.listeners, s.cfg.MaxConnections) {
		secure := s.secure(s.listeners[i])
		ln = movingListener{ln, s.cfg.HTTPStallTimeout}
		s.log.Info(servingLine(ln.Addr()), loggerKey, "http")
		go func() {
			var err error
			if secure {
				err = s.http.ServeTLS(ln, "", "")
			} else {
				err = s.http.Serve(s.front.Listen(ln))
			}
			if !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("%s: %w", ln.Addr(), err)
			}
		}()
	}
	return failed
}

// servingLine is the originals' line.
func servingLine(a net.Addr) string {
	if host, port, err := net.SplitHostPort(a.String()); err == nil {
		return fmt.Sprintf("Serving HTTP on %s port %s...", host, port)
	}
	return fmt.Sprintf("Serving HTTP on %s...", a)
}

// report tells systemd a state.
func (s *server) report(state string) {
	if err := notify(state); err != nil {
		s.log.Warn("systemd not told", "state", state, "err", err)
	}
}

// announce prints where to point Anki.
func (s *server) announce(w io.Writer) {
	var b strings.Builder
	base := ""
	for _, ln := range s.listeners {
		url := s.url(ln)
		fmt.Fprintf(&b, "Listening on %s\n", url)
		if base == "" && ln.Addr().Network() != "unix" {
			base = s.clientURL(ln)
		}
	}
	if base == "" {
		_, _ = io.WriteString(w, b.String())
		return
	}
	root := strings.TrimSuffix(base, "/")
	sync, media := root+s.cfg.BaseURL, root+s.cfg.BaseMediaURL
	fmt.Fprintf(&b, `Point Anki at it (behind a proxy, with the proxy's address instead):
  Anki 2.1.57 and newer   Preferences > Syncing > Self-hosted sync server: %[1]s
  AnkiDroid 2.16 and newer  Settings > Sync > Custom sync server: %[2]s and %[3]s
  AnkiDroid before 2.16   sync URL %[4]s, media sync URL %[5]s
  Anki 2.1.28 - 2.1.56    environment SYNC_ENDPOINT=%[2]s SYNC_ENDPOINT_MEDIA=%[3]s
  Anki 2.1.0 - 2.1.27     add-on: anki.sync.SYNC_BASE = "%%s" + "%[1]s"
  Anki 2.0.27 - 2.0.52    add-on: anki.sync.SYNC_BASE = "%[1]s"; anki.sync.SYNC_MEDIA_BASE = "%[3]s"
`, base, sync, media, root, strings.TrimSuffix(media, "/"))
	_, _ = io.WriteString(w, b.String()) // who listens has closed the pipe, if this fails
}

// url is the address of a listener as it is bound.
func (s *server) url(ln net.Listener) string {
	if ln.Addr().Network() == "unix" {
		return "unix:" + ln.Addr().String()
	}
	scheme := "http://"
	if s.secure(ln) {
		scheme = "https://"
	}
	return scheme + ln.Addr().String() + s.cfg.BasePath + "/"
}

// clientURL is url with a name of this machine in place of "every address".
func (s *server) clientURL(ln net.Listener) string {
	url := s.url(ln)
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return url
	}
	return strings.Replace(url, ln.Addr().String(), net.JoinHostPort(ownAddress(), fmt.Sprint(addr.Port)), 1)
}

// ownAddress is the first IPv4 address of this machine that others can use, or
// else its name.
func ownAddress() string {
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
				return n.IP.String()
			}
		}
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "127.0.0.1"
}
