package collection

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/ankisyncd/ankisyncd/filestate"
)

// Files replaced from outside. An operator puts a backup back with mv, cp or
// rsync while the server runs. What is committed lies in the WAL of the file
// that was open; SQLite, which knows the WAL by its name, would replay it onto
// whatever has the file's name then. So the file is looked at before anything
// is answered from it, before and after each commit, and when it is closed.

// headerBytes is the length of a database's header, in which the size of a page
// is at pageSizeAt (https://sqlite.org/fileformat2.html).
const (
	headerBytes = 100
	pageSizeAt  = 16
)

// mainFile is the file of an open collection, read past SQLite. There is one
// descriptor for all who do: where a process's locks belong to the file (not on
// Linux, see package sqlite), closing any other would drop SQLite's.
type mainFile struct {
	*os.File
	info os.FileInfo
	refs atomic.Int32
	// root is the page of the table col, which has one row: every change of a
	// collection is noted there.
	root int64
	// left and mark are the file as we left it.
	left filestate.State
	mark mark
}

// mark tells one content of a file from the next; the zero value is not known.
type mark [sha256.Size]byte

func openMain(path string, root int64) (*mainFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m := &mainFile{File: f, info: fi, root: root}
	m.refs.Store(1)
	m.look()
	return m, nil
}

// hold is for a reader; release ends it.
func (m *mainFile) hold() *mainFile {
	m.refs.Add(1)
	return m
}

func (m *mainFile) release() error {
	if m.refs.Add(-1) > 0 {
		return nil
	}
	return m.Close()
}

// look notes the file as it is, after we have written to it.
func (m *mainFile) look() {
	m.left = filestate.OfOpen(m.File)
	m.mark = m.read()
}

// read returns the mark of what is in the file now.
func (m *mainFile) read() mark {
	var header [headerBytes]byte
	if _, err := m.ReadAt(header[:], 0); err != nil {
		return mark{}
	}
	size := int64(binary.BigEndian.Uint16(header[pageSizeAt:]))
	if size == 1 {
		size = 65536
	}
	page := make([]byte, size)
	if n, err := m.ReadAt(page, (m.root-1)*size); err != nil && (n == 0 || !errors.Is(err, io.EOF)) {
		return mark{}
	}
	return sha256.Sum256(append(page, header[:]...))
}

// fate is what has become of an open file.
type fate int

const (
	ours        fate = iota // nobody else has written to it
	moved                   // another file, or none, has its name
	overwritten             // something else has been written into it
)

// fate looks at the file. One that was only touched is still ours, and so is
// one that cannot be looked at. An older state of the same file may have the same
// size and header, but not the same row in col.
func (m *mainFile) fate(path string) fate {
	if filestate.Of(path).Same(m.left) {
		return ours
	}
	switch fi, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return moved
	case err != nil:
		return ours
	case !os.SameFile(fi, m.info):
		return moved
	}
	// The same file, so it is asked itself: what its name says may be older.
	now := filestate.OfOpen(m.File)
	if !now.Found() || !m.left.Found() {
		return ours
	}
	if now.Size() != m.left.Size() {
		return overwritten
	}
	if is, unread := m.read(), (mark{}); is != m.mark && is != unread && m.mark != unread {
		return overwritten
	}
	m.left = now
	return ours
}

var (
	errReplaced    = fmt.Errorf("%w: the collection was replaced by another program meanwhile", ErrConflict)
	errOverwritten = errors.New("the collection was overwritten by another program")
)

// commitHere commits to the file that has the collection's name. Otherwise it is
// ErrConflict: a client that is told so sends its rows again.
func (h *handle) commitHere() (committed bool, err error) {
	if h.main.fate(h.path) != ours {
		return false, errReplaced
	}
	if err := h.commit(); err != nil {
		return false, err
	}
	if h.main.fate(h.path) != ours {
		return true, errReplaced
	}
	return true, nil
}

// walFile is a WAL as far as it tells whether the file of that name is still
// ours. SQLite chooses new salts whenever it begins a WAL anew.
type walFile [walHeaderBytes]byte

const walHeaderBytes = 32

// look reads the header, if it has not been read yet and there is one.
func (w *walFile) look(path string) {
	if *w == (walFile{}) {
		*w, _ = readWAL(path) // it is read the next time
	}
}

// readWAL is the zero value if there is no WAL, or one without a header.
func readWAL(path string) (w walFile, err error) {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	defer f.Close()
	switch _, err := io.ReadFull(f, w[:]); {
	case err == nil:
		return w, nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return walFile{}, nil
	default:
		return walFile{}, err
	}
}

// remove removes the WAL if it is still ours. One whose header was never read has
// no commits of ours; replayed onto another file, it changes nothing.
func (w walFile) remove(path string) error {
	if w == (walFile{}) {
		return nil
	}
	is, err := readWAL(path)
	if err != nil || is != w {
		return err
	}
	return os.Remove(path + "-wal")
}

// closeMoved closes a file that another one has the name of. What is committed
// belongs to it, wherever it is now, and not to the other one.
func (u *user) closeMoved() error {
	wal := u.col.wal
	folded := u.col.checkpoint()
	err := errors.Join(folded, u.col.close()) // SQLite notices, too, and leaves the WAL
	if folded != nil {
		// It is lost with its file; replayed onto the new one it would ruin that.
		u.stale = wal
	}
	return errors.Join(err, u.removeStale())
}

// asideExt is added to the name of a file that is closed after it was
// overwritten.
const asideExt = ".aside"

// closeOverwritten closes a file that something else has been written into: its
// WAL must not be folded into that. SQLite does not do so to a file that has
// lost its name. Killed meanwhile, whoever gives it the name back (bringBack) does
// not know whose the WAL is.
func (u *user) closeOverwritten() error {
	if err := os.Rename(u.path(), u.path()+asideExt); err != nil {
		return fmt.Errorf("%w; stop the server and remove its -wal file: %w", errOverwritten, err)
	}
	u.stale = u.col.wal
	err := u.col.close()
	if rerr := u.removeStale(); rerr != nil {
		return errors.Join(err, rerr) // the name comes back when it is gone
	}
	return errors.Join(err, os.Rename(u.path()+asideExt, u.path()))
}

// removeStale removes the WAL of a file that is not there any more.
func (u *user) removeStale() error {
	if err := u.stale.remove(u.path()); err != nil {
		return fmt.Errorf("remove the log of a collection that was replaced: %w", err)
	}
	u.stale = walFile{}
	return nil
}

// isAside reports whether the file may have lost its name in closeOverwritten.
func (u *user) isAside() bool {
	_, err := os.Lstat(u.path() + asideExt)
	return err == nil
}

// bringBack gives a file its name again that closeOverwritten has taken it from,
// and sees to it that no WAL of another file is there when it is opened. A WAL that
// a killed process has left beside it may be either file's: it is put aside, too.
func (u *user) bringBack() error {
	known := u.stale != walFile{}
	if err := u.removeStale(); err != nil {
		return err
	}
	_, err := os.Lstat(u.path())
	if !errors.Is(err, fs.ErrNotExist) || !u.isAside() {
		return notThere(err)
	}
	if !known {
		if err := os.Rename(u.path()+"-wal", u.path()+asideExt+"-wal"); notThere(err) != nil {
			return err
		}
	}
	return os.Rename(u.path()+asideExt, u.path())
}

func notThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// noticeOlder looks whether the file that has just been opened is an earlier
// state of the collection that this process knew, or the one before it. Devices
// have synced with the later one: what they sent to that is in no message of
// theirs any more, and a usn may soon mean two things. So they are asked for a full
// sync, as after a restore.
func (s *Store) noticeOlder(u *user, h *handle) error {
	later, ok := u.readLast()
	if u.known != nil && (!ok || later.before(u.known.last())) {
		later, ok = u.known.last(), true
	}
	if !ok {
		return nil
	}
	m, err := readMeta(h)
	if err != nil || !m.last().before(later) {
		return err
	}
	query, args := s.laterThan(later)
	if _, err := h.exec(query, args...); err != nil {
		return fmt.Errorf("mark an older collection: %w", err)
	}
	s.o.Log.Warn("an older state of the collection has been put in its place: each device will be asked for a full sync", "user", u.name)
	return nil
}
