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
	for name, c := range map[string]struct {
		folder bool // is there before
		change func(*testing.T, string)
	}{
		"a file in the folder that was there": {true, write("collection.media/a.jpg")},
		"a folder":                            {false, write("collection.media/a.jpg")},
		"a database of the official server":   {true, write("media.db")},
		"a database of AnkiServer":            {false, write("collection.media.db2")},
		"a log beside a database":             {false, write("media.db-wal")},
	} {
		t.Run(name, func(t *testing.T) {
			change := c.change
			root := t.TempDir()
			dir := filepath.Join(root, "u")
			deepest, old := dir, time.Now().Add(-time.Hour)
			if c.folder {
				deepest = filepath.Join(dir, folderNative)
			}
			if err := os.MkdirAll(deepest, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, d := range []string{deepest, dir} {
				if err := os.Chtimes(d, old, old); err != nil {
					t.Fatal(err)
				}
			}
			s := Open(root, Options{})
			defer s.Close() //nolint:errcheck // of a test
			if usn, err := s.LastUSN(t.Context(), "u"); usn != 0 || err != nil {
				t.Fatalf("LastUSN = %d, %v", usn, err)
			}
			c := s.known("u")
			if c == nil || c.none == nil {
				t.Fatalf("not remembered: %+v", c)
			}
			change(t, dir)
			if s.known("u") != nil {
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
	if c, _ := s.cached("u"); c != nil {
		t.Error("what was seen in a folder of this moment is remembered")
	}
}

// TestNothingBehindALink: what a link points to may come back without a trace in
// the folder of the link, as when a disk is mounted.
func TestNothingBehindALink(t *testing.T) {
	root, away := t.TempDir(), filepath.Join(t.TempDir(), "away")
	dir := filepath.Join(root, "u")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(away, filepath.Join(dir, folderNative)); err != nil {
		t.Skip("no links here:", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	s := Open(root, Options{})
	defer s.Close() //nolint:errcheck // of a test
	for range 2 {
		_, _ = s.LastUSN(t.Context(), "u") // whatever it says of a link to nowhere
	}
	if err := os.Mkdir(away, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(away, "a.jpg"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if usn, err := s.LastUSN(t.Context(), "u"); usn != 1 || err != nil {
		t.Errorf("LastUSN = %d, %v; want 1", usn, err)
	}
}
