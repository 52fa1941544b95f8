package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ankisyncd/ankisyncd/filestate"
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
	fold     bool               // the folder's file system ignores case
	official [2]filestate.State // media.db and its -wal as last taken over

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
	running  *syncJob        // the flush that is running; it has what was unsynced when it began
	doubt    bool            // a sync has failed: what the journal names may be lost
	relaxed  bool            // commits are not synced

	away    bool // the files are not there; see away.go
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
	if h.away = h.isAway(); h.away {
		h.noteAway()
		id := identify(h.dir, h.name, filestate.Of)
		h.official = [2]filestate.State{id[2], id[3]}
		return nil
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
	if h.lastBoot != "" {
		h.boot = h.lastBoot // until recover has seen to it
	}
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

// close finishes the journal and closes everything.
func (h *handle) close() error {
	if h.away {
		return h.abandon() // nothing was done
	}
	err := h.await()
	if !h.pending && !h.broken {
		err = nil
		if h.unsafe { // also if that flush has failed
			err = h.sync()
		}
		// What the journal says would do no harm again, but whoever puts a file
		// into the folder by hand meanwhile should not see it removed. The
		// checkpoint that closing does syncs this write.
		if err == nil && h.conn != nil {
			_, err = h.conn.ExecContext(context.Background(), `PRAGMA synchronous=normal; BEGIN IMMEDIATE; DELETE FROM ankisyncd_journal;
				UPDATE ankisyncd_meta SET boot = '' WHERE boot <> ''; COMMIT`)
		} else if h.conn != nil {
			_, merr := h.conn.ExecContext(context.Background(), `UPDATE ankisyncd_meta SET boot = ?`, notSynced)
			err = errors.Join(err, merr)
		}
	}
	if h.root != nil && !h.pending {
		h.dirs.dropNotes()
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
