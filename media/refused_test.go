package media_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
)

// TestFolderInsteadOfFile has somebody put a folder where a file was, before a
// device deletes the file: there is nothing to remove, and that must not keep
// anything else from being done.
func TestFolderInsteadOfFile(t *testing.T) {
	for _, portable := range []bool{false, true} {
		s, root := newStore(t, media.Options{})
		if portable {
			s.SetPortable()
		}
		folder := filepath.Join(root, user, "collection.media")
		mustApply(t, s, entry{"x", "x"}, entry{"e", "e"}, entry{"z", "z"})
		for _, n := range []string{"x", "e"} {
			if err := errors.Join(os.Remove(filepath.Join(folder, n)), os.Mkdir(filepath.Join(folder, n), 0o700)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(folder, "x", "y"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		mustApply(t, s, entry{"x", ""}, entry{"e", ""})
		for range 2 {
			agree(t, s, folder)
			if _, err := os.Stat(filepath.Join(folder, "x", "y")); err != nil {
				t.Error(err)
			}
			if fi, err := os.Stat(filepath.Join(folder, "e")); err != nil || !fi.IsDir() {
				t.Error("somebody's folder is gone", err)
			}
			if err := s.Evict(user); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRefusedNames makes renaming into place fail as on a file system that does
// not take the name: at once, when it is tried again, and for the other name,
// too.
func TestRefusedNames(t *testing.T) {
	full := fmt.Errorf("injected: %w", syscall.ENOSPC)
	for _, c := range []struct {
		name    string
		renames []error // what the first of them answer
		fails   error   // the upload, at first
		lost    bool
	}{
		{"at once", []error{syscall.ENAMETOOLONG}, nil, false},
		{"later", []error{full, syscall.EINVAL}, full, false},
		{"other name later", []error{syscall.EINVAL, full}, full, false},
		{"a folder", []error{full, syscall.EISDIR}, full, false},
		{"immutable", []error{syscall.EPERM}, nil, false},
		{"nowhere", []error{syscall.ENAMETOOLONG, syscall.EINVAL}, nil, true},
		{"nowhere, later", []error{full, syscall.ENAMETOOLONG, syscall.EINVAL}, full, true},
	} {
		for _, delay := range []time.Duration{-1, time.Hour} {
			for _, reopen := range []bool{false, true} {
				t.Run(fmt.Sprint(c.name, delay, reopen), func(t *testing.T) {
					s, root := newStore(t, media.Options{SyncDelay: delay})
					folder := filepath.Join(root, user, "collection.media")
					mustApply(t, s, entry{"old", "old"})
					if err := s.Evict(user); err != nil { // the journal is empty then
						t.Fatal(err)
					}
					var mu sync.Mutex
					left := c.renames
					s.SetHook(func(step string) error {
						mu.Lock()
						defer mu.Unlock()
						if step != "rename" || len(left) == 0 {
							return nil
						}
						err := left[0]
						left = left[1:]
						return err
					})
					if _, _, err := apply(s, makeZip(t, 0, entry{"a?.png", "content"})); !errors.Is(err, c.fails) {
						t.Errorf("%v, want %v", err, c.fails)
					}
					if reopen {
						if err := s.Evict(user); err != nil {
							t.Fatal(err)
						}
					}
					want := map[string]string{"old": "old", media.EscapeName("a?.png"): "content"}
					if c.lost {
						delete(want, media.EscapeName("a?.png"))
					}
					for range 2 {
						if _, err := s.Changes(ctx, user, 0, 0); err != nil {
							t.Fatal(err)
						}
						if d := cmp.Diff(want, files(t, folder)); d != "" {
							t.Error(d)
						}
						if c.lost {
							agree(t, s, folder)
						} else if got := download(t, s, user, "a?.png")["a?.png"]; got != "content" {
							t.Errorf("fetched %q", got)
						}
						if err := s.Evict(user); err != nil {
							t.Fatal(err)
						}
					}
					if len(left) > 0 {
						t.Error("not tried:", left)
					}
					mustApply(t, s, entry{"a?.png", "another"})
					if got := download(t, s, user, "a?.png")["a?.png"]; got != "another" {
						t.Errorf("fetched %q", got)
					}
					mustApply(t, s, entry{"a?.png", ""})
					agree(t, s, folder)
				})
			}
		}
	}
}

// TestRowOfTooLongName asks for a file whose name no file can have here, as after
// a move to a file system with shorter names: it is missing, no failure.
func TestRowOfTooLongName(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"a", "a"})
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 256)
	sqlOn(t, filepath.Join(root, user, "collection.media.server.db"), `INSERT INTO media VALUES ('`+long+`', 2, '`+sha("x")+`')`)
	if _, err := s.PrepareZip(ctx, user, []string{long}); !errors.Is(err, media.ErrConflict) {
		t.Error(err)
	}
	agree(t, s, filepath.Join(root, user, "collection.media"))
}

// TestRefusedInPlace is that for files that are made in place: they go the way
// of the others.
func TestRefusedInPlace(t *testing.T) {
	s, root := newStore(t, media.Options{})
	var mu sync.Mutex
	noted, renames := false, 0
	s.SetHook(func(step string) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case step == "noted":
			noted = true
		case step == "create" && noted:
			noted = false
			return syscall.ENAMETOOLONG
		case step == "rename":
			if renames++; renames == 1 {
				return syscall.ENAMETOOLONG
			}
		}
		return nil
	})
	want := map[string]string{"a": "a", "b": "b", "c": "c", "d": "d"}
	mustApply(t, s, entry{"a", "a"}, entry{"b", "b"}, entry{"c", "c"}, entry{"d", "d"})
	for range 2 {
		if d := cmp.Diff(want, download(t, s, user, "a", "b", "c", "d")); d != "" {
			t.Error(d)
		}
		if n := len(files(t, filepath.Join(root, user, "collection.media"))); n != 4 {
			t.Errorf("%d files", n)
		}
		if err := s.Evict(user); err != nil {
			t.Fatal(err)
		}
	}
}
