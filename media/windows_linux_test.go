package media_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/osname/osnametest"
)

// TestWindowsFileSystem stores names there that it does not take, in place and
// by renaming.
func TestWindowsFileSystem(t *testing.T) {
	root := osnametest.Mount(t, "windows_names")
	s := media.Open(root, media.Options{})
	defer s.Close()
	want := map[string]string{"a?.png": "1", "b:c": "2", "plain": "3", "d.": "4", "e": "5"}
	mustApply(t, s, entry{"a?.png", "1"}, entry{"b:c", "2"}, entry{"plain", "3"}, entry{"d.", "4"}, entry{"e", "5"})
	for range 2 {
		if d := cmp.Diff(want, download(t, s, user, "a?.png", "b:c", "plain", "d.", "e")); d != "" {
			t.Error(d)
		}
		if err := s.Evict(user); err != nil {
			t.Fatal(err)
		}
	}
	mustApply(t, s, entry{"a?.png", "another"}, entry{"b:c", ""}, entry{"b:c", "again"}, entry{"d.", ""})
	want = map[string]string{"a?.png": "another", "b:c": "again", "plain": "3", "e": "5"}
	if d := cmp.Diff(want, download(t, s, user, "a?.png", "b:c", "plain", "e")); d != "" {
		t.Error(d)
	}
	if n := len(files(t, filepath.Join(root, user, "collection.media"))); n != 4 {
		t.Errorf("%d files", n)
	}
}

// TestIgnoredCaseReplayed kills a store that has deleted a file and then added
// one of the same name in other case: doing the first again would remove the
// second.
func TestIgnoredCaseReplayed(t *testing.T) {
	root := osnametest.Mount(t, "windows_names")
	s := media.Open(filepath.Join(root, "1"), media.Options{SyncDelay: time.Hour})
	defer s.Close()
	mustApply(t, s, entry{"A.jpg", "upper"}, entry{"kept", "kept"})
	mustApply(t, s, entry{"A.jpg", ""})
	mustApply(t, s, entry{"a.jpg", "lower"})
	copyTree(t, filepath.Join(root, "1"), filepath.Join(root, "2"))
	again := media.Open(filepath.Join(root, "2"), media.Options{})
	defer again.Close()
	want := map[string]string{"a.jpg": "lower", "kept": "kept"}
	agree(t, again, filepath.Join(root, "2", user, "collection.media"))
	if d := cmp.Diff(want, files(t, filepath.Join(root, "2", user, "collection.media"))); d != "" {
		t.Error(d)
	}
}
