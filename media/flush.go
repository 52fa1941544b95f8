package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// usnGap is what opening adds to the usn after a crash of the machine. It is
// more than a second of uploads can take.
const usnGap = 10_000

// bootID names this run of the machine: as long as it is the same, whatever
// the operating system had accepted is there, even if a process was killed.
// Where it cannot be known, each run of this program counts as one.
func bootID() string {
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		return strings.TrimSpace(string(b))
	}
	return fmt.Sprintf("process %d %d", os.Getpid(), time.Now().UnixNano())
}

// relax stops syncing each commit, after the first one.
func (h *handle) relax() error {
	if h.relaxed || h.s.o.SyncDelay < 0 {
		return nil
	}
	if _, err := h.conn.ExecContext(context.Background(), `PRAGMA synchronous=normal`); err != nil {
		h.broken = true
		return err
	}
	h.relaxed = true
	return nil
}

// flushLater sees to it that what has been written becomes durable soon. The
// caller holds e.lock.
func (s *Store) flushLater(e *entry) {
	if e.h.unsafe && e.flush == nil && s.o.SyncDelay > 0 {
		e.flush = time.AfterFunc(s.o.SyncDelay, func() { s.flush(e) })
	}
}

// flush makes durable what has been written, while others go on.
func (s *Store) flush(e *entry) {
	s.mu.Lock()
	e.refs++
	s.mu.Unlock()
	defer s.unpin(e)
	e.lock <- struct{}{}
	e.flush = nil
	h := e.h
	var j *syncJob
	var err error
	switch {
	case h == nil || !h.unsafe || h.pending:
	case h.running != nil:
		s.flushLater(e) // after that one
	default:
		if j, err = h.newSyncJob(); err == nil {
			h.running = j
		}
	}
	<-e.lock
	if j == nil && err == nil {
		return
	}
	if j != nil {
		j.err = j.run()
		err = j.err
		close(j.done)
	}
	e.lock <- struct{}{}
	if j != nil && h.running == j { // else closing the database has waited for it
		writes := h.writes
		err = h.finish(j)
		switch {
		case h.broken:
			err = errors.Join(err, s.shut(e))
			e.remember(nil)
		case h.writes != writes:
			e.remember(nil)
			s.flushLater(e)
		}
	}
	if err != nil {
		// It is tried again with the next upload, and on closing.
		s.o.Log.Error("media not synced to disk", "user", e.user, "err", err)
	}
	<-e.lock
}

// await waits for the flush that is running, if one is, and takes in what has come
// of it. (Whoever runs it logs its error.)
func (h *handle) await() error {
	if h.running == nil {
		return nil
	}
	<-h.running.done
	return h.finish(h.running)
}

// finish takes in what has come of a job that has been run.
func (h *handle) finish(j *syncJob) error {
	if h.running == j {
		h.running = nil
	}
	err := j.err
	if err == nil {
		err = h.recheck()
	} else {
		h.setDoubt(true)
	}
	if err == nil && !h.doubt {
		h.flushed = max(h.flushed, j.batch)
		return nil
	}
	h.unsafe = true
	for n := range j.names {
		h.unsynced[n] = true
	}
	return err
}

// recheck looks at the files that the journal names, after a sync has failed: the
// next one may say that all is well although their content has never reached the
// disk (Linux tells of an error once). Those whose content is not there are
// forgotten, and the devices send them again. As long as the journal has work to do,
// the doubt stays.
func (h *handle) recheck() error {
	if !h.doubt || h.pending {
		return nil
	}
	lost, err := h.damaged(context.Background())
	if err == nil && len(lost) > 0 {
		h.s.o.Log.Error("media files did not reach the disk; forgotten, so that a device sends them again", "dir", h.dir, "lost", len(lost))
		err = h.forget(lost, 1)
	}
	if err != nil {
		return err
	}
	h.setDoubt(false)
	return nil
}

// setDoubt notes whether the last sync has failed, for whoever opens the database
// next as well: if it is not closed as it should be, opening has to look at the
// files.
func (h *handle) setDoubt(on bool) {
	h.doubt, h.boot = on, h.s.boot
	if on {
		h.boot = notSynced
	}
	if h.conn == nil {
		return
	}
	// If it fails, the next transaction has it.
	if _, err := h.conn.Run(`UPDATE ankisyncd_meta SET boot = ?`, h.boot); err != nil {
		h.s.o.Log.Warn("media: state of the last sync not noted", "dir", h.dir, "err", err)
	}
}

// sync makes everything durable at once. The caller holds the entry's lock.
func (h *handle) sync() error {
	j, err := h.newSyncJob()
	if err == nil {
		j.err = j.run()
		err = h.finish(j)
	}
	if err != nil {
		h.unsafe = true
		return fmt.Errorf("sync media: %w", err)
	}
	return nil
}

// syncJob is what has to be made durable at some moment.
type syncJob struct {
	s     *Store
	root  *os.Root // nil if there is no folder
	names map[string]bool
	wal   string
	batch int64
	done  chan struct{} // closed after run, when err says how that went
	err   error
}

func (h *handle) newSyncJob() (*syncJob, error) {
	j := &syncJob{s: h.s, names: h.unsynced, wal: dbPath(h.dir) + "-wal", batch: h.batch, done: make(chan struct{})}
	if h.root != nil {
		var err error
		if j.root, err = h.root.OpenRoot("."); err != nil {
			return nil, err
		}
	}
	h.unsynced, h.unsafe = map[string]bool{}, false
	return j, nil
}

// manyFiles is the number of files from which on the whole file system is
// synced at once, where that can be done: an fsync of each costs far more than
// writing them did.
const manyFiles = 8

// run syncs the contents, then the names, then the transactions that say so.
func (j *syncJob) run() error {
	if j.root != nil {
		defer j.root.Close()
		names := j.names
		if len(names) > manyFiles {
			done, err := syncFileSystem(j.root)
			if err != nil {
				return fmt.Errorf("sync file system: %w", err)
			}
			if done {
				names = nil
			}
		}
		for name := range names {
			if err := j.s.at("sync file"); err != nil {
				return err
			}
			if fi, err := j.root.Lstat(name); err != nil || !fi.Mode().IsRegular() {
				continue // deleted since, or replaced by hand
			}
			f, err := j.root.OpenFile(name, os.O_RDWR, 0)
			if errors.Is(err, fs.ErrPermission) {
				f, err = j.root.Open(name)
			}
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted since
			}
			if err != nil {
				return err
			}
			if err = errors.Join(f.Sync(), f.Close()); err != nil {
				return err
			}
		}
		if err := j.s.at("sync folder"); err != nil {
			return err
		}
		if err := syncDir(j.root, "."); err != nil {
			return err
		}
	}
	// SQLite keeps its locks on the database file, so opening and closing the
	// WAL does not drop them.
	f, err := os.OpenFile(j.wal, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// notSynced is noted instead of the run of the machine if something could not be
// synced: opening then does what it does after a crash.
const notSynced = "not synced"

// recover looks whether the machine, not just the program, crashed while the
// database was open, and deals with what may be lost; see journal.go.
func (h *handle) recover(ctx context.Context) error {
	h.boot = h.s.boot
	if h.lastBoot == "" || h.lastBoot == h.boot {
		return nil
	}
	lost, err := h.damaged(ctx)
	if err != nil {
		return err
	}
	if err := h.forget(lost, usnGap); err != nil {
		return err
	}
	if h.lastBoot == notSynced {
		h.s.o.Log.Warn("media could not be synced to disk when they were closed; devices will compare theirs", "dir", h.dir, "lost", len(lost), "usn", h.last)
		return nil
	}
	h.s.o.Log.Warn("the machine stopped while media were being stored; devices will compare theirs", "dir", h.dir, "lost", len(lost), "usn", h.last)
	return nil
}

// damaged hashes the files that the journal says were put in place last.
func (h *handle) damaged(ctx context.Context) ([]*row, error) {
	rows, err := h.conn.QueryContext(ctx, `SELECT j.disk, m.fname, m.usn, m.csum FROM (`+journalRows+`) j
		JOIN media m ON m.fname = j.fname AND m.usn = j.usn WHERE j.tmp <> '' AND m.csum IS NOT NULL ORDER BY j.batch`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lost []*row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.disk, &r.name, &r.usn, &r.sum); err != nil {
			return nil, err
		}
		if h.root != nil {
			d, err := h.readBack(r.disk)
			if err == nil && d.sum == r.sum {
				continue
			}
			// What the disk cannot read is lost, and no reason to keep the user out.
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !unreadable(err) {
				return nil, err
			}
		}
		lost = append(lost, &r)
	}
	return lost, rows.Err()
}

// readBack is readDigest for what is on the disk, not in memory.
func (h *handle) readBack(disk string) (digest, error) {
	if err := h.s.at("read back"); err != nil {
		return digest{}, err
	}
	f, fi, err := openRegular(h.root, disk)
	if err != nil {
		return digest{}, err
	}
	defer f.Close()
	dropCache(f)
	return digestOf(f, fi)
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
