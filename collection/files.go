package collection

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tempPrefix begins the name of every temporary file of ours in a user's
// folder. What a crash left of them is removed at the next chance.
const tempPrefix = ".collection-"

// createTemp makes a new temporary file in dir. Its name tells its age: one that
// is a second name of an older file has that one's mtime.
func createTemp(dir string) (*os.File, error) {
	return os.CreateTemp(dir, tempPrefix+strconv.FormatInt(time.Now().Unix(), 10)+"-*.tmp")
}

// tempAge is how long ago the temporary file was made or last written.
func tempAge(fi fs.FileInfo, now time.Time) time.Duration {
	last := fi.ModTime()
	made, _, _ := strings.Cut(strings.TrimPrefix(fi.Name(), tempPrefix), "-")
	if s, err := strconv.ParseInt(made, 10, 64); err == nil && time.Unix(s, 0).After(last) {
		last = time.Unix(s, 0)
	}
	return now.Sub(last)
}

// tempPath reserves a new temporary file in dir and returns its name.
func tempPath(dir string) (string, error) {
	f, err := createTemp(dir)
	if err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// staleTemp is the age at which a temporary file belongs to nobody any more, beyond
// Options.CheckTimeout, for which another process may be looking at one.
const staleTemp = 10 * time.Minute

// heldTemps are the temporary files that are in use outside their user's lock. The
// zero value is empty.
type heldTemps struct {
	mu    sync.Mutex
	paths map[string]struct{}
}

// hold keeps the file at path from removal until release is called.
func (t *heldTemps) hold(path string) (release func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.paths == nil {
		t.paths = map[string]struct{}{}
	}
	t.paths[path] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.paths, path)
	}
}

// has reports whether path is held, or is what SQLite keeps beside one that is.
func (t *heldTemps) has(path string) bool {
	for _, suffix := range sideSuffixes {
		path = strings.TrimSuffix(path, suffix)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.paths[path]
	return ok
}

// removeTemps removes what crashed operations left in dir.
func (s *Store) removeTemps(dir string, now time.Time) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if fi, err := e.Info(); err == nil && tempAge(fi, now) > s.o.CheckTimeout+staleTemp && !s.temps.has(path) {
			_ = os.Remove(path)
		}
	}
}

// removeWithSides removes a private database file and what SQLite put beside it.
func removeWithSides(path string) {
	_ = os.Remove(path)
	_ = removeSides(path)
}

// sideSuffixes end the names of what SQLite keeps beside a database file.
var sideSuffixes = []string{"-wal", "-shm", "-journal"}

// removeSides removes what SQLite left beside the file at path. Left there, it
// would be replayed onto a file that takes the place of the one it belongs to.
func removeSides(path string) error {
	for _, suffix := range sideSuffixes {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// hasSides reports whether something beside the file at path may still have to
// be folded into it: a write-ahead log or the journal of a broken transaction.
func hasSides(path string) bool {
	if walSize(path) > 0 {
		return true
	}
	fi, err := os.Stat(path + "-journal")
	return err == nil && fi.Size() > 0
}

// putInPlace moves tmp to path, both in the same folder, so that after a crash
// at any moment path is either the old or the whole new file.
func putInPlace(tmp, path string) error {
	if err := syncFile(tmp); err != nil {
		return err
	}
	at("before rename")
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	at("after rename")
	return syncDir(filepath.Dir(path))
}

// testHook is called at the named moments of the operations that write, for
// tests that stop or break them there. It is nil otherwise.
var testHook func(moment string)

func at(moment string) {
	if testHook != nil {
		testHook(moment)
	}
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(syncOpen(f, "file"), f.Close())
}

// syncOpen is f.Sync, and a moment: nothing else shows a test that it was done.
func syncOpen(f *os.File, what string) error {
	err := f.Sync()
	at("synced " + what)
	return err
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncOpen(f, "folder"), f.Close())
}

// linkOrCopy makes dst another name of src, or a synced copy of it where the
// file system knows no hard links. dst must not exist.
func linkOrCopy(src, dst string) error {
	err := os.Link(src, dst)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return copyFile(src, dst)
}

// copyFile copies src to dst, which must not exist, and syncs it. On an error
// nothing is left at dst.
func copyFile(src, dst string) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	return copyTo(in, dst)
}

// copyTo is copyFile for what has been opened already.
func copyTo(in io.Reader, dst string) (err error) {
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(dst)
		}
	}()
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close()
		return fmt.Errorf("copy to %s: %w", filepath.Base(dst), err)
	}
	return errors.Join(syncOpen(out, "copy"), out.Close())
}
