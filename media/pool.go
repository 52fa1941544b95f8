package media

import (
	"container/list"
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/ankisyncd/ankisyncd/filestate"
)

// Store keeps the media of all users below one root. Its methods may be
// called from many goroutines; calls for one user wait for each other only
// while the database is at work, and never for another user.
type Store struct {
	root string
	o    Options

	mu     sync.Mutex
	users  map[string]*entry
	open   *list.List // of *entry with a database open, latest used first
	timer  *time.Timer
	closed bool

	// boot tells this run of the machine from others; see bootID.
	boot string

	sums *sums

	// hook is called at each step that touches the disk; tests make it fail
	// or kill the process there.
	hook func(step string) error
	// portable is set by tests: do as on systems without rawDirs.
	portable bool
}

// maxEntries bounds what is remembered of users whose databases are closed.
const maxEntries = 10000

// entry is the place of one user.
type entry struct {
	user, dir string
	lock      chan struct{} // holds one token while somebody works on h
	h         *handle       // nil while closed; guarded by lock
	flush     *time.Timer   // set while a flush is to come; guarded by lock

	// Guarded by Store.mu.
	refs int
	used time.Time
	elem *list.Element

	cmu   sync.Mutex
	known *cache // what LastUSN answers from; nil if unknown
}

type cache struct {
	usn, files int64
	folder     string
	id         ident
	none       *nothing // instead of id, of a user without media
	glance     filestate.Glance
}

// valid reports whether the files on disk are still the ones last seen.
func (c *cache) valid(dir string) bool {
	if c.none != nil {
		return c.none.still(dir, c.glance.Again(c.none.dir, c.none.deepest()))
	}
	return c.id.same(identify(dir, c.folder, c.glance.Again(c.id[0])))
}

func newStore(root string, o Options) *Store {
	return &Store{root: root, o: o, users: map[string]*entry{}, open: list.New(), boot: bootID(), sums: newSums()}
}

// at marks a step that touches the disk.
func (s *Store) at(step string) error {
	if s.hook == nil {
		return nil
	}
	return s.hook(step)
}

// cached returns what is remembered of a user, whether or not it still holds.
// Nobody changes it.
func (s *Store) cached(user string) (c *cache, dir string) {
	s.mu.Lock()
	e := s.users[user]
	s.mu.Unlock()
	if e == nil {
		return nil, ""
	}
	e.cmu.Lock()
	defer e.cmu.Unlock()
	return e.known, e.dir
}

// known returns what is remembered of a user and still holds, or nil.
func (s *Store) known(user string) *cache {
	if c, dir := s.cached(user); c != nil && c.valid(dir) {
		return c
	}
	return nil
}

func (e *entry) remember(c *cache) {
	e.cmu.Lock()
	e.known = c
	e.cmu.Unlock()
}

func (e *entry) remembers() bool {
	e.cmu.Lock()
	defer e.cmu.Unlock()
	return e.known != nil && e.known.none == nil
}

// pin returns the user's entry and keeps its database from being closed as
// idle until unpin.
func (s *Store) pin(user string) (*entry, error) {
	dir, err := s.userDir(user)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	e := s.users[user]
	if e == nil {
		e = &entry{user: user, dir: dir, lock: make(chan struct{}, 1)}
		s.forgetSome()
		s.users[user] = e
	}
	e.refs++
	return e, nil
}

// forgetSome drops closed entries when there are too many. Called with mu held.
func (s *Store) forgetSome() {
	if len(s.users) < maxEntries {
		return
	}
	n := 0
	for name, e := range s.users {
		if e.refs == 0 && e.elem == nil {
			delete(s.users, name)
			if n++; n >= maxEntries/10 {
				return
			}
		}
	}
}

// unpin gives an entry back and closes what is open beyond the limit.
func (s *Store) unpin(e *entry) {
	s.mu.Lock()
	e.refs--
	e.used = time.Now()
	if e.elem != nil {
		s.open.MoveToFront(e.elem)
	}
	if s.timer == nil && s.open.Len() > 0 && !s.closed {
		s.timer = time.AfterFunc(s.o.IdleTimeout, s.closeIdle)
	}
	victims := s.victims(func(e *entry, n int) bool { return n > s.o.MaxOpen })
	s.mu.Unlock()
	s.closeAll(victims)
}

// victims pins and returns the unused open entries, the longest unused first,
// that want(entry, number still open) chooses. Called with mu held.
func (s *Store) victims(want func(e *entry, n int) bool) []*entry {
	var out []*entry
	n := s.open.Len()
	for el := s.open.Back(); el != nil; el = el.Prev() {
		e := el.Value.(*entry) //nolint:forcetypeassert // the list holds nothing else
		if e.refs == 0 && want(e, n) {
			e.refs++
			out = append(out, e)
			n--
		}
	}
	return out
}

func (s *Store) closeIdle() {
	s.mu.Lock()
	s.timer = nil
	old := time.Now().Add(-s.o.IdleTimeout)
	victims := s.victims(func(e *entry, _ int) bool { return !e.used.After(old) })
	s.mu.Unlock()
	s.closeAll(victims)
	s.mu.Lock()
	if s.timer == nil && s.open.Len() > 0 && !s.closed {
		s.timer = time.AfterFunc(s.o.IdleTimeout/2+time.Millisecond, s.closeIdle)
	}
	s.mu.Unlock()
}

// closeAll closes the databases of pinned entries and unpins them.
func (s *Store) closeAll(victims []*entry) {
	for _, e := range victims {
		e.lock <- struct{}{}
		if err := s.shut(e); err != nil {
			s.o.Log.Error("media database not closed cleanly", "user", e.user, "err", err)
		}
		<-e.lock
		s.mu.Lock()
		e.refs--
		s.mu.Unlock()
	}
}

// shut closes the entry's database. The caller holds e.lock.
func (s *Store) shut(e *entry) error {
	h := e.h
	if h == nil {
		return nil
	}
	e.h = nil
	defer func() {
		s.mu.Lock()
		if e.elem != nil {
			s.open.Remove(e.elem)
			e.elem = nil
		}
		s.mu.Unlock()
	}()
	sound := !h.pending && !h.away
	err := h.close() // which may find that files are lost
	if err != nil || !sound {
		e.remember(nil)
		return err
	}
	e.remember(&cache{usn: h.last, files: h.files, folder: h.name, id: identify(e.dir, h.name, filestate.Of)})
	return nil
}

// with runs f with the user's open database, alone. If the user has no media
// and create is false, f is not run and with returns nil.
func (s *Store) with(ctx context.Context, user string, create bool, f func(h *handle) error) error {
	e, err := s.pin(user)
	if err != nil {
		return err
	}
	defer s.unpin(e)
	return s.locked(ctx, e, create, f)
}

// lockedSoon is locked for what follows another use of the same database
// within one request: that the files on disk are those that are open has just
// been seen. It is errRestage if somebody else has closed the database since.
func (s *Store) lockedSoon(ctx context.Context, e *entry, f func(h *handle) error) error {
	select {
	case e.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.lock }()
	if e.h == nil || e.h.pending {
		return errRestage
	}
	return s.use(e, f)
}

// locked is with for an entry that is already pinned.
func (s *Store) locked(ctx context.Context, e *entry, create bool, f func(h *handle) error) error {
	select {
	case e.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-e.lock }()
	var before nothing
	if e.h == nil && !create {
		before = lookAt(e.dir)
	}
	if err := s.ready(ctx, e, create); err != nil {
		return err
	}
	if e.h == nil {
		if before.memorable(e.dir, time.Now()) {
			e.remember(&cache{none: &before})
		}
		return nil
	}
	return s.use(e, f)
}

// use runs f with the open database and remembers what it leaves. The caller
// holds e.lock.
func (s *Store) use(e *entry, f func(h *handle) error) error {
	writes := e.h.writes
	err := f(e.h)
	switch {
	case e.h.broken:
		err = errors.Join(err, s.shut(e))
		e.remember(nil)
	case e.h.away:
		e.remember(nil) // when they are back, opening may write
	default:
		if e.h.writes != writes || !e.remembers() {
			e.remember(&cache{usn: e.h.last, files: e.h.files, folder: e.h.name, id: identify(e.dir, e.h.name, filestate.Of)})
		}
		s.flushLater(e)
	}
	return err
}

// ready sees to it that e.h is open and what lies on disk is still what was
// opened. The caller holds e.lock.
func (s *Store) ready(ctx context.Context, e *entry, create bool) error {
	if e.h != nil && !e.h.current() {
		if err := s.shut(e); err != nil {
			s.o.Log.Warn("media database was changed from outside", "user", e.user, "err", err)
		}
	}
	if e.h == nil {
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return ErrClosed
		}
		// Opening may convert or hash a whole folder. A client that gives up
		// meanwhile shall find it done when it comes back.
		h, err := openHandle(context.WithoutCancel(ctx), s, e.dir, create)
		if err != nil {
			e.remember(nil)
			return err
		}
		if h == nil {
			return nil
		}
		e.h = h
		e.remember(nil) // opening may have written
		s.mu.Lock()
		e.elem = s.open.PushFront(e)
		s.mu.Unlock()
	}
	writes := e.h.writes
	err := e.h.settle(context.WithoutCancel(ctx))
	if e.h.writes != writes {
		e.remember(nil)
	}
	if err != nil {
		if e.h.broken {
			err = errors.Join(err, s.shut(e))
		}
		e.remember(nil)
		return err
	}
	return nil
}

// Evict closes the user's database if it is open, waiting for work in
// progress, so that the user's folder can be moved or removed.
func (s *Store) Evict(user string) error {
	e, err := s.pin(user)
	if err != nil {
		if errors.Is(err, ErrClosed) {
			return nil
		}
		return err
	}
	defer s.unpin(e)
	e.lock <- struct{}{}
	defer func() { <-e.lock }()
	err = s.shut(e)
	e.remember(nil)
	return err
}

// Close waits for work in progress and closes all databases. Calls that come
// later get ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	all := make([]*entry, 0, len(s.users))
	for _, e := range s.users {
		all = append(all, e)
	}
	s.mu.Unlock()
	var errs []error
	for _, e := range all {
		e.lock <- struct{}{}
		errs = append(errs, s.shut(e))
		<-e.lock
	}
	return errors.Join(errs...)
}

// current reports whether the files on disk are still the ones that h has
// open. The database is held exclusively, so only a replaced file or a
// replaced folder can make a difference, or another server's media.db.
func (h *handle) current() bool {
	fi, err := os.Stat(dbPath(h.dir))
	if err != nil || !os.SameFile(fi, h.dbInfo) {
		return false
	}
	if h.root != nil {
		fi, err := os.Stat(h.folder())
		if err != nil || !os.SameFile(fi, h.rootInfo) {
			return false
		}
	}
	if h.away && !h.isAway() {
		return false // the files are back
	}
	id := identify(h.dir, h.name, filestate.Of)
	return id[2].Same(h.official[0]) && id[3].Same(h.official[1])
}
