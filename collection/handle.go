package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// A WAL is folded into the collection when it has become large; until then a
// commit costs one write and one fsync. Beyond checkpointBytes it is folded once
// the collection has rested for a while, since a client would wait for it: on a
// large collection 1000 reviews lie on as many pages. Beyond maxWALBytes it is
// folded after the commit at once.
const (
	checkpointBytes = 4 << 20
	maxWALBytes     = 16 << 20
	rest            = 2 * time.Second
)

// handle is an open collection: one connection, in exclusive locking mode.
type handle struct {
	path     string
	main     *mainFile
	wal      walFile
	db       *sql.DB
	conn     *sqlite.Conn
	lastUsed time.Time
	// counts are the committed row counts, nil until somebody needed them.
	counts *Counts
}

// openHandle opens the file at path, which must be schema 18.
func openHandle(ctx context.Context, path string) (*handle, error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{
		Exclusive: true,
		Journal:   "wal",
		Pragmas:   []string{"wal_autocheckpoint(0)", "temp_store(memory)"},
		// A collection in use elsewhere is an error to tell, not to wait for.
		BusyTimeout: 500 * time.Millisecond,
		CacheKiB:    2048,
	})
	if err != nil {
		if sqlite.IsBusy(err) {
			return nil, fmt.Errorf("%w: %w", ErrBusy, err)
		}
		return nil, err
	}
	conn, err := sqlite.NewConn(ctx, db)
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	var root int64 // none in what is no collection: its caller will say so
	err = conn.QueryRowContext(ctx, `SELECT rootpage FROM sqlite_master WHERE type = 'table' AND name = 'col'`).Scan(&root)
	if errors.Is(err, sql.ErrNoRows) {
		root, err = 1, nil
	}
	var main *mainFile
	if err == nil {
		main, err = openMain(path, root)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(), db.Close())
	}
	h := &handle{path: path, main: main, db: db, conn: conn}
	h.wal.look(path)
	return h, nil
}

// close folds the WAL into the file and removes it, if it can: where no space
// is left it stays, and is folded at the next chance.
func (h *handle) close() error {
	return errors.Join(h.conn.Close(), h.db.Close(), h.main.release())
}

// background is for statements that are not tied to a request's context, as
// those of h.conn are not.
var background = context.Background()

// exec runs a statement and returns the number of rows it changed.
func (h *handle) exec(query string, args ...any) (int64, error) { return h.conn.Run(query, args...) }

// query runs f for every row. f may run other statements, but not this one.
func (h *handle) query(f func(scan func(dest ...any) error) error, query string, args ...any) error {
	return h.conn.Each(f, query, args...)
}

// row scans the one row of query; sql.ErrNoRows if there is none.
func (h *handle) row(query string, args []any, dest ...any) error {
	found := false
	err := h.query(func(scan func(...any) error) error {
		if found {
			return nil
		}
		found = true
		return scan(dest...)
	}, query, args...)
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

func (h *handle) begin() error { return h.conn.Begin() }

func (h *handle) commit() error {
	at("before commit")
	err := h.conn.Commit()
	at("after commit")
	h.wal.look(h.path)
	return err
}

func (h *handle) rollback() error { return h.conn.Rollback() }

// checkpoint folds the whole WAL into the file. It must not be called inside a
// transaction or while the file is pinned.
func (h *handle) checkpoint() error {
	if h.main.fate(h.path) == overwritten {
		return errOverwritten
	}
	at("before checkpoint")
	defer at("after checkpoint")
	defer func() { // also if it fails halfway
		h.main.look()
		h.wal = walFile{}
		h.wal.look(h.path)
	}()
	var busy, logged, moved int
	err := h.conn.QueryRowContext(background, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &logged, &moved)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if busy != 0 {
		return fmt.Errorf("checkpoint: %w", ErrBusy)
	}
	return nil
}

func walSize(path string) int64 {
	fi, err := os.Stat(path + "-wal")
	if err != nil {
		return 0
	}
	return fi.Size()
}

// opened returns u's collection, opening (and if need be upgrading) it. It is
// ErrNotFound if nothing is stored. The caller holds u's lock.
func (s *Store) opened(ctx context.Context, u *user) (*handle, error) {
	if u.col != nil && u.sync == nil && u.col.main.fate(u.path()) != ours {
		s.closeHandle(u)
	}
	if u.col == nil {
		if err := u.bringBack(); err != nil {
			return nil, err
		}
		if fi, err := os.Stat(u.path()); errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0 {
			return nil, ErrNotFound
		} else if err != nil {
			return nil, err
		}
		// Opening may replay a WAL or convert an old file: it is not given up
		// halfway because a client hung up.
		h, err := s.openStored(context.WithoutCancel(ctx), u)
		if err != nil {
			return nil, fmt.Errorf("open collection: %w", err)
		}
		if err := s.noticeOlder(u, h); err != nil {
			return nil, errors.Join(err, h.close())
		}
		h.wal.look(u.path())
		u.col = h
	}
	u.col.lastUsed = s.o.Now()
	s.touch(u)
	return u.col, nil
}

func (s *Store) openStored(ctx context.Context, u *user) (*handle, error) {
	s.removeTemps(u.dir, time.Now())
	if err := u.dropLiveSnapshots(); err != nil {
		return nil, err
	}
	h, err := openHandle(ctx, u.path())
	if err != nil {
		return nil, err
	}
	var ver int
	if err := h.row(`SELECT ver FROM col`, nil, &ver); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrCorrupt, err), h.close())
	}
	if ver != schemaCurrent {
		s.o.Log.Info("upgrading collection", "user", u.name, "schema", ver)
		// The file is copied next: everything must be in it. Closing alone does
		// not say so.
		if err := errors.Join(h.checkpoint(), h.close()); err != nil {
			return nil, err
		}
		if err := s.upgradeStored(ctx, u); err != nil {
			return nil, err
		}
		if h, err = openHandle(ctx, u.path()); err != nil {
			return nil, err
		}
	}
	if err := ensureIndexes(ctx, h.conn.Conn); err != nil {
		return nil, errors.Join(err, h.close())
	}
	// What another server left marked as unsent (the REST API of the first one
	// did) goes to every device.
	if err := settleUSNs(ctx, h.conn.Conn, 0); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

// openedOrFresh is opened, and makes a new collection if nothing is stored.
func (s *Store) openedOrFresh(ctx context.Context, u *user) (*handle, error) {
	h, err := s.opened(ctx, u)
	if !errors.Is(err, ErrNotFound) {
		return h, err
	}
	if err := u.ensureDir(); err != nil {
		return nil, err
	}
	tmp, err := tempPath(u.dir)
	if err != nil {
		return nil, err
	}
	defer removeWithSides(tmp)
	if err := Fresh(context.WithoutCancel(ctx), tmp, s.o.Now()); err != nil {
		return nil, fmt.Errorf("make a new collection: %w", err)
	}
	// A WAL without its file belongs to nothing.
	if err := removeSides(u.path()); err != nil {
		return nil, err
	}
	s.forgetLast(u)
	if err := putInPlace(tmp, u.path()); err != nil {
		return nil, err
	}
	return s.opened(ctx, u)
}
