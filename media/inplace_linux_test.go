package media_test

import (
	"archive/zip"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

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
