package media

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Layout is a server's way to lay out a user's media.
type Layout int

const (
	// Native is collection.media and collection.media.server.db: this server's
	// and the Python servers'.
	Native Layout = iota
	// Official is media and media.db, version 4: the official server's, and
	// that of ankisyncd-rs (docs/compat.md §3.1).
	Official
	// AnkiServer is collection.media and the database of Anki 2.0.12 and later
	// clients, collection.media.db2, as AnkiServer kept it.
	AnkiServer
)

// Convert brings the media in dir, a user's folder that nobody else uses, from
// whichever layout they are in to layout. usns, checksums and files stay as
// they are; AnkiServer has one usn for all of a user's files, the last. A row whose
// file is missing is dropped on the way to another layout than ours, where it has
// no place: a device that has the file sends it again.
func Convert(ctx context.Context, dir string, layout Layout) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	// Opening it takes over what other servers left, and finishes what a crash
	// interrupted.
	s := Open(filepath.Dir(dir), Options{SyncDelay: -1})
	_, err = s.LastUSN(ctx, filepath.Base(dir))
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if _, err := os.Stat(dbPath(dir)); errors.Is(err, fs.ErrNotExist) {
		return renameFolder(dir, layout) // nobody has synced media
	}
	r, err := Inspect(ctx, dir, dir)
	if err != nil {
		return err
	}
	switch layout {
	case Native:
		err = convertNative(ctx, dir)
	case Official:
		err = convertForeign(ctx, dir, r, Official, officialPath(dir), officialSchema, writeOfficial)
	case AnkiServer:
		err = convertForeign(ctx, dir, r, AnkiServer, db2Path(dir), db2Schema, writeDB2)
	}
	if err != nil {
		return fmt.Errorf("convert media: %w", err)
	}
	return nil
}

// renameFolder gives the folder the name that it has in the layout.
func renameFolder(dir string, layout Layout) error {
	from, to := filepath.Join(dir, folderOfficial), filepath.Join(dir, folderNative)
	if layout == Official {
		from, to = to, from
	}
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty one is in the way
		return err
	}
	return os.Rename(from, to)
}

func convertNative(ctx context.Context, dir string) (err error) {
	db, err := sqlite.Open(ctx, dbPath(dir), sqlite.Options{Journal: "delete"})
	if err != nil {
		return err
	}
	var folder string
	err = sqlite.InTx(ctx, db, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT folder FROM ankisyncd_meta`).Scan(&folder); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE ankisyncd_meta SET folder = ?, source = ''`, folderNative)
		return err
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if folder != folderNative {
		if err := renameFolder(dir, Native); err != nil {
			return err
		}
	}
	return removeDatabases(dir, filepath.Base(dbPath(dir)))
}

// removeDatabases removes all media databases but one.
func removeDatabases(dir, keep string) error {
	for _, name := range DatabaseNames() {
		if name == keep {
			continue
		}
		for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
			if err := os.Remove(filepath.Join(dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// officialSchema is media.db in version 4 (docs/compat.md §3.3).
const officialSchema = `
CREATE TABLE media (
  fname text NOT NULL PRIMARY KEY,
  csum blob NOT NULL,
  -- if zero, file has been deleted
  size int NOT NULL,
  usn int NOT NULL,
  mtime int NOT NULL
);
CREATE INDEX ix_usn ON media (usn);
CREATE TABLE meta (
  last_usn int NOT NULL,
  total_bytes int NOT NULL,
  total_nonempty_files int NOT NULL
);
PRAGMA user_version = 4;`

// db2Schema is collection.media.db2 (docs/compat.md §3.3).
const db2Schema = `
CREATE TABLE media (
  fname text not null primary key,
  csum text,           -- null: the file has been deleted
  mtime int not null,
  dirty int not null
);
CREATE INDEX idx_media_dirty on media (dirty);
CREATE TABLE meta (dirMod int, lastUsn int);`

// convertForeign writes the database of another server in place of ours.
func convertForeign(ctx context.Context, dir string, r *Report, layout Layout, path, ddl string, write func(context.Context, *sql.Tx, *Report) error) error {
	if err := removeDatabases(dir, filepath.Base(dbPath(dir))); err != nil {
		return err
	}
	for _, row := range r.Rows { // those stored under another name get their own
		if own := filepath.Join(r.Folder, row.Name); row.Path != "" && row.Path != own {
			if _, err := os.Lstat(filepath.Join(dir, own)); err == nil {
				return fmt.Errorf("%q cannot be stored: this file system takes it and another name for one", row.Name)
			}
			if err := os.Rename(filepath.Join(dir, row.Path), filepath.Join(dir, own)); err != nil {
				return err
			}
		}
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{Create: true, Journal: "delete"})
	if err != nil {
		return err
	}
	if _, err = db.ExecContext(ctx, ddl); err == nil {
		err = sqlite.InTx(ctx, db, func(tx *sql.Tx) error { return write(ctx, tx, r) })
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if (r.Folder == folderNative) == (layout == Official) {
		if err := renameFolder(dir, layout); err != nil {
			return err
		}
	}
	return removeDatabases(dir, filepath.Base(path))
}

// writeDB2 lets AnkiServer look at the folder itself (dirMod), as it does with its
// own. No row is dirty: nothing is to be sent anywhere.
func writeDB2(ctx context.Context, tx *sql.Tx, r *Report) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO media (fname, csum, mtime, dirty) VALUES (?, nullif(?, ''), ?, 0)`)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, row := range r.Rows {
		mtime := int64(0)
		switch {
		case row.Path != "":
			mtime = row.ModTime.Unix()
		case row.Sum != "":
			continue
		}
		if _, err := put.ExecContext(ctx, row.Name, strings.ToLower(row.Sum), mtime); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO meta (dirMod, lastUsn) VALUES (0, ?)`, r.LastUSN)
	return err
}

func writeOfficial(ctx context.Context, tx *sql.Tx, r *Report) error {
	put, err := tx.PrepareContext(ctx, `INSERT INTO media (fname, csum, size, usn, mtime) VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer put.Close()
	var bytes, files int64
	for _, row := range r.Rows {
		sum := make([]byte, 20) // of a deleted file nobody knows it any more
		switch {
		case row.Sum != "" && row.Path == "":
			continue
		case row.Sum != "":
			if sum, err = hex.DecodeString(row.Sum); err != nil || len(sum) != 20 {
				return fmt.Errorf("%q has the checksum %q", row.Name, row.Sum)
			}
			bytes, files = bytes+row.Size, files+1
		}
		mtime := int64(0)
		if row.Path != "" {
			mtime = row.ModTime.Unix()
		}
		if _, err := put.ExecContext(ctx, row.Name, sum, row.Size, row.USN, mtime); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO meta (last_usn, total_bytes, total_nonempty_files) VALUES (?, ?, ?)`, r.LastUSN, bytes, files)
	return err
}
