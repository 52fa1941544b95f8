package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Info is what Inspect finds in a collection file.
type Info struct {
	Schema int   // col.ver, 11 to 18
	Mod    int64 // ms
	SCM    int64 // ms
	USN    USN
	Counts Counts
	Bytes  int64 // of the file, without a log beside it
	// Log is true if changes lie in a write-ahead log beside the file, as a
	// killed server leaves it.
	Log bool
	// Problems are what the check found, a line each.
	Problems []string
}

// Check says how thoroughly Inspect looks.
type Check int

// The checks of Inspect.
const (
	CheckNone  Check = iota
	CheckQuick       // every page
	CheckFull        // and every index against its table
)

// maxProblems bounds Info.Problems.
const maxProblems = 5

// Inspect reads a collection file of any schema that this process does not have
// open, and changes nothing: no lock is taken, no file is made beside it, and a
// server that opens it meanwhile is not kept waiting. A file with a write-ahead
// log beside it is read from a private copy below tempDir ("" is the system's).
//
// ErrNotFound: there is no such file, or an empty one. ErrBusy: another process
// has it open, or wrote to it meanwhile. ErrCorrupt: it is no collection.
func Inspect(ctx context.Context, path, tempDir string, check Check) (info Info, err error) {
	err = withQuiet(ctx, path, tempDir, func(db *sql.DB) error {
		if err := readInfo(ctx, db, &info); err != nil {
			return err
		}
		return runCheck(ctx, db, &info, check)
	})
	info.Log = hasSides(path)
	if fi, err := os.Stat(path); err == nil {
		info.Bytes = fi.Size()
	}
	if sqlite.IsCorrupt(err) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return info, err
}

func readInfo(ctx context.Context, db *sql.DB, info *Info) error {
	err := db.QueryRowContext(ctx, `SELECT ver, mod, scm, usn FROM col`).Scan(&info.Schema, &info.Mod, &info.SCM, &info.USN)
	if err != nil {
		if sqlite.IsBusy(err) || ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	c := &info.Counts
	counts := []struct {
		dest        *int64
		table, json string
		since       int // schema that has the table
	}{
		{&c.Cards, "cards", "", 0},
		{&c.Notes, "notes", "", 0},
		{&c.Revlog, "revlog", "", 0},
		{&c.Graves, "graves", "", 0},
		{&c.Notetypes, "notetypes", "models", schemaProtobuf},
		{&c.Decks, "decks", "decks", schemaProtobuf},
		{&c.DeckConfigs, "deck_config", "dconf", schemaTables},
	}
	for _, n := range counts {
		query := `SELECT count(*) FROM ` + n.table
		if info.Schema < n.since {
			query = `SELECT count(*) FROM col, json_each(col.` + n.json + `)`
		}
		if err := db.QueryRowContext(ctx, query).Scan(n.dest); err != nil {
			return fmt.Errorf("%w: count %s: %w", ErrCorrupt, n.table, err)
		}
	}
	return nil
}

func runCheck(ctx context.Context, db *sql.DB, info *Info, check Check) error {
	if check == CheckNone {
		return nil
	}
	pragma := `PRAGMA quick_check`
	if check == CheckFull {
		pragma = `PRAGMA integrity_check`
	}
	// Tables that have to be computed are passed over: what that takes is for their
	// maker to say, and he may be anybody.
	tables, all, err := sqlite.PlainTables(ctx, db)
	if err != nil {
		return err
	}
	if all {
		return runPragma(ctx, db, info, pragma+`(5)`)
	}
	for _, t := range tables {
		if err := runPragma(ctx, db, info, pragma+`(`+sqlite.Quote(t)+`)`); err != nil {
			return err
		}
	}
	return nil
}

func runPragma(ctx context.Context, db *sql.DB, info *Info, pragma string) error {
	rows, err := db.QueryContext(ctx, pragma)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" && len(info.Problems) < maxProblems {
			info.Problems = append(info.Problems, line)
		}
	}
	return rows.Err()
}

// CheckDatabase runs SQLite's quick check on any database file, with Inspect's
// care and errors, and returns what is wrong with it.
func CheckDatabase(ctx context.Context, path, tempDir string) (problems []string, err error) {
	var info Info
	err = withQuiet(ctx, path, tempDir, func(db *sql.DB) error {
		return runCheck(ctx, db, &info, CheckQuick)
	})
	if sqlite.IsCorrupt(err) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return info.Problems, err
}

// Rename renames a column of a table while CopyDatabase copies.
type Rename struct{ Table, From, To string }

// CopyDatabase writes a settled copy of the database file src, with what lies in
// a write-ahead log beside it, to dst, which must not exist: one file in
// rollback mode, readable by its owner only, on the disk when it returns. It
// has Inspect's care for src, and its errors. A table or column that is not
// there is not renamed.
func CopyDatabase(ctx context.Context, src, dst string, renames ...Rename) (err error) {
	f, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // VACUUM INTO takes an empty file
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			removeWithSides(dst)
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	err = withQuiet(ctx, src, filepath.Dir(dst), func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `VACUUM INTO `+sqlite.Quote(dst))
		return err
	})
	if err == nil && len(renames) > 0 {
		err = renameColumns(ctx, dst, renames)
	}
	if sqlite.IsCorrupt(err) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", filepath.Base(src), err)
	}
	return errors.Join(syncFile(dst), syncDir(filepath.Dir(dst)))
}

func renameColumns(ctx context.Context, path string, renames []Rename) (err error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Journal: "delete"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, r := range renames {
		var n int
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info(?) WHERE name = ?`, r.Table, r.From).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		// Identifiers cannot be bound; these come from the program's own text.
		if _, err := db.ExecContext(ctx, fmt.Sprintf(`ALTER TABLE %q RENAME COLUMN %q TO %q`, r.Table, r.From, r.To)); err != nil {
			return err
		}
	}
	return nil
}

// withQuiet runs f on the database at path without any effect on the file, its
// folder, or another process that uses it. If the files changed while f ran,
// what f has read is worth nothing: ErrBusy.
func withQuiet(ctx context.Context, path, tempDir string, f func(db *sql.DB) error) error {
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0 && !hasSides(path):
		return ErrNotFound
	case err != nil:
		return err
	case !fi.Mode().IsRegular():
		return fmt.Errorf("%w: no regular file", ErrCorrupt)
	}
	if locked, err := lockedElsewhere(path); err != nil || locked {
		return errors.Join(err, busyIf(locked))
	}
	before := fileIdentity(path)
	db, cleanup, err := openQuiet(ctx, path, tempDir)
	if err == nil {
		err = errors.Join(f(db), db.Close())
	}
	cleanup()
	if !before.equal(fileIdentity(path)) {
		return ErrBusy
	}
	return err
}

func busyIf(busy bool) error {
	if busy {
		return ErrBusy
	}
	return nil
}

// openQuiet opens the file itself if everything is in it, and otherwise a copy
// of it and of what lies beside it.
func openQuiet(ctx context.Context, path, tempDir string) (db *sql.DB, cleanup func(), err error) {
	cleanup = func() {}
	if !hasSides(path) {
		db, err = sqlite.Open(ctx, path, sqlite.Options{Immutable: true, CacheKiB: 2048, Foreign: true})
		return db, cleanup, err
	}
	dir, err := os.MkdirTemp(tempDir, ".ankisyncd-inspect-*")
	if err != nil {
		return nil, cleanup, err
	}
	cleanup = func() { _ = os.RemoveAll(dir) }
	private := filepath.Join(dir, "copy.db")
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if err := copyFile(path+suffix, private+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, cleanup, err
		}
	}
	db, err = sqlite.Open(ctx, private, sqlite.Options{Exclusive: true, Synchronous: "off", CacheKiB: 2048, Foreign: true})
	return db, cleanup, err
}
