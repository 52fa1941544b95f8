package collection

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// session is a running sync: an open transaction and what the client said of
// itself (docs/protocol.md §6).
type session struct {
	skey      string
	serverUSN USN
	clientUSN USN
	// clientNewer: the client's collection has the later mod.
	clientNewer bool
	// textIDs: the client knows its notetypes' ids as text (§10).
	textIDs  bool
	lastStep time.Time
	steps    int // that have begun
	cursor   chunkCursor
	ahead    *aheadChunk // nil if there is none
	handed   handedChunk
	delta    Counts
	// unsent: there are rows that neither side would send any more: one came that
	// its sender still has marked as changed, or the client has synced with a
	// later state of the collection than this one. The sanity check fails then,
	// and a full sync makes both sides the same.
	unsent bool
	// notetypes caches what storing a note needs; a nil entry is a notetype
	// that does not exist.
	notetypes map[int64]*noteShape
	// before is the committed state, which others see until the end.
	before Meta
}

// step runs f inside the sync that skey started, under the user's lock. It is
// ErrConflict if that sync is not going on. If f fails (or panics) everything
// that the sync has done is rolled back and it is over.
func (s *Store) step(ctx context.Context, name, skey string, f func(u *user, se *session) error) error {
	return s.withUser(ctx, name, func(u *user) error {
		se, err := u.running(skey)
		if err != nil {
			return err
		}
		return s.runStep(u, se, f)
	})
}

// running is the sync that skey started. If a step of it failed after its answer
// (stepLater), that is what is said of it, once. The caller holds u's lock.
func (u *user) running(skey string) (*session, error) {
	if u.sync != nil && u.sync.skey == skey {
		return u.sync, nil
	}
	if late := u.late; late != nil && late.skey == skey {
		u.late = nil
		return nil, late.err
	}
	return nil, ErrConflict
}

func (s *Store) runStep(u *user, se *session, f func(u *user, se *session) error) error {
	se.steps++
	ok := false
	defer func() {
		if !ok {
			s.rollback(u)
		}
	}()
	if err := f(u, se); err != nil {
		return err
	}
	at("after step")
	se.lastStep = s.o.Now()
	ok = true
	return nil
}

// stepLater is step for an f that fails only if the disk does: it goes on after
// the answer, while the client makes its next request ready. That one, and
// everything else that wants this user's collection, waits for the lock, which f
// keeps until it has ended. If f fails the sync is over, as after any step, and
// its next step says why: nothing is taken for stored before Finish.
func (s *Store) stepLater(ctx context.Context, name, skey string, f func(u *user, se *session) error) error {
	u, err := s.user(name)
	if err != nil {
		return err
	}
	if err := u.lock(ctx); err != nil {
		return err
	}
	if s.isClosed() {
		u.unlock()
		return ErrClosed
	}
	se, err := u.running(skey)
	if err != nil {
		u.unlock()
		return err
	}
	go func() {
		defer u.unlock()
		if err := s.runLate(u, se, f); err != nil {
			u.late = &lateFailure{skey, err}
			s.o.Log.Error("step failed after its answer", "user", name, "err", err)
		}
	}()
	return nil
}

// runLate is runStep where nobody would survive a panic.
func (s *Store) runLate(u *user, se *session, f func(u *user, se *session) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return s.runStep(u, se, f)
}

// lateFailure is a step's failure that its client has not been told of.
type lateFailure struct {
	skey string
	err  error
}

// rollback ends u's running sync, if any, as if it had never begun. The caller
// holds u's lock.
func (s *Store) rollback(u *user) {
	if u.sync == nil {
		return
	}
	before := u.sync.before
	u.endSync()
	if err := u.col.rollback(); err != nil {
		// A connection whose transaction cannot be ended is of no use: closing
		// it rolls back.
		s.o.Log.Warn("roll back sync", "user", u.name, "err", err)
		s.closeHandle(u)
		u.meta.Store(nil)
		return
	}
	u.remember(before)
}

// endSync forgets the sync that was going on, but not its key.
func (u *user) endSync() {
	key := u.sync.skey
	u.sync = nil
	if key == "" || len(key) > maxEndedKey {
		return
	}
	if len(u.ended) == maxEnded {
		u.ended = slices.Delete(u.ended, 0, 1)
	}
	u.ended = append(u.ended, key)
}

// Limits of what is remembered of syncs that are over: how many, and how long a
// key, bytes. Clients' have at most ten or so.
const (
	maxEnded    = 8
	maxEndedKey = 64
)

// Start begins a sync (docs/protocol.md §6.2): it ends any that is going on,
// opens the transaction, unburies cards if a new day has begun, and returns
// what was deleted here since the client's last sync. Only then the client's
// own deletions are applied, if it sent them along (g may be nil).
func (s *Store) Start(ctx context.Context, name string, o StartOptions) (Graves, error) {
	var out Graves
	err := s.withUser(ctx, name, func(u *user) error {
		s.rollback(u)
		u.late = nil
		h, err := s.openedOrFresh(ctx, u)
		if err != nil {
			return err
		}
		before, err := readMeta(h)
		if err != nil {
			return err
		}
		u.remember(before)
		if err := h.begin(); err != nil {
			return fmt.Errorf("begin sync: %w", err)
		}
		u.sync = &session{
			skey: o.SKey, serverUSN: before.USN, clientUSN: o.ClientUSN, clientNewer: o.ClientNewer,
			textIDs: o.TextIDs, notetypes: map[int64]*noteShape{}, before: before, lastStep: s.o.Now(),
			// An older file has been put in the place of the one that it knows.
			unsent: o.ClientUSN > before.USN,
		}
		u.ended = slices.DeleteFunc(u.ended, func(key string) bool { return key == o.SKey })
		ok := false
		defer func() {
			if !ok {
				s.rollback(u)
			}
		}()
		if err := unburyIfNewDay(h, s.o.Now(), before.USN); err != nil {
			return fmt.Errorf("unbury: %w", err)
		}
		if out, err = gravesSince(h, o.ClientUSN); err != nil {
			return err
		}
		if o.Graves != nil {
			if err := u.sync.applyGraves(h, *o.Graves); err != nil {
				return err
			}
		}
		at("after start")
		ok = true
		return nil
	})
	return out, err
}

// StartOptions is what a client says when it begins a sync.
type StartOptions struct {
	// SKey is the client's name for this sync.
	SKey string
	// ClientUSN is the usn of the client's last sync (minUsn).
	ClientUSN USN
	// ClientNewer is true if the client's collection was modified later.
	ClientNewer bool
	// TextIDs asks for notetype ids as text (docs/protocol.md §10).
	TextIDs bool
	// Graves are the client's deletions, from clients that send them here.
	Graves *Graves
}

// Abort ends the user's running sync, whoever began it: the key of a client
// whose user stopped it is a new one. But a client whose own sync is over, of
// which it may just have heard, ends nobody else's. It is no error if there is
// nothing to end.
func (s *Store) Abort(ctx context.Context, name, skey string) error {
	return s.withUser(ctx, name, func(u *user) error {
		if !slices.Contains(u.ended, skey) {
			s.rollback(u)
		}
		return nil
	})
}

// AbortSync ends the sync that skey began; ErrConflict if it is not going on.
func (s *Store) AbortSync(ctx context.Context, name, skey string) error {
	return s.step(ctx, name, skey, func(u *user, _ *session) error {
		s.rollback(u)
		return nil
	})
}

// Finish commits the sync and returns the collection's new mod, epoch ms
// (docs/protocol.md §6.8). The stored mod, usn and ls are part of the one
// transaction.
func (s *Store) Finish(ctx context.Context, name, skey string) (int64, error) {
	var mod int64
	err := s.step(ctx, name, skey, func(u *user, se *session) error {
		h := u.col
		mod = max(s.o.Now().UnixMilli(), se.before.Mod+1)
		if _, err := h.exec(`UPDATE col SET mod = ?, ls = ?, usn = usn + 1`, mod, mod); err != nil {
			return err
		}
		after, err := readMeta(h)
		if err != nil {
			return err
		}
		committed, err := h.commitHere()
		if committed {
			u.endSync()
		}
		if err != nil {
			return fmt.Errorf("commit sync: %w", err)
		}
		if h.counts != nil {
			c := h.counts.plus(se.delta)
			h.counts = &c
		}
		u.remember(after)
		s.foldWAL(u, maxWALBytes)
		return nil
	})
	return mod, err
}

// foldWAL checkpoints a WAL that has so many bytes. Failing is no failure of
// what was committed: it is tried again later. The caller holds u's lock, and no
// sync is running.
func (s *Store) foldWAL(u *user, bytes int64) {
	if u.pins > 0 || walSize(u.path()) < bytes {
		return
	}
	if err := u.col.checkpoint(); err != nil {
		s.o.Log.Warn("fold write-ahead log", "user", u.name, "err", err)
	}
	if c := u.meta.Load(); c != nil {
		u.remember(c.Meta)
	}
}
