package collection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// SnapshotDir is the folder, inside a user's, that keeps replaced collections.
const SnapshotDir = "snapshots"

// Retention says which snapshots are kept. The newest always is, unless none
// are made. The zero value means DefaultKeep of any age and size.
type Retention struct {
	// Keep is how many are kept at most; 0 means DefaultKeep, negative means
	// that no snapshots are made of what a user replaces. (The file that an
	// upgrade of the schema replaces is kept in any case.) Those made before a
	// program imports, deletes much or changes a schema count apart: two at most.
	Keep int
	// MaxAge removes older ones, but for the newest three: a clock that is wrong for
	// a moment must not take all of them. 0 means no limit.
	MaxAge time.Duration
	// MaxBytes removes the oldest beyond this sum, those made for programs first;
	// 0 means no limit.
	MaxBytes int64
}

// DefaultKeep is how many snapshots of each user are kept.
const DefaultKeep = 5

func (r Retention) withDefaults() Retention {
	if r.Keep == 0 {
		r.Keep = DefaultKeep
	}
	return r
}

// Snapshot is a kept collection file.
type Snapshot struct {
	// ID names it among the user's snapshots: the time it was made and why.
	ID    string
	Time  time.Time
	Bytes int64
	// Reason is why the file was replaced: "upload", "upgrade", "restore" …
	Reason string
}

// Reasons for snapshots.
const (
	reasonUpload = "upload"
	// reasonUpgrade marks the original of a file that was converted.
	reasonUpgrade = "upgrade"
	// reasonEdit marks what was kept before a program deleted much or changed a
	// schema.
	reasonEdit = "edit"
	// ReasonImport is for EditOptions.Keep, before a program adds much.
	ReasonImport = "import"
)

// keepOfPrograms is how many snapshots are kept at most, beside the others, of
// those that are made for programs (reasonEdit, ReasonImport). These run every
// hour, perhaps, and must not cost the user the way back from a wrong click.
const keepOfPrograms = 2

func (sn *Snapshot) ofProgram() bool { return sn.Reason == reasonEdit || sn.Reason == ReasonImport }

const (
	snapshotTime = "2006-01-02T15-04-05.000Z"
	snapshotExt  = ".anki2"
)

func parseSnapshotName(name string) (Snapshot, bool) {
	id, ok := strings.CutSuffix(name, snapshotExt)
	if !ok || len(id) < len(snapshotTime) {
		return Snapshot{}, false
	}
	t, err := time.Parse(snapshotTime, id[:len(snapshotTime)])
	if err != nil {
		return Snapshot{}, false
	}
	return Snapshot{ID: id, Time: t, Reason: strings.TrimPrefix(id[len(snapshotTime):], "-")}, true
}

func listSnapshots(dir string) ([]Snapshot, error) {
	entries, err := os.ReadDir(filepath.Join(dir, SnapshotDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Snapshot
	for _, e := range entries {
		sn, ok := parseSnapshotName(e.Name())
		if !ok {
			continue
		}
		if fi, err := e.Info(); err == nil {
			sn.Bytes = fi.Size()
			out = append(out, sn)
		}
	}
	slices.SortFunc(out, func(a, b Snapshot) int { return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.ID, a.ID)) })
	return out, nil
}

// Snapshots lists a user's kept collections, newest first.
func (s *Store) Snapshots(name string) ([]Snapshot, error) {
	dir, err := s.UserDir(name)
	if err != nil {
		return nil, err
	}
	return listSnapshots(dir)
}

// keep makes a snapshot of u's stored file, which must be settled (no WAL, not
// open), before it is replaced. Where the file system has hard links it costs
// no space until the file is replaced. It returns the snapshot's path, "" if
// none is wanted.
func (s *Store) keep(u *user, reason string) (path string, err error) {
	if s.o.Snapshots.Keep < 0 && reason != reasonUpgrade {
		return "", nil
	}
	dir := filepath.Join(u.dir, SnapshotDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	now, err := u.nextSnapshot(s.o.Now())
	if err != nil {
		return "", err
	}
	for {
		dst := filepath.Join(dir, now.Format(snapshotTime)+"-"+reason+snapshotExt)
		err := linkOrCopy(u.path(), dst)
		if errors.Is(err, fs.ErrExist) {
			now = now.Add(time.Millisecond)
			continue
		}
		if err != nil {
			return "", fmt.Errorf("keep the old collection: %w", err)
		}
		return dst, syncDir(dir)
	}
}

// nextSnapshot is the time for the name of a new snapshot: now, but later than
// all others, also where the clock went backwards (small machines have none that
// runs on): the newest must not be the first to go. Names of a clock that was far
// ahead do not count.
func (u *user) nextSnapshot(now time.Time) (time.Time, error) {
	now = now.UTC()
	all, err := listSnapshots(u.dir)
	for _, sn := range all {
		if !sn.isAhead(now) && !now.After(sn.Time.Add(time.Millisecond)) {
			now = sn.Time.Add(time.Millisecond)
		}
	}
	return now, err
}

// farAhead is how much later than now a snapshot may be said to be made, by a
// clock that has gone backwards since, to be taken at its word.
const farAhead = 24 * time.Hour

func (sn *Snapshot) isAhead(now time.Time) bool { return sn.Time.After(now.Add(farAhead)) }

// discard removes the snapshot at path, if it is still a second name of the
// stored file: the replacement it was made for did not come about.
func (u *user) discard(path string) {
	a, errA := os.Stat(u.path())
	b, errB := os.Stat(path)
	if errA == nil && errB == nil && os.SameFile(a, b) {
		_ = os.Remove(path)
	}
}

// dropLiveSnapshots removes snapshots that are second names of the stored file.
// They are left by a crash between keeping a file and replacing it, and would
// change with every sync.
func (u *user) dropLiveSnapshots() error {
	all, err := listSnapshots(u.dir)
	for _, sn := range all {
		u.discard(filepath.Join(u.dir, SnapshotDir, sn.ID+snapshotExt))
	}
	return err
}

// prune removes the snapshots that no rule keeps. Failing is only logged.
func (s *Store) prune(u *user) {
	all, err := listSnapshots(u.dir)
	if err != nil {
		s.o.Log.Warn("list snapshots", "user", u.name, "err", err)
		return
	}
	for _, sn := range s.o.Snapshots.expired(all, s.o.Now()) {
		if err := os.Remove(filepath.Join(u.dir, SnapshotDir, sn.ID+snapshotExt)); err != nil {
			s.o.Log.Warn("remove snapshot", "user", u.name, "snapshot", sn.ID, "err", err)
		}
	}
}

// keepOfAge is how many snapshots do not go for their age alone: the one that has
// just been made, and two more.
const keepOfAge = 3

// expired returns those of all, which are newest first, that may go: of those
// made for programs what is left of the room that the others leave. Those of a
// clock that was far ahead count as the oldest.
func (r Retention) expired(all []Snapshot, now time.Time) (gone []Snapshot) {
	if len(all) == 0 {
		return nil
	}
	all = slices.Clone(all)
	then := now.Add(time.Minute) // nextSnapshot may have gone on from one that just counts
	slices.SortStableFunc(all, func(a, b Snapshot) int {
		switch aheadA, aheadB := a.isAhead(then), b.isAhead(then); {
		case aheadA == aheadB:
			return 0
		case aheadA:
			return 1
		}
		return -1
	})
	sum := all[0].Bytes
	for _, ofProgram := range []bool{false, true} {
		most := r.Keep
		if ofProgram {
			most = min(most, keepOfPrograms)
		}
		full := false // the older ones of the kind go, too
		for i, sn := range all {
			if sn.ofProgram() != ofProgram {
				continue
			}
			most--
			if i == 0 {
				continue
			}
			full = full || most < 0 || i >= keepOfAge && r.MaxAge > 0 && now.Sub(sn.Time) > r.MaxAge || r.MaxBytes > 0 && sum+sn.Bytes > r.MaxBytes
			if full {
				gone = append(gone, sn)
			} else {
				sum += sn.Bytes
			}
		}
	}
	return gone
}

// Restore puts a snapshot back in place of the stored collection, which is kept
// as a snapshot itself. Every device is told to do a full sync, as after an
// upload by another device: the restored file gets a new scm and mod.
//
// ErrNotFound means that there is no such snapshot, ErrCorrupt that it is
// damaged; the stored collection then stays.
func (s *Store) Restore(ctx context.Context, name, id string) error {
	u, err := s.user(name)
	if err != nil {
		return err
	}
	if _, ok := parseSnapshotName(id + snapshotExt); !ok || id != filepath.Base(id) || strings.Contains(id, "\x00") {
		return fmt.Errorf("snapshot %q: %w", id, ErrNotFound)
	}
	path := filepath.Join(u.dir, SnapshotDir, id+snapshotExt)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("snapshot %q: %w", id, ErrNotFound)
	}
	return s.restore(ctx, u, func(tmp string) error { return copyFile(path, tmp) })
}

// RestoreFile is Restore of a collection file from elsewhere, a backup, of any
// schema. It is only read; what lies in a log beside it belongs to it.
//
// ErrNotFound means that there is no such file, ErrBusy that another process has
// it open, ErrCorrupt and ErrUnsupportedSchema are faults of it.
func (s *Store) RestoreFile(ctx context.Context, name, path string) error {
	u, err := s.user(name)
	if err != nil {
		return err
	}
	if err := u.ensureDir(); err != nil {
		return err
	}
	return s.restore(ctx, u, func(tmp string) error { return CopyDatabase(ctx, path, tmp) })
}

// restore puts what copy makes at a temporary path in the place of the stored
// collection.
func (s *Store) restore(ctx context.Context, u *user, copy func(tmp string) error) error {
	tmp, err := tempPath(u.dir)
	if err != nil {
		return err
	}
	defer s.temps.hold(tmp)()
	defer removeWithSides(tmp)
	_ = os.Remove(tmp)
	if err := copy(tmp); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := s.prepareUpload(ctx, tmp); err != nil {
		return err
	}
	return s.withUser(ctx, u.name, func(u *user) error { return s.replaceAnew(ctx, u, tmp, "restore") })
}

// Resync has every device do a full sync the next time, and changes nothing else:
// for collections that were put back by other means than Restore. A running sync
// is ended. ErrNotFound if nothing is stored.
func (s *Store) Resync(ctx context.Context, name string) error {
	return s.withUser(ctx, name, func(u *user) error {
		s.rollback(u)
		h, err := s.opened(ctx, u)
		if err != nil {
			return err
		}
		query, args := s.laterThan(last{})
		if _, err := h.exec(query, args...); err != nil {
			return fmt.Errorf("ask for a full sync: %w", err)
		}
		m, err := readMeta(h)
		if err != nil {
			return err
		}
		u.remember(m)
		return nil
	})
}

// replaceAnew is replace by a file that gets a new scm and mod. A device that
// knows either collection notices, even if the clock went backwards.
func (s *Store) replaceAnew(ctx context.Context, u *user, tmp, reason string) error {
	s.rollback(u)
	var now Meta
	if h, err := s.opened(ctx, u); err == nil {
		if now, err = readMeta(h); err != nil {
			return err
		}
	} else if !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) && !sqlite.IsCorrupt(err) {
		return err
	}
	if err := s.restamp(ctx, tmp, now.last()); err != nil {
		return err
	}
	at("restamped")
	return s.replace(ctx, u, tmp, reason)
}

// restamp gives the private file at path a mod, scm and usn that are later than
// its own and than those of the collection that it will replace.
func (s *Store) restamp(ctx context.Context, path string, current last) error {
	// Nothing may stay beside the file, which is about to get another name.
	db, err := sqlite.Open(ctx, path, sqlite.Options{Journal: "delete"})
	if err != nil {
		return err
	}
	query, args := s.laterThan(current)
	_, err = db.ExecContext(ctx, query, args...)
	return errors.Join(err, db.Close())
}

// laterThan is the statement that gives a collection a mod, scm and usn later
// than its own and than those of another, whose devices will want a full sync.
func (s *Store) laterThan(other last) (query string, args []any) {
	now := s.o.Now().UnixMilli()
	return `UPDATE col SET mod = max(mod + 1, ?1), scm = max(scm + 1, ?2), usn = max(usn, ?3) + 1`,
		[]any{max(now, other.Mod+1), max(now, other.SCM+1), other.USN}
}
