package media

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// The journal. A transaction that changes files does not touch them: the new
// contents lie in the staging folder and the transaction notes "rename this into
// place" or "remove that". After the commit this is done, and the notes are
// dropped by the next transaction (dropping them at once would cost an SD card
// another write for nothing: doing them again changes nothing). What has a name
// that is new may be in its place already (inplace.go); the note then says only
// that it was written.
//
// Killed before the commit: the database and its files are as before, and
// opening removes what lies in the staging folder or was made in place. Killed
// after it: opening does what the journal says. A file is replaced by rename, so
// a reader has the old content or the new one, never a part.
//
// What can never be done does not stay to be done: a name that the file system does
// not take after all, or that a folder has by now, is changed for another one
// (reroute), and what is not a file any more need not be removed.
//
// What a loss of power may cost is a choice. An fsync of each of the 25 files
// of a zip, of their folder and of the database is 25 to 60 ms on a server's
// disk and a second or more on the SD card of a small machine, for each zip of
// a first upload of thousands. The files come from a device that still has
// them. So by default an upload is answered when the operating system has it,
// all of it is made durable within a second, together with what came meanwhile
// (flush.go: contents, then the folder, then the database), and the journal
// keeps its notes until then. If the power fails in that second:
//   - The database is a whole number of zips (its WAL has checksums), perhaps
//     some short. The devices then know a higher usn than the server, and one
//     day the usns would meet by chance. So opening after a crash of the
//     machine leaves a gap in the usns: each device sees another usn, compares
//     its count, and sends again what is missing (recover).
//   - A file of the last second may be cut or missing although its row is
//     there. The journal still names it; opening checks its hash and forgets
//     the row if it is damaged, and the device sends the file again.
//
// A sync that fails is as bad, for the next one may say that all is well: the files
// that the journal names are read back before that is believed (recheck).
//
// To tell such a crash, the first transaction after opening is synced at once,
// and says that the database is in use, by which run of the machine.
// Options.SyncDelay below zero syncs everything before each answer instead.

type journalOp struct {
	disk  string // name on disk
	fname string
	usn   int64
	tmp   string // in the staging folder, or inPlace; "" removes the file
}

// journalRows are the ops of all transactions, as columns. A row of the table
// has those of one transaction: [[disk, fname, usn, tmp], …].
const journalRows = `SELECT batch, o.value->>0 AS disk, o.value->>1 AS fname, o.value->>2 AS usn, o.value->>3 AS tmp
	FROM ankisyncd_journal, json_each(ops) o`

// writeJournal notes ops in the transaction that implies them.
func (h *handle) writeJournal(ops map[string]journalOp) error {
	if len(ops) == 0 {
		return nil
	}
	list := make([][4]any, 0, len(ops))
	for _, op := range ops {
		list = append(list, [4]any{op.disk, op.fname, op.usn, op.tmp})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	_, err = h.conn.Run(`INSERT INTO ankisyncd_journal (batch, ops) VALUES (?, ?)`, h.batch+1, string(text))
	return err
}

// convertJournal rewrites a journal of version 1, which had a row for each file
// (disk, fname, usn, tmp or null, batch).
func convertJournal(ctx context.Context, tx *sql.Tx) error {
	var old int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info('ankisyncd_journal') WHERE name = 'disk'`).Scan(&old)
	if err != nil || old == 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `ALTER TABLE ankisyncd_journal RENAME TO ankisyncd_journal1;
		CREATE TABLE ankisyncd_journal (batch INTEGER PRIMARY KEY, ops TEXT NOT NULL);
		INSERT INTO ankisyncd_journal SELECT batch, json_group_array(json_array(disk, fname, usn, coalesce(tmp, ''))) FROM ankisyncd_journal1 GROUP BY batch;
		DROP TABLE ankisyncd_journal1`)
	return err
}

// readJournal notes whether there is something to replay.
func (h *handle) readJournal(ctx context.Context, tx *sql.Tx) error {
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(batch), 0) FROM ankisyncd_journal`).Scan(&h.batch); err != nil {
		return err
	}
	h.pending = h.batch > 0
	return nil
}

// perform does what a committed transaction noted. If a step fails, the
// journal stays pending and settle tries again before anything else is done.
func (h *handle) perform(ops map[string]journalOp) error {
	if len(ops) == 0 {
		return nil
	}
	h.pending, h.unsafe = true, true
	var errs []error
	var stuck []journalOp
	for _, op := range ops {
		switch err := h.performOne(op); {
		case err == nil:
		case op.tmp != "" && op.tmp != inPlace && h.never(op, err):
			stuck = append(stuck, op)
		default:
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("put media files in place: %w", err)
	}
	if err := h.reroute(stuck); err != nil {
		return fmt.Errorf("put media files elsewhere: %w", err)
	}
	h.pending = false
	_ = h.s.at("performed") // too late for an error
	return nil
}

func (h *handle) performOne(op journalOp) error {
	var err error
	if op.tmp == "" {
		if err = h.s.at("remove"); err == nil {
			err = h.dirs.remove(op.disk)
		}
		if err != nil && h.never(op, err) {
			// It is not the file that the row had, or no file at all.
			h.s.o.Log.Warn("deleted media file cannot be removed; what has its name stays", "dir", h.dir, "file", op.disk, "err", err)
			return nil
		}
	} else {
		if op.tmp == inPlace {
			err = h.s.at("in place")
		} else if err = h.s.at("rename"); err == nil {
			err = h.dirs.place(op.tmp, op.disk)
		}
		h.unsynced[op.disk] = true
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // done already
	}
	return err
}

// never reports whether an op failed for a reason that will be the same the next
// time: a folder has the name by now, or the file system does not take the name,
// or the file of this name is immutable or a mount. (A full or broken disk is
// another matter, and a folder that may not be written is for the administrator
// to mend.)
func (h *handle) never(op journalOp, err error) bool {
	return h.taken(op, err) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EBUSY)
}

// taken is never without what may be true of the whole folder.
func (h *handle) taken(op journalOp, err error) bool {
	return refusesName(err) || !errors.Is(err, fs.ErrNotExist) && h.dirs.isDir(op.disk) // Windows says "access denied"
}

// reroute puts incoming files that cannot get their names under other ones: the
// database learns of that first. If that fails in the same way, their rows are
// forgotten: the devices send them again. An operation that stays in the journal
// keeps everything else of this user from being done.
func (h *handle) reroute(stuck []journalOp) error {
	ops := make(map[string]journalOp, len(stuck))
	for _, op := range stuck {
		if _, err := h.dirs.staging.Lstat(op.tmp); errors.Is(err, fs.ErrNotExist) {
			continue // done already
		}
		h.s.o.Log.Warn("media file cannot be stored under its name", "dir", h.dir, "file", op.disk, "as", escapeName(op.fname))
		delete(h.unsynced, op.disk)
		op.disk = escapeName(op.fname)
		ops[op.disk] = op
	}
	if len(ops) == 0 {
		return nil
	}
	err := h.tx(func(_ *counts) error {
		for _, op := range ops {
			if _, err := h.conn.Run(`UPDATE ankisyncd_file SET disk = ? WHERE fname = ? AND usn = ?`, op.disk, op.fname, op.usn); err != nil {
				return err
			}
			if err := h.dropNotes(op); err != nil {
				return err
			}
		}
		return h.writeJournal(ops)
	})
	if err != nil {
		return err
	}
	h.batch++
	var errs []error
	var lost []journalOp
	for _, op := range ops {
		switch err := h.performOne(op); {
		case err == nil:
		case h.taken(op, err):
			h.s.o.Log.Error("media file cannot be stored; forgotten, so that a device sends it again", "dir", h.dir, "file", op.fname, "err", err)
			lost = append(lost, op)
		default:
			errs = append(errs, err)
		}
	}
	// While others are not done, forgetting waits for the next try: it gives a row
	// another usn, perhaps theirs, by which the journal knows it.
	if len(lost) == 0 || len(errs) > 0 {
		return errors.Join(errs...)
	}
	rows := make([]*row, len(lost))
	for i, op := range lost {
		rows[i] = &row{name: op.fname}
	}
	if err := h.forget(rows, 1); err != nil {
		return err
	}
	for _, op := range lost {
		delete(h.unsynced, op.disk)
		_ = h.dirs.staging.Remove(op.tmp)
	}
	return nil
}

// dropNotes drops what the journal says of the file of an op's row.
func (h *handle) dropNotes(op journalOp) error {
	_, err := h.conn.Run(`UPDATE ankisyncd_journal SET ops = (SELECT json_group_array(json(o.value)) FROM json_each(ops) o
		WHERE NOT (o.value->>1 = ?1 AND o.value->>2 = ?2)) WHERE EXISTS (SELECT 1 FROM json_each(ops) o WHERE o.value->>1 = ?1 AND o.value->>2 = ?2)`, op.fname, op.usn)
	return err
}

// settle replays a journal that is not done. A note whose row has got another
// usn since was overtaken by another server's change, and is dropped.
func (h *handle) settle(ctx context.Context) error {
	if !h.pending || h.away {
		return nil
	}
	if err := h.openStaging(); err != nil {
		return err
	}
	ops := map[string]journalOp{}
	rows, err := h.conn.QueryContext(ctx, `SELECT j.disk, j.fname, j.usn, j.tmp FROM (`+journalRows+`) j
		JOIN media m ON m.fname = j.fname AND m.usn = j.usn AND (m.csum IS NULL) = (j.tmp = '') ORDER BY j.batch`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var op journalOp
		if err := rows.Scan(&op.disk, &op.fname, &op.usn, &op.tmp); err != nil {
			return err
		}
		ops[h.samePlace(op.disk)] = op
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

// samePlace is the same for names on disk that stand for the same file.
func (h *handle) samePlace(disk string) string {
	if h.fold {
		return sqlite.Fold(disk)
	}
	return disk
}

// cleanStaging removes incoming files that no transaction has taken over, in
// the folder for them and in place. The journal has been replayed, so none of
// them is wanted.
func (h *handle) cleanStaging() error {
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
		if err := h.removeNoted(n); err != nil {
			return err
		}
		if err := h.root.RemoveAll(stagingDir + "/" + n); err != nil {
			return err
		}
	}
	return nil
}
