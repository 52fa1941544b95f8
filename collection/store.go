package collection

import (
	"container/list"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FileName is the name of a stored collection inside a user's folder.
const FileName = "collection.anki2"

// Defaults of Options.
const (
	DefaultMaxUploadBytes = 2 << 30
	DefaultMaxOpen        = 24
	DefaultIdleTimeout    = 2 * time.Minute
	DefaultSyncTimeout    = 10 * time.Minute
	DefaultCheckTimeout   = 15 * time.Minute
)

// Options are the settings of a Store. The zero value is usable.
type Options struct {
	// MaxUploadBytes limits an uploaded file after decompression;
	// 0 means DefaultMaxUploadBytes.
	MaxUploadBytes int64
	// MaxOpen limits the collections that are open at once, apart from those
	// in the middle of a sync; 0 means DefaultMaxOpen.
	MaxOpen int
	// IdleTimeout closes a collection that nobody asked for; 0 means
	// DefaultIdleTimeout.
	IdleTimeout time.Duration
	// SyncTimeout ends a sync whose client has been silent; 0 means
	// DefaultSyncTimeout.
	SyncTimeout time.Duration
	// CheckTimeout ends the check and the upgrade of a file; 0 means
	// DefaultCheckTimeout. The smallest machines read 10 MB of a collection in a
	// second, so it is enough for several GB.
	CheckTimeout time.Duration
	// EditWait is how long View and Edit wait for a running sync of the user;
	// 0 means DefaultEditWait.
	EditWait time.Duration
	// StayBuried leaves buried cards buried when a day begins: the collections
	// are only read, and nobody studies them.
	StayBuried bool
	// Snapshots says which replaced files are kept.
	Snapshots Retention
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log gets what an operator should know; nil discards it.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxUploadBytes == 0 {
		o.MaxUploadBytes = DefaultMaxUploadBytes
	}
	if o.MaxOpen == 0 {
		o.MaxOpen = DefaultMaxOpen
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.SyncTimeout == 0 {
		o.SyncTimeout = DefaultSyncTimeout
	}
	if o.CheckTimeout == 0 {
		o.CheckTimeout = DefaultCheckTimeout
	}
	if o.EditWait == 0 {
		o.EditWait = DefaultEditWait
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Snapshots = o.Snapshots.withDefaults()
	return o
}

// Store holds the collections of all users below one data root.
type Store struct {
	root string
	o    Options

	mu     sync.Mutex // guards what follows; never held during I/O
	users  map[string]*user
	open   *list.List // of *user, most recently used first
	closed bool

	packed packedCopies // these have locks of their own
	temps  heldTemps

	stop chan struct{}
	done chan struct{}
}

// user is one user's place in the store.
type user struct {
	name string
	dir  string
	file string // the collection, in dir
	wal  string // and its write-ahead log

	// sem is the user's lock (a channel, so that waiting can be given up).
	// It guards the fields below it.
	sem  chan struct{}
	col  *handle
	sync *session
	// ended are the keys of the syncs before, latest last.
	ended []string
	pins  int // downloads that read the main file; no checkpoint meanwhile
	// unpinned is closed when pins falls to 0; nil while it is.
	unpinned chan struct{}
	// torn is shared by those downloads: true if the file had to be written to
	// all the same. Nil while there are none.
	torn *atomic.Bool

	study studyState // queues and undo, between two transactions

	// stale is the WAL of a file that is not there any more, as long as it could not
	// be removed.
	stale walFile
	// known is the last committed state; nil if it is not known. Unlike meta it
	// stays when another file is put in the collection's place.
	known *Meta

	late *lateFailure // of a sync that is over; nil if there is none

	meta atomic.Pointer[cachedMeta] // what Meta answers from, without the lock

	elem *list.Element // in Store.open; guarded by Store.mu
}

// New returns a store over the folder root, which need not exist yet. Nothing
// is opened until somebody asks for it.
func New(root string, o Options) *Store {
	s := &Store{
		root:  root,
		o:     o.withDefaults(),
		users: map[string]*user{},
		open:  list.New(),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
	}
	go s.janitor()
	return s
}

// UserDir returns the folder of a user: his name below the data root, as the
// Python servers had it. Names that could leave the root are ErrUserName.
func (s *Store) UserDir(name string) (string, error) {
	// A name that is one element of a path on this system stays in the root.
	if name == "." || len(name) > 255 || strings.Contains(name, "\x00") || filepath.Base(name) != name || !filepath.IsLocal(name) {
		return "", ErrUserName
	}
	return filepath.Join(s.root, name), nil
}

func (s *Store) user(name string) (*user, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[name]
	if u == nil {
		dir, err := s.UserDir(name)
		if err != nil {
			return nil, err
		}
		if s.closed {
			return nil, ErrClosed
		}
		file := filepath.Join(dir, FileName)
		u = &user{name: name, dir: dir, file: file, wal: file + "-wal", sem: make(chan struct{}, 1)}
		s.users[name] = u
	}
	if s.closed {
		return nil, ErrClosed
	}
	return u, nil
}

// lock waits for the user's lock, or for the end of ctx.
func (u *user) lock(ctx context.Context) error {
	select {
	case u.sem <- struct{}{}:
		return nil
	default:
	}
	select {
	case u.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *user) tryLock() bool {
	select {
	case u.sem <- struct{}{}:
		return true
	default:
		return false
	}
}

func (u *user) unlock() { <-u.sem }

func (u *user) path() string { return u.file }

// withUser runs f under the user's lock.
func (s *Store) withUser(ctx context.Context, name string, f func(u *user) error) error {
	u, err := s.user(name)
	if err != nil {
		return err
	}
	if err := u.lock(ctx); err != nil {
		return err
	}
	defer u.unlock()
	if s.isClosed() {
		return ErrClosed
	}
	return f(u)
}

func (s *Store) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// touch marks u as the most recently used open collection and closes others
// that are too many. The caller holds u's lock.
func (s *Store) touch(u *user) {
	s.mu.Lock()
	if u.elem == nil {
		u.elem = s.open.PushFront(u)
	} else {
		s.open.MoveToFront(u.elem)
	}
	var over []*user
	if n := s.open.Len() - s.o.MaxOpen; n > 0 {
		for e := s.open.Back(); e != nil && len(over) < n; e = e.Prev() {
			if v := e.Value.(*user); v != u {
				over = append(over, v)
			}
		}
	}
	s.mu.Unlock()
	for _, v := range over {
		// A user who is being served, syncs or downloads is left alone.
		if v.tryLock() {
			if v.sync == nil && v.pins == 0 {
				s.closeHandle(v)
			}
			v.unlock()
		}
	}
}

// closeHandle closes u's open collection, if any. The caller holds u's lock.
func (s *Store) closeHandle(u *user) {
	s.mu.Lock()
	if u.elem != nil {
		s.open.Remove(u.elem)
		u.elem = nil
	}
	s.mu.Unlock()
	if u.col == nil {
		return
	}
	fate := u.col.main.fate(u.path())
	if u.pins > 0 && (fate != ours || walSize(u.path()) > 0) {
		// Closing folds the WAL into the file that downloads are reading, or somebody
		// else has written to it.
		u.torn.Store(true)
	}
	var err error
	switch fate {
	case ours:
		err = u.col.close()
	case moved:
		err = u.closeMoved()
	case overwritten:
		err = u.closeOverwritten()
	}
	if err != nil {
		s.o.Log.Error("close collection", "user", u.name, "err", err)
	}
	u.col = nil
	s.noteLast(u)
	if fate != ours {
		s.o.Log.Warn("the collection was replaced by another program while it was open", "user", u.name)
		u.meta.Store(nil)
		return
	}
	if c := u.meta.Load(); c != nil {
		// Closing folds the WAL into the file, which changes its identity.
		u.remember(c.Meta)
	}
}

// janitor ends syncs whose client vanished, folds what resting collections have
// beside them, and closes idle ones.
func (s *Store) janitor() {
	defer close(s.done)
	t := time.NewTicker(min(s.o.IdleTimeout, s.o.SyncTimeout, 20*time.Second)/4 + time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-t.C:
			s.sweep()
		}
	}
}

// sweep does one round of the janitor's work.
func (s *Store) sweep() {
	s.mu.Lock()
	var us []*user
	for e := s.open.Front(); e != nil; e = e.Next() {
		us = append(us, e.Value.(*user))
	}
	s.mu.Unlock()
	now := s.o.Now()
	for _, u := range us {
		if !u.tryLock() {
			continue
		}
		if u.sync != nil && now.Sub(u.sync.lastStep) >= s.o.SyncTimeout {
			s.o.Log.Info("sync expired", "user", u.name, "idle", now.Sub(u.sync.lastStep))
			s.rollback(u)
		}
		if u.sync == nil && u.pins == 0 && u.col != nil {
			switch idle := now.Sub(u.col.lastUsed); {
			case idle >= s.o.IdleTimeout:
				s.closeHandle(u)
			case idle >= rest:
				s.foldWAL(u, checkpointBytes)
			}
		}
		u.unlock()
	}
}

// Close rolls back what is unfinished and closes every collection. Calls that
// come later, or that still wait for a lock, get ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var us []*user
	for _, u := range s.users {
		us = append(us, u)
	}
	s.mu.Unlock()
	close(s.stop)
	<-s.done
	for _, u := range us {
		u.sem <- struct{}{}
		s.rollback(u)
		s.closeHandle(u)
		u.unlock()
	}
	s.packed.forgetAll()
	return nil
}

// OpenCount returns how many collections are open, for metrics.
func (s *Store) OpenCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open.Len()
}

// ensureDir makes the user's folder (mode 0700) if it is missing.
func (u *user) ensureDir() error { return os.MkdirAll(u.dir, 0o700) }
