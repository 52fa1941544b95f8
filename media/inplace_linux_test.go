package media_test

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ankisyncd/ankisyncd/media"
)

// TestInPlaceFails has a zip fail after another device has put its own files
// where those of the zip were made.
func TestInPlaceFails(t *testing.T) {
	s, root := newStore(t, media.Options{})
	boom := errors.New("boom")
	var once, theirs atomic.Bool
	stored := make(chan struct{})
	s.SetHook(func(step string) error {
		switch {
		case theirs.Load():
		case step == "close" && once.CompareAndSwap(false, true):
			theirs.Store(true)
			mustApply(t, s, entry{"a", "theirs"}, entry{"b", "theirs"}, entry{"c", "theirs"}, entry{"d", "theirs"}, entry{"d", ""})
			theirs.Store(false)
			close(stored)
			return boom
		case step == "staged": // not before they are stored
			<-stored
		}
		return nil
	})
	if _, _, err := apply(s, makeZip(t, zip.Store, entry{"a", "ours"}, entry{"b", "ours"}, entry{"c", "ours"}, entry{"d", "ours"})); !errors.Is(err, boom) {
		t.Error(err)
	}
	folder := filepath.Join(root, user, "collection.media")
	agree(t, s, folder)
	if d := cmp.Diff(map[string]string{"a": "theirs", "b": "theirs", "c": "theirs"}, files(t, folder)); d != "" {
		t.Error(d)
	}
}

// TestInPlacePanics: what goes wrong in making a file is that upload's failure only.
func TestInPlacePanics(t *testing.T) {
	s, root := newStore(t, media.Options{})
	var once atomic.Bool
	s.SetHook(func(step string) error {
		if step == "close" && once.CompareAndSwap(false, true) {
			panic("boom")
		}
		return nil
	})
	list := []entry{{"a", "a"}, {"b", "b"}, {"c", "c"}, {"d", "d"}}
	if _, _, err := apply(s, makeZip(t, zip.Store, list...)); err == nil || !once.Load() {
		t.Error("no failure")
	}
	folder := filepath.Join(root, user, "collection.media")
	agree(t, s, folder)
	mustApply(t, s, list...)
	agree(t, s, folder)
}

// TestCommitFails: the disk takes the files of a zip, and then not the commit.
// Whether it has happened is for opening the database to find out, and with it
// what becomes of the files.
func TestCommitFails(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"old", "old"})
	dir := filepath.Join(root, user)
	failed := 0
	s.SetHook(func(step string) error {
		if step == "commit" {
			failed += makeReadOnly(t, dir)
		}
		return nil
	})
	list := []entry{{"a", "a"}, {"b", "b"}, {"c", "c"}, {"d", "d"}}
	usn, err := s.LastUSN(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := apply(s, makeZip(t, zip.Store, list...)); err == nil || failed != 1 {
		t.Fatalf("%v, %d files made read-only", err, failed)
	}
	s.SetHook(nil)
	if now, err := s.LastUSN(t.Context(), user); err != nil || now != usn {
		t.Errorf("usn %d, %v, was %d", now, err, usn)
	}
	folder := filepath.Join(dir, "collection.media")
	agree(t, s, folder)
	if d := cmp.Diff(map[string]string{"old": "old"}, files(t, folder)); d != "" {
		t.Error(d)
	}
	mustApply(t, s, list...)
	agree(t, s, folder)
}

// makeReadOnly has the process's WAL in dir open for reading only, and returns
// how many there are.
func makeReadOnly(t *testing.T, dir string) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fds {
		name, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || filepath.Dir(name) != dir || !strings.HasSuffix(name, "-wal") {
			continue
		}
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Dup3(int(f.Fd()), fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		n++
	}
	return n
}
