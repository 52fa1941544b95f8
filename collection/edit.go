package collection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// DefaultEditWait is how long View and Edit wait for a running sync.
const DefaultEditWait = 10 * time.Second

// editPoll is how often a waiting View or Edit looks whether the sync is over.
const editPoll = 20 * time.Millisecond

// Txn is a look at one user's collection, or a change of it, as a client makes
// it: rows are written with the collection's usn, so that every device gets
// them with its next sync, and deletions leave graves. It is valid inside the
// function that View or Edit was given, in one goroutine.
type Txn struct {
	s *Store
	u *user
	h *handle

	now    time.Time
	before Meta // the committed state
	usn    USN  // of everything that is written

	readOnly bool
	dirty    bool // something was written
	rescoped bool // scm is to change: every device does a full sync
	stale    bool // something was written that the kept queues do not know of
	removed  int  // rows that were deleted
	delta    Counts

	// kept is the file that holds the previous state, "" if there is none: a
	// temporary one, and a snapshot (placed) once the commit is at hand.
	kept, keptFor string
	placed        bool

	// What was read and still holds; writing methods see to that.
	notetypes map[int64]*notetypeInUse
	decks     []*schema.Deck
	presets   map[int64]*schema.DeckConfig
	day       *scheduling.Timing

	study studyState // becomes the user's if the transaction succeeds
}

// View runs f on the committed state of a user's collection. Writing methods
// are ErrReadOnly. A running sync, whose changes lie in the one connection that
// the collection has, is waited for as in Edit.
//
// f must not call methods of the Store for the same user.
func (s *Store) View(ctx context.Context, name string, f func(t *Txn) error) error {
	return s.txn(ctx, name, EditOptions{}, true, f)
}

// Edit runs f in one transaction on a user's collection and commits it, unless f
// returns an error or panics. If anything was written, the collection's mod
// rises, so that every device syncs.
//
// A running sync of the user is waited for (Options.EditWait), then it is
// ErrSyncing. It is ErrNotFound if nothing is stored. While f runs, nobody else
// gets at the collection: f should not wait for anything, and must not call
// methods of the Store for the same user.
func (s *Store) Edit(ctx context.Context, name string, f func(t *Txn) error) error {
	return s.txn(ctx, name, EditOptions{}, false, f)
}

// EditOptions are the choices of EditWith.
type EditOptions struct {
	// CreateIfMissing makes a fresh collection if nothing is stored.
	CreateIfMissing bool
	// Keep makes a snapshot of the previous state in any case, and gives the
	// reason in its name. The methods that delete much or change a schema do so
	// by themselves, with the reason "edit".
	Keep string
}

// EditWith is Edit with options.
func (s *Store) EditWith(ctx context.Context, name string, o EditOptions, f func(t *Txn) error) error {
	return s.txn(ctx, name, o, false, f)
}

// withIdle runs f under the user's lock at a moment when no sync is going on.
func (s *Store) withIdle(ctx context.Context, name string, f func(u *user) error) error {
	deadline := time.Now().Add(s.o.EditWait)
	for {
		busy := false
		err := s.withUser(ctx, name, func(u *user) error {
			if u.sync != nil {
				busy = true
				return nil
			}
			return f(u)
		})
		if !busy {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return ErrSyncing
		}
		select {
		case <-time.After(min(left, editPoll)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Store) txn(ctx context.Context, name string, o EditOptions, readOnly bool, f func(t *Txn) error) error {
	return s.withIdle(ctx, name, func(u *user) error {
		open := s.opened
		if o.CreateIfMissing && !readOnly {
			open = s.openedOrFresh
		}
		h, err := open(ctx, u)
		if err != nil {
			return err
		}
		t, err := s.newTxn(u, h, readOnly)
		if err != nil {
			return err
		}
		if readOnly {
			if err := f(t); err != nil {
				return err
			}
			u.study = t.study
			return nil
		}
		if err := h.begin(); err != nil {
			return fmt.Errorf("begin edit: %w", err)
		}
		done := false
		defer func() {
			if !done {
				t.rollback()
			}
		}()
		if o.Keep != "" {
			if err := t.keepPrevious(o.Keep); err != nil {
				return err
			}
		}
		if err := f(t); err != nil {
			return err
		}
		if err := t.commit(); err != nil {
			return err
		}
		done = true
		return nil
	})
}

// newTxn makes a Txn on the open collection, after giving buried cards back if
// a new day has begun.
func (s *Store) newTxn(u *user, h *handle, readOnly bool) (*Txn, error) {
	m, err := readMeta(h)
	if err != nil {
		return nil, err
	}
	t := &Txn{
		s: s, u: u, h: h, now: s.o.Now(), before: m, usn: m.USN, readOnly: readOnly,
		notetypes: map[int64]*notetypeInUse{},
	}
	t.study = u.study.at(m)
	u.study.queues, u.study.balance = nil, nil // they move on with the transaction
	if err := t.startDay(); err != nil {
		return nil, fmt.Errorf("start the day: %w", err)
	}
	u.remember(m)
	return t, nil
}

// startDay gives buried cards back if the day has changed, as clients do when
// they open a collection. No mod changes by it: every device does it by itself.
func (t *Txn) startDay() error {
	if t.now.Unix() < t.study.dayEnds || t.s.o.StayBuried {
		return nil
	}
	day, err := t.Timing()
	if err != nil {
		return err
	}
	if err := t.h.begin(); err != nil {
		return err
	}
	if err := unburyIfNewDay(t.h, t.now, t.usn); err != nil {
		return errors.Join(err, t.h.rollback())
	}
	if err := t.h.commit(); err != nil {
		return errors.Join(err, t.h.rollback())
	}
	t.study.dayEnds = day.NextDayAt
	return nil
}

// write is what every writing method calls first.
func (t *Txn) write() error {
	if t.readOnly {
		return ErrReadOnly
	}
	t.dirty, t.stale = true, true
	t.study.balance = nil
	return nil
}

// changeSchema is what every method calls first whose change cannot be merged:
// every device will have to do a full sync.
func (t *Txn) changeSchema() error {
	if err := t.write(); err != nil {
		return err
	}
	t.rescoped = true
	return t.keepPrevious(reasonEdit)
}

// manyRows is how many rows one Edit may delete without a snapshot.
const manyRows = 100

// willRemove is called before n rows are deleted.
func (t *Txn) willRemove(n int) error {
	if err := t.write(); err != nil {
		return err
	}
	if t.removed += n; t.removed <= manyRows {
		return nil
	}
	return t.keepPrevious(reasonEdit)
}

// commit ends the transaction.
func (t *Txn) commit() error {
	if !t.dirty {
		if err := t.h.rollback(); err != nil {
			return err
		}
		t.dropKept()
		t.u.study = t.study
		return nil
	}
	mod := max(t.now.UnixMilli(), t.before.Mod+1)
	scm := t.before.SCM
	if t.rescoped {
		scm = max(t.now.UnixMilli(), scm+1)
	}
	if _, err := t.h.exec(`UPDATE col SET mod = ?, scm = ?`, mod, scm); err != nil {
		return err
	}
	after, err := readMeta(t.h)
	if err != nil {
		return err
	}
	if err := t.placeKept(); err != nil {
		return fmt.Errorf("keep the collection: %w", err)
	}
	committed, err := t.h.commitHere()
	kept := t.kept != ""
	if committed {
		t.kept = "" // whatever happens now, the snapshot stays
	}
	if err != nil {
		return fmt.Errorf("commit edit: %w", err)
	}
	if t.h.counts != nil {
		c := t.h.counts.plus(t.delta)
		t.h.counts = &c
	}
	t.u.remember(after)
	if t.stale {
		t.study.queues = nil
	}
	t.study.mod, t.study.scm, t.study.usn = after.Mod, after.SCM, after.USN
	t.u.study = t.study
	t.s.foldWAL(t.u, maxWALBytes)
	if kept {
		t.s.prune(t.u)
	}
	return nil
}

// rollback ends the transaction as if it had never begun.
func (t *Txn) rollback() {
	if err := t.h.rollback(); err != nil {
		// Closing rolls back what cannot be rolled back otherwise.
		t.s.o.Log.Warn("roll back edit", "user", t.u.name, "err", err)
		t.s.closeHandle(t.u)
		t.u.meta.Store(nil)
		if !t.placed { // else it is unknown whether the commit happened
			t.dropKept()
		}
		return
	}
	t.dropKept()
	// What a large transaction spilled into the WAL has changed the file.
	t.u.remember(t.before)
}

// Meta is the state of the collection before this transaction.
func (t *Txn) Meta() Meta { return t.before }

// Now is the time at which everything in this transaction happens.
func (t *Txn) Now() time.Time { return t.now }

// Timing is the day that it is for the collection.
func (t *Txn) Timing() (scheduling.Timing, error) {
	if t.day != nil {
		return *t.day, nil
	}
	var crt int64
	if err := t.h.row(`SELECT crt FROM col`, nil, &crt); err != nil {
		return scheduling.Timing{}, err
	}
	c, err := readTimingConfig(t.h)
	if err != nil {
		return scheduling.Timing{}, err
	}
	day := timing(crt, c, t.now)
	t.day = &day
	return day, nil
}
