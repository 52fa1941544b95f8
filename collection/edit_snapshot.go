package collection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
)

// keepPrevious copies the committed state, once in a transaction, whatever this
// one has written so far. The copy becomes a snapshot if the transaction is
// committed: one that fails or changes nothing must not cost the user an older
// snapshot. Until then it has a temporary name, as everything that a crash may
// leave.
//
// The collection is open, so its file alone is not its state: commits since the
// last checkpoint lie in the write-ahead log. Both are copied, which is safe at
// any moment of a transaction: the user's lock and the exclusive locking mode
// keep everyone else from writing, a checkpoint cannot happen inside a
// transaction, and frames of a transaction that is not committed are ignored by
// whoever opens the copy. The copy is then settled: the log is folded into it.
// It costs one copy of the file and of a log that checkpoints keep short. (A
// hard link would go on changing with the collection.)
func (t *Txn) keepPrevious(reason string) error {
	if t.kept != "" || t.s.o.Snapshots.Keep < 0 {
		return nil
	}
	tmp, err := tempPath(t.u.dir)
	if err != nil {
		return fmt.Errorf("keep the collection: %w", err)
	}
	if err := t.copyCommitted(tmp); err != nil {
		removeWithSides(tmp)
		return fmt.Errorf("keep the collection: %w", err)
	}
	t.kept, t.keptFor = tmp, reason
	return nil
}

// placeKept makes a snapshot of what was kept. It is the last thing before the
// commit: after it, a crash would take the temporary file with it.
func (t *Txn) placeKept() error {
	if t.kept == "" {
		return nil
	}
	dir := filepath.Join(t.u.dir, SnapshotDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	now, err := t.u.nextSnapshot(t.now)
	if err != nil {
		return err
	}
	for ; ; now = now.Add(time.Millisecond) {
		dst := filepath.Join(dir, now.Format(snapshotTime)+"-"+t.keptFor+snapshotExt)
		if _, err := os.Lstat(dst); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := putInPlace(t.kept, dst); err != nil {
			_ = os.Remove(dst) // it may have its name already
			return err
		}
		t.kept, t.placed = dst, true
		return nil
	}
}

// dropKept removes what was kept for a transaction that did not come about.
func (t *Txn) dropKept() {
	if t.kept != "" {
		removeWithSides(t.kept)
		t.kept = ""
	}
}

// copyCommitted makes dst, a temporary name that is taken, a settled copy of the
// committed state.
func (t *Txn) copyCommitted(dst string) error {
	if err := os.Remove(dst); err != nil {
		return err
	}
	if err := copyTo(io.NewSectionReader(t.h.main, 0, math.MaxInt64), dst); err != nil {
		return err
	}
	if err := copyFile(t.h.path+"-wal", dst+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	h, err := openHandle(context.Background(), dst)
	if err != nil {
		return err
	}
	return errors.Join(h.checkpoint(), h.close())
}
