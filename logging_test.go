package main

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankisyncd/ankisyncd/config"
)

// writes are the writes to a log, each without what stands before the message.
type writes struct {
	mu   sync.Mutex
	list []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := ""
	for line := range strings.Lines(string(b)) {
		text += line[strings.LastIndex(line, ":")+1:]
	}
	w.list = append(w.list, text)
	return len(b), nil
}

func (w *writes) want(t *testing.T, when string, want ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.list, "|"); got != strings.Join(want, "|") {
		t.Errorf("%s: %q, want %q", when, got, strings.Join(want, "|"))
	}
	w.list = nil
}

// TestLinesTogether: a line by itself is written at once, many in one write, and
// what warns of something never waits.
func TestLinesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w writes
		log, flush := newLogger(&w, config.Default())
		log.Info("a")
		w.want(t, "the first", "a\n")
		time.Sleep(together)
		log.Info("b")
		w.want(t, "long after", "b\n")
		log.Info("c")
		time.Sleep(together / 2)
		log.With("x", 1).Info("d")
		w.want(t, "soon after")
		time.Sleep(together / 2)
		synctest.Wait()
		w.want(t, "a moment later", "c\nd x=1\n")
		log.Info("e")
		w.want(t, "soon after those")
		log.Warn("f")
		w.want(t, "a warning", "e\nf\n")
		log.Warn("g")
		w.want(t, "another", "g\n")
		log.Info("h")
		flush()
		w.want(t, "the end", "h\n")
		time.Sleep(2 * together)
		synctest.Wait()
		w.want(t, "after the end")

		// However many there are, they do not wait in memory.
		long := strings.Repeat("x", maxHeld/4)
		for range 20 {
			log.Info(long)
		}
		if len(w.list) < 4 {
			t.Errorf("%d writes", len(w.list))
		}
		flush()
		if got := strings.Count(strings.Join(w.list, ""), long); got != 20 {
			t.Errorf("%d lines", got)
		}
	})
}

// TestLinesOfMany: from many goroutines each line comes once, whole.
func TestLinesOfMany(t *testing.T) {
	var w writes
	log, flush := newLogger(&w, config.Default())
	done := make(chan bool)
	for range 8 {
		go func() {
			for i := range 500 {
				log.Log(t.Context(), []slog.Level{slog.LevelInfo, slog.LevelInfo, slog.LevelWarn}[i%3], "m")
			}
			done <- true
		}()
	}
	for range 8 {
		<-done
	}
	flush()
	if got := strings.Join(w.list, ""); got != strings.Repeat("m\n", 4000) {
		t.Errorf("%d bytes", len(got))
	}
}

// TestStamp: what is remembered of the line before is of its second and its zone.
func TestStamp(t *testing.T) {
	at := time.Date(2026, 10, 25, 0, 59, 58, 0, time.UTC)
	berlin := time.FixedZone("CEST", 7200)
	for i := range 3000 {
		at = at.Add(7*time.Millisecond + 13)
		for _, zone := range []*time.Location{time.UTC, berlin} {
			if i == 1000 {
				zone = time.Local
			}
			in := at.In(zone)
			if got, want := string(appendStamp(nil, in)), in.Format("[2006-01-02 15:04:05,000]:"); got != want {
				t.Fatalf("%s, want %s", got, want)
			}
		}
	}
}
