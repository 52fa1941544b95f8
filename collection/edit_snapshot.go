package collection

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// reasonEdit marks what was kept before a program deleted much or changed a
// schema.
const reasonEdit = "edit"

// keepPrevious makes a snapshot of the committed state, once in a transaction,
// whatever this one has written so far.
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
	if t.kept || t.s.o.Snapshots.Keep < 0 {
		return nil
	}
	dir := filepath.Join(t.u.dir, SnapshotDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the collection: %w", err)
	}
	tmp, err := tempPath(t.u.dir)
	if err != nil {
		return fmt.Errorf("keep the collection: %w", err)
	}
	defer removeWithSides(tmp)
	if err := t.copyCommitted(tmp); err != nil {
		return fmt.Errorf("keep the collection: %w", err)
	}
	for now := t.now.UTC(); ; now = now.Add(time.Millisecond) {
		dst := filepath.Join(dir, now.Format(snapshotTime)+"-"+reason+snapshotExt)
		if _, err := os.Lstat(dst); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep the collection: %w", err)
		}
		if err := putInPlace(tmp, dst); err != nil {
			return fmt.Errorf("keep the collection: %w", err)
		}
		t.kept = true
		return nil
	}
}

// copyCommitted makes dst, a temporary name that is taken, a settled copy of the
// committed state.
func (t *Txn) copyCommitted(dst string) error {
	if err := os.Remove(dst); err != nil {
		return err
	}
	if err := copyFile(t.h.path, dst); err != nil {
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
