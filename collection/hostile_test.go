package collection

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// programs are what a hostile file may bring along: each would be noticed if it
// ran, and none may be there afterwards.
var programs = []string{
	`CREATE TRIGGER evil_update AFTER UPDATE ON col BEGIN SELECT RAISE(ABORT, 'a trigger ran'); END`,
	`CREATE TRIGGER evil_cards AFTER UPDATE ON cards BEGIN SELECT RAISE(ABORT, 'a trigger ran'); END`,
	`CREATE TRIGGER evil_graves BEFORE DELETE ON graves BEGIN SELECT RAISE(ABORT, 'a trigger ran'); END`,
	`CREATE VIEW evil_view AS SELECT * FROM no_such_table`, // ALTER TABLE reads all views
	`PRAGMA writable_schema = on`,
	`UPDATE sqlite_schema SET type = 'Trigger' WHERE name = 'evil_update'`,
}

// wantNoPrograms looks into a file.
func wantNoPrograms(t *testing.T, what, path string) {
	t.Helper()
	var n int
	if err := convOpen(t, path).QueryRow(`SELECT count(*) FROM sqlite_schema WHERE name LIKE 'evil%'`).Scan(&n); err != nil || n > 0 {
		t.Errorf("%s: %d are left, %v", what, n, err)
	}
}

// hostile is a recorded collection with programs in it.
func hostile(t *testing.T, name string) string {
	t.Helper()
	path := convFixture(t, name)
	changeOutside(t, path, programs...)
	return path
}

// changeOutside is change without a transaction.
func changeOutside(t *testing.T, path string, queries ...string) {
	t.Helper()
	db := convOpenWrite(t, path)
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(q, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

var everySchema = []string{"v11-2.1.36", "v11-2.1.49", "v14-2.1.26", "v15-2.1.28", "v16-2.1.36", "v18-26.09"}

// TestUploadOfEachProgram has them one by one: the first that runs hides the others.
func TestUploadOfEachProgram(t *testing.T) {
	for _, program := range programs[:4] {
		for _, name := range []string{"v11-2.1.49", "v18-26.09"} {
			path := convFixture(t, name)
			changeOutside(t, path, program)
			r := newRig(t, Options{})
			if err := r.upload(path); err != nil {
				t.Errorf("%s: %s: %v", name, program, err)
				continue
			}
			wantNoPrograms(t, name, r.download(testUser, DownloadOptions{}))
		}
	}
}

// TestUploadOfPrograms: what an uploaded file would have us run is gone before
// anything of ours could set it off, whatever the file's schema.
func TestUploadOfPrograms(t *testing.T) {
	for _, name := range everySchema {
		r := newRig(t, Options{})
		if err := r.upload(hostile(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantNoPrograms(t, name, r.download(testUser, DownloadOptions{}))
		wantNoPrograms(t, name, r.download(testUser, DownloadOptions{Schema11: true}))
	}
}

// TestOpenStoredPrograms: likewise of a file that another server's users
// uploaded there, and that an operator took over.
func TestOpenStoredPrograms(t *testing.T) {
	for _, name := range everySchema {
		r := newRig(t, Options{})
		if err := os.MkdirAll(r.dir(testUser), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.file(testUser), read(t, hostile(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
		r.start(0, false)
		if _, err := r.s.ApplyChanges(t.Context(), testUser, "k", Changes{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r.finish()
		if name != "v18-26.09" { // never converted
			wantNoPrograms(t, name, r.download(testUser, DownloadOptions{}))
		}
	}
}

// TestRestorePrograms: likewise of a snapshot, which may be older than this.
func TestRestorePrograms(t *testing.T) {
	for _, name := range everySchema {
		r, _ := stored(t, Options{})
		const id = "2020-01-02T03-04-05.000Z-upload"
		dir := filepath.Join(r.dir(testUser), SnapshotDir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, id+snapshotExt), read(t, hostile(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := r.s.Restore(context.Background(), testUser, id); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantNoPrograms(t, name, r.download(testUser, DownloadOptions{}))
	}
}

// TestProgramsInDisguise: a trigger that SQLite takes for one, and that is none to a
// query, runs nowhere.
func TestProgramsInDisguise(t *testing.T) {
	for _, odd := range []string{`CAST(type AS BLOB)`, `type || char(0)`} {
		for _, name := range everySchema {
			path := convFixture(t, name)
			changeOutside(t, path, programs[0], `PRAGMA writable_schema = on`, `UPDATE sqlite_schema SET type = `+odd+` WHERE name = 'evil_update'`)
			r := newRig(t, Options{})
			if err := r.upload(path); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %s: %v", name, odd, err)
			}
			if _, err := Upgrade(t.Context(), path); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: %s, unverified: %v", name, odd, err)
			}
		}
	}
}

// tooBig is an expression that SQLite cannot evaluate: it is over its limit.
const tooBig = `length(zeroblob(2000000000))`

// addonGenerated makes a table with a column that cannot be computed.
var addonGenerated = []string{
	`CREATE TABLE addon_generated (x, y NOT NULL AS (x + 9))`,
	`INSERT INTO addon_generated VALUES (1)`,
	`PRAGMA writable_schema = on`,
	`UPDATE sqlite_schema SET sql = replace(sql, 'x + 9', '` + tooBig + `')`,
	`PRAGMA writable_schema = reset`,
}

// TestUploadOfForeignTables: tables of add-ons stay, whatever they say that
// SQLite should compute; nothing of it is computed.
func TestUploadOfForeignTables(t *testing.T) {
	path := smallUpload(t)
	changeOutside(t, path,
		`CREATE TABLE addon_plain (id INTEGER PRIMARY KEY, text TEXT, n REAL DEFAULT 1.5)`,
		`CREATE INDEX addon_index ON addon_plain (text)`,
		`INSERT INTO addon_plain (text) VALUES ('x')`,
		`PRAGMA ignore_check_constraints = on`,
		`CREATE TABLE addon_check (x CHECK (`+tooBig+` > 0))`,
		`INSERT INTO addon_check VALUES (1)`,
		`CREATE INDEX addon_cards ON cards (nid, ord)`)
	changeOutside(t, path, addonGenerated...)
	r := newRig(t, Options{})
	if err := r.upload(path); err != nil {
		t.Fatal(err)
	}
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, r.file(testUser)); !bytes.Equal(got[100:], read(t, path)[100:]) {
		t.Error("the file is not what it was")
	}
}

// TestUploadOfForeignIndexes: an index that has to be computed costs each sync,
// and holds nothing: it goes. Others stay.
func TestUploadOfForeignIndexes(t *testing.T) {
	path := smallUpload(t)
	changeOutside(t, path,
		`CREATE INDEX evil_expr ON notes (length(flds))`,
		`CREATE INDEX "evil partial" ON revlog (cid) WHERE abs(ivl) > 3`,
		`CREATE INDEX good_partial ON cards (odue) WHERE odid != 0`,
		`CREATE INDEX good ON cards (ivl DESC)`)
	r := newRig(t, Options{})
	if err := r.upload(path); err != nil {
		t.Fatal(err)
	}
	file := r.download(testUser, DownloadOptions{})
	wantNoPrograms(t, "indexes", file)
	var n int
	if err := convOpen(t, file).QueryRow(`SELECT count(*) FROM sqlite_schema WHERE name LIKE 'good%'`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d of 2 others, %v", n, err)
	}
}

// TestUploadOfChangedTables: Anki's own tables compute nothing.
func TestUploadOfChangedTables(t *testing.T) {
	r, before := stored(t, Options{})
	for what, queries := range map[string][]string{
		"a constraint":       {`PRAGMA writable_schema = on`, `UPDATE sqlite_schema SET sql = replace(sql, 'data text NOT NULL', 'data text NOT NULL CHECK (length(data) > -1)') WHERE name = 'cards'`},
		"a generated column": {`ALTER TABLE revlog ADD COLUMN x AS (length(hex(ivl)))`},
		"a computed default": {`PRAGMA writable_schema = on`, `UPDATE sqlite_schema SET sql = replace(sql, 'data text NOT NULL', 'data text NOT NULL, x DEFAULT (length(zeroblob(9)))') WHERE name = 'cards'`},
		"a virtual table":    {`DROP TABLE graves`, `CREATE VIRTUAL TABLE graves USING fts5 (oid, type, usn)`},
	} {
		path := newFile(t)
		changeOutside(t, path, queries...)
		r.wantRefused(what, bytes.NewReader(read(t, path)), before, ErrCorrupt)
	}
	// A default that is a value computes nothing.
	path := smallUpload(t, `ALTER TABLE cards ADD COLUMN x INTEGER DEFAULT -1`, `ALTER TABLE cards ADD COLUMN y TEXT DEFAULT 'it''s'`)
	if err := r.upload(path); err != nil {
		t.Error(err)
	}
}

// TestInspectOfForeignTables: a doctor looks at such files, too, and still finds
// what is wrong with the others.
func TestInspectOfForeignTables(t *testing.T) {
	path := smallUpload(t)
	changeOutside(t, path, addonGenerated...)
	inspect := func() Info {
		t.Helper()
		info, err := Inspect(t.Context(), path, t.TempDir(), CheckFull)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	if info := inspect(); len(info.Problems) > 0 {
		t.Errorf("%q", info.Problems)
	}
	changeOutside(t, path, `PRAGMA writable_schema = on`, `UPDATE sqlite_schema SET sql = replace(sql, '(usn)', '(due)') WHERE name = 'ix_cards_usn'`)
	if info := inspect(); len(info.Problems) == 0 {
		t.Error("an index that does not fit is not found")
	}
}

// TestUploadInTime: a check that takes too long ends, nothing is replaced and
// nothing stays, and it is not said that the file was at fault.
func TestUploadInTime(t *testing.T) {
	o := Options{CheckTimeout: time.Nanosecond}
	r, before := stored(t, o)
	for _, name := range []string{"v11-2.1.49", "v18-26.09"} {
		r.wantRefused(name, bytes.NewReader(read(t, convFixture(t, name))), before, ErrTooSlow)
	}
	if err := r.upload(smallUpload(t)); errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	// A stored file of an older schema stays, too.
	old := newRig(t, o)
	if err := os.MkdirAll(old.dir(testUser), 0o700); err != nil {
		t.Fatal(err)
	}
	want := read(t, convFixture(t, "v11-2.1.49"))
	if err := os.WriteFile(old.file(testUser), want, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := old.s.Start(t.Context(), testUser, StartOptions{SKey: "k"}); !errors.Is(err, ErrTooSlow) {
		t.Error(err)
	}
	if err := old.s.Close(); err != nil {
		t.Fatal(err)
	}
	if l := old.leftovers(testUser); len(l) > 0 || !bytes.Equal(read(t, old.file(testUser))[100:], want[100:]) {
		t.Errorf("left %q, or the file is another", l)
	}
}

// TestChecksHearTheContext: each part of a check ends with its context.
func TestChecksHearTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for what, f := range map[string]func(path string) error{
		"verify":  func(path string) error { return sqlite.Verify(ctx, path) },
		"upgrade": func(path string) error { _, err := Upgrade(ctx, path); return err },
		"settle":  func(path string) error { return upgradeAndSettle(ctx, path) },
	} {
		if err := f(smallUpload(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestUploadOfEqualNames: making names unique costs the square of how many are
// equal, and there may be a million; it ends.
func TestUploadOfEqualNames(t *testing.T) {
	names := func(n int) string {
		return `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + strconv.Itoa(n) + `)
			UPDATE col SET decks = (SELECT json_group_object(i, json_set(d.value, '$.id', i, '$.name', 'a')) FROM n, (SELECT value FROM json_each(col.decks) LIMIT 1) d)`
	}
	for n, want := range map[int]error{900: nil, 60_000: ErrCorrupt} {
		path := convFixture(t, "v11-2.1.49")
		changeOutside(t, path, names(n))
		r := newRig(t, Options{CheckTimeout: time.Minute})
		if err := r.upload(path); !errors.Is(err, want) {
			t.Errorf("%d: %v, want %v", n, err, want)
		}
	}
}

// TestUploadOfNoIDs: likewise of notetypes without an id.
func TestUploadOfNoIDs(t *testing.T) {
	path := convFixture(t, "v11-2.1.49")
	changeOutside(t, path, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
		UPDATE col SET models = (SELECT json_group_object(i, json_set(d.value, '$.id', 0, '$.name', 'n' || i)) FROM n, (SELECT value FROM json_each(col.models) LIMIT 1) d)`)
	r := newRig(t, Options{})
	if err := r.upload(path); err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT count(*), max(id) - min(id) FROM notetypes`, "100|99")
}

func convOpenWrite(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{Synchronous: "off"})
	if err != nil {
		t.Fatal(err)
	}
	return db
}
