package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// allSteps runs every step with one key, for what they have in common.
func (r *rig) allSteps(skey string) map[string]error {
	ctx := context.Background()
	out := map[string]error{}
	out["applyGraves"] = r.s.ApplyGraves(ctx, testUser, skey, Graves{})
	_, out["applyChanges"] = r.s.ApplyChanges(ctx, testUser, skey, Changes{})
	_, out["chunk"] = r.s.Chunk(ctx, testUser, skey)
	out["applyChunk"] = r.s.ApplyChunk(ctx, testUser, skey, Chunk{})
	_, _, out["sanityCheck2"] = r.s.SanityCheck(ctx, testUser, skey, Counts{})
	_, out["finish"] = r.s.Finish(ctx, testUser, skey)
	out["abort"] = r.s.AbortSync(ctx, testUser, skey)
	return out
}

func (r *rig) wantConflicts(when, skey string) {
	r.t.Helper()
	for step, err := range r.allSteps(skey) {
		if !errors.Is(err, ErrConflict) {
			r.t.Errorf("%s: %s is %v, want ErrConflict", when, step, err)
		}
	}
}

func TestConflicts(t *testing.T) {
	ctx := t.Context()
	r := newRig(t, Options{})
	r.wantConflicts("no collection", "k")
	r.seed(testUser, setUSN10, sqlCard(1, 3, 100))
	r.wantConflicts("no sync", "k")
	r.wantConflicts("no sync, no key", "")
	before := r.dump(testUser)

	r.start(0, true)
	r.wantConflicts("other key", "other")
	// Nothing of that disturbed the first.
	if err := r.s.ApplyChunk(ctx, testUser, "k", Chunk{Cards: []Card{{ID: 50}}}); err != nil {
		t.Fatal(err)
	}
	// The newest wins; what the first has done is gone.
	if _, err := r.s.Start(ctx, testUser, StartOptions{SKey: "second"}); err != nil {
		t.Fatal(err)
	}
	r.wantConflicts("taken over", "k")
	r.wantRows(`SELECT id FROM cards`, "1")
	if err := r.s.ApplyChunk(ctx, testUser, "second", Chunk{Cards: []Card{{ID: 51}}}); err != nil {
		t.Fatal(err)
	}
	// A user's abort, which comes with a key of its own.
	if err := r.s.Abort(ctx, testUser, ""); err != nil {
		t.Fatal(err)
	}
	r.wantConflicts("aborted", "second")
	if err := r.s.Abort(ctx, testUser, ""); err != nil {
		t.Errorf("abort of nothing: %v", err)
	}
	wantDump(t, "after all that", r.dump(testUser), before)

	r.start(0, true)
	if err := r.s.AbortSync(ctx, testUser, "k"); err != nil {
		t.Error(err)
	}
	r.wantConflicts("aborted by its own", "k")
	r.start(0, true)
	r.finish()
	r.wantConflicts("finished", "k")
	r.start(0, true)
	r.download(testUser, DownloadOptions{})
	r.wantConflicts("a download came", "k")
	r.start(0, true)
	r.reopen()
	r.wantConflicts("restarted", "k")
}

func TestFinish(t *testing.T) {
	// docs/protocol.md §6.8: mod, ls and usn are part of the one transaction.
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, `UPDATE col SET mod = 5000, scm = 77, ls = 3`)
	r.start(5, true)
	r.wantRows(`SELECT mod, ls, usn FROM col`, "5000|3|10")
	first := r.finish()
	if first != testNow.UnixMilli() {
		t.Errorf("mod %d", first)
	}
	r.wantRows(`SELECT mod, ls, usn, scm FROM col`, fmt.Sprintf("%d|%d|11|77", first, first))
	if m := r.meta(); m.Mod != first || m.USN != 11 || m.SCM != 77 {
		t.Errorf("meta %+v", m)
	}
	// The clock stands still, then goes backwards: mod rises all the same.
	for _, d := range []time.Duration{0, -time.Hour} {
		r.clock.add(d)
		r.start(5, true)
		next := r.finish()
		if next != first+1 {
			t.Errorf("after %d comes %d", first, next)
		}
		first = next
	}
	r.reopen()
	if m := r.meta(); m.Mod != first || m.USN != 13 {
		t.Errorf("reopened: %+v", m)
	}
}

func TestMetaOfASecondDevice(t *testing.T) {
	r := newRig(t, Options{})
	if m := r.meta(); m.Exists || !m.Empty || m.SCM != testNow.UnixMilli() || m.Mod != 0 || m.SchedVer != 1 {
		t.Errorf("nothing stored: %+v", m)
	}
	if _, err := os.Stat(r.dir(testUser)); !os.IsNotExist(err) {
		t.Error("asking made something")
	}
	r.seed(testUser, setUSN10)
	before := r.meta()
	r.start(5, true)
	check := func(when string) {
		t.Helper()
		if m := r.meta(); m != before {
			t.Errorf("%s: %+v, want %+v", when, m, before)
		}
	}
	check("started")
	// So much that the transaction's pages reach the disk.
	for i := range 40 {
		var c Chunk
		for j := range 250 {
			c.Cards = append(c.Cards, Card{ID: int64(i*1000 + j), Data: strings.Repeat("x", 200)})
		}
		if err := r.s.ApplyChunk(t.Context(), testUser, "k", c); err != nil {
			t.Fatal(err)
		}
		check("in the middle")
	}
	if walSize(r.file(testUser)) == 0 {
		t.Error("nothing was spilled: the test shows nothing")
	}
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{}); err != nil {
		t.Fatalf("meta disturbed the sync: %v", err)
	}
	mod := r.finish()
	if m := r.meta(); m.Mod != mod || m.USN != 11 || m.Empty {
		t.Errorf("finished: %+v", m)
	}
}

func TestMetaNeedsNoLockWhileNothingChanges(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	want := r.meta()
	u, err := r.s.user(testUser)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer u.unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if got, err := r.s.Meta(ctx, testUser); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestExpiry(t *testing.T) {
	r := newRig(t, Options{SyncTimeout: time.Minute, IdleTimeout: time.Hour})
	r.seed(testUser, setUSN10)
	before := r.dump(testUser)
	r.start(5, true)
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Cards: []Card{{ID: 1}}}); err != nil {
		t.Fatal(err)
	}
	r.clock.add(59 * time.Second)
	r.s.sweep()
	// A step makes it young again.
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Cards: []Card{{ID: 2}}}); err != nil {
		t.Fatal(err)
	}
	r.clock.add(59 * time.Second)
	r.s.sweep()
	r.wantRows(`SELECT count(*) FROM cards`, "2")
	r.clock.add(time.Second)
	r.s.sweep()
	r.wantConflicts("expired", "k")
	if r.s.OpenCount() != 1 {
		t.Errorf("%d open", r.s.OpenCount())
	}
	r.clock.add(time.Hour)
	r.s.sweep()
	if r.s.OpenCount() != 0 {
		t.Errorf("%d open after the idle time-out", r.s.OpenCount())
	}
	if walSize(r.file(testUser)) > 0 {
		t.Error("a WAL is left beside a closed collection")
	}
	wantDump(t, "expired", r.dump(testUser), before)
}

func TestPanicEndsOneRequest(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, sqlCard(1, 3, 100))
	before := r.dump(testUser)
	inPanic := func(moment string, f func()) {
		t.Helper()
		defer func() {
			testHook = nil
			if recover() == nil {
				t.Errorf("no panic %s", moment)
			}
		}()
		testHook = func(m string) {
			if m == moment {
				panic("injected")
			}
		}
		f()
	}
	inPanic("after start", func() { r.start(5, true) })
	r.wantConflicts("panic in start", "k")
	r.start(5, true)
	inPanic("after step", func() {
		_ = r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Cards: []Card{{ID: 9}}})
	})
	r.wantConflicts("panic in a step", "k")
	wantDump(t, "after a panic", r.dump(testUser), before)
	r.start(5, true)
	inPanic("before commit", func() { r.finish() })
	r.wantConflicts("panic in finish", "k")
	wantDump(t, "after a panic in finish", r.dump(testUser), before)
	up := newFile(t)
	for _, moment := range []string{"upload received", "upload checked", "old settled", "old kept", "before rename"} {
		inPanic(moment, func() { _ = r.upload(up) })
		wantDump(t, "after a panic: "+moment, r.dump(testUser), before)
		if l := r.leftovers(testUser); len(l) > 0 {
			t.Errorf("panic %s left %q", moment, l)
		}
	}
	r.start(5, true)
	r.finish()
}

func TestOpenCollectionsAreBounded(t *testing.T) {
	r := newRig(t, Options{MaxOpen: 3})
	for i := range 12 {
		name := fmt.Sprint("user", i)
		r.seed(name)
		if i < 2 {
			if _, err := r.s.Start(t.Context(), name, StartOptions{SKey: "k"}); err != nil {
				t.Fatal(err)
			}
		} else if _, err := r.s.Meta(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if n := r.s.OpenCount(); n > 3+2 {
			t.Errorf("%d open after %d users", n, i+1)
		}
	}
	for i := range 2 { // those in the middle of a sync were left alone
		if _, err := r.s.Finish(t.Context(), fmt.Sprint("user", i), "k"); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.s.Meta(t.Context(), "user5"); err != nil {
		t.Fatal(err)
	}
	r.seed("last")
	if _, err := r.s.Meta(t.Context(), "last"); err != nil {
		t.Fatal(err)
	}
	if n := r.s.OpenCount(); n != 3 {
		t.Errorf("%d open at rest", n)
	}
}

func TestCloseWhileRequestsWait(t *testing.T) {
	synctest.Test(t, testCloseWhileRequestsWait)
}

func testCloseWhileRequestsWait(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.start(0, true)
	u, err := r.s.user(testUser)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	for _, f := range []func() error{
		func() error { return r.s.ApplyChunk(context.Background(), testUser, "k", Chunk{}) },
		func() error { return r.s.Abort(context.Background(), testUser, "") },
		func() error { return r.upload(newFile(t)) },
		func() error { _, err := r.s.Download(context.Background(), testUser, DownloadOptions{}); return err },
	} {
		wg.Go(func() { errs <- f() })
	}
	synctest.Wait() // all of them wait for the lock
	closed := make(chan error)
	go func() { closed <- r.s.Close() }()
	synctest.Wait() // and so does Close
	if !r.s.isClosed() || len(errs) > 0 {
		t.Errorf("closed %v, %d requests have ended", r.s.isClosed(), len(errs))
	}
	u.unlock()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("a waiting request got %v", err)
		}
	}
	if _, err := r.s.Meta(context.Background(), testUser); !errors.Is(err, ErrClosed) {
		t.Errorf("meta of a closed store: %v", err)
	}
	if err := r.s.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestGivingUpAWait(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	u, err := r.s.user(testUser)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := r.s.Start(ctx, testUser, StartOptions{SKey: "k"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("start: %v", err)
	}
	u.unlock()
	r.start(0, true)
}

func TestUsersDoNotWaitForEachOther(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.seed("bob")
	u, err := r.s.user("bob")
	if err != nil {
		t.Fatal(err)
	}
	if err := u.lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer u.unlock()
	r.start(0, true)
	r.s.sweep()
	r.finish()
}

// hold opens a file as another program does that reads from it.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{Journal: "wal", Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlite.InTx(context.Background(), db, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE col SET dty = 0`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return func() { _ = db.Close() }
}

func TestForeignProcessHoldsTheFile(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	release := hold(t, r.file(testUser))
	for what, err := range map[string]error{
		"meta":     func() error { _, err := r.s.Meta(t.Context(), testUser); return err }(),
		"start":    func() error { _, err := r.s.Start(t.Context(), testUser, StartOptions{SKey: "k"}); return err }(),
		"download": func() error { _, err := r.s.Download(t.Context(), testUser, DownloadOptions{}); return err }(),
		"upload":   r.upload(newFile(t)),
	} {
		if !errors.Is(err, ErrBusy) {
			t.Errorf("%s: %v, want ErrBusy", what, err)
		}
	}
	release()
	r.start(0, true)
	r.finish()
	if l := r.leftovers(testUser); len(l) > 0 {
		t.Errorf("left: %q", l)
	}
}

func TestFileReplacedOnDisk(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, `UPDATE col SET mod = 1`)
	if m := r.meta(); m.Mod != 1 {
		t.Fatalf("%+v", m)
	}
	// While it is closed.
	r.clock.add(24 * time.Hour)
	r.s.sweep()
	if n := r.s.OpenCount(); n != 0 {
		t.Fatalf("%d open", n)
	}
	r.seed(testUser, `UPDATE col SET mod = 2`)
	if m := r.meta(); m.Mod != 2 {
		t.Errorf("replaced while closed: %+v", m)
	}
	// While it is open: by another file of that name, as rsync and mv do it.
	swap := func(mod, usn int) {
		t.Helper()
		path := newFile(t, fmt.Sprintf(`UPDATE col SET mod = %d, usn = %d`, mod, usn))
		next := filepath.Join(r.dir(testUser), "next")
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(next, b, 0o600)
		}
		if err == nil {
			err = os.Rename(next, r.file(testUser))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	swap(3, 7)
	if m := r.meta(); m.Mod != 3 {
		t.Errorf("replaced while open: %+v", m)
	}
	r.start(0, true)
	r.finish()
	const later = 1_900_000_000_000
	swap(later, 70)
	r.start(0, true) // without asking meta before
	if got := r.s.users[testUser].sync.before.Mod; got != later {
		t.Errorf("start goes on from mod %d", got)
	}
	r.finish()
	m := r.meta()
	r.reopen()
	if got := r.meta(); got != m {
		t.Errorf("%+v was written to a file that is gone; stored is %+v", m, got)
	}
	// Taken away.
	if err := os.RemoveAll(r.dir(testUser)); err != nil {
		t.Fatal(err)
	}
	if m := r.meta(); m.Exists {
		t.Errorf("removed: %+v", m)
	}
	r.start(0, true)
	r.finish()
	if m := r.meta(); !m.Exists || m.USN != 1 {
		t.Errorf("begun anew: %+v", m)
	}
}

func TestEmptyFileIsNoCollection(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	if err := os.Truncate(r.file(testUser), 0); err != nil {
		t.Fatal(err)
	}
	if m := r.meta(); m.Exists {
		t.Errorf("%+v", m)
	}
	r.start(0, true)
	r.finish()
}

func TestUserNames(t *testing.T) {
	s := New(t.TempDir(), Options{})
	defer s.Close()
	for _, name := range []string{"", ".", "..", "a/b", "/a", "../a", "a\x00b", strings.Repeat("x", 256), "a/"} {
		if _, err := s.Meta(t.Context(), name); !errors.Is(err, ErrUserName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"a", "bob@example.com", "пользователь 1", "...", "a..b", "-x"} {
		if _, err := s.Meta(t.Context(), name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestFullInTheMiddle: SQLite ends a transaction by itself when there is no room
// for it. That is the client's failed sync, and nothing more.
func TestFullInTheMiddle(t *testing.T) {
	var log strings.Builder
	r := newRig(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	r.seed(testUser, setUSN10, sqlCard(1, 3, 100))
	before := r.dump(testUser)
	r.start(0, true)
	h := r.s.users[testUser].col
	pragma := func(q string) {
		t.Helper()
		if _, err := h.conn.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	pragma(`PRAGMA max_page_count = 1`) // no more than it has
	err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Cards: []Card{{ID: 2}, {ID: 3, Data: strings.Repeat("x", 1<<20)}}})
	if !NoSpace(err) {
		t.Fatalf("got %v, want no space", err)
	}
	r.wantConflicts("no room", "k")
	if u := r.s.users[testUser]; u.col != h {
		t.Error("the collection was closed")
	}
	pragma(`PRAGMA max_page_count = 1000000`)
	err = r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
		pragma(`PRAGMA max_page_count = 1`)
		return tx.SetConfig("long", strings.Repeat("x", 1<<20))
	})
	if !NoSpace(err) {
		t.Fatalf("got %v, want no space", err)
	}
	pragma(`PRAGMA max_page_count = 1000000`)
	wantDump(t, "no room", r.dump(testUser), before)
	r.start(0, true)
	r.finish()
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
}

// TestFoldWAL: a large WAL waits until nobody is waiting, and a very large one
// does not.
func TestFoldWAL(t *testing.T) {
	r := newRig(t, Options{IdleTimeout: time.Hour})
	r.seed(testUser)
	usn, id := USN(1<<20), int64(0)
	sync := func(mib int) {
		t.Helper()
		r.start(usn, true)
		for range mib {
			var c Chunk
			for range 256 {
				id++
				c.Cards = append(c.Cards, Card{ID: id, Data: strings.Repeat("x", 4096)})
			}
			if err := r.s.ApplyChunk(t.Context(), testUser, "k", c); err != nil {
				t.Fatal(err)
			}
		}
		r.finish()
	}
	sync(5)
	r.s.sweep()
	if n := walSize(r.file(testUser)); n < checkpointBytes {
		t.Errorf("%d bytes: folded while it may be needed", n)
	}
	r.clock.add(rest)
	r.s.sweep()
	if n := walSize(r.file(testUser)); n != 0 {
		t.Errorf("%d bytes in the WAL of a collection that rests", n)
	}
	m := r.meta()
	sync(17)
	if n := walSize(r.file(testUser)); n != 0 {
		t.Errorf("%d bytes in the WAL after a large sync", n)
	}
	if got := r.meta(); got.USN != m.USN+1 {
		t.Errorf("usn %d after %d", got.USN, m.USN)
	}
	r.wantRows(`SELECT count(*) FROM cards WHERE length(data) = 4096`, fmt.Sprint(22*256))
}
