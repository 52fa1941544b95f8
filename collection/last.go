package collection

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// LastName is the name of a small file beside the collection that says what its
// state was when a process last let go of it. By that the next one notices that a
// backup was put in the place of the collection meanwhile, with which devices
// would go on syncing as if nothing had happened.
//
// It is written after the commit that it tells of is on the disk, and not synced:
// it may be older than the truth, never newer. Without it nothing is noticed.
const LastName = "collection.last"

// last is the content of that file.
type last struct {
	SCM int64 `json:"scm"` // ms
	USN USN   `json:"usn"`
	Mod int64 `json:"mod"` // ms
}

func (m Meta) last() last { return last{SCM: m.SCM, USN: m.USN, Mod: m.Mod} }

// before reports whether a collection in the state a is an earlier one of what
// was in the state b: nobody who only goes on with a collection lowers any of
// these. A new scm is that of an upload or a changed schema; it says nothing
// unless everything else is lower, too. A usn that has risen tells more than a mod
// that has not: the clock may have gone backwards.
func (a last) before(b last) bool {
	if a.SCM != b.SCM {
		return a.SCM < b.SCM && a.Mod < b.Mod && a.USN <= b.USN
	}
	return a.USN < b.USN || a.USN == b.USN && a.Mod < b.Mod
}

func (u *user) lastPath() string { return filepath.Join(u.dir, LastName) }

// readLast returns what was noted; ok is false if it is not known.
func (u *user) readLast() (l last, ok bool) {
	b, err := os.ReadFile(u.lastPath())
	if err != nil || json.Unmarshal(b, &l) != nil {
		return last{}, false
	}
	return l, l.SCM > 0 && l.USN >= 0
}

// noteLast notes the last committed state, as far as it is known and another one
// than was noted.
func (s *Store) noteLast(u *user) {
	if u.known == nil {
		return
	}
	now := u.known.last()
	if was, ok := u.readLast(); ok && was == now {
		return
	}
	if err := writeLast(u, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.o.Log.Warn("note the state of the collection", "user", u.name, "err", err)
	}
}

func writeLast(u *user, l last) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := createTemp(u.dir)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), u.lastPath())
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// forgetLast is for the moment before another file takes the collection's place
// on purpose: whatever its state is, it is the wanted one.
func (s *Store) forgetLast(u *user) {
	u.known = nil
	if err := notThere(os.Remove(u.lastPath())); err != nil {
		s.o.Log.Warn("forget the state of the collection", "user", u.name, "err", err)
	}
}
