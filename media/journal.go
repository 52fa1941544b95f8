package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// The journal. A transaction that changes files does not touch them: the new
// contents lie in the staging folder, synced, and the transaction notes "rename
// this into place" or "remove that". After the commit this is done, and the
// notes are dropped by the next transaction (dropping them at once would cost
// an SD card another write for nothing: doing them again changes nothing).
//
// What is synced, and why:
//   - each incoming file and the staging folder, before the commit: once the
//     client is told "processed" it may be the only copy. All files of a zip
//     are sent on their way before the first is waited for, so that a file
//     system with a journal commits about once a zip.
//   - the commit (the WAL, one fsync).
//   - the media folder, not after the renames but before the journal that
//     could repeat them is dropped, by the next transaction or on closing.
//
// Killed before the commit: the database and the files are as before, and
// opening removes what lies in the staging folder. Killed after it: opening
// does what the journal says. A file is replaced by rename, so a reader has the
// old content or the new one, never a part.

type journalOp struct {
	disk  string // name on disk
	fname string
	usn   int64
	tmp   string // in the staging folder; "" removes the file
}

// writeJournal notes ops in the transaction that implies them.
func (h *handle) writeJournal(ctx context.Context, tx *sql.Tx, ops map[string]journalOp) error {
	if len(ops) == 0 {
		return nil
	}
	st, err := tx.PrepareContext(ctx, `INSERT INTO ankisyncd_journal (disk, fname, usn, tmp) VALUES (?, ?, ?, nullif(?, ''))`)
	if err != nil {
		return err
	}
	defer st.Close()
	for _, op := range ops {
		if _, err := st.ExecContext(ctx, op.disk, op.fname, op.usn, op.tmp); err != nil {
			return err
		}
	}
	return nil
}

// readJournal notes whether there is something to replay.
func (h *handle) readJournal(ctx context.Context, tx *sql.Tx) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM ankisyncd_journal`).Scan(&n); err != nil {
		return err
	}
	h.journal, h.pending = n > 0, n > 0
	return nil
}

// perform does what a committed transaction noted. If a step fails, the
// journal stays pending and settle tries again before anything else is done.
func (h *handle) perform(ops map[string]journalOp) error {
	if len(ops) == 0 {
		return nil
	}
	h.journal, h.pending = true, true
	var errs []error
	for _, op := range ops {
		if err := h.performOne(op); err != nil {
			errs = append(errs, err)
		}
	}
	h.dirty = true
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("put media files in place: %w", err)
	}
	h.pending = false
	_ = h.s.at("performed") // too late for an error
	return nil
}

func (h *handle) performOne(op journalOp) error {
	var err error
	if op.tmp == "" {
		if err = h.s.at("remove"); err == nil {
			err = h.root.Remove(op.disk)
		}
	} else {
		if err = h.s.at("rename"); err == nil {
			err = h.root.Rename(stagingDir+"/"+op.tmp, op.disk)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // done already
	}
	return err
}

// settle replays a journal that is not done. A note whose row has got another
// usn since was overtaken by another server's change, and is dropped.
func (h *handle) settle(ctx context.Context) error {
	if !h.pending {
		return nil
	}
	if err := h.openStaging(); err != nil {
		return err
	}
	ops := map[string]journalOp{}
	rows, err := h.db.QueryContext(ctx, `SELECT j.disk, j.fname, j.usn, coalesce(j.tmp, '') FROM ankisyncd_journal j
		JOIN media m ON m.fname = j.fname AND m.usn = j.usn AND (m.csum IS NULL) = (j.tmp IS NULL)`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var op journalOp
		if err := rows.Scan(&op.disk, &op.fname, &op.usn, &op.tmp); err != nil {
			return err
		}
		ops[op.disk] = op
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(ops) == 0 {
		h.pending = false
		return nil
	}
	return h.perform(ops)
}

// cleanStaging removes incoming files that no transaction has taken over. The
// journal has been replayed, so none of them is wanted.
func (h *handle) cleanStaging(context.Context) error {
	if h.root == nil || h.pending {
		return nil
	}
	f, err := h.root.Open(stagingDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	_ = f.Close()
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := h.root.RemoveAll(stagingDir + "/" + n); err != nil {
			return err
		}
	}
	return nil
}

// syncFolder makes the renames done so far durable.
func (h *handle) syncFolder() error {
	if !h.dirty || h.root == nil {
		return nil
	}
	if err := h.s.at("sync folder"); err != nil {
		return err
	}
	if err := syncDir(h.root, "."); err != nil {
		return fmt.Errorf("sync media folder: %w", err)
	}
	h.dirty = false
	return nil
}

// syncDir makes the names in a folder durable. File systems that cannot sync a
// folder (network shares, Windows) answer with an error that means nothing.
func syncDir(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !notSyncable(err) {
		return err
	}
	return nil
}
