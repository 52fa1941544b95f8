package collection

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func (r *rig) snapshotIDs() []string {
	r.t.Helper()
	sn, err := r.s.Snapshots(testUser)
	if err != nil {
		r.t.Fatal(err)
	}
	var ids []string
	for _, s := range sn {
		ids = append(ids, s.ID)
	}
	return ids
}

func TestSnapshotsAreMadeListedAndPruned(t *testing.T) {
	size := int64(len(read(t, newFile(t))))
	for _, tt := range []struct {
		name string
		r    Retention
		want int // of 8 that could be
	}{
		{"default", Retention{}, DefaultKeep},
		{"keep 2", Retention{Keep: 2}, 2},
		{"keep 1", Retention{Keep: 1}, 1},
		{"keep all", Retention{Keep: 100}, 8},
		{"none", Retention{Keep: -1}, 0},
		{"of the last three days", Retention{Keep: 100, MaxAge: 72 * time.Hour}, 4},
		{"the newest three are kept whatever their age", Retention{MaxAge: time.Second}, 3},
		{"three in bytes", Retention{Keep: 100, MaxBytes: 3*size + 10}, 3},
		{"the newest is kept whatever its size", Retention{MaxBytes: 1}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{Snapshots: tt.r})
			for i := range 9 {
				if err := r.upload(newFile(t, fmt.Sprintf(`UPDATE col SET mod = %d`, i))); err != nil {
					t.Fatal(err)
				}
				r.clock.add(24 * time.Hour)
			}
			r.clock.add(-24 * time.Hour)
			ids := r.snapshotIDs()
			if len(ids) != tt.want {
				t.Fatalf("%d snapshots: %q", len(ids), ids)
			}
			for i, id := range ids { // newest first
				if got := dumpFile(t, r.snapshot(id))["col"][0]; got[:len("1|1715918400|")] != "1|1715918400|" {
					t.Errorf("%s", got)
				} else if want := fmt.Sprintf("1|1715918400|%d|", 7-i); got[:len(want)] != want {
					t.Errorf("snapshot %d is %s", i, got)
				}
			}
		})
	}
}

// TestSnapshotsOfPrograms: a program that imports every hour does not push out
// what an upload replaced.
func TestSnapshotsOfPrograms(t *testing.T) {
	r, _ := stored(t, Options{Snapshots: Retention{Keep: 3}})
	add := func(reason string) {
		t.Helper()
		r.clock.add(time.Hour)
		if err := r.s.EditWith(t.Context(), testUser, EditOptions{Keep: reason}, func(tx *Txn) error {
			return tx.SetConfig("x", r.clock.Now().Unix())
		}); err != nil {
			t.Fatal(err)
		}
	}
	reasons := func() (out []string) {
		t.Helper()
		all, err := r.s.Snapshots(testUser)
		if err != nil {
			t.Fatal(err)
		}
		for _, sn := range all {
			out = append(out, sn.Reason)
		}
		return out
	}
	if err := r.upload(smallUpload(t)); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		add(ReasonImport)
	}
	add(reasonEdit)
	if got, want := reasons(), []string{"edit", "import", "upload"}; !slices.Equal(got, want) {
		t.Errorf("after imports: %q, want %q", got, want)
	}
	for range 4 {
		r.clock.add(time.Hour)
		if err := r.upload(smallUpload(t)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := reasons(), []string{"upload", "upload", "upload", "edit", "import"}; !slices.Equal(got, want) {
		t.Errorf("after uploads: %q, want %q", got, want)
	}
}

func TestExpired(t *testing.T) {
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		r    Retention
		all  string // newest first, an hour apart, of 10 bytes
		want string // what goes
	}{
		{"none", Retention{Keep: 5}, "", ""},
		{"apart", Retention{Keep: 2}, "iueuieu", "567"},
		{"one", Retention{Keep: 1}, "uiue", "34"},
		{"one, a program's first", Retention{Keep: 1}, "iuei", "34"},
		{"age", Retention{Keep: 9, MaxAge: 3*time.Hour + time.Minute}, "iuieu", "45"},
		{"age, all", Retention{Keep: 9, MaxAge: time.Minute}, "uuiuu", "45"},
		{"bytes", Retention{Keep: 9, MaxBytes: 35}, "uiiuu", "23"},
		{"bytes, a program's first", Retention{Keep: 9, MaxBytes: 35}, "iuiuu", "35"},
		{"bytes of the first", Retention{Keep: 9, MaxBytes: 5}, "iui", "23"},
	} {
		reasons := map[rune]string{'u': "upload", 'i': "import", 'e': "edit"}
		var all []Snapshot
		for i, c := range tt.all {
			all = append(all, Snapshot{ID: fmt.Sprint(i + 1), Time: now.Add(-time.Duration(i+1) * time.Hour), Bytes: 10, Reason: reasons[c]})
		}
		var got []string
		for _, sn := range tt.r.expired(all, now) {
			got = append(got, sn.ID)
		}
		slices.Sort(got)
		if text := strings.Join(got, ""); text != tt.want {
			t.Errorf("%s: %q go, want %q", tt.name, text, tt.want)
		}
	}
}

// TestSnapshotsOfAWrongClock: a clock that is ahead for a moment empties nothing,
// and leaves its mark on no later name.
func TestSnapshotsOfAWrongClock(t *testing.T) {
	r := newRig(t, Options{Snapshots: Retention{MaxAge: 90 * 24 * time.Hour, Keep: 4}})
	n := 0
	imported := func() []string {
		t.Helper()
		n++
		f, err := os.Open(newFile(t, fmt.Sprintf(`INSERT INTO revlog VALUES (%d,0,0,0,0,0,0,0,0)`, n)))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := r.s.Import(t.Context(), testUser, f); err != nil {
			t.Fatal(err)
		}
		r.clock.add(time.Minute)
		return r.snapshotIDs()
	}
	for range 3 {
		imported()
	}
	today := imported()
	if len(today) != 3 {
		t.Fatalf("%q", today)
	}
	const tenYears = 10 * 365 * 24 * time.Hour
	r.clock.add(tenYears)
	ahead := imported()
	if len(ahead) != 3 || !slices.Equal(ahead[1:], today[:2]) {
		t.Fatalf("of %q and a new one there are %q", today, ahead)
	}
	r.clock.add(-tenYears)
	day := r.clock.Now().UTC().Format(time.DateOnly)
	for i := range 5 { // more than there is room for
		ids := imported()
		if i == 0 && len(ids) != 4 {
			t.Errorf("%q", ids)
		}
		var newest string
		for _, id := range ids {
			if strings.HasPrefix(id, day) {
				newest = id
				break
			}
		}
		if got := reviewsIn(t, r.snapshot(newest)); newest == "" || len(got) != 1 || got[0] != fmt.Sprint(n-1) {
			t.Errorf("import %d has kept %q: %q of %q", n, got, newest, ids)
		}
	}
	if ids := r.snapshotIDs(); slices.Contains(ids, ahead[0]) || len(ids) != 4 {
		t.Errorf("in the end there are %q", ids)
	}
}

func TestSnapshotsOfOneMoment(t *testing.T) {
	r := newRig(t, Options{})
	for i := range 4 {
		if err := r.upload(newFile(t, fmt.Sprintf(`UPDATE col SET mod = %d`, i))); err != nil {
			t.Fatal(err)
		}
	}
	if ids := r.snapshotIDs(); len(ids) != 3 || !slices.IsSortedFunc(ids, func(a, b string) int { return -cmpString(a, b) }) {
		t.Errorf("%q", ids)
	}
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestRestore(t *testing.T) {
	r, before := stored(t, Options{})
	if err := r.upload(smallUpload(t, `UPDATE col SET usn = 50, mod = 9e12, scm = 8e12`)); err != nil {
		t.Fatal(err)
	}
	wrong := r.meta()
	uploaded := r.dump(testUser)
	r.start(0, true)
	ids := r.snapshotIDs()
	if err := r.s.Restore(t.Context(), testUser, ids[0]); err != nil {
		t.Fatal(err)
	}
	r.wantConflicts("restored", "k")
	m := r.meta()
	// Whoever knows either collection has another scm and mod: full sync, also
	// where the clock is behind.
	if m.SCM <= wrong.SCM || m.Mod <= wrong.Mod || m.USN <= wrong.USN {
		t.Errorf("restored %+v over %+v", m, wrong)
	}
	got := r.dump(testUser)
	got["col"], before["col"] = nil, nil
	wantDump(t, "restored", got, before)
	// What was there is a snapshot itself.
	ids = r.snapshotIDs()
	if len(ids) != 2 {
		t.Fatalf("%q", ids)
	}
	wantDump(t, "kept", dumpFile(t, r.snapshot(ids[0])), uploaded)
	if l := r.leftovers(testUser); len(l) > 0 {
		t.Errorf("left %q", l)
	}
}

// TestImport: a device that has synced with the stored collection does not know
// an imported one, and be it an earlier state of the same.
func TestImport(t *testing.T) {
	r, before := stored(t, Options{})
	file := read(t, r.download(testUser, DownloadOptions{}))
	known := r.meta()
	for i := range 2 {
		if err := r.s.Import(t.Context(), testUser, bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
		m := r.meta()
		if m.SCM <= known.SCM || m.Mod <= known.Mod || m.USN <= known.USN {
			t.Errorf("imported %+v over %+v", m, known)
		}
		known = m
		got := r.dump(testUser)
		got["col"], before["col"] = nil, nil
		wantDump(t, "imported", got, before)
		if ids := r.snapshotIDs(); len(ids) != i+1 || !strings.HasSuffix(ids[0], "-upload") {
			t.Errorf("%q", ids)
		}
	}
	if err := r.s.Import(t.Context(), testUser, bytes.NewReader(file[:len(file)/2])); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut off: %v", err)
	}
	if m := r.meta(); m != known {
		t.Errorf("refused, but %+v was %+v", m, known)
	}
	if err := r.s.Import(t.Context(), "new", bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
	if l := r.leftovers(testUser); len(l) > 0 {
		t.Errorf("left %q", l)
	}
}

func TestRestoreOfWhatIsNotThere(t *testing.T) {
	r, before := stored(t, Options{})
	for _, id := range []string{"", "x", "../collection", "2024-05-17T12-00-00.000Z-upload", "2024-05-17T12-00-00.000Z/../../collection", "2024-05-17T12-00-00.000Z\x00"} {
		if err := r.s.Restore(t.Context(), testUser, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := r.s.Restore(t.Context(), "nobody", "2024-05-17T12-00-00.000Z-upload"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	// A damaged one is refused.
	dir := filepath.Join(r.dir(testUser), SnapshotDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b := read(t, smallUpload(t))
	if err := os.WriteFile(filepath.Join(dir, "2024-05-17T12-00-00.000Z-upload.anki2"), b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Restore(t.Context(), testUser, "2024-05-17T12-00-00.000Z-upload"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("damaged: %v", err)
	}
	wantDump(t, "nothing restored", r.dump(testUser), before)
	if l := r.leftovers(testUser); len(l) > 0 {
		t.Errorf("left %q", l)
	}
}

func TestRestoreOfTheOriginalOfAnUpgrade(t *testing.T) {
	r := newRig(t, Options{})
	r.put(testUser, convFixture(t, "v11-2.1.49"))
	before := r.dump(testUser)
	r.start(0, true)
	if err := r.s.ApplyGraves(t.Context(), testUser, "k", Graves{Decks: []int64{1}}); err != nil {
		t.Fatal(err)
	}
	r.finish()
	if err := r.s.Restore(t.Context(), testUser, r.snapshotIDs()[0]); err != nil {
		t.Fatal(err)
	}
	got := r.dump(testUser)
	got["col"], before["col"] = nil, nil
	wantDump(t, "restored", got, before)
}

func TestRestoreToAUserWithoutACollection(t *testing.T) {
	r, _ := stored(t, Options{})
	if err := r.upload(smallUpload(t)); err != nil {
		t.Fatal(err)
	}
	r.reopen()
	if err := os.Remove(r.file(testUser)); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Restore(t.Context(), testUser, r.snapshotIDs()[0]); err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT id FROM cards`, "7")
}

func TestSnapshotOfTheLiveFileIsDropped(t *testing.T) {
	// A crash between keeping a file and replacing it leaves a snapshot that is
	// the stored file itself.
	r, _ := stored(t, Options{})
	r.reopen()
	dir := filepath.Join(r.dir(testUser), SnapshotDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(r.file(testUser), filepath.Join(dir, "2024-05-17T12-00-00.000Z-upload.anki2")); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "2024-05-16T12-00-00.000Z-upload.anki2"), read(t, newFile(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	r.s = New(r.root, r.o)
	r.start(0, true)
	r.finish()
	if ids := r.snapshotIDs(); len(ids) != 1 || ids[0] != "2024-05-16T12-00-00.000Z-upload" {
		t.Errorf("%q", ids)
	}
}

func TestTemporaryFilesOfACrash(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	old, young, other := tempPrefix+"1700000000-1.tmp", tempPrefix+fmt.Sprint(time.Now().Unix())+"-2.tmp", "collection.anki2.tmp"
	longAgo := time.Now().Add(-time.Hour)
	for _, name := range []string{old, young, other, old + "-journal"} {
		path := filepath.Join(r.dir(testUser), name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, longAgo, longAgo); err != nil {
			t.Fatal(err)
		}
	}
	r.meta()
	got := r.leftovers(testUser)
	slices.Sort(got)
	want := []string{young, other}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}
