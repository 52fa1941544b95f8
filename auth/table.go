package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/ankisyncd/ankisyncd/nowait"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// table is a database file with a cache of rows read from it. The cache is
// valid as long as the file's version is the one it was read at; finding that
// out takes a four-byte read and now and then a stat, no SQL.
//
// The descriptor for that read is kept open as long as the database: closing
// any descriptor of a file drops all POSIX locks that this process holds on it,
// SQLite's included.
type table[K comparable, V any] struct {
	what   string // "user table", for errors
	path   string
	ensure func(context.Context, *sql.DB) error // run after every open
	limit  int                                  // cached rows
	// remake, if set, says that a file that is gone while it is in use may be made
	// anew. Otherwise nothing works until it is back.
	remake func() bool

	// write is held by a writer from before its transaction until its new
	// version is adopted, and by whoever replaces the snapshot or the handle.
	write sync.Mutex
	// handle guards db and file: held for reading while they are used.
	handle sync.RWMutex
	db     *sql.DB
	file   *os.File
	local  bool    // file is nowait.Local
	id     version // identity of the file that db and file are opened on
	// known is the last version that was ours or that ensure has looked at.
	// Guarded by write.
	known version

	snap    atomic.Pointer[snapshot[K, V]]
	statted atomic.Int64 // when the file was last found to be the same, since epoch
}

type snapshot[K comparable, V any] struct {
	version version
	rows    *rows[K, V]
}

type rows[K comparable, V any] struct {
	mu sync.RWMutex
	m  map[K]V
}

func (r *rows[K, V]) get(k K) (V, bool) {
	r.mu.RLock()
	v, ok := r.m[k]
	r.mu.RUnlock()
	return v, ok
}

// put caches a row. Of a full cache, any other row makes room: what is in use
// is read again soon enough.
func (r *rows[K, V]) put(k K, v V, limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil {
		r.m = make(map[K]V)
	}
	if len(r.m) >= limit {
		for old := range r.m {
			delete(r.m, old)
			break
		}
	}
	r.m[k] = v
}

// open opens the file, making it (readable by its owner only) if create is set.
func (t *table[K, V]) open(ctx context.Context, create bool) error {
	t.write.Lock()
	defer t.write.Unlock()
	if create {
		if err := t.create(); err != nil {
			return err
		}
	}
	return t.reopen(ctx)
}

// create makes the file, if nobody else has.
func (t *table[K, V]) create() error {
	f, err := os.OpenFile(t.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create %s: %w", t.what, err)
	}
	return nil
}

// reopen opens whatever file is at path now. The caller holds t.write.
func (t *table[K, V]) reopen(ctx context.Context) error {
	t.handle.Lock()
	defer t.handle.Unlock()
	if err := t.closeHandle(); err != nil {
		return fmt.Errorf("close replaced %s: %w", t.what, err)
	}
	f, err := os.Open(t.path)
	if err != nil {
		return fmt.Errorf("open %s: %w", t.what, err)
	}
	var id version
	if err := statVersion(t.path, &id); err != nil {
		_ = f.Close()
		return fmt.Errorf("open %s: %w", t.what, err)
	}
	db, err := sqlite.Open(ctx, t.path, sqlite.Options{CacheKiB: 256})
	if err == nil {
		if err = t.prepare(ctx, db); err != nil {
			_ = db.Close()
		}
	}
	if err != nil {
		_ = f.Close()
		return t.explain("open", err)
	}
	t.db, t.file, t.id, t.known = db, f, id, version{}
	t.local = nowait.Local(t.path)
	t.snap.Store(nil)
	return nil
}

// prepare sees to a rollback journal (a WAL would hide changes from the change
// counter, and the Python servers know only the former) and to our tables.
func (t *table[K, V]) prepare(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode); err != nil {
		return err
	}
	if mode != "delete" {
		if err := db.QueryRowContext(ctx, `PRAGMA journal_mode = delete`).Scan(&mode); err != nil {
			return fmt.Errorf("leave journal mode wal: %w", err)
		}
		if mode != "delete" {
			return fmt.Errorf("journal mode stays %s", mode)
		}
	}
	return t.ensure(ctx, db)
}

// closeHandle closes the database before the descriptor: see table.
func (t *table[K, V]) closeHandle() error {
	var err error
	if t.db != nil {
		err = t.db.Close()
		t.db = nil
	}
	if t.file != nil {
		_ = t.file.Close() // only ever read
		t.file = nil
	}
	return err
}

func (t *table[K, V]) close() error {
	t.write.Lock()
	defer t.write.Unlock()
	t.handle.Lock()
	defer t.handle.Unlock()
	t.snap.Store(nil)
	t.id = version{}
	return t.closeHandle()
}

var errClosed = errors.New("auth: store is closed")

// fresh returns the snapshot of the file's present version.
func (t *table[K, V]) fresh(ctx context.Context) (*snapshot[K, V], error) {
	if s := t.snap.Load(); s != nil && t.unchanged(s.version) {
		return s, nil
	}
	// Changed, or a writer of ours is in mid-commit: then wait, since it will
	// have adopted the new version and kept the cache.
	t.write.Lock()
	defer t.write.Unlock()
	v, err := t.catchUp(ctx)
	if err != nil {
		return nil, err
	}
	s := t.snap.Load()
	if s == nil || s.version != v {
		s = &snapshot[K, V]{version: v, rows: new(rows[K, V])}
		t.snap.Store(s)
	}
	return s, nil
}

// sameFile returns the current version and sees to it that the handle is on
// that very file. The caller holds t.write.
func (t *table[K, V]) sameFile(ctx context.Context) (version, error) {
	v, err := t.current()
	switch {
	case errors.Is(err, errClosed):
		// Either Close was called, or an earlier reopen found no file.
		if t.id == (version{}) {
			return v, err
		}
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return v, fmt.Errorf("read %s: %w", t.what, err)
	case v.sameFile(t.id):
		return v, nil
	}
	err = t.reopen(ctx)
	if errors.Is(err, fs.ErrNotExist) && t.remake != nil && t.remake() {
		if err = t.create(); err == nil {
			err = t.reopen(ctx)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s %s is not there any more; put it back, from a backup say, and the server goes on: %w", t.what, t.path, err)
	}
	if err != nil {
		return v, err
	}
	return t.current()
}

// catchUp returns the current version after it has looked at what others did to
// the file: replaced it, or its tables. The caller holds t.write.
func (t *table[K, V]) catchUp(ctx context.Context) (version, error) {
	v, err := t.sameFile(ctx)
	if err != nil || v == t.known {
		return v, err
	}
	t.handle.Lock()
	err = t.ensure(ctx, t.db)
	t.handle.Unlock()
	if err != nil {
		return v, t.explain("open", err)
	}
	t.known, err = t.current()
	return t.known, err
}

// hit returns a cached row if the cache is valid: get without its costs.
func (t *table[K, V]) hit(k K) (v V, ok bool) {
	if s := t.snap.Load(); s != nil && t.unchanged(s.version) {
		return s.rows.get(k)
	}
	return v, false
}

// get returns the row of a key from the cache or else by load, which runs in a
// read transaction. Rows that do not exist (ok false) are not cached: guessed
// keys would fill the cache.
func (t *table[K, V]) get(ctx context.Context, k K, load func(context.Context, *sql.Tx) (V, bool, error)) (v V, ok bool, err error) {
	s, err := t.fresh(ctx)
	if err != nil {
		return v, false, err
	}
	if v, ok := s.rows.get(k); ok {
		return v, true, nil
	}
	at, err := t.read(ctx, func(tx *sql.Tx) error {
		v, ok, err = load(ctx, tx)
		return err
	})
	if err != nil {
		return v, false, err
	}
	// Reads of an older or newer state must not get into this snapshot.
	if ok && at == s.version {
		s.rows.put(k, v, t.limit)
	}
	return v, ok, nil
}

// read runs f in a read transaction and returns the version that f saw: as long
// as the transaction holds its shared lock, nobody can write to the file.
func (t *table[K, V]) read(ctx context.Context, f func(*sql.Tx) error) (version, error) {
	t.handle.RLock()
	defer t.handle.RUnlock()
	if t.db == nil {
		return version{}, errClosed
	}
	tx, err := t.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return version{}, t.explain("read", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if err := f(tx); err != nil {
		return version{}, t.explain("read", err)
	}
	return t.currentLocked()
}

// change runs f in a write transaction. f returns keep if it only added rows or
// changed what is not cached, so that the cache stays valid; otherwise it is
// dropped.
func (t *table[K, V]) change(ctx context.Context, f func(*sql.Tx) (keep bool, err error)) error {
	t.write.Lock()
	defer t.write.Unlock()
	if _, err := t.catchUp(ctx); err != nil {
		return err
	}
	t.handle.RLock()
	defer t.handle.RUnlock()
	if t.db == nil {
		return errClosed
	}
	var before version
	var stale error
	var keep bool
	err := sqlite.InTx(ctx, t.db, func(tx *sql.Tx) error {
		before, stale = t.currentLocked() // the reserved lock keeps other writers out
		var err error
		keep, err = f(tx)
		return err
	})
	s := t.snap.Load()
	t.snap.Store(nil)
	if err != nil || stale != nil {
		return t.explain("change", err)
	}
	// The new version is ours if no other process wrote before or after.
	after, stale := t.currentLocked()
	if stale != nil || before != t.known || !after.sameFile(before) || after.counter != before.counter+1 {
		return nil
	}
	t.known = after
	if keep && s != nil && s.version == before {
		t.snap.Store(&snapshot[K, V]{version: after, rows: s.rows})
	}
	return nil
}

// explain names the file and, where the driver's words don't, the cause. Errors
// of ours pass as they are.
func (t *table[K, V]) explain(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case sqlite.IsBusy(err):
		return fmt.Errorf("%s %s: %s is locked by another process: %w", doing, t.what, t.path, err)
	case sqlite.IsCorrupt(err):
		return fmt.Errorf("%s %s: %s is damaged or no SQLite database: %w", doing, t.what, t.path, err)
	case sqlite.IsFull(err):
		return fmt.Errorf("%s %s: no space left for %s: %w", doing, t.what, t.path, err)
	}
	for _, own := range []error{ErrUserExists, ErrNoUser, ErrNoDevice, ErrUnknownKey} {
		if errors.Is(err, own) {
			return err
		}
	}
	return fmt.Errorf("%s %s %s: %w", doing, t.what, filepath.Base(t.path), err)
}

// columns returns the column names of a table, none if there is no such table.
func columns(ctx context.Context, db *sql.DB, name string) (map[string]bool, error) {
	rs, err := db.QueryContext(ctx, `SELECT lower(name) FROM pragma_table_info(?)`, name)
	if err != nil {
		return nil, err
	}
	defer rs.Close() //nolint:errcheck // a reader
	cols := make(map[string]bool)
	for rs.Next() {
		var c string
		if err := rs.Scan(&c); err != nil {
			return nil, err
		}
		cols[c] = true
	}
	return cols, rs.Err()
}

// userColumn returns the name of the user column: the Python servers call it
// "username", dsnopek's AnkiServer and older ones "user" (docs/compat.md §2.1).
func userColumn(cols map[string]bool, table string) (string, error) {
	switch {
	case cols["username"]:
		return "username", nil
	case cols["user"]:
		return "user", nil
	}
	return "", fmt.Errorf("table %s has neither a column username nor user", table)
}
