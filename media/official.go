package media

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ankisyncd/ankisyncd/filestate"
)

// The official server's media.db (docs/protocol.md §7.1). It is read, with its
// WAL, and never written: it stays as the original. The media/ folder beside
// it goes on being used in place.

type officialRow struct {
	name string
	usn  int64
	sum  string // "" if deleted
}

// readOfficial reads media.db in its versions 3 and 4, rows in order of usn.
// last is the usn, mark what changes whenever the server has written. If the
// mark is still the known one, the rows are not read.
func readOfficial(ctx context.Context, s *Store, dir, known string) (list []officialRow, last int64, mark string, err error) {
	shm := officialPath(dir) + "-shm"
	_, statErr := os.Stat(shm)
	db, err := openForeign(ctx, s, officialPath(dir))
	if err != nil {
		return nil, 0, "", err
	}
	defer func() {
		_ = db.Close()
		if errors.Is(statErr, fs.ErrNotExist) {
			_ = os.Remove(shm) // made by our reading
		}
	}()
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return nil, 0, "", err
	}
	meta, size := `SELECT last_usn, total_bytes, total_nonempty_files FROM meta`, "size"
	switch {
	case version < 3 || version > 4:
		return nil, 0, "", fmt.Errorf("media.db has the unknown version %d", version)
	case version == 3:
		meta, size = `SELECT usn, sz, 0 FROM meta`, "sz"
	}
	var bytes, files int64
	if err := db.QueryRowContext(ctx, meta).Scan(&last, &bytes, &files); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, 0, "", err
	}
	if mark = fmt.Sprintf("%d %d %d", last, bytes, files); mark == known {
		return nil, last, mark, nil
	}
	// Version 3 marks rows without meaning by a NULL checksum; its upgrade
	// drops them.
	rows, err := db.QueryContext(ctx, `SELECT fname, csum, `+size+`, usn FROM media WHERE csum IS NOT NULL ORDER BY usn, fname`)
	if err != nil {
		return nil, 0, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var r officialRow
		var csum []byte
		var n int64
		if err := rows.Scan(&r.name, &csum, &n, &r.usn); err != nil {
			return nil, 0, "", err
		}
		if n > 0 {
			r.sum = hex.EncodeToString(csum)
		}
		list = append(list, r)
		last = max(last, r.usn)
	}
	return list, last, mark, rows.Err()
}

// fillOfficial fills an empty database from media.db. Rows keep their usn.
func (h *handle) fillOfficial(ctx context.Context, tx *sql.Tx) error {
	list, last, mark, err := readOfficial(ctx, h.s, h.dir, "")
	if err != nil {
		return err
	}
	h.name, h.last, h.source = folderOfficial, last, mark
	put, err := tx.PrepareContext(ctx, `INSERT OR REPLACE INTO media (fname, usn, csum) VALUES (?, ?, nullif(?, ''))`)
	if err != nil {
		return err
	}
	defer put.Close()
	for _, r := range list {
		if _, err := put.ExecContext(ctx, r.name, r.usn, r.sum); err != nil {
			return err
		}
	}
	return nil
}

// takeOverAgain looks whether the official server has been run on the folder
// once more since its media.db was taken over, and takes its changes over.
//
// Two databases then claim different things, and the files are the truth: for
// each name on which they differ, the row becomes what lies in the folder,
// under a new usn above both. A client that synced with either sees what it
// needs, and rows that it knows already change nothing for it.
func (h *handle) takeOverAgain(ctx context.Context) error {
	id := identify(h.dir, h.name, filestate.Of)
	h.official = [2]filestate.State{id[2], id[3]}
	if !id[2].Found() && !id[3].Found() {
		return nil
	}
	list, last, mark, err := readOfficial(ctx, h.s, h.dir, h.source)
	if err != nil {
		return fmt.Errorf("official server's media.db: %w", err)
	}
	if mark == h.source {
		return nil
	}
	ours, err := h.allRows(ctx)
	if err != nil {
		return err
	}
	if err := h.openFolder(true); err != nil {
		return err
	}
	before := h.source
	h.source = mark
	changed := 0
	err = h.tx(func(c *counts) error {
		c.last = max(c.last, last)
		for _, r := range list {
			if ours[r.name] == r.sum || checkName(r.name) != nil {
				continue
			}
			did, err := h.believeDisk(ctx, h.conn, c, r.name, ours[r.name])
			if err != nil {
				return err
			}
			changed += did
		}
		return nil
	})
	if err != nil {
		h.source = before
		return err
	}
	h.s.o.Log.Info("changes of the official server taken over", "dir", h.dir, "files", changed, "usn", h.last)
	return nil
}

// allRows returns the checksum of each name, "" for the deleted.
func (h *handle) allRows(ctx context.Context) (map[string]string, error) {
	rows, err := h.conn.QueryContext(ctx, `SELECT fname, coalesce(csum, '') FROM media`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var name, sum string
		if err := rows.Scan(&name, &sum); err != nil {
			return nil, err
		}
		all[name] = sum
	}
	return all, rows.Err()
}

// believeDisk makes a row say what lies in the folder. It returns how many
// rows it changed.
func (h *handle) believeDisk(ctx context.Context, tx execer, c *counts, name, sum string) (int, error) {
	d, err := readDigest(h.root, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	gone := err != nil || d.size == 0
	switch {
	case gone && sum == "", !gone && d.sum == sum:
		return 0, nil
	case gone:
		c.last++
		c.files--
		return 1, deleteRow(ctx, tx, name, c.last)
	}
	c.last++
	if sum == "" {
		c.files++
	}
	return 1, putRow(ctx, tx, name, c.last, d, "")
}
