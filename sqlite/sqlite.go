// Package sqlite is the one home of the SQLite driver: it opens databases with
// the pragmas that this program relies on, runs transactions, classifies the
// driver's errors and registers Anki's "unicase" collation, which is global to
// the process.
//
// It may import database/sql and modernc.org and nothing of ours. It
// never names a table: schemas belong to collection, media and auth.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// SQLite's own locks belong to the process and the file: whoever closes any other
// descriptor of a database, having read a copy of it or its header, drops them
// all, and another process (the restore command, the migration) takes the file
// for free. Linux has locks that belong to the descriptor.
func init() {
	_, _ = driver.OFDLocking(true) // other systems have none
}

// DefaultBusyTimeout is how long a statement waits for another process's lock.
const DefaultBusyTimeout = 5 * time.Second

// DefaultCacheKiB is the page cache of one connection. It is small on purpose:
// many users' databases are open at once on small machines.
const DefaultCacheKiB = 1024

// Options says how Open opens a database. The zero value opens an existing
// file read-write, leaves its journal mode, and syncs fully.
type Options struct {
	// ReadOnly opens without any right to write (mode=ro). A database in WAL
	// mode still needs its -wal and -shm files to be readable.
	ReadOnly bool
	// Immutable promises that nobody changes the file while it is open: no
	// locks, no -wal. For private copies only.
	Immutable bool
	// Create makes the file if it is missing.
	Create bool
	// Exclusive takes SQLite's exclusive locking mode: no other process can
	// open the file, and a WAL needs no shared-memory file.
	Exclusive bool
	// Journal sets journal_mode: "wal", "delete", "off", … Empty leaves it.
	Journal string
	// Synchronous is "off", "normal" or "full"; empty means full.
	Synchronous string
	// BusyTimeout: 0 means DefaultBusyTimeout, negative means none.
	BusyTimeout time.Duration
	// CacheKiB is the page cache in KiB; 0 means DefaultCacheKiB.
	CacheKiB int
	// MmapBytes maps this much of the file for reading; 0 maps nothing.
	MmapBytes int64
	// MaxConns is the size of the connection pool; 0 means 1.
	MaxConns int
	// Foreign limits what SQLite does for a file that somebody else made: the size
	// of values, expressions and patterns. Its views cannot be read, and CHECK
	// constraints are not looked at. (Triggers never run, on any connection.)
	Foreign bool
	// Pragmas are further "name(value)" pragmas, run on every connection.
	Pragmas []string
}

// Open opens the database file at path and checks that it can be read.
// A missing file without Create, or one that is not a database, is an error.
func Open(ctx context.Context, path string, o Options) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db, err := sql.Open("sqlite", o.dsn(abs))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	conns := o.MaxConns
	if conns == 0 {
		conns = 1
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	var n int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&n); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func (o Options) dsn(abs string) string {
	q := url.Values{}
	switch {
	case o.ReadOnly || o.Immutable:
		q.Set("mode", "ro")
	case o.Create:
		q.Set("mode", "rwc")
	default:
		q.Set("mode", "rw")
	}
	if o.Immutable {
		q.Set("immutable", "1")
	}
	if !o.ReadOnly && !o.Immutable {
		q.Set("_txlock", "immediate")
	}
	busy := o.BusyTimeout
	if busy == 0 {
		busy = DefaultBusyTimeout
	}
	q.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", max(0, busy.Milliseconds())))
	// The locking mode must be set before the first access to a WAL, or the
	// shared-memory file is made all the same. The driver sorts pragmas by
	// their text: the comment puts this one before all others.
	if o.Exclusive {
		q.Add("_pragma", "/**/locking_mode(exclusive)")
	}
	cache := o.CacheKiB
	if cache == 0 {
		cache = DefaultCacheKiB
	}
	q.Add("_pragma", "cache_size(-"+strconv.Itoa(cache)+")")
	if o.MmapBytes > 0 {
		q.Add("_pragma", "mmap_size("+strconv.FormatInt(o.MmapBytes, 10)+")")
	}
	sync := o.Synchronous
	if sync == "" {
		sync = "full"
	}
	q.Add("_pragma", "synchronous("+sync+")")
	if o.Foreign {
		q.Set(foreignParam, "1")
		q.Add("_pragma", "ignore_check_constraints(1)")
	}
	for _, p := range o.Pragmas {
		q.Add("_pragma", p)
	}
	if o.Journal != "" {
		q.Set("_journal_mode", o.Journal)
	}
	return "file:" + (&url.URL{Path: filepath.ToSlash(abs)}).EscapedPath() + "?" + q.Encode()
}

// InTx runs f in one (immediate) transaction: it commits if f returns nil and
// rolls back if f returns an error or panics.
func InTx(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // no effect after Commit; otherwise f's error says more
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Quote returns s as an SQL string literal, for the few statements (ATTACH,
// VACUUM INTO, PRAGMA) whose operand cannot be bound everywhere.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func code(err error) (int, bool) {
	var e *driver.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Code(), true
}

// IsUnique reports whether err is a violated UNIQUE or PRIMARY KEY constraint.
func IsUnique(err error) bool {
	c, ok := code(err)
	return ok && (c == lib.SQLITE_CONSTRAINT_UNIQUE || c == lib.SQLITE_CONSTRAINT_PRIMARYKEY || c == lib.SQLITE_CONSTRAINT_ROWID)
}

// IsBusy reports whether another connection or process holds the file.
func IsBusy(err error) bool {
	c, ok := code(err)
	return ok && (c&0xff == lib.SQLITE_BUSY || c&0xff == lib.SQLITE_LOCKED)
}

// IsCorrupt reports whether the file is damaged or no database at all.
func IsCorrupt(err error) bool {
	c, ok := code(err)
	return ok && (c&0xff == lib.SQLITE_CORRUPT || c&0xff == lib.SQLITE_NOTADB)
}

// IsFull reports whether the disk (or the quota) is full.
func IsFull(err error) bool {
	c, ok := code(err)
	return ok && c&0xff == lib.SQLITE_FULL
}
