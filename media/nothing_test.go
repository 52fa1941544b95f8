package media

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestNothingIsRemembered: a user without media is answered for from memory
// until somebody puts media into the folder, whichever way.
func TestNothingIsRemembered(t *testing.T) {
	write := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte("content"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, change := range map[string]func(*testing.T, string){
		"a file in the folder that was there": write("collection.media/a.jpg"),
		"a database of the official server":   write("media.db"),
		"a database of AnkiServer":            write("collection.media.db2"),
		"a log beside a database":             write("media.db-wal"),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "u")
			folder := filepath.Join(dir, folderNative)
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			old := time.Now().Add(-time.Hour)
			for _, d := range []string{folder, dir} {
				if err := os.Chtimes(d, old, old); err != nil {
					t.Fatal(err)
				}
			}
			s := Open(root, Options{})
			defer s.Close() //nolint:errcheck // of a test
			if usn, err := s.LastUSN(t.Context(), "u"); usn != 0 || err != nil {
				t.Fatalf("LastUSN = %d, %v", usn, err)
			}
			c, ok := s.cached("u")
			if !ok || c.none == nil || !c.valid(dir) {
				t.Fatalf("not remembered: %+v, %v", c, ok)
			}
			change(t, dir)
			if c.valid(dir) {
				t.Error("still remembered after a change")
			}
		})
	}
}

// TestNothingTooFresh: a folder that has just been changed may change again
// without a trace in its time.
func TestNothingTooFresh(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "u"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := Open(root, Options{})
	defer s.Close() //nolint:errcheck // of a test
	if _, err := s.LastUSN(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.cached("u"); ok {
		t.Error("what was seen in a folder of this moment is remembered")
	}
}
