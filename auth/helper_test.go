package auth

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

var (
	home = netip.MustParseAddr("192.0.2.7")
	away = netip.MustParseAddr("198.51.100.9")
)

const anki = "anki,26.9.3 (abcdef),linux"

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// logBuffer is a log that tests read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return strings.Split(strings.TrimSuffix(l.b.String(), "\n"), "\n")
}

// logger writes "msg k=v …" without time and level.
func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// dirOptions are options for the usual files in dir.
func dirOptions(dir string) Options {
	return Options{AuthDB: filepath.Join(dir, "auth.db"), SessionDB: filepath.Join(dir, "session.db")}
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// copyData copies testdata/name into a new directory.
func copyData(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func login(t testing.TB, s *Store, name, password string) string {
	t.Helper()
	k, err := s.Login(t.Context(), name, password, home, anki)
	if err != nil {
		t.Fatalf("Login(%q, %q): %v", name, password, err)
	}
	return k
}

func wantUser(t testing.TB, s *Store, hkey, name string) Session {
	t.Helper()
	sess, err := s.Session(t.Context(), hkey)
	if err != nil || sess.User != name {
		t.Fatalf("Session(%q) = %q, %v, want %q", hkey, sess.User, err, name)
	}
	return sess
}

func wantGone(t testing.TB, s *Store, hkey string) {
	t.Helper()
	if sess, err := s.Session(t.Context(), hkey); !errors.Is(err, ErrUnknownKey) {
		t.Fatalf("Session(%q) = %q, %v, want ErrUnknownKey", hkey, sess.User, err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("err = %v, want %v", err, want)
	}
}

func mustAdd(t testing.TB, s *Store, name, password string) {
	t.Helper()
	if err := s.AddUser(t.Context(), name, password); err != nil {
		t.Fatal(err)
	}
}

// outside runs statements as another program does: on a connection of its own.
func outside(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func query(t testing.TB, path, q string, args ...any) string {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var v sql.NullString
	if err := db.QueryRowContext(context.Background(), q, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return v.String
}
