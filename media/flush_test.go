package media_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankisyncd/ankisyncd/media"
)

var errDisk = fmt.Errorf("injected: %w", syscall.EIO)

// rot changes a file's content as a disk would that has never written it.
func rot(t *testing.T, path string) {
	t.Helper()
	fi, err := os.Stat(path)
	if err == nil {
		err = errors.Join(os.WriteFile(path, make([]byte, fi.Size()), 0o600), os.Chtimes(path, time.Time{}, fi.ModTime()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// logBuffer is a log that many write.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.buf.String(), text)
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// TestClosedWhileFlushing closes the database while what it has written is being
// synced: it is not settled before that has come to an end, and not if it fails.
func TestClosedWhileFlushing(t *testing.T) {
	for _, c := range []struct {
		name    string
		err     error
		damaged bool
	}{{"synced", nil, false}, {"failed", errDisk, false}, {"failed and lost", errDisk, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logBuffer
				s, root := newStore(t, media.Options{SyncDelay: time.Second, Log: log.logger()})
				release := make(chan struct{})
				var begun atomic.Bool
				s.SetHook(func(step string) error {
					if step == "sync file" && begun.CompareAndSwap(false, true) {
						<-release
						return c.err
					}
					return nil
				})
				mustApply(t, s, entry{"a", "a"}, entry{"b", "b"})
				time.Sleep(time.Second)
				synctest.Wait()
				if !begun.Load() {
					t.Fatal("not being synced")
				}
				closed := make(chan error, 1)
				go func() { closed <- s.Evict(user) }()
				synctest.Wait()
				copied := t.TempDir() // the store may have its own locked
				copyTree(t, root, copied)
				if got := query(t, filepath.Join(copied, user, "collection.media.server.db"), `SELECT count(*) || (SELECT boot <> '' FROM ankisyncd_meta) FROM ankisyncd_journal`); got != "11" {
					t.Errorf("%q: said to be settled while it is being synced", got)
				}
				if c.damaged {
					rot(t, filepath.Join(root, user, "collection.media", "a"))
				}
				close(release)
				if err := <-closed; err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if got := log.count("media not synced to disk"); (got == 1) != (c.err != nil) {
					t.Errorf("%d lines in the log", got)
				}
				got := alive(rows(t, s, user))
				if _, ok := got["a"]; ok == c.damaged || len(got) == 0 {
					t.Errorf("known: %v", got)
				}
				if n := query(t, filepath.Join(copied, user, "collection.media.server.db"), `SELECT count(*) FROM media`); n != "2" {
					t.Error(n)
				}
			})
		})
	}
}

// TestFlushFails has a sync fail once and the next one claim that all is well, as
// Linux does: the files are read before that is believed.
func TestFlushFails(t *testing.T) {
	for _, read := range []error{nil, errDisk} {
		synctest.Test(t, func(t *testing.T) {
			s, root := newStore(t, media.Options{SyncDelay: time.Second})
			var fails atomic.Bool
			fails.Store(true)
			s.SetHook(func(step string) error {
				switch {
				case step == "sync file" && fails.CompareAndSwap(true, false):
					return errDisk
				case step == "read back":
					return read // of the file that is lost, by chance
				}
				return nil
			})
			mustApply(t, s, entry{"a", "a"})
			time.Sleep(time.Second)
			synctest.Wait()
			if fails.Load() {
				t.Fatal("nothing was synced")
			}
			if read == nil {
				rot(t, filepath.Join(root, user, "collection.media", "a"))
			}
			mustApply(t, s, entry{"a2", "deleted at once"}, entry{"a2", ""})
			time.Sleep(time.Second)
			synctest.Wait()
			if got := alive(rows(t, s, user)); len(got) != 0 {
				t.Errorf("known: %v", got)
			}
			if usn, err := s.LastUSN(ctx, user); err != nil || usn != 4 {
				t.Errorf("usn %d, %v: devices do not notice", usn, err)
			}
			mustApply(t, s, entry{"a", "a"})
			time.Sleep(time.Second)
			synctest.Wait()
			if read == nil {
				agree(t, s, filepath.Join(root, user, "collection.media"))
			}
		})
	}
}

// TestFlushFailsAndEnds: nobody comes after a sync that failed, or the database is
// left otherwise than by closing it. What did not reach the disk is found all the
// same, and every device hears of it.
func TestFlushFailsAndEnds(t *testing.T) {
	for _, end := range []string{"idle", "commit fails", "killed"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, root := newStore(t, media.Options{SyncDelay: time.Second, IdleTimeout: time.Minute})
				var fails atomic.Bool
				fails.Store(true)
				s.SetHook(func(step string) error {
					if step == "sync file" && fails.CompareAndSwap(true, false) || step == "committed" && end == "commit fails" && !fails.Load() {
						return errDisk
					}
					return nil
				})
				mustApply(t, s, entry{"a", "a"}, entry{"b", "b"})
				time.Sleep(time.Second)
				synctest.Wait()
				folder := filepath.Join(root, user, "collection.media")
				rot(t, filepath.Join(folder, "a"))
				switch end {
				case "idle":
					time.Sleep(5 * time.Minute)
					synctest.Wait()
					if s.IsOpen(user) {
						t.Fatal("still open")
					}
				case "commit fails":
					if _, _, err := apply(s, makeZip(t, zip.Store, entry{"c", "c"})); err == nil {
						t.Error("no failure")
					}
				case "killed":
					copied := t.TempDir()
					copyTree(t, root, copied)
					s = media.Open(copied, media.Options{})
					t.Cleanup(func() { s.Close() })
				}
				s.SetHook(nil)
				usn, err := s.LastUSN(ctx, user)
				if err != nil || usn < 3 {
					t.Errorf("usn %d, %v: devices do not notice", usn, err)
				}
				got := alive(rows(t, s, user))
				if got["a"] != "" || got["b"] == "" {
					t.Errorf("known: %v", got)
				}
				if again, err := s.LastUSN(ctx, user); err != nil || again != usn {
					t.Errorf("usn %d before it is opened, %d, %v afterwards", usn, again, err)
				}
			})
		})
	}
}

// TestFlushFailsPending is that while an upload cannot put its file in place: there
// is no looking then, and so no believing.
func TestFlushFailsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, root := newStore(t, media.Options{SyncDelay: time.Second})
		release := make(chan struct{})
		var syncs atomic.Int32
		var full atomic.Bool
		s.SetHook(func(step string) error {
			switch {
			case step == "sync file" && syncs.Add(1) == 1:
				return errDisk
			case step == "sync folder" && syncs.Load() > 1:
				<-release
			case step == "rename" && full.Load():
				return fmt.Errorf("injected: %w", syscall.ENOSPC)
			}
			return nil
		})
		mustApply(t, s, entry{"a", "a"})
		time.Sleep(time.Second)
		synctest.Wait()
		mustApply(t, s, entry{"b", "b"})
		time.Sleep(time.Second)
		synctest.Wait() // the second flush waits
		full.Store(true)
		if _, _, err := apply(s, makeZip(t, 0, entry{"c", "c"})); !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
		close(release)
		synctest.Wait()
		rot(t, filepath.Join(root, user, "collection.media", "a"))
		full.Store(false)
		mustApply(t, s, entry{"d", "d"})
		time.Sleep(time.Second)
		synctest.Wait()
		if got := alive(rows(t, s, user)); len(got) != 3 || got["a"] != "" {
			t.Errorf("known: %v", got)
		}
	})
}

// TestFlushSlow has an upload come while a flush takes longer than the delay: it
// is synced soon after all the same.
func TestFlushSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newStore(t, media.Options{SyncDelay: time.Second})
		release := make(chan struct{})
		var synced atomic.Int32
		s.SetHook(func(step string) error {
			if step == "sync file" && synced.Add(1) == 1 {
				<-release
			}
			return nil
		})
		mustApply(t, s, entry{"a", "a"})
		time.Sleep(time.Second)
		mustApply(t, s, entry{"b", "b"})
		time.Sleep(5 * time.Second)
		synctest.Wait()
		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		if n := synced.Load(); n != 2 {
			t.Errorf("%d files synced", n)
		}
	})
}

// TestClosingFails closes a database that cannot be synced: the next opening
// looks at what the last uploads brought.
func TestClosingFails(t *testing.T) {
	s, root := newStore(t, media.Options{SyncDelay: time.Hour})
	mustApply(t, s, entry{"a", "a"}, entry{"b", "b"})
	s.SetHook(func(step string) error {
		if step == "sync file" {
			return errDisk
		}
		return nil
	})
	if err := s.Evict(user); !errors.Is(err, errDisk) {
		t.Error(err)
	}
	s.SetHook(nil)
	rot(t, filepath.Join(root, user, "collection.media", "a"))
	if got := alive(rows(t, s, user)); len(got) != 1 || got["b"] != sha("b") {
		t.Errorf("known: %v", got)
	}
	agreed := mustApply(t, s, entry{"a", "a"})
	agree(t, s, filepath.Join(root, user, "collection.media"))
	if err := s.Evict(user); err != nil {
		t.Error(err)
	}
	if usn, err := s.LastUSN(ctx, user); usn != agreed || err != nil {
		t.Error(usn, err)
	}
}
