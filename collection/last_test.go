package collection

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lastRig is a user with two reviews, who was backed up after the first; nothing
// is open. What devices know is returned as well.
func lastRig(t *testing.T) (r *rig, backup string, known Meta) {
	t.Helper()
	r = newRig(t, Options{})
	r.seed(testUser)
	r.must(r.review(1))
	must(t, r.s.Close())
	backup = filepath.Join(t.TempDir(), FileName)
	must(t, os.WriteFile(backup, read(t, r.file(testUser)), 0o600))
	r.s = New(r.root, r.o)
	r.clock.add(time.Minute)
	r.must(r.review(2))
	known = r.meta()
	return r, backup, known
}

// anew reports whether every device will do a full sync: none has this scm.
func anew(m Meta, known ...Meta) bool {
	for _, k := range known {
		if m.SCM <= k.SCM || m.USN <= k.USN || m.Mod <= k.Mod {
			return false
		}
	}
	return true
}

// TestPutBackBetweenRuns: a backup is put in the place of the collection while no
// server runs. Devices have synced with the later one.
func TestPutBackBetweenRuns(t *testing.T) {
	letGo := map[string]func(r *rig){
		"shutdown": func(r *rig) { must(t, r.s.Close()) },
		// The process is gone; what it noted when the collection lay at rest stays.
		"killed at rest": func(r *rig) { r.clock.add(time.Hour); r.s.sweep() },
	}
	for name, letGo := range letGo {
		t.Run(name, func(t *testing.T) {
			r, backup, known := lastRig(t)
			letGo(r)
			old := r.s
			t.Cleanup(func() { _ = old.Close() })
			must(t, os.WriteFile(r.file(testUser), read(t, backup), 0o600))
			r.s = New(r.root, r.o)
			m := r.meta()
			if !anew(m, known) {
				t.Errorf("meta says %+v, devices know %+v", m, known)
			}
			r.reopen()
			if again := r.meta(); again != m {
				t.Errorf("once more: %+v, then %+v", m, again)
			}
			if got := reviewsIn(t, r.file(testUser)); len(got) != 1 {
				t.Error(got)
			}
		})
	}
}

// TestGoneOnWithElsewhere: what other programs do with a collection between two
// runs is none of a backup's doing, and costs nobody a full sync.
func TestGoneOnWithElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		query string
		older bool
	}{
		"nothing":                           {query: `UPDATE col SET dty = 0`},
		"a sync":                            {query: `UPDATE col SET usn = usn + 1, mod = mod + 1000`},
		"a program, which leaves the usn":   {query: `UPDATE col SET mod = mod + 1000`},
		"a sync, while the clock is behind": {query: `UPDATE col SET usn = usn + 1, mod = mod - 100000`},
		"an upload":                         {query: `UPDATE col SET scm = scm + 100000, mod = mod + 100000, usn = 1`},
		"an upload by a device whose clock is slow": {query: `UPDATE col SET scm = scm - 1000, mod = mod - 1000, usn = usn + 1`},
		"a backup":                              {query: `UPDATE col SET usn = usn - 1, mod = mod - 1000`, older: true},
		"a backup, later synced with":           {query: `UPDATE col SET usn = usn - 1, mod = mod + 100000`, older: true},
		"a backup, from before a program wrote": {query: `UPDATE col SET mod = mod - 1`, older: true},
		"a backup, from before an upload":       {query: `UPDATE col SET scm = scm - 100000, mod = mod - 100000, usn = usn - 1`, older: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, _, known := lastRig(t)
			must(t, r.s.Close())
			change(t, r.file(testUser), c.query)
			r.s = New(r.root, r.o)
			if m := r.meta(); anew(m, known) != c.older {
				t.Errorf("meta says %+v, devices know %+v", m, known)
			}
		})
	}
}

// TestReplacedOnPurpose: a restore, an upload and a new collection are wanted,
// whatever was there before.
func TestReplacedOnPurpose(t *testing.T) {
	r, backup, _ := lastRig(t)
	r.reopen()
	must(t, r.upload(backup))
	uploaded := r.meta()
	if uploaded.USN != 1 { // as it came
		t.Errorf("%+v", uploaded)
	}
	r.reopen()
	if m := r.meta(); m != uploaded {
		t.Errorf("%+v was uploaded, now it is %+v", uploaded, m)
	}
	must(t, r.s.Close())
	must(t, os.Remove(r.file(testUser)))
	r.s = New(r.root, r.o)
	r.start(0, true)
	must(t, r.s.Abort(context.Background(), testUser, "k"))
	if m := r.meta(); m.USN != 0 {
		t.Errorf("a new collection begins with %+v", m)
	}
}

// TestLastUnknown: a note that is missing or damaged is none, and is written
// again. One that is right is not.
func TestLastUnknown(t *testing.T) {
	r, _, known := lastRig(t)
	note := filepath.Join(r.dir(testUser), LastName)
	must(t, r.s.Close())
	want := string(read(t, note))
	for name, spoil := range map[string]func() error{
		"missing": func() error { return os.Remove(note) },
		"empty":   func() error { return os.WriteFile(note, nil, 0o600) },
		"zeros":   func() error { return os.WriteFile(note, make([]byte, len(want)), 0o600) },
		"cut":     func() error { return os.WriteFile(note, []byte(want[:len(want)/2]), 0o600) },
		"numbers": func() error { return os.WriteFile(note, []byte(`{"scm":-1,"usn":99,"mod":0}`), 0o600) },
		"folder":  func() error { _ = os.Remove(note); return os.Mkdir(note, 0o700) },
	} {
		_ = os.RemoveAll(note)
		must(t, os.WriteFile(note, []byte(want), 0o600))
		must(t, spoil())
		r.s = New(r.root, r.o)
		if m := r.meta(); m != known {
			t.Errorf("%s: %+v, not %+v", name, m, known)
		}
		must(t, r.s.Close())
		if name == "folder" {
			must(t, os.Remove(note))
			continue
		}
		if got := string(read(t, note)); got != want {
			t.Errorf("%s: noted %q, not %q", name, got, want)
		}
		if l := r.leftovers(testUser); len(l) > 0 {
			t.Errorf("%s: %q is left", name, l)
		}
	}
	must(t, os.WriteFile(note, []byte(want), 0o600))
	then := time.Now().Add(-time.Hour).Truncate(time.Second)
	must(t, os.Chtimes(note, then, then))
	r.s = New(r.root, r.o)
	r.meta()
	must(t, r.s.Close())
	if fi, err := os.Stat(note); err != nil || !fi.ModTime().Equal(then) {
		t.Error("it is written though it says the same", err)
	}
}

// TestNotNotedInASync: what a small sync writes does not grow by the note.
func TestNotNotedInASync(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.must(r.review(1))
	if _, err := os.Stat(filepath.Join(r.dir(testUser), LastName)); err == nil {
		t.Error("it is written while the collection is open")
	}
}

// TestRestoreFile: a backup of any kind, with what lies in a log beside it, takes
// the collection's place as a snapshot would, and stays as it is.
func TestRestoreFile(t *testing.T) {
	r, backup, known := lastRig(t)
	ctx := context.Background()
	withLog := filepath.Join(t.TempDir(), "monday.anki2")
	must(t, os.WriteFile(withLog, read(t, r.file(testUser)), 0o600))
	must(t, os.WriteFile(withLog+"-wal", read(t, r.file(testUser)+"-wal"), 0o600))
	for i, c := range []struct {
		path    string
		reviews int
	}{{backup, 1}, {withLog, 2}, {convFixture(t, "v11-2.1.49"), 0}} {
		want := read(t, c.path)
		if err := r.s.RestoreFile(ctx, testUser, c.path); err != nil {
			t.Fatal(c.path, err)
		}
		m := r.meta()
		if !anew(m, known) {
			t.Errorf("%s: meta says %+v, devices know %+v", c.path, m, known)
		}
		known = m
		if c.reviews > 0 {
			if got := dumpReviews(r); len(got) != c.reviews {
				t.Errorf("%s: reviews %q", c.path, got)
			}
		}
		if !bytes.Equal(read(t, c.path), want) {
			t.Errorf("%s was changed", c.path)
		}
		if ids := r.snapshotIDs(); len(ids) != i+1 {
			t.Errorf("%s: the one before was not kept: %q", c.path, ids)
		}
		r.reopen()
		if again := r.meta(); again != m {
			t.Errorf("%s: %+v, after a restart %+v", c.path, m, again)
		}
	}
	junk := filepath.Join(t.TempDir(), "junk")
	must(t, os.WriteFile(junk, []byte("junk"), 0o600))
	for path, want := range map[string]error{junk: ErrCorrupt, junk + "2": ErrNotFound, filepath.Dir(junk): ErrCorrupt} {
		if err := r.s.RestoreFile(ctx, testUser, path); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if m := r.meta(); m != known {
		t.Error("a bad file changed something")
	}
	if l := r.leftovers(testUser); len(l) > 0 {
		t.Errorf("%q is left", l)
	}
}

func TestResync(t *testing.T) {
	r, _, known := lastRig(t)
	if err := r.s.Resync(context.Background(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	r.start(0, true) // is ended
	must(t, r.s.Resync(context.Background(), testUser))
	m := r.meta()
	if !anew(m, known) {
		t.Errorf("meta says %+v, devices know %+v", m, known)
	}
	r.reopen()
	if again := r.meta(); again != m {
		t.Errorf("%+v, after a restart %+v", m, again)
	}
	if got := dumpReviews(r); len(got) != 2 || len(r.snapshotIDs()) > 0 {
		t.Error("rows were changed, or a snapshot made", got)
	}
}
