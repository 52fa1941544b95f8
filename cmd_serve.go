package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/ankisyncd/ankisyncd/config"
)

func cmdServe() *cli.Command {
	return &cli.Command{
		Name:        "serve",
		Usage:       "serve, as without a command",
		ArgsUsage:   "[CONFIG]",
		Description: "SIGINT and SIGTERM stop the server; SIGHUP reads the certificate again (or stops a server that was started at a terminal).",
		Category:    categoryOperation,
		Flags:       settingFlags(),
		Action:      serveAction,
	}
}

// hangup makes the server read its certificate again.
const hangup = syscall.SIGHUP

// serveAction serves until it is told to stop.
func serveAction(c *cli.Context) error {
	switch {
	case c.Bool("version"):
		return printVersion(c.App.Writer)
	case c.Bool("default"):
		_, err := io.WriteString(c.App.Writer, shippedConf)
		return err
	case c.Bool("healthcheck"):
		cfg, err := loadConfig(c, "")
		if err != nil {
			return err
		}
		return checkHealth(c.Context, cfg, "")
	}
	cfg, err := loadConfig(c, c.Args().First())
	if err != nil {
		return commandHint(c, err)
	}
	log, flush := newLogger(c.App.ErrWriter, cfg)
	defer flush()
	log.Info(fmt.Sprintf("ankisyncd %s (%s)", programVersion(), homepage))
	logConfig(log, cfg)
	if c.Args().Len() > 1 {
		log.Warn("further arguments have no effect", "arguments", strings.Join(c.Args().Tail(), " "))
	}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if f, ok := c.App.Reader.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		signals = append(signals, hangup) // its terminal was closed
	}
	ctx, stop := signal.NotifyContext(c.Context, signals...)
	defer stop()
	return serve(ctx, stop, cfg, log, behindLog{c.App.Writer, flush})
}

// commandHint helps who mistyped a command, which is taken for a file's name.
func commandHint(c *cli.Context, err error) error {
	arg := c.Args().First()
	if !errors.Is(err, os.ErrNotExist) || arg == "" || strings.ContainsAny(arg, "./\\") {
		return err
	}
	return fmt.Errorf("%w (and %q is no command; see ankisyncd --help)", err, arg)
}

// logConfig tells where the configuration comes from. The line for each key
// from the environment is the originals'.
func logConfig(log *slog.Logger, cfg *config.Config) {
	if cfg.File != "" {
		log.Info("configuration loaded", "file", cfg.File)
	} else {
		log.Info("no configuration file found, using built-in defaults")
	}
	for _, v := range cfg.Values() {
		if strings.HasPrefix(v.Source, "environment ") {
			log.Info("Setting "+v.Key+" from ENV", "source", v.Source)
		}
	}
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	if cfg.AllowAnyone {
		log.Warn("authentication is off: every name with every password is let in (allow_anyone)")
	}
	if cfg.SessionDBPath == "" {
		log.Warn("session_db_path is empty: every device has to log in again after a restart")
	}
}

// serve opens the stores, listens, and serves until ctx ends; stop is then
// called, so that a second signal ends the process at once. The stores are
// closed last, when no request runs any more.
func serve(ctx context.Context, stop func(), cfg *config.Config, log *slog.Logger, stdout io.Writer) (err error) {
	defer runtime.KeepAlive(tuneMemory(cfg))
	if err := checkUsers(cfg); err != nil { // names the variables, as the stores cannot
		return err
	}
	if err := createAccounts(ctx, cfg); err != nil {
		return err
	}
	m, err := openMetrics(cfg)
	if err != nil {
		return err
	}
	h, closeStores, err := buildHandlers(ctx, cfg, log, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStores()) }()
	s, err := newServer(ctx, cfg, log, h.sync)
	if err != nil {
		return err
	}
	stopMetrics, err := serveMetrics(ctx, cfg, log, m)
	if err != nil {
		closeAll(s.listeners)
		return err
	}
	defer stopMetrics()
	stopREST, err := serveREST(ctx, cfg, log, s.cert, h.rest)
	if err != nil {
		closeAll(s.listeners)
		return err
	}
	defer stopREST()
	// Before anybody is told that it runs: unheard, SIGHUP ends the process.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, hangup)
	defer signal.Stop(hup)
	failed := s.start()
	s.announce(stdout)
	s.report("READY=1")
	if every := watchdogInterval(); every > 0 {
		go watchdog(ctx, every, s.alive, func(err error) { log.Error("no sign of life to systemd", "err", err) })
	}
	for {
		select {
		case <-hup:
			if s.cert != nil {
				s.cert.reload(true)
			}
			continue
		case err = <-failed:
			log.Error("listener failed", "err", err)
		case <-ctx.Done():
			log.Info("Exiting...")
		}
		break
	}
	stop()
	s.report("STOPPING=1")
	s.shutdown(cfg.ShutdownTimeout)
	return err
}

// cutTimeout is how long requests that were cut have to roll back.
const cutTimeout = 700 * time.Millisecond

// shutdown takes no new requests and waits for those that run; after timeout
// they are cut.
func (s *server) shutdown(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s.front.Shutdown()
	err := s.http.Shutdown(ctx)
	if err == nil {
		err = s.front.Wait(ctx)
	}
	if err == nil {
		return
	}
	s.cut() // the context of every request
	if err := s.http.Close(); err != nil {
		s.log.Warn("closing connections", "err", err)
	}
	done := make(chan struct{})
	go func() { s.guard.running.Wait(); close(done) }()
	select {
	case <-done:
		s.log.Warn("requests still running were cut")
	case <-time.After(cutTimeout):
		s.log.Error("requests still run after they were cut")
	}
}

// alive asks the handler itself, past the network.
func (s *server) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.BasePath+"/", nil)
	if err != nil {
		return err
	}
	req.RemoteAddr = "127.0.0.1:0"
	answer := make(chan int, 1)
	go func() {
		w := &statusWriter{header: http.Header{}}
		s.handler.ServeHTTP(w, req)
		answer <- w.status
	}()
	select {
	case status := <-answer:
		if status > http.StatusInternalServerError-1 {
			return errUnwell
		}
		return nil
	case <-ctx.Done():
		return errUnwell
	}
}

// statusWriter keeps nothing but the status of an answer.
type statusWriter struct {
	header http.Header
	status int
}

func (w *statusWriter) Header() http.Header         { return w.header }
func (w *statusWriter) WriteHeader(status int)      { w.status = status }
func (w *statusWriter) Write(p []byte) (int, error) { return len(p), nil }
