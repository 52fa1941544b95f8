package collection

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ankisyncd/ankisyncd/offheap"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// sqliteMagic begins every SQLite file.
var sqliteMagic = []byte("SQLite format 3\x00")

// Upload replaces a user's collection by the file that r yields
// (docs/protocol.md §6.9). The stream goes to a temporary file; only when it is
// whole and has passed every check is the stored collection replaced, and the
// old one is kept as a snapshot.
//
// ErrCorrupt, ErrUnsupportedSchema and ErrTooLarge are faults of the file,
// ErrTooSlow may be one or the machine's; an error of r is returned as it is. In
// every case the stored collection is as it was. A sync that is going on is ended,
// but not before the new file is sound.
func (s *Store) Upload(ctx context.Context, name string, r io.Reader) error {
	return s.UploadPacked(ctx, name, r, nil)
}

// UploadPacked is Upload of a file that comes packed: packed returns what r was
// unpacked from, once r has ended, or nil; the caller goes on holding it. If the
// file is stored as it came, that is kept for a while, and a Download which can
// take it gets it.
func (s *Store) UploadPacked(ctx context.Context, name string, r io.Reader, packed func() *offheap.Bytes) error {
	return s.upload(ctx, name, r, func(ctx context.Context, u *user, in incoming) error {
		if err := s.replace(ctx, u, in.path, reasonUpload); err != nil {
			return err
		}
		if in.same && packed != nil {
			s.packed.keep(u, packed(), in.bytes)
		}
		return nil
	})
}

// Import is Upload of a collection that no device has sent, an exported one say.
// It may be an earlier state of the stored one, which devices would go on syncing
// with and never get. So each is told to do a full sync, as after Restore.
func (s *Store) Import(ctx context.Context, name string, r io.Reader) error {
	return s.upload(ctx, name, r, func(ctx context.Context, u *user, in incoming) error {
		return s.replaceAnew(ctx, u, in.path, reasonUpload)
	})
}

// incoming is an uploaded file that is sound.
type incoming struct {
	path  string
	bytes int64 // as it came
	same  bool  // it is as it came
}

// upload receives and checks the file that r yields. place puts it in its place,
// under the user's lock.
func (s *Store) upload(ctx context.Context, name string, r io.Reader, place func(context.Context, *user, incoming) error) error {
	u, err := s.user(name)
	if err != nil {
		return err
	}
	if err := u.ensureDir(); err != nil {
		return err
	}
	s.packed.forget(u)
	f, err := createTemp(u.dir)
	if err != nil {
		return err
	}
	tmp := f.Name()
	defer s.temps.hold(tmp)()
	defer removeWithSides(tmp)
	size, err := s.receive(f, r)
	if err != nil {
		return err
	}
	// From here on the client has said everything; it may be gone by now, but
	// what it asked for is done, if the check ends in time.
	ctx = context.WithoutCancel(ctx)
	at("upload received")
	start := time.Now()
	same, err := s.prepareUpload(ctx, tmp)
	if err != nil {
		return err
	}
	at("upload checked")
	s.o.Log.Debug("upload checked", "user", u.name, "dur", time.Since(start))
	return s.withUser(ctx, name, func(u *user) error {
		return place(ctx, u, incoming{path: tmp, bytes: size, same: same})
	})
}

// receive writes r, n bytes, to f and closes it.
func (s *Store) receive(f *os.File, r io.Reader) (n int64, err error) {
	n, err = io.Copy(&steadyWriter{f: f, send: func(from, n int64) { writeOut(f, from, n) }}, io.LimitReader(r, s.o.MaxUploadBytes+1))
	if err == nil && n > s.o.MaxUploadBytes {
		err = ErrTooLarge
	}
	return n, errors.Join(err, f.Close())
}

// steadyBytes is how much of an upload waits in the kernel before it is sent to
// the disk.
const steadyBytes = 8 << 20

// steadyWriter has what it writes sent to the disk as it comes. Otherwise
// hundreds of megabytes gather, and on ext4 the next fsync of anybody, of
// another user's ten reviews, waits for all of them.
type steadyWriter struct {
	f       io.Writer
	send    func(from, n int64) // part of the file to the disk
	n, sent int64
}

func (w *steadyWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.n += int64(n)
	if w.n-w.sent >= steadyBytes {
		w.send(w.sent, w.n-w.sent)
		w.sent = w.n
	}
	return n, err
}

// prepareUpload is the function of that name, in time.
func (s *Store) prepareUpload(ctx context.Context, path string) (same bool, err error) {
	err = s.inTime(ctx, func(ctx context.Context) (err error) {
		same, err = prepareUpload(ctx, path)
		return err
	})
	return same, err
}

// inTime runs f, which works on a file from outside, and gives it
// Options.CheckTimeout: whatever is in the file, it ends. What f says after that
// is about the time and not about the file.
func (s *Store) inTime(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.CheckTimeout)
	defer cancel()
	err := f(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w (%v): %v", ErrTooSlow, s.o.CheckTimeout, err) //nolint:errorlint // it may call the file damaged
	}
	return err
}

// prepareUpload checks a private file and brings it to the state in which it
// can be stored: schema 18, nothing marked as unsent. same says that it was in
// that state already.
func prepareUpload(ctx context.Context, path string) (same bool, err error) {
	before, err := setHeader(path, journalVersion)
	if err != nil {
		return false, err
	}
	err = sqlite.Verify(ctx, path)
	if err == nil {
		err = upgradeAndSettle(ctx, path)
	}
	if (faultOfFile(err) || errors.Is(err, sqlite.ErrDamaged)) && !errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return false, err
	}
	// Opening it later would write this in a transaction, with four fsyncs more.
	after, err := setHeader(path, walVersion)
	return before == after, err
}

// faultOfFile reports whether SQLite's complaint is about the content of a file
// (a schema that is half of one version and half of another, say) and not about
// the disk.
func faultOfFile(err error) bool {
	var e interface{ Code() int }
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case 1 /* error in SQL */, 11 /* corrupt */, 18 /* too big */, 19 /* constraint */, 20 /* mismatch */, 26 /* no database */ :
		return true
	}
	return false
}

// setHeader checks that the file at path is a whole SQLite file, says in its
// header whether it is meant to have a WAL, and returns the file change counter,
// which every transaction raises that writes without one. The file has no WAL now
// and is nobody else's.
func setHeader(path string, version byte) (counter uint32, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	head := make([]byte, 100)
	if _, err := io.ReadFull(f, head); err != nil || !bytes.HasPrefix(head, sqliteMagic) {
		return 0, fmt.Errorf("%w: not an SQLite file", ErrCorrupt)
	}
	fi, err := f.Stat()
	if err != nil {
		return 0, err
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	pages := int64(binary.BigEndian.Uint32(head[28:]))
	if page < 512 || fi.Size()%page != 0 || pages > fi.Size()/page {
		return 0, fmt.Errorf("%w: the file is cut off", ErrCorrupt)
	}
	// Other versions are for SQLite to refuse.
	if w, r := head[headerWriteVersion], head[headerReadVersion]; w == r && w != version && (w == journalVersion || w == walVersion) {
		if _, err := f.WriteAt([]byte{version, version}, headerWriteVersion); err != nil {
			return 0, err
		}
	}
	return binary.BigEndian.Uint32(head[headerCounter:]), nil
}

// upgradeAndSettle is Upgrade, and then checks what SQLite cannot know of the file
// and marks everything in it as sent: rows with usn -1 would be handed to nobody,
// and a usn of 0 would hand every row out again. The file is not synced.
func upgradeAndSettle(ctx context.Context, path string) (err error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{
		Exclusive: true, Journal: "delete", Synchronous: "off", CacheKiB: convCacheKiB, Foreign: true,
	})
	if err != nil {
		return fmt.Errorf("upgrade collection: %w", damaged(err))
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := upgrade(ctx, db); err != nil {
		return err
	}
	if err := checkObjects(ctx, db); err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := ensureIndexes(ctx, conn); err != nil {
		return err
	}
	return settleUSNs(ctx, conn, 1)
}

// usnTables are the tables whose rows carry a usn, apart from config, whose
// usns mean nothing to a sync.
var usnTables = [...]string{"cards", "notes", "revlog", "graves", "notetypes", "templates", "decks", "deck_config", "tags"}

// settleUSNs gives rows that are marked as not yet sent the collection's usn,
// so that every device gets them, and makes that usn at least atLeast.
func settleUSNs(ctx context.Context, conn *sql.Conn, atLeast USN) error {
	var usn USN
	var unsent [len(usnTables)]bool
	ask, answers := `SELECT usn`, []any{&usn}
	for i, t := range usnTables {
		ask += `, EXISTS (SELECT 1 FROM ` + t + ` WHERE usn < 0)`
		answers = append(answers, &unsent[i])
	}
	if err := conn.QueryRowContext(ctx, ask+` FROM col`).Scan(answers...); err != nil {
		return err
	}
	var dirty []string
	for i, t := range usnTables {
		if unsent[i] {
			dirty = append(dirty, t)
		}
	}
	if len(dirty) == 0 && usn >= atLeast {
		return nil
	}
	usn = max(usn, atLeast)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // no effect after Commit
	if _, err := tx.ExecContext(ctx, `UPDATE col SET usn = ?`, usn); err != nil {
		return err
	}
	for _, t := range dirty {
		if _, err := tx.ExecContext(ctx, `UPDATE `+t+` SET usn = ? WHERE usn < 0`, usn); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// replace puts the sound, settled file tmp in the place of u's collection. The
// caller holds u's lock.
//
// The order matters: a WAL that belongs to the old file must be gone before the
// new one takes its name, or SQLite would replay it onto the new file.
func (s *Store) replace(ctx context.Context, u *user, tmp, reason string) error {
	s.rollback(u)
	if u.pins > 0 && walSize(u.path()) > 0 {
		// Closing will fold the WAL into a file that is being read. Without
		// one, readers go on with the old file undisturbed. One that takes too
		// long loses: what it reads is out of date anyway.
		u.waitForDownloads(ctx)
		if s.isClosed() {
			return ErrClosed
		}
		s.rollback(u)
	}
	s.closeHandle(u)
	kept, err := s.settleOld(ctx, u, reason)
	if err != nil {
		return err
	}
	u.meta.Store(nil)
	s.forgetLast(u)
	if err := putInPlace(tmp, u.path()); err != nil {
		u.discard(kept)
		return fmt.Errorf("put the collection in place: %w", err)
	}
	s.prune(u)
	s.removeTemps(u.dir, time.Now())
	h, err := s.opened(ctx, u)
	if err != nil {
		return fmt.Errorf("open the new collection: %w", err)
	}
	m, err := readMeta(h)
	if err != nil {
		return err
	}
	u.remember(m)
	return nil
}

// settleOld folds the stored collection's WAL, if one was left, and keeps the
// file; kept is the snapshot's path, "" if none was made. A stored file that
// SQLite cannot read is put aside with its WAL: a damaged collection must not
// keep its user from uploading a sound one.
func (s *Store) settleOld(ctx context.Context, u *user, reason string) (kept string, err error) {
	if err := u.bringBack(); err != nil {
		return "", err
	}
	fi, err := os.Stat(u.path())
	if errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() == 0 {
		// A WAL without its file belongs to nothing.
		return "", removeSides(u.path())
	}
	if err != nil {
		return "", err
	}
	// Opened even if there is no WAL: another process may hold the file.
	h, err := openHandle(ctx, u.path())
	if err == nil {
		err = errors.Join(h.checkpoint(), h.close())
	}
	switch {
	case sqlite.IsCorrupt(err):
		s.o.Log.Error("the stored collection is damaged and is put aside", "user", u.name, "err", err)
		return "", s.putAside(u)
	case err != nil: // no space, say: then nothing may be lost
		return "", fmt.Errorf("settle the old collection: %w", err)
	}
	at("old settled")
	if kept, err = s.keep(u, reason); err != nil {
		return "", err
	}
	at("old kept")
	return kept, removeSides(u.path())
}

// putAside gives the stored file and what is beside it other names in the
// snapshots folder, and then removes what is beside it. The file itself stays,
// to be replaced.
func (s *Store) putAside(u *user) error {
	dir := filepath.Join(u.dir, SnapshotDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	base := filepath.Join(dir, "damaged-"+s.o.Now().UTC().Format(snapshotTime)+snapshotExt)
	for _, suffix := range append([]string{""}, sideSuffixes...) {
		if err := linkOrCopy(u.path()+suffix, base+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return removeSides(u.path())
}

// upgradeStored brings a stored file of an older schema up to date: on a copy,
// keeping the original as a snapshot. The caller holds u's lock; the file is
// settled and not open.
func (s *Store) upgradeStored(ctx context.Context, u *user) error {
	if hasSides(u.path()) {
		return errors.New("collection: what is beside the file could not be folded into it")
	}
	tmp, err := tempPath(u.dir)
	if err != nil {
		return err
	}
	defer removeWithSides(tmp)
	_ = os.Remove(tmp)
	if err := copyFile(u.path(), tmp); err != nil {
		return err
	}
	at("upgrade copied")
	if err := s.inTime(ctx, func(ctx context.Context) error {
		return upgradeAndSettle(ctx, tmp)
	}); err != nil {
		return err
	}
	at("upgraded")
	kept, err := s.keep(u, reasonUpgrade)
	if err != nil {
		return err
	}
	at("old kept")
	if err := putInPlace(tmp, u.path()); err != nil {
		u.discard(kept)
		return err
	}
	return nil
}
