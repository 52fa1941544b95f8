// Package media is one user's media: the files of a collection.media folder
// and the database beside it, kept in step whatever happens to the process.
//
// Files stay plain files under their real names, so that people can back them
// up with rsync. The database is the one of the Python servers
// (collection.media.server.db), with tables of ours (ankisyncd_…) beside
// theirs, so that a user can go back at any time. Folders of the other
// servers are taken over in place (legacy.go, official.go).
//
// A zip of changes is one transaction. The transaction records which incoming
// files have to be renamed into place and which have to be removed; they are
// renamed and removed after the commit, and opening the database finishes what
// a crash interrupted (journal.go). Files with new names are made in place, and
// opening removes those that came to nothing (inplace.go).
//
// The package follows docs/protocol.md §7 and docs/compat.md §3. It may import
// sqlite and filestate and nothing else of ours. It never learns about HTTP, sessions,
// passwords or the collection.
package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Limits of the protocol (docs/protocol.md §7).
const (
	// MaxRows is the largest number of rows in one uploaded zip, and of names
	// in one request for files.
	MaxRows = 25
	// MaxChanges is the usual size of one page of changes, in rows. The official
	// server sends 1000; clients take any number, and each page is a round trip
	// before a new device's first picture.
	MaxChanges = 5000
	// MaxNameBytes is the longest file name, in bytes of UTF-8.
	MaxNameBytes = 255
	// DefaultMaxFileBytes is the largest file that clients send: 100 MiB.
	DefaultMaxFileBytes = 100 << 20

	maxMetaBytes     = 50 << 10 // the listing inside an uploaded zip
	downloadEnough   = 5 << 19  // 2.5 MiB: no file is added to a zip beyond this
	maxFileBytesCap  = 3 << 30  // sizes on the wire are 32 bits
	slackBytes       = 16 << 20 // what may accompany one file of the largest size
	maxDirectoryRead = 1 << 20  // bytes of a zip's central directory
	stagingDir       = ".ankisyncd-incoming"
	folderNative     = "collection.media"
	folderOfficial   = "media"
)

// Errors that callers map to answers. All others are failures of the machine
// (disk, database) and worth a 500.
var (
	// ErrBadRequest says that the client sent something that no server could
	// accept: a broken zip, a file name that leaves the folder, a file too large.
	ErrBadRequest = errors.New("media: bad request")
	// ErrConflict says that the client's idea of the server's files is out of
	// date: it asked for a file that is not there (any more).
	ErrConflict = errors.New("media: no such file")
	// ErrBusy says that another process holds the user's media database.
	ErrBusy = errors.New("media: database is in use by another process")
	// ErrAway says that the folder of the user's files is missing, or has no file
	// at all, although the database knows of many: a disk may not be mounted. See
	// away.go.
	ErrAway = errors.New("media: the files are not there")
	// ErrUser says that the user's name is no folder name.
	ErrUser = errors.New("media: unusable user name")
	// ErrClosed says that the store has been closed.
	ErrClosed = errors.New("media: store is closed")
)

// Options are the settings of a Store. The zero value is useful.
type Options struct {
	// MaxFileBytes is the largest single file accepted, in bytes; 0 means
	// DefaultMaxFileBytes. Values beyond 3 GiB mean 3 GiB.
	MaxFileBytes int64
	// MaxOpen is how many users' databases stay open while nobody uses them;
	// 0 means 64.
	MaxOpen int
	// IdleTimeout is how long an unused database stays open; 0 means a minute.
	IdleTimeout time.Duration
	// SyncDelay is how long an accepted upload may be in the operating
	// system's memory only, where a loss of power destroys it; 0 means a
	// second. Negative syncs each upload before it is answered. See journal.go
	// for what is at stake.
	SyncDelay time.Duration
	// BusyTimeout is how long to wait for another process that holds a
	// database before ErrBusy; 0 means two seconds.
	BusyTimeout time.Duration
	// Log gets one line for each thing that an administrator should know (a
	// damaged file, a folder taken over); nil means no log.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxFileBytes <= 0 {
		o.MaxFileBytes = DefaultMaxFileBytes
	}
	o.MaxFileBytes = min(o.MaxFileBytes, maxFileBytesCap)
	if o.MaxOpen <= 0 {
		o.MaxOpen = 64
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = time.Minute
	}
	if o.SyncDelay == 0 {
		o.SyncDelay = time.Second
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Change is one row of the list of changes: what a file's name now stands for.
type Change struct {
	// Name is the file's name, in NFC.
	Name string
	// USN is the update sequence number at which it got this content.
	USN int32
	// Sum is the SHA-1 of the content in lower-case hex, or "" if the file has
	// been deleted.
	Sum string
}

// Stats is what a user stores.
type Stats struct {
	// Files is the number of files that are not deleted.
	Files int
	// Bytes is the size of all regular files in the folder.
	Bytes int64
}

// Open returns a store of the media of all users below root, each in the
// folder root/<user>. It touches no disk until a user is asked for.
func Open(root string, o Options) *Store {
	return newStore(root, o.withDefaults())
}

// LastUSN returns the user's media usn; 0 for a user who has no media yet. It
// answers from memory as long as the files on disk are the ones last seen, and
// then waits for nobody.
func (s *Store) LastUSN(ctx context.Context, user string) (int32, error) {
	if usn, ok := s.KnownUSN(user); ok {
		return usn, nil
	}
	var usn int64
	err := s.with(ctx, user, false, func(h *handle) error {
		usn = h.last
		return nil
	})
	return usn32(usn), err
}

// KnownUSN is LastUSN where that waits for nobody; ok is false where it may have
// to, or fail.
func (s *Store) KnownUSN(user string) (usn int32, ok bool) {
	c := s.known(user)
	if c == nil {
		return 0, false
	}
	return usn32(c.usn), true
}

// Changes lists the rows with a usn above lastUSN in ascending order of usn, at
// most limit of them (0 means MaxChanges), except that rows which share a usn
// are never divided between two pages: a client continues from the last row's
// usn and would lose the rest (databases of the oldest server give all their
// rows one usn, docs/compat.md §3.3).
func (s *Store) Changes(ctx context.Context, user string, lastUSN int32, limit int) ([]Change, error) {
	if limit <= 0 {
		limit = MaxChanges
	}
	var list []Change
	err := s.with(ctx, user, false, func(h *handle) error {
		if int64(lastUSN) >= h.last {
			return nil
		}
		var err error
		list, err = h.changes(int64(lastUSN), limit)
		return err
	})
	return list, err
}

// Sanity reports whether the client's count of files is the server's.
func (s *Store) Sanity(ctx context.Context, user string, localCount int) (bool, error) {
	if c := s.known(user); c != nil {
		return c.files == int64(localCount), nil
	}
	ok := localCount == 0
	err := s.with(ctx, user, false, func(h *handle) error {
		ok = h.files == int64(localCount)
		return nil
	})
	return ok && err == nil, err
}

// Stats counts the user's files and their bytes. It reads the folder, so its
// cost grows with the number of files.
func (s *Store) Stats(ctx context.Context, user string) (Stats, error) {
	var st Stats
	err := s.with(ctx, user, false, func(h *handle) error {
		st.Files = int(h.files)
		list, err := os.ReadDir(h.folder())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, d := range list {
			if fi, err := d.Info(); err == nil && fi.Mode().IsRegular() {
				st.Bytes += fi.Size()
			}
		}
		return nil
	})
	return st, err
}

// userDir returns the folder of a user, whose name must be one path element.
func (s *Store) userDir(user string) (string, error) {
	if user == "." || strings.Contains(user, "\x00") || filepath.Base(user) != user || !filepath.IsLocal(user) {
		return "", fmt.Errorf("%w: %q", ErrUser, user)
	}
	return filepath.Join(s.root, user), nil
}

func usn32(n int64) int32 {
	return int32(max(0, min(n, math.MaxInt32))) //nolint:gosec // clamped
}

// dbError gives a database error its meaning.
func dbError(what string, err error) error {
	if sqlite.IsBusy(err) {
		return fmt.Errorf("%s: %w (%v)", what, ErrBusy, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
