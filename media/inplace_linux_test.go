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
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ankisyncd/ankisyncd/media"
)

// TestInPlaceFails has a zip fail after another device has put its own files
// where those of the zip were made.
func TestInPlaceFails(t *testing.T) {
	s, root := newStore(t, media.Options{})
	boom := errors.New("boom")
	var once, ours, theirs atomic.Bool
	staged, stored := make(chan struct{}), make(chan struct{})
	s.SetHook(func(step string) error {
		switch {
		case theirs.Load():
		case step == "close" && once.CompareAndSwap(false, true):
			<-staged // or ours would pass for theirs there, and wait for this with the user's lock
			theirs.Store(true)
			mustApply(t, s, entry{"a", "theirs"}, entry{"b", "theirs"}, entry{"c", "theirs"}, entry{"d", "theirs"}, entry{"d", ""})
			theirs.Store(false)
			close(stored)
			return boom
		case step == "staged" && ours.CompareAndSwap(false, true): // not before they are stored
			close(staged)
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

// sameFiles gives the files of a folder that got the inodes of those before the
// times of those, too. It skips the test where there are none.
func sameFiles(t *testing.T, folder string, before map[string]os.FileInfo) {
	t.Helper()
	same := 0
	for n, fi := range stats(t, folder) {
		if !os.SameFile(fi, before[n]) {
			continue
		}
		same++
		if err := os.Chtimes(filepath.Join(folder, n), time.Time{}, before[n].ModTime()); err != nil {
			t.Error(err)
		}
	}
	if same == 0 {
		t.Skip("this file system does not use inodes again at once (a tmpfs never does, ext4 does: set TMPDIR to a folder on one)")
	}
}

func stats(t *testing.T, folder string) map[string]os.FileInfo {
	t.Helper()
	out := map[string]os.FileInfo{}
	for n := range files(t, folder) {
		fi, err := os.Lstat(filepath.Join(folder, n))
		if err != nil {
			t.Error(err)
		}
		out[n] = fi
	}
	return out
}

// others are another device's files. The inode of our first goes to their note,
// for ours is still open.
var others = []entry{{"b", "them"}, {"c", "them"}, {"d", "them"}, {"a", "them"}}

// TestInodesUsedAgain has a zip fail after the database was opened again, which
// removed what the zip had made in place, and after another device has stored
// files of the same names, which got the same inodes.
func TestInodesUsedAgain(t *testing.T) {
	s, root := newStore(t, media.Options{})
	folder := filepath.Join(root, user, "collection.media")
	boom := errors.New("boom")
	var once atomic.Bool
	made := make(chan struct{}, 25)
	s.SetHook(func(step string) error {
		switch step {
		case "close":
			made <- struct{}{}
		case "staged": // all four are there, made one after the other
			for range 4 {
				<-made
			}
		}
		if step == "staged" && once.CompareAndSwap(false, true) {
			before := stats(t, folder)
			if err := s.Evict(user); err != nil {
				t.Error(err)
			}
			if got := alive(rows(t, s, user)); len(got) != 0 || len(files(t, folder)) != 0 { // opened again
				t.Error(got)
			}
			mustApply(t, s, others...)
			sameFiles(t, folder, before)
			return boom
		}
		return nil
	})
	if _, _, err := apply(s, makeZip(t, zip.Store, entry{"a", "ours"}, entry{"b", "ours"}, entry{"c", "ours"}, entry{"d", "ours"})); !errors.Is(err, boom) {
		t.Error(err)
	}
	if len(alive(rows(t, s, user))) != 4 {
		t.Error("not stored")
	}
	agree(t, s, folder)
}

// TestInodesUsedByTwo is that with the other device still at it.
func TestInodesUsedByTwo(t *testing.T) {
	s, root := newStore(t, media.Options{})
	folder := filepath.Join(root, user, "collection.media")
	boom := errors.New("boom")
	var calls atomic.Int32
	staged, failed, stored := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	made := make(chan struct{}, 25)
	s.SetHook(func(step string) error {
		if step == "close" {
			made <- struct{}{}
		}
		if step != "staged" {
			return nil
		}
		for range 4 {
			<-made
		}
		switch calls.Add(1) {
		case 1:
			before := stats(t, folder)
			if err := s.Evict(user); err != nil {
				t.Error(err)
			}
			_ = rows(t, s, user)
			go func() {
				_, _, err := apply(s, makeZip(t, zip.Store, others...))
				stored <- err
			}()
			<-staged
			defer func() { // also when it skips
				if t.Skipped() {
					close(failed)
				}
			}()
			sameFiles(t, folder, before)
			return boom
		case 2:
			close(staged)
			<-failed
		}
		return nil
	})
	_, _, err := apply(s, makeZip(t, zip.Store, entry{"a", "ours"}, entry{"b", "ours"}, entry{"c", "ours"}, entry{"d", "ours"}))
	close(failed)
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	if err := <-stored; err != nil {
		t.Error(err)
	}
	if len(alive(rows(t, s, user))) != 4 {
		t.Error("not stored")
	}
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
