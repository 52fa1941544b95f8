package filestate_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/filestate"
)

func TestState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	missing := filestate.Of(path)
	if missing.Found() || !missing.Same(filestate.State{}) || missing.ModTime() != 0 {
		t.Error("a missing file is something")
	}
	must(os.WriteFile(path, []byte("abc"), 0o600))
	when := time.Unix(1_700_000_000, 123_456_700)
	must(os.Chtimes(path, when, when))
	a := filestate.Of(path)
	if !a.Found() || a.Size() != 3 || a.Same(missing) || missing.Same(a) || !a.Same(filestate.Of(path)) {
		t.Error(a)
	}
	if d := a.ModTime() - when.UnixNano(); d < -2e9 || d > 0 { // file systems round down, some to 2 s
		t.Error("time of change", a.ModTime())
	}
	for what, change := range map[string]func() error{
		"written": func() error { return os.WriteFile(path, []byte("abcd"), 0o600) },
		"touched": func() error { return os.Chtimes(path, when, when.Add(4*time.Second)) },
		"replaced": func() error {
			if err := os.WriteFile(path+"2", []byte("abc"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+"2", path)
		},
		"removed": func() error { return os.Remove(path) },
	} {
		must(os.WriteFile(path, []byte("abc"), 0o600))
		must(os.Chtimes(path, when, when))
		before := filestate.Of(path)
		if runtime.GOOS == "windows" {
			must(change()) // of a file that is not open
			if filestate.Of(path).Same(before) {
				t.Error(what, "was not seen")
			}
			continue
		}
		f, err := os.Open(path)
		must(err)
		if !filestate.OfOpen(f).Same(before) {
			t.Error("by its name it is another file")
		}
		must(change())
		if filestate.OfOpen(f).Same(before) != (what == "replaced" || what == "removed") {
			t.Error(what, "of the open file")
		}
		must(f.Close())
		if filestate.OfOpen(f).Found() {
			t.Error("closed, it is there")
		}
		if what == "replaced" {
			must(os.Chtimes(path, when, when))
		}
		if filestate.Of(path).Same(before) {
			t.Error(what, "was not seen")
		}
	}
}
