package collection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/filestate"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// review commits one sync that adds a review and changes nothing else.
func (r *rig) review(id int64) error {
	ctx := context.Background()
	if _, err := r.s.Start(ctx, testUser, StartOptions{SKey: "k", ClientNewer: true}); err != nil {
		return err
	}
	if err := r.s.ApplyChunk(ctx, testUser, "k", Chunk{Revlog: []RevlogEntry{{ID: id}}}); err != nil {
		return err
	}
	_, err := r.s.Finish(ctx, testUser, "k")
	return err
}

// reviewsIn are the reviews in a file by itself, which must be sound.
func reviewsIn(t *testing.T, path string) []string {
	t.Helper()
	b := read(t, path)
	alone := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(alone, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return reviewsWith(t, alone)
}

func reviewsWith(t *testing.T, path string) []string {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var check string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&check); err != nil || check != "ok" {
		t.Errorf("integrity_check of %s: %s %v", path, check, err)
	}
	rows, err := db.Query(`SELECT id FROM revlog ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out, err := scanLines(rows)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ways of putting another file in the place of the collection. The file that was
// there is dst+".old" afterwards, if it is anywhere.
var waysToReplace = map[string]func(t *testing.T, src, dst string){
	"mv": func(t *testing.T, src, dst string) {
		must(t, os.Link(dst, dst+".old"))
		must(t, os.WriteFile(dst+".next", read(t, src), 0o600))
		must(t, os.Rename(dst+".next", dst))
	},
	"mv, the WAL as well": func(t *testing.T, src, dst string) {
		must(t, os.Rename(dst+"-wal", dst+".old-wal"))
		must(t, os.Rename(dst, dst+".old"))
		must(t, os.WriteFile(dst, read(t, src), 0o600))
	},
	"cp":                  func(t *testing.T, src, dst string) { overwrite(t, src, dst) },
	"cp, the WAL as well": func(t *testing.T, src, dst string) { overwrite(t, src, dst); overwrite(t, src+"-wal", dst+"-wal") },
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// overwrite writes into a file, as cp does. Its time of change is another, which
// on a file system with coarse times needs help.
func overwrite(t *testing.T, src, dst string) {
	t.Helper()
	must(t, os.WriteFile(dst, read(t, src), 0o600))
	now := time.Now().Add(3 * time.Second)
	must(t, os.Chtimes(dst, now, now))
}

// TestReplaced: another program puts a backup in the place of the collection, in
// each way, while it is open, and the server goes on in each way. What it goes on
// with is the backup, whole and nothing else; and nobody is told that something
// was stored that was not.
func TestReplaced(t *testing.T) {
	goingOn := map[string]func(r *rig){
		"it rests":         func(r *rig) { r.clock.add(time.Hour); r.s.sweep() },
		"it rests a while": func(r *rig) { r.clock.add(5 * time.Second); r.s.sweep() },
		"restart":          func(r *rig) { r.reopen() },
		"meta":             func(r *rig) { r.meta() },
		"download":         func(r *rig) { r.dump(testUser) },
		"edit":             func(r *rig) { _ = r.s.Edit(context.Background(), testUser, func(t *Txn) error { return t.write() }) },
	}
	midway := map[string]func(r *rig){
		"finish": func(r *rig) {
			if _, err := r.s.Finish(context.Background(), testUser, "k"); !errors.Is(err, ErrConflict) {
				r.t.Errorf("Finish = %v", err)
			}
		},
		"abort":       func(r *rig) { _ = r.s.Abort(context.Background(), testUser, "") },
		"it vanishes": func(r *rig) { r.clock.add(20 * time.Minute); r.s.sweep() },
		"restart":     func(r *rig) { r.reopen() },
	}
	for how, replace := range waysToReplace {
		for next, goOn := range goingOn {
			t.Run(how+"/"+next, func(t *testing.T) { testReplaced(t, how, replace, false, goOn) })
		}
		for next, goOn := range midway {
			t.Run(how+"/in a sync/"+next, func(t *testing.T) { testReplaced(t, how, replace, true, goOn) })
		}
	}
}

func testReplaced(t *testing.T, how string, replace func(t *testing.T, src, dst string), midway bool, goOn func(r *rig)) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.must(r.review(1))
	r.reopen() // all of it is in the file
	r.must(r.review(2))
	// The backup is an older state of the same file, of the same size: with a WAL
	// of its own, as a copy of a running server's files has it.
	backup := filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(backup, read(t, r.file(testUser)), 0o600))
	must(t, os.WriteFile(backup+"-wal", read(t, r.file(testUser)+"-wal"), 0o600))
	want := []string{"1"}
	if how == "cp, the WAL as well" {
		want = []string{"1", "2"}
	}
	r.reopen()
	r.must(r.review(3))
	r.must(r.review(4))
	before := r.meta()
	if midway {
		r.start(0, true)
		r.must(r.s.ApplyChunk(context.Background(), testUser, "k", Chunk{Revlog: []RevlogEntry{{ID: 5}}}))
	}
	replace(t, backup, r.file(testUser))
	goOn(r)
	// All devices know a later state, and must not go on from there.
	if m := r.meta(); !anew(m, before) {
		t.Errorf("meta says %+v, it was %+v", m, before)
	}
	got := dumpReviews(r)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// What was there before has all that was stored.
	if old := r.file(testUser) + ".old"; how[:2] == "mv" {
		if got := reviewsWith(t, old); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
			t.Errorf("the file that was moved away has %v", got)
		}
	}
	r.must(r.review(6))
	r.reopen()
	if d := cmp.Diff(append(want, "6"), dumpReviews(r)); d != "" {
		t.Error(d)
	}
	must(t, r.s.Close())
	if got := reviewsIn(t, r.file(testUser)); !slices.Equal(got, append(want, "6")) {
		t.Errorf("stored are %v", got)
	}
	for _, name := range r.leftovers(testUser) {
		if filepath.Ext(name) != ".old" && filepath.Ext(name) != ".old-wal" {
			t.Errorf("%s is left", name)
		}
	}
}

func dumpReviews(r *rig) (ids []string) {
	return reviewsIn(r.t.(*testing.T), r.download(testUser, DownloadOptions{}))
}

// TestReplacedInAnEdit: the same, while an edit is made.
func TestReplacedInAnEdit(t *testing.T) {
	for how, replace := range waysToReplace {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser)
			r.must(r.review(1))
			backup := newFile(t, `INSERT INTO revlog VALUES (9,0,0,0,0,0,0,0,0)`)
			must(t, os.WriteFile(backup+"-wal", nil, 0o600))
			err := r.s.Edit(context.Background(), testUser, func(t2 *Txn) error {
				replace(t, backup, r.file(testUser))
				if err := t2.h.checkpoint(); err == nil {
					t.Error("folded in the middle of a transaction")
				}
				return t2.write()
			})
			if !errors.Is(err, ErrConflict) {
				t.Errorf("Edit = %v", err)
			}
			if got := fmt.Sprint(dumpReviews(r)); got != "[9]" {
				t.Error(got)
			}
		})
	}
}

// TestFoldOverwritten: what is committed is not folded into something else.
func TestFoldOverwritten(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.must(r.review(1))
	overwrite(t, newFile(t), r.file(testUser))
	want := read(t, r.file(testUser))
	err := r.s.withUser(context.Background(), testUser, func(u *userPlace) error { return u.col.checkpoint() })
	if !errors.Is(err, errOverwritten) {
		t.Error(err)
	}
	if !bytes.Equal(read(t, r.file(testUser)), want) {
		t.Error("it was written to")
	}
}

// TestTouched: a file whose time of change was set by another program is still
// ours, with what is in its WAL.
func TestTouched(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.must(r.review(1))
	then := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(r.file(testUser), then, then))
	r.reopen()
	if got := dumpReviews(r); !slices.Equal(got, []string{"1"}) {
		t.Error(got)
	}
}

// TestKilledWhileAside: the name that a file loses for a moment when it is closed
// after it was overwritten. A WAL that lies there then may be that of the file that
// was there before.
func TestKilledWhileAside(t *testing.T) {
	for _, next := range []string{"meta", "download", "upload"} {
		t.Run(next, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser)
			r.must(r.review(1))
			r.reopen()
			backup := read(t, r.file(testUser))
			r.must(r.review(2))
			r.reopen()
			r.must(r.review(3))
			wal := read(t, r.file(testUser)+"-wal")
			must(t, r.s.Close())
			must(t, os.Remove(r.file(testUser)))
			must(t, os.WriteFile(r.file(testUser)+asideExt, backup, 0o600))
			must(t, os.WriteFile(r.file(testUser)+"-wal", wal, 0o600))
			r.s = New(r.root, r.o)
			switch next {
			case "meta":
				if m := r.meta(); !m.Exists {
					t.Error("it is not found")
				}
			case "upload":
				must(t, r.upload(newFile(t, `INSERT INTO revlog VALUES (9,0,0,0,0,0,0,0,0)`)))
				ids := r.snapshotIDs()
				if len(ids) != 1 {
					t.Fatalf("kept: %q", ids)
				}
				if got := reviewsIn(t, r.snapshot(ids[0])); !slices.Equal(got, []string{"1"}) {
					t.Errorf("kept: reviews %q", got)
				}
				return
			}
			if got := dumpReviews(r); !slices.Equal(got, []string{"1"}) {
				t.Error(got)
			}
		})
	}
}

// TestStaleWAL: a WAL that could not be removed with its file is gone before the
// next one is opened.
func TestStaleWAL(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.must(r.review(1))
	wal := read(t, r.file(testUser)+"-wal")
	must(t, r.s.Close())
	r.seed(testUser)
	must(t, os.WriteFile(r.file(testUser)+"-wal", wal, 0o600))
	r.s = New(r.root, r.o)
	must(t, r.s.withUser(context.Background(), testUser, func(u *userPlace) (err error) {
		u.stale, err = readWAL(u.path())
		return err
	}))
	if got := dumpReviews(r); len(got) != 0 {
		t.Error(got)
	}
}

// TestFateUnknown: what cannot be looked at is ours.
func TestFateUnknown(t *testing.T) {
	path := newFile(t)
	for name, spoil := range map[string]func(m *mainFile){
		"now":              func(m *mainFile) { must(t, m.Close()) },
		"when it was ours": func(m *mainFile) { m.left = filestate.State{} },
		"its content":      func(m *mainFile) { m.mark = mark{} },
	} {
		m, err := openMain(path, 1)
		must(t, err)
		spoil(m)
		now := time.Now().Add(time.Hour)
		must(t, os.Chtimes(path, now, now))
		if got := m.fate(path); got != ours {
			t.Errorf("%s: %v", name, got)
		}
		_ = m.release()
	}
}

// TestDownloadOfOverwritten: what is sent while somebody else writes to the file
// must not look whole.
func TestDownloadOfOverwritten(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.meta()
	d, err := r.s.Download(context.Background(), testUser, DownloadOptions{})
	must(t, err)
	overwrite(t, newFile(t, `INSERT INTO revlog VALUES (9,0,0,0,0,0,0,0,0)`), r.file(testUser))
	if _, err := io.Copy(io.Discard, d); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("Close = %v", err)
	}
}

// TestServerBehind: a client that has synced with a later state than the stored
// one does not send what it sent to that. Its sync is no success.
func TestServerBehind(t *testing.T) {
	for usn, ok := range map[USN]bool{0: true, 3: true, 4: false} {
		r := newRig(t, Options{})
		r.seed(testUser, `UPDATE col SET usn = 3`)
		r.start(usn, true)
		var c Counts
		if err := r.s.withUser(context.Background(), testUser, func(u *userPlace) (err error) {
			c, err = countRows(u.col)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, got, err := r.s.SanityCheck(context.Background(), testUser, "k", c); err != nil || got != ok {
			t.Errorf("a client of usn %d: sanity %t, %v", usn, got, err)
		}
	}
}
