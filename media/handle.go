package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// schema is the database: the Python servers' table and index as they make
// them, and our own beside them.
//
// ankisyncd_file knows more about a row, as long as the row still has the usn
// noted here (the Python servers give each change a new one): size, time of
// change (ns) and CRC-32 of the file, and the name it is stored under if that
// is not its own. ankisyncd_journal has the renames and removals that each of
// the last transactions implies, as JSON (journalOp). ankisyncd_meta has the
// counts.
const schema = `
CREATE TABLE IF NOT EXISTS media (
    fname TEXT NOT NULL PRIMARY KEY,
    usn INT NOT NULL,
    csum TEXT -- null if deleted
);
CREATE INDEX IF NOT EXISTS idx_media_usn ON media (usn);
CREATE TABLE IF NOT EXISTS ankisyncd_file (
    fname TEXT NOT NULL PRIMARY KEY,
    usn INT NOT NULL,
    size INT NOT NULL,
    mtime INT NOT NULL,
    crc INT NOT NULL,
    disk TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ankisyncd_journal (
    batch INTEGER PRIMARY KEY,
    ops TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS ankisyncd_meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INT NOT NULL,
    folder TEXT NOT NULL,
    last_usn INT NOT NULL,
    max_usn INT NOT NULL,
    files INT NOT NULL,
    source TEXT NOT NULL,
    boot TEXT NOT NULL -- empty if closed cleanly
);`

// metaVersion is 2 since the journal has a row for each transaction instead of
// one for each file.
const metaVersion = 2

// handle is one user's open database and folder. Everything in it is guarded
// by the entry's lock.
type handle struct {
	s    *Store
	dir  string
	name string // of the media folder, inside dir

	db       *sql.DB
	conn     *sqlite.Conn // the only one
	dbInfo   fs.FileInfo
	dirs     *dirs    // nil until they are needed
	root     *os.Root // the media folder, of dirs
	rootInfo fs.FileInfo
	fold     bool           // the folder's file system ignores case
	official [2]fs.FileInfo // media.db and its -wal as last taken over

	last, files int64
	source      string // fingerprint of the media.db last taken over

	boot     string          // what ankisyncd_meta is to say while it is open
	lastBoot string          // what it said when it was opened
	writes   int64           // transactions so far
	batch    int64           // of the last transaction with a journal
	flushed  int64           // batches up to this one are durable
	cleared  int64           // and up to this one no longer in the journal
	unsynced map[string]bool // files put in place and not synced, by name on disk
	unsafe   bool            // something has been written that is not synced
	relaxed  bool            // commits are not synced

	pending bool // the journal has work that is not done
	broken  bool // the database is in an unknown state: close it
}

func (h *handle) folder() string { return filepath.Join(h.dir, h.name) }

// openHandle opens the user's database, making it from what is there if it
// does not exist yet. It returns nil if there is nothing and create is false.
func openHandle(ctx context.Context, s *Store, dir string, create bool) (*handle, error) {
	if _, err := os.Stat(dbPath(dir)); errors.Is(err, fs.ErrNotExist) {
		src := findSource(dir)
		if src == sourceNone && !create {
			return nil, nil //nolint:nilnil // documented
		}
		if err := makeDB(ctx, s, dir, src); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	h := &handle{s: s, dir: dir, boot: s.boot, unsynced: map[string]bool{}}
	if err := h.open(ctx); err != nil {
		h.abandon()
		return nil, dbError("open media db", err)
	}
	return h, nil
}

func (h *handle) open(ctx context.Context) error {
	// Exclusive: two servers on one folder would undo each other's renames.
	// WAL with full sync costs one fsync a transaction, the rollback journal
	// of the Python servers three or more.
	db, err := sqlite.Open(ctx, dbPath(h.dir), sqlite.Options{
		Exclusive: true, Journal: "wal", Synchronous: "full", BusyTimeout: h.s.o.BusyTimeout, CacheKiB: 512,
		Pragmas: []string{"foreign_keys(off)", "recursive_triggers(off)"},
	})
	if err != nil {
		return err
	}
	h.db = db
	if h.dbInfo, err = os.Stat(dbPath(h.dir)); err != nil {
		return err
	}
	// A crash while the database was being made may have left its other name.
	_ = os.Remove(dbPath(h.dir) + ".new")
	// The first write takes the exclusive lock, so it comes before anything
	// else is looked at.
	err = sqlite.InTx(ctx, db, func(tx *sql.Tx) error {
		if err := h.check(ctx, tx); err != nil {
			return err
		}
		return h.readJournal(ctx, tx)
	})
	if err != nil {
		return err
	}
	if h.conn, err = sqlite.NewConn(ctx, db); err != nil {
		return err
	}
	if err := h.openFolder(false); err != nil {
		return err
	}
	if err := h.settle(ctx); err != nil {
		return err
	}
	if err := h.cleanStaging(); err != nil {
		return err
	}
	if err := h.recover(ctx); err != nil {
		return err
	}
	return h.takeOverAgain(ctx)
}

// check makes our tables if they are missing, and counts again if another
// server has written since (each of its writes raises the largest usn).
func (h *handle) check(ctx context.Context, tx *sql.Tx) error {
	if err := convertJournal(ctx, tx); err != nil {
		return err
	}
	var ours int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE name IN ('media','idx_media_usn','ankisyncd_file','ankisyncd_journal','ankisyncd_meta')`).Scan(&ours); err != nil {
		return err
	}
	if ours < 5 {
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
	}
	var top int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(usn), 0) FROM media`).Scan(&top); err != nil {
		return err
	}
	var version, maxUSN int64
	err := tx.QueryRowContext(ctx, `SELECT version, folder, last_usn, max_usn, files, source, boot FROM ankisyncd_meta`).
		Scan(&version, &h.name, &h.last, &maxUSN, &h.files, &h.source, &h.lastBoot)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		h.name = folderNative
	case err != nil:
		return err
	case version > metaVersion:
		return fmt.Errorf("media database was written by a newer version of this program (%d)", version)
	case !filepath.IsLocal(h.name):
		return fmt.Errorf("media database names the folder %q", h.name)
	case top == maxUSN && version == metaVersion:
		return nil
	}
	h.last = max(h.last, top)
	if err := tx.QueryRowContext(ctx, `SELECT count(csum) FROM media`).Scan(&h.files); err != nil {
		return err
	}
	return h.putMeta(ctx, tx)
}

// counts is what a transaction changes in ankisyncd_meta.
type counts struct{ last, files int64 }

const writeMeta = `INSERT OR REPLACE INTO ankisyncd_meta (id, version, folder, last_usn, max_usn, files, source, boot)
	VALUES (1, ?, ?, ?, (SELECT coalesce(max(usn), 0) FROM media), ?, ?, ?)`

func (h *handle) meta(c counts) []any {
	return []any{metaVersion, h.name, c.last, c.files, h.source, h.boot}
}

// putMeta is for the transactions of opening, before there is h.conn.
func (h *handle) putMeta(ctx context.Context, tx execer) error {
	_, err := tx.ExecContext(ctx, writeMeta, h.meta(counts{h.last, h.files})...)
	return err
}

// tx runs f in a transaction that also writes the counts as f leaves them. The
// parts of the journal that have become durable meanwhile are dropped in it.
// Statements of h.conn belong to the transaction.
func (h *handle) tx(f func(c *counts) error) (err error) {
	if h.s.o.SyncDelay < 0 && h.unsafe {
		if err := h.sync(); err != nil {
			return err
		}
	}
	if err := h.conn.Begin(); err != nil {
		return dbError("begin", err)
	}
	done := false
	defer func() {
		if done {
			return
		}
		if rerr := h.conn.Rollback(); rerr != nil {
			h.broken = true // opening again rolls it back
		}
	}()
	c, flushed := counts{h.last, h.files}, h.flushed
	if flushed > h.cleared {
		if _, err := h.conn.Run(`DELETE FROM ankisyncd_journal WHERE batch <= ?`, flushed); err != nil {
			return err
		}
	}
	if err := f(&c); err != nil {
		return err
	}
	if _, err := h.conn.Run(writeMeta, h.meta(c)...); err != nil {
		return err
	}
	if err := h.s.at("commit"); err != nil {
		return err
	}
	h.writes++
	if err := h.conn.Commit(); err != nil {
		// It may have been committed all the same (the write went through, the
		// fsync failed). Opening again will tell.
		h.broken = true
		return fmt.Errorf("commit: %w", err)
	}
	done = true
	h.last, h.files, h.cleared, h.unsafe = c.last, c.files, flushed, true
	_ = h.s.at("committed") // too late for an error
	return h.relax()
}

// openFolder opens the media folder, making it if create says so.
func (h *handle) openFolder(create bool) error {
	if h.root != nil {
		return nil
	}
	if create {
		if err := h.s.at("mkdir"); err != nil {
			return err
		}
		if err := os.MkdirAll(h.folder(), 0o777); err != nil {
			return err
		}
	}
	d, err := openDirs(h.folder(), h.s.portable)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open media folder: %w", err)
	}
	info, err := d.root.Stat(".")
	if err != nil {
		_ = d.release()
		return fmt.Errorf("open media folder: %w", err)
	}
	h.dirs, h.root, h.rootInfo = d, d.root, info
	return nil
}

// closeFolder is the opposite of openFolder.
func (h *handle) closeFolder() error {
	if h.dirs == nil {
		return nil
	}
	err := h.dirs.release()
	h.dirs, h.root = nil, nil
	return err
}

// openStaging opens the folder for incoming files, making it if it is missing.
func (h *handle) openStaging() error {
	if h.dirs != nil && h.dirs.gone.Load() {
		if err := h.closeFolder(); err != nil {
			return err
		}
	}
	if err := h.openFolder(true); err != nil {
		return err
	}
	if h.dirs.staging != nil {
		return nil
	}
	var err error
	if h.fold, err = h.dirs.openStaging(); err != nil {
		return fmt.Errorf("make folder for incoming files: %w", err)
	}
	return nil
}

// close finishes the journal and closes everything.
func (h *handle) close() error {
	var err error
	if !h.pending && !h.broken {
		if h.unsafe {
			err = h.sync()
		}
		// What the journal says would do no harm again, but whoever puts a file
		// into the folder by hand meanwhile should not see it removed. The
		// checkpoint that closing does syncs this write.
		if err == nil && h.conn != nil {
			_, err = h.conn.ExecContext(context.Background(), `PRAGMA synchronous=normal; BEGIN IMMEDIATE; DELETE FROM ankisyncd_journal;
				UPDATE ankisyncd_meta SET boot = '' WHERE boot <> ''; COMMIT`)
		}
	}
	if h.root != nil && !h.pending {
		_ = h.root.Remove(stagingDir) // fails if something is in it
	}
	return errors.Join(err, h.abandon())
}

// abandon closes what is open and nothing more.
func (h *handle) abandon() error {
	errs := []error{h.closeFolder()}
	if h.conn != nil {
		errs = append(errs, h.conn.Close())
		h.conn = nil
	}
	if h.db != nil {
		errs = append(errs, h.db.Close())
		h.db = nil
	}
	return errors.Join(errs...)
}

// The rows of a page come as one text: fetching three columns of a thousand rows
// one by one costs as much again as finding them. NUL stands between the
// values, which none of ours contains (checkName).
const (
	changesAbove = `SELECT group_concat(fname || char(0) || usn || char(0) || coalesce(csum, ''), char(0))
		FROM (SELECT fname, usn, csum FROM media WHERE usn > ? ORDER BY usn LIMIT ?)`
	changesAt = `SELECT group_concat(fname || char(0) || usn || char(0) || coalesce(csum, ''), char(0)) FROM media WHERE usn = ?`
)

// changes lists the rows above a usn; see Store.Changes.
func (h *handle) changes(after int64, limit int) ([]Change, error) {
	list := make([]Change, 0, min(limit, int(h.last-after)))
	read := func(query string, args ...any) error {
		err := h.conn.Each(func(scan func(...any) error) error {
			var text *string
			if err := scan(&text); err != nil || text == nil {
				return err
			}
			var err error
			list, err = appendChanges(list, *text)
			return err
		}, query, args...)
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		return nil
	}
	if err := read(changesAbove, after, limit); err != nil {
		return nil, err
	}
	if len(list) < limit {
		return list, nil
	}
	// Read the last usn again, whole: the page may have cut it.
	end := list[len(list)-1].USN
	for len(list) > 0 && list[len(list)-1].USN == end {
		list = list[:len(list)-1]
	}
	if err := read(changesAt, end); err != nil {
		return nil, err
	}
	return list, nil
}

// appendChanges reads the text of changesAbove.
func appendChanges(list []Change, text string) ([]Change, error) {
	for more := true; more; {
		var c Change
		var usn string
		var ok1, ok2 bool
		c.Name, text, ok1 = strings.Cut(text, "\x00")
		usn, text, ok2 = strings.Cut(text, "\x00")
		c.Sum, text, more = strings.Cut(text, "\x00")
		n, err := strconv.ParseInt(usn, 10, 64)
		if !ok1 || !ok2 || err != nil {
			return nil, errors.New("a name with a NUL in the media database")
		}
		c.USN = usn32(n)
		list = append(list, c)
	}
	return list, nil
}
