package media

import (
	"context"
	"crypto/sha1" //nolint:gosec // the protocol's checksum, no secret
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/text/unicode/norm"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// makeDB makes the user's database from what is in the folder. It is built
// beside its place and linked there when it is complete, so a crash leaves
// nothing behind that counts. The database it was made from stays as it is.
func makeDB(ctx context.Context, s *Store, dir string, src source) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp := dbPath(dir) + ".new"
	// Exclusive: of two processes that meet here the second gets ErrBusy.
	db, err := sqlite.Open(ctx, tmp, sqlite.Options{Create: true, Exclusive: true, Synchronous: "full", BusyTimeout: s.o.BusyTimeout})
	if sqlite.IsCorrupt(err) {
		return errors.Join(fmt.Errorf("make media db: %w", err), os.Remove(tmp)) // left by a crash: next time
	}
	if err != nil {
		return dbError("make media db", err)
	}
	defer db.Close()
	h := &handle{s: s, dir: dir, name: folderNative}
	err = sqlite.InTx(ctx, db, func(tx *sql.Tx) error {
		// Another process may have finished the very file that this one has
		// been waiting for.
		if _, err := os.Lstat(dbPath(dir)); !errors.Is(err, fs.ErrNotExist) {
			return ErrBusy
		}
		// A crash may have left a complete or half-made one here.
		for _, t := range []string{"media", "ankisyncd_file", "ankisyncd_journal", "ankisyncd_meta"} {
			if _, err := tx.ExecContext(ctx, `DROP TABLE IF EXISTS `+t); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		return h.fill(ctx, tx, src)
	})
	if err != nil {
		return dbError("make media db", err)
	}
	if src != sourceNone {
		s.o.Log.Info("media folder taken over", "dir", dir, "folder", h.name, "files", h.files, "usn", h.last)
	}
	// The name is taken while the lock on the file is still held.
	if err := s.at("link"); err != nil {
		return err
	}
	if err := removeLogs(s, dbPath(dir)); err != nil {
		return fmt.Errorf("make media db: %w", err)
	}
	if err := publish(tmp, dbPath(dir)); err != nil {
		return fmt.Errorf("make media db: %w", err)
	}
	return db.Close()
}

// removeLogs removes the logs of a database that is not there any more: SQLite
// would apply them to the new one of its name.
func removeLogs(s *Store, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // put there meanwhile: they are its own
	}
	for _, log := range []string{"-wal", "-shm", "-journal"} {
		switch err := os.Remove(path + log); {
		case err == nil:
			s.o.Log.Warn("removed what was left of a media database that is gone", "file", path+log)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

// publish gives the finished file its name, unless that is taken already.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	switch {
	case err == nil || errors.Is(err, fs.ErrExist):
		err = os.Remove(tmp)
	default: // a file system without hard links
		if _, statErr := os.Lstat(path); statErr == nil {
			return os.Remove(tmp)
		}
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !notSyncable(err) {
		return err
	}
	return nil
}

// fill fills an empty database from the source.
func (h *handle) fill(ctx context.Context, tx *sql.Tx, src source) error {
	var err error
	switch src {
	case sourceOfficial:
		err = h.fillOfficial(ctx, tx)
	case sourceDB2:
		err = h.fillDB2(ctx, tx)
	case sourceFiles:
		err = h.fillFiles(ctx, tx)
	}
	if err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, `SELECT count(csum), max(?, coalesce(max(usn), 0)) FROM media`, h.last).Scan(&h.files, &h.last); err != nil {
		return err
	}
	return h.putMeta(ctx, tx)
}

// fillDB2 takes over the client's database that dsnopek's server kept: it has
// one usn for everything, and every row gets it (docs/compat.md §3.3).
func (h *handle) fillDB2(ctx context.Context, tx *sql.Tx) error {
	db, err := openForeign(ctx, h.s, db2Path(h.dir))
	if err != nil {
		return err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT coalesce(lastUsn, 0) FROM meta`).Scan(&h.last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT fname, csum FROM media`)
	if err != nil {
		return err
	}
	defer rows.Close()
	put, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO media (fname, usn, csum) VALUES (?, ?, nullif(?, ''))`)
	if err != nil {
		return err
	}
	defer put.Close()
	for rows.Next() {
		var name string
		var sum sql.NullString
		if err := rows.Scan(&name, &sum); err != nil {
			return err
		}
		if _, err := put.ExecContext(ctx, name, h.last, sum.String); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fillFiles makes rows from the files alone. Their usns begin after the one of
// a database of Anki 2.0.11 or older, if there is one.
func (h *handle) fillFiles(ctx context.Context, tx *sql.Tx) error {
	h.last = ancientUSN(ctx, h.dir)
	if err := h.openFolder(false); err != nil || h.root == nil {
		return err
	}
	defer func() { _ = h.closeFolder() }()
	list, err := fs.ReadDir(h.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, d := range list {
		if !d.Type().IsRegular() || checkName(d.Name()) != nil {
			if norm.NFC.String(d.Name()) != d.Name() {
				h.s.o.Log.Warn("media file with a name not in normal form C left alone", "dir", h.dir, "file", d.Name())
			}
			continue
		}
		f, err := readDigest(h.root, d.Name())
		if err != nil {
			return err
		}
		if f.size == 0 {
			continue
		}
		h.last++
		if err := putRow(ctx, tx, d.Name(), h.last, f, ""); err != nil {
			return err
		}
	}
	return nil
}

// openForeign opens another server's database without changing it. If that
// server was killed in the middle of a transaction, SQLite has to roll it back
// in the file first.
func openForeign(ctx context.Context, s *Store, path string) (*sql.DB, error) {
	o := sqlite.Options{ReadOnly: true, BusyTimeout: s.o.BusyTimeout}
	db, err := sqlite.Open(ctx, path, o)
	if err != nil && !sqlite.IsBusy(err) && !sqlite.IsCorrupt(err) {
		o.ReadOnly = false
		db, err = sqlite.Open(ctx, path, o)
	}
	return db, err
}

// ancientUSN is the usn of a collection.media.db; 0 if that tells none.
func ancientUSN(ctx context.Context, dir string) int64 {
	db, err := sqlite.Open(ctx, ancientPath(dir), sqlite.Options{ReadOnly: true})
	if err != nil {
		return 0
	}
	defer db.Close()
	var usn int64
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(usn), 0) FROM meta`).Scan(&usn); err != nil {
		return 0
	}
	return max(0, usn)
}

// digest is what is known of a file's content.
type digest struct {
	size  int64
	mtime int64 // ns
	crc   uint32
	sum   string // SHA-1 in hex
}

// readDigest reads a file through. It is fs.ErrNotExist if there is no regular
// file of that name.
func readDigest(root *os.Root, disk string) (digest, error) {
	f, fi, err := openRegular(root, disk)
	if err != nil {
		return digest{}, err
	}
	defer f.Close()
	return digestOf(f, fi)
}

func digestOf(f io.Reader, fi fs.FileInfo) (digest, error) {
	sum, crc := sha1.New(), crc32.NewIEEE() //nolint:gosec // the protocol's checksum
	buf := buffers.Get().(*[]byte)          //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buf)
	n, err := io.CopyBuffer(io.MultiWriter(sum, crc), onlyReader{f}, *buf)
	if err != nil {
		return digest{}, err
	}
	return digest{size: n, mtime: fi.ModTime().UnixNano(), crc: crc.Sum32(), sum: hex.EncodeToString(sum.Sum(nil))}, nil
}

// openRegular opens a regular file; anything else (a folder, a pipe, a link
// out of the folder) counts as missing.
func openRegular(root *os.Root, disk string) (*os.File, fs.FileInfo, error) {
	fi, err := root.Stat(disk)
	if err == nil && !fi.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, missingIfOutside(root, disk, err)
	}
	f, err := root.Open(disk)
	if err != nil {
		return nil, nil, err
	}
	if fi, err = f.Stat(); err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, fi, nil
}

// missingIfOutside turns the error for a link that leaves the folder, or for a
// name that is too long for the file system, into fs.ErrNotExist. Other errors (permission, input/output) stay: they say
// nothing about whether the file exists.
func missingIfOutside(root *os.Root, disk string, err error) error {
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return fmt.Errorf("%w (%v)", fs.ErrNotExist, err)
	}
	if fi, lerr := root.Lstat(disk); lerr == nil && fi.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%w (%v)", fs.ErrNotExist, err)
	}
	return err
}

// execer is a transaction, or the connection that is in one.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// putRow writes a live file's row and what is known of it.
func putRow(ctx context.Context, tx execer, name string, usn int64, d digest, disk string) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO media (fname, usn, csum) VALUES (?1, ?2, ?3)
		ON CONFLICT (fname) DO UPDATE SET usn = ?2, csum = ?3`, name, usn, d.sum); err != nil {
		return err
	}
	return putFile(ctx, tx, name, usn, d, disk)
}

// insertFile stores what is known of a file beyond the protocol's row of it.
const insertFile = `INSERT OR REPLACE INTO ankisyncd_file (fname, usn, size, mtime, crc, disk)`

func putFile(ctx context.Context, tx execer, name string, usn int64, d digest, disk string) error {
	if disk == name {
		disk = ""
	}
	_, err := tx.ExecContext(ctx, insertFile+` VALUES (?, ?, ?, ?, ?, nullif(?, ''))`,
		name, usn, d.size, d.mtime, int64(d.crc), disk)
	return err
}

// deleteRow marks a row as deleted.
func deleteRow(ctx context.Context, tx execer, name string, usn int64) error {
	if _, err := tx.ExecContext(ctx, `UPDATE media SET usn = ?, csum = NULL WHERE fname = ?`, usn, name); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM ankisyncd_file WHERE fname = ?`, name)
	return err
}
