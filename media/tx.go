package media

import (
	"context"
	"fmt"
)

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
	err = h.conn.Commit()
	if err == nil {
		err = h.s.at("committed")
	}
	if err != nil {
		// It may have been committed all the same (the write went through, the
		// fsync failed). Opening again will tell.
		h.broken = true
		return fmt.Errorf("commit: %w", err)
	}
	done = true
	h.last, h.files, h.cleared, h.unsafe = c.last, c.files, flushed, true
	return h.relax()
}
