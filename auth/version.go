package auth

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"github.com/ankisyncd/ankisyncd/nowait"
)

// statEvery is how often the fast path asks the file system, too. SQLite's own
// changes show in the change counter at once; this is for files that somebody
// replaces, and a stat costs more than all the rest.
const statEvery = 100 * time.Millisecond

var epoch = time.Now() // for monotonic time in an atomic

// version tells one committed state of a database file from the next.
//
// With a rollback journal, SQLite adds one to the file change counter (4 bytes
// at offset 24 of the file) in every transaction that writes. Time and size are
// there for a file that somebody copied over in place, device and inode for one
// that was renamed into place.
type version struct {
	dev, ino    uint64
	size, mtime int64
	counter     uint32
}

func (v version) sameFile(w version) bool { return v.dev == w.dev && v.ino == w.ino }

// current returns the version of the file at path. It does not see the
// difference between a commit and the middle of one: compare it, or read it
// under a lock of SQLite's.
func (t *table[K, V]) current() (version, error) {
	t.handle.RLock()
	defer t.handle.RUnlock()
	return t.currentLocked()
}

func (t *table[K, V]) currentLocked() (version, error) {
	var v version
	if t.file == nil {
		return v, errClosed
	}
	if err := statVersion(t.path, &v); err != nil {
		return v, err
	}
	var err error
	v.counter, err = t.counter((*os.File).ReadAt)
	return v, err
}

func (t *table[K, V]) counter(readAt func(f *os.File, b []byte, off int64) (int, error)) (uint32, error) {
	var b [4]byte
	if _, err := readAt(t.file, b[:], 24); err != nil && !errors.Is(err, io.EOF) { // EOF: no page written yet
		return 0, err
	}
	return binary.BigEndian.Uint32(b[:]), nil
}

// unchanged reports whether the file is at version v, apart from a
// replacement in the last statEvery.
func (t *table[K, V]) unchanged(v version) bool {
	now := int64(time.Since(epoch))
	if now-t.statted.Load() >= int64(statEvery) {
		w, err := t.current()
		if err != nil || v != w {
			return false
		}
		t.statted.Store(now)
		return true
	}
	t.handle.RLock()
	defer t.handle.RUnlock()
	if t.file == nil {
		return false
	}
	read := (*os.File).ReadAt
	if t.local {
		read = nowait.ReadAt // the stat was less than a nowait.Moment ago
	}
	n, err := t.counter(read)
	return err == nil && n == v.counter
}
