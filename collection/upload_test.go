package collection

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// smallUpload is a collection with some rows of every kind.
func smallUpload(t testing.TB, queries ...string) string {
	t.Helper()
	path := newFile(t, append([]string{`UPDATE col SET usn = 4, mod = 500`, sqlRevlog(1, 0)}, queries...)...)
	fill(t, path, "notes", 60, func(int) int { return 0 })
	fill(t, path, "cards", 60, func(int) int { return 0 })
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stored is a rig with something to lose.
func stored(t testing.TB, o Options) (*rig, map[string][]string) {
	r := newRig(t, o)
	r.seed(testUser, setUSN10, sqlCard(7, 3, 100), sqlNote(7, 3, 100), sqlRevlog(7, 3))
	return r, r.dump(testUser)
}

// wantRefused uploads body and demands that nothing has changed.
func (r *rig) wantRefused(name string, body io.Reader, before map[string][]string, want error) {
	r.t.Helper()
	err := r.s.Upload(context.Background(), testUser, body)
	if !errors.Is(err, want) {
		r.t.Errorf("%s: %v, want %v", name, err, want)
	}
	if l := r.leftovers(testUser); len(l) > 0 {
		r.t.Errorf("%s: left %q", name, l)
	}
	if sn, err := r.s.Snapshots(testUser); err != nil || len(sn) > 0 {
		r.t.Errorf("%s: snapshots %v, %v", name, sn, err)
	}
	wantDump(r.t, name, r.dump(testUser), before)
}

var errCut = errors.New("connection lost")

func TestUploadRefusesWhatIsNoCollection(t *testing.T) {
	r, before := stored(t, Options{MaxUploadBytes: 1 << 20})
	whole := read(t, smallUpload(t))
	sql := func(queries ...string) string {
		path := smallUpload(t)
		change(t, path, queries...)
		return string(read(t, path))
	}
	other := filepath.Join(t.TempDir(), "other.db")
	db, err := sqlite.Open(t.Context(), other, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	empty := filepath.Join(t.TempDir(), "empty.db")
	db, err = sqlite.Open(t.Context(), empty, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA user_version = 3`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	for _, tt := range []struct {
		name, body string
		want       error
	}{
		{"empty", "", ErrCorrupt},
		{"garbage", "hello, world", ErrCorrupt},
		{"long garbage", strings.Repeat("garbage ", 10_000), ErrCorrupt},
		{"the magic alone", "SQLite format 3\x00", ErrCorrupt},
		{"a header of zeros", "SQLite format 3\x00" + strings.Repeat("\x00", 4080), ErrCorrupt},
		{"a header alone", string(whole[:100]), ErrCorrupt},
		{"another database", string(read(t, other)), ErrCorrupt},
		{"a database without tables", string(read(t, empty)), ErrCorrupt},
		{"trailing bytes", string(whole) + "x", ErrCorrupt},
		{"no col row", sql(`DELETE FROM col`), ErrCorrupt},
		{"two col rows", sql(`INSERT INTO col SELECT 2, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col`), ErrCorrupt},
		{"col row 2", sql(`UPDATE col SET id = 2`), ErrCorrupt},
		{"no notes table", sql(`DROP TABLE notes`), ErrCorrupt},
		{"no config table", sql(`DROP TABLE config`), ErrCorrupt},
		{"a view for a table", sql(`ALTER TABLE revlog RENAME TO r`, `CREATE VIEW revlog AS SELECT * FROM r`), ErrCorrupt},
		{"a column less", sql(`ALTER TABLE revlog DROP COLUMN time`), ErrCorrupt},
		{"schema 12", sql(`UPDATE col SET ver = 12`), ErrUnsupportedSchema},
		{"schema 13", sql(`UPDATE col SET ver = 13`), ErrUnsupportedSchema},
		{"schema 19", sql(`UPDATE col SET ver = 19`), ErrUnsupportedSchema},
		{"schema 10", sql(`UPDATE col SET ver = 10`), ErrUnsupportedSchema},
		{"schema 11 without its JSON", sql(`UPDATE col SET ver = 11`), ErrCorrupt},
		{"schema NaN", sql(`UPDATE col SET ver = 'x'`), ErrCorrupt},
		{"negative usn", sql(`UPDATE col SET usn = -1`), ErrCorrupt},
		{"usn too large", sql(`UPDATE col SET usn = 3000000000`), ErrCorrupt},
		{"a notetype that does not decode", sql(`UPDATE notetypes SET config = x'0fff'`), ErrCorrupt},
		{"a field", sql(`UPDATE fields SET config = x'0a' WHERE ord = 1`), ErrCorrupt},
		{"a template", sql(`UPDATE templates SET config = x'ff'`), ErrCorrupt},
		{"a deck's common part", sql(`UPDATE decks SET common = x'08'`), ErrCorrupt},
		{"a deck of no kind", sql(`UPDATE decks SET kind = x''`), ErrCorrupt},
		{"options", sql(`UPDATE deck_config SET config = x'0a05'`), ErrCorrupt},
		{"config that is no JSON", sql(`UPDATE config SET val = x'7b'`), ErrCorrupt},
		{"too large", string(whole) + strings.Repeat("\x00", 1<<20), ErrTooLarge},
	} {
		r.wantRefused(tt.name, strings.NewReader(tt.body), before, tt.want)
	}
	r.wantRefused("a stream that breaks", io.MultiReader(bytes.NewReader(whole[:50_000]), &brokenReader{}), before, errCut)
	r.wantRefused("a stream that breaks at its end", io.MultiReader(bytes.NewReader(whole), &brokenReader{}), before, errCut)
	// The very limit is no excess.
	exact := newRig(t, Options{MaxUploadBytes: int64(len(whole))})
	if err := exact.s.Upload(t.Context(), testUser, bytes.NewReader(whole)); err != nil {
		t.Error(err)
	}
}

type brokenReader struct{}

func (*brokenReader) Read([]byte) (int, error) { return 0, errCut }

func TestUploadCutOff(t *testing.T) {
	r, before := stored(t, Options{})
	whole := read(t, smallUpload(t))
	for _, n := range []int{1, 15, 16, 17, 99, 100, 101, 511, 512, 1024, 4095, 4096, 4097, 8192, 65_536, len(whole) / 2, len(whole) - 4096, len(whole) - 1} {
		r.wantRefused(fmt.Sprint("cut at ", n), bytes.NewReader(whole[:n]), before, ErrCorrupt)
	}
}

// objectsDecode demands of a stored file what the upload's check promises.
func (r *rig) objectsDecode() error {
	path := r.download(testUser, DownloadOptions{})
	dumpFile(r.t, path) // integrity_check
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := checkObjects(context.Background(), db); err != nil {
		return err
	}
	old := r.download(testUser, DownloadOptions{Schema11: true})
	_, err = Upgrade(context.Background(), old)
	return err
}

func TestUploadOfDamagedPages(t *testing.T) {
	whole := read(t, smallUpload(t))
	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 60
	if testing.Short() {
		rounds = 30
	}
	r, _ := stored(t, Options{Snapshots: Retention{Keep: -1}})
	accepted := 0
	for i := range rounds {
		b := bytes.Clone(whole)
		for range 1 + rng.IntN(4) {
			at := rng.IntN(len(b))
			switch rng.IntN(3) {
			case 0:
				b[at] ^= 1 << rng.IntN(8)
			case 1:
				for j := at; j < min(at+1+rng.IntN(200), len(b)); j++ {
					b[j] = byte(rng.Uint32())
				}
			case 2: // a page of another place
				from, to := rng.IntN(len(b)/4096)*4096, rng.IntN(len(b)/4096)*4096
				copy(b[to:to+4096], whole[from:from+4096])
			}
		}
		err := r.s.Upload(t.Context(), testUser, bytes.NewReader(b))
		switch {
		case err == nil:
			accepted++
			if err := r.objectsDecode(); err != nil {
				t.Errorf("round %d: accepted, but %v", i, err)
			}
		case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupportedSchema):
			t.Errorf("round %d: %v", i, err)
		}
		if l := r.leftovers(testUser); len(l) > 0 {
			t.Fatalf("round %d: left %q", i, l)
		}
		if _, err := r.s.Meta(t.Context(), testUser); err != nil {
			t.Fatalf("round %d: meta: %v", i, err)
		}
	}
	t.Logf("%d of %d accepted", accepted, rounds)
	if accepted == rounds || accepted == 0 {
		t.Error("the damage is of no use as a test")
	}
}

func TestUploadSettlesUSNs(t *testing.T) {
	// A client marks everything as sent before it uploads. One that did not
	// would have rows that no device ever gets, and a usn of 0 would hand
	// everything out again with every sync.
	for _, tt := range []struct{ have, want int }{{0, 1}, {1, 1}, {6, 6}} {
		r := newRig(t, Options{})
		path := newFile(t, fmt.Sprintf(`UPDATE col SET usn = %d`, tt.have), sqlCard(1, -1, 5), sqlCard(2, 0, 5), sqlNote(1, -1, 5), sqlRevlog(1, -1),
			`INSERT INTO graves (oid, type, usn) VALUES (5, 0, -1)`, `UPDATE notetypes SET usn = -1 WHERE name = 'Cloze'`, `UPDATE templates SET usn = -1`,
			`UPDATE decks SET usn = -1`, `UPDATE deck_config SET usn = -1`, `INSERT INTO tags VALUES ('t', -1, 0, null)`)
		if err := r.upload(path); err != nil {
			t.Fatal(err)
		}
		if m := r.meta(); m.USN != USN(tt.want) || !m.Exists || m.Empty {
			t.Errorf("usn %d: %+v", tt.have, m)
		}
		for _, table := range usnTables {
			r.wantRows(`SELECT count(*) FROM `+table+` WHERE usn < 0`, "0")
		}
		r.wantRows(`SELECT usn FROM cards ORDER BY id`, fmt.Sprint(tt.want), "0")
	}
}

func TestUploadIsKeptByteForByte(t *testing.T) {
	// A settled file of schema 18 is stored and handed out as it came, but for
	// the two bytes that say whether it has a WAL, and the change counters.
	r := newRig(t, Options{})
	path := smallUpload(t)
	if err := r.upload(path); err != nil {
		t.Fatal(err)
	}
	if got := r.download(testUser, DownloadOptions{}); !bytes.Equal(read(t, got)[100:], read(t, path)[100:]) {
		t.Error("pages differ")
	}
	wantDump(t, "download", r.dump(testUser), dumpFile(t, path))
	m := r.meta()
	if m.Mod != 500 || m.USN != 4 {
		t.Errorf("%+v", m)
	}
	r.dump(testUser)
	if r.meta() != m {
		t.Error("a download changed the collection")
	}
}

func TestUploadOfEverySchema(t *testing.T) {
	for _, name := range []string{"v11-2.1.36", "v11-2.1.49", "v11-from-26.09", "v14-2.1.26", "v15-2.1.28", "v16-2.1.36", "v18-2.1.66", "v18-26.09", "v11-quirks"} {
		r := newRig(t, Options{})
		if err := r.upload(convFixture(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := r.objectsDecode(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.wantRows(`SELECT ver FROM col`, "18")
		r.start(0, false)
		if _, err := r.s.ApplyChanges(t.Context(), testUser, "k", Changes{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.finish()
	}
}

func TestUploadOfAWALFile(t *testing.T) {
	// Some program may send a file whose header says WAL; it is complete.
	r := newRig(t, Options{})
	b := read(t, smallUpload(t))
	b[headerWriteVersion], b[headerReadVersion] = 2, 2
	if err := r.s.Upload(t.Context(), testUser, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, r.download(testUser, DownloadOptions{})); got[headerReadVersion] != 1 || got[headerWriteVersion] != 1 {
		t.Error("a download says it has a WAL")
	}
}

func TestUploadWhileSyncing(t *testing.T) {
	r, before := stored(t, Options{})
	r.start(5, true)
	// A refused upload does not end the sync.
	if err := r.s.Upload(t.Context(), testUser, strings.NewReader("junk")); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Cards: []Card{{ID: 1000}}}); err != nil {
		t.Fatal(err)
	}
	// An upload with which all is well does.
	path := smallUpload(t)
	if err := r.upload(path); err != nil {
		t.Fatal(err)
	}
	r.wantConflicts("uploaded", "k")
	wantDump(t, "uploaded", r.dump(testUser), dumpFile(t, path))
	// What was kept is the committed state, without the half sync.
	sn, err := r.s.Snapshots(testUser)
	if err != nil || len(sn) != 1 || sn[0].Reason != "upload" {
		t.Fatalf("%+v, %v", sn, err)
	}
	wantDump(t, "kept", dumpFile(t, r.snapshot(sn[0].ID)), before)
}

// snapshot returns the path of a copy of a snapshot.
func (r *rig) snapshot(id string) string {
	r.t.Helper()
	b := read(r.t, filepath.Join(r.dir(testUser), SnapshotDir, id+snapshotExt))
	b[headerReadVersion], b[headerWriteVersion] = 1, 1
	path := filepath.Join(r.t.TempDir(), "snap.anki2")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

func TestUploadOverADamagedCollection(t *testing.T) {
	// A user whose stored file is broken must be able to upload a sound one,
	// and what was there is put aside with its WAL.
	for _, wal := range []bool{false, true} {
		r := newRig(t, Options{})
		if err := os.MkdirAll(r.dir(testUser), 0o700); err != nil {
			t.Fatal(err)
		}
		junk := []byte(strings.Repeat("not a database ", 1000))
		if err := os.WriteFile(r.file(testUser), junk, 0o600); err != nil {
			t.Fatal(err)
		}
		if wal {
			if err := os.WriteFile(r.file(testUser)+"-wal", []byte("nor a log"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.s.Meta(t.Context(), testUser); err == nil {
			t.Error("meta of a damaged collection")
		}
		if err := r.upload(smallUpload(t)); err != nil {
			t.Fatal(err)
		}
		kept, err := filepath.Glob(filepath.Join(r.dir(testUser), SnapshotDir, "damaged-*.anki2"))
		if err != nil || len(kept) != 1 || !bytes.Equal(read(t, kept[0]), junk) {
			t.Errorf("kept %q, %v", kept, err)
		}
		r.wantRows(`SELECT count(*) FROM cards`, "60")
		if l := r.leftovers(testUser); len(l) > 0 {
			t.Errorf("left %q", l)
		}
	}
}

func TestUploadOverAHotJournal(t *testing.T) {
	// Another server, killed in the middle of a commit, left a rollback
	// journal: what is kept is the state before that commit.
	r := newRig(t, Options{})
	hot := hotJournal(t)
	r.put(testUser, hot)
	if err := os.WriteFile(r.file(testUser)+"-journal", read(t, hot+"-journal"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.upload(smallUpload(t)); err != nil {
		t.Fatal(err)
	}
	sn, err := r.s.Snapshots(testUser)
	if err != nil || len(sn) != 1 {
		t.Fatalf("%v %v", sn, err)
	}
	if got := dumpFile(t, r.snapshot(sn[0].ID)); len(got["cards"]) != 500 || strings.Contains(got["cards"][0], "half") {
		t.Errorf("%d cards, the first %q", len(got["cards"]), got["cards"][0])
	}
}

// hotJournal returns a file in the middle of a commit, with its journal.
func hotJournal(t testing.TB) string {
	t.Helper()
	path := newFile(t)
	fill(t, path, "cards", 500, func(int) int { return 0 })
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{Journal: "delete", CacheKiB: 16, Pragmas: []string{"cache_spill(1)"}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // that is the point
	if _, err := tx.Exec(`UPDATE cards SET data = 'half' || hex(zeroblob(100))`); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), FileName)
	for _, suffix := range []string{"", "-journal"} {
		if err := os.WriteFile(copied+suffix, read(t, path+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// TestSteadyWriter: what is written is sent to the disk part after part.
func TestSteadyWriter(t *testing.T) {
	var sent int64
	w := &steadyWriter{f: io.Discard, send: func(from, n int64) {
		if from != sent || n < steadyBytes || n > 2*steadyBytes {
			t.Errorf("%d bytes from %d, after %d", n, from, sent)
		}
		sent = from + n
	}}
	const total = 3*steadyBytes + 100
	n, err := io.Copy(w, io.LimitReader(zeros{}, total))
	if n != total || err != nil || sent < total-steadyBytes || sent > total {
		t.Errorf("copied %d, sent %d, %v", n, sent, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
