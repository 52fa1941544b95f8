package collection

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// testClock is a clock that tests set.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

var testNow = time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)

func newClock() *testClock { return &testClock{now: testNow} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testUser is the user of most tests.
const testUser = "ann"

// rig is a store over a folder of its own, with a clock in the test's hand.
type rig struct {
	t     testing.TB
	s     *Store
	root  string
	clock *testClock
	o     Options
}

func newRig(t testing.TB, o Options) *rig {
	t.Helper()
	r := &rig{t: t, root: t.TempDir(), clock: newClock(), o: o}
	if o.Now == nil {
		r.o.Now = r.clock.Now
	}
	r.s = New(r.root, r.o)
	t.Cleanup(func() { r.s.Close() })
	return r
}

// reopen closes the store and opens it again, as a restart does.
func (r *rig) reopen() {
	r.t.Helper()
	if err := r.s.Close(); err != nil {
		r.t.Fatal(err)
	}
	r.s = New(r.root, r.o)
}

func (r *rig) dir(user string) string { return filepath.Join(r.root, user) }

func (r *rig) file(user string) string { return filepath.Join(r.root, user, FileName) }

// put stores the file at path as user's collection, behind the store's back.
func (r *rig) put(user, path string) {
	r.t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.MkdirAll(r.dir(user), 0o700)
	}
	if err == nil {
		err = os.WriteFile(r.file(user), b, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// freshBytes is a new collection whose clock is testNow.
var freshBytes = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "fresh")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, FileName)
	if err := Fresh(context.Background(), path, testNow); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// newFile writes a fresh collection, changed by queries, and returns its path.
func newFile(t testing.TB, queries ...string) string {
	t.Helper()
	b, err := freshBytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	change(t, path, queries...)
	return path
}

// change runs queries on the file at path.
func change(t testing.TB, path string, queries ...string) {
	t.Helper()
	if len(queries) == 0 {
		return
	}
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{Synchronous: "off"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = sqlite.InTx(context.Background(), db, func(tx *sql.Tx) error {
		for _, q := range queries {
			if _, err := tx.Exec(q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// seed stores a fresh collection, changed by queries.
func (r *rig) seed(user string, queries ...string) {
	r.t.Helper()
	r.put(user, newFile(r.t, queries...))
}

// rows returns the result of query, a line a row, on user's open collection:
// what a running sync has done is in it.
func (r *rig) rows(user, query string, args ...any) []string {
	r.t.Helper()
	var out []string
	err := r.s.withUser(context.Background(), user, func(u *userPlace) error {
		h, err := r.s.opened(context.Background(), u)
		if err != nil {
			return err
		}
		rows, err := h.conn.QueryContext(context.Background(), query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		out, err = scanLines(rows)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// userPlace is user, which many parameters here are called.
type userPlace = user

func scanLines(rows *sql.Rows) ([]string, error) {
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []string
	for rows.Next() {
		vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		var line []string
		for _, v := range vals {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			line = append(line, fmt.Sprint(v))
		}
		out = append(out, strings.Join(line, "|"))
	}
	return out, rows.Err()
}

func (r *rig) wantRows(query string, want ...string) {
	r.t.Helper()
	if got := r.rows(testUser, query); !slices.Equal(got, want) {
		r.t.Errorf("%s\n got %q\nwant %q", query, got, want)
	}
}

// allTables are the tables of schema 18.
var allTables = []string{"col", "notes", "cards", "revlog", "graves", "config", "deck_config", "tags", "notetypes", "fields", "templates", "decks"}

// dumpFile is the content of a schema-18 file: sorted lines by table.
func dumpFile(t testing.TB, path string) map[string][]string {
	t.Helper()
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var check string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&check); err != nil || check != "ok" {
		t.Fatalf("integrity_check of %s: %s %v", path, check, err)
	}
	out := map[string][]string{}
	for _, table := range allTables {
		rows, err := db.Query(`SELECT * FROM ` + table)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := scanLines(rows)
		rows.Close()
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(lines)
		out[table] = lines
	}
	return out
}

// download returns the path of user's downloaded collection.
func (r *rig) download(user string, o DownloadOptions) string {
	r.t.Helper()
	d, err := r.s.Download(context.Background(), user, o)
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(d)
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		r.t.Fatal(err)
	}
	if int64(len(b)) != d.Size() {
		r.t.Errorf("download has %d bytes, Size says %d", len(b), d.Size())
	}
	path := filepath.Join(r.t.TempDir(), "down.anki2")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// dump is the committed content of user's collection. It ends a running sync.
func (r *rig) dump(user string) map[string][]string {
	r.t.Helper()
	return dumpFile(r.t, r.download(user, DownloadOptions{}))
}

func (r *rig) meta() Meta {
	r.t.Helper()
	m, err := r.s.Meta(context.Background(), testUser)
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// start begins a sync with the key "k".
func (r *rig) start(usn USN, newer bool) Graves {
	r.t.Helper()
	g, err := r.s.Start(context.Background(), testUser, StartOptions{SKey: "k", ClientUSN: usn, ClientNewer: newer})
	if err != nil {
		r.t.Fatal(err)
	}
	return g
}

func (r *rig) finish() int64 {
	r.t.Helper()
	mod, err := r.s.Finish(context.Background(), testUser, "k")
	if err != nil {
		r.t.Fatal(err)
	}
	return mod
}

// upload uploads the file at path.
func (r *rig) upload(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return r.s.Upload(context.Background(), testUser, f)
}

// leftovers lists the files in user's folder that should not be there at rest.
func (r *rig) leftovers(user string) []string {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir(user))
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		switch e.Name() {
		case FileName, FileName + "-wal", SnapshotDir, LastName:
		default:
			out = append(out, e.Name())
		}
	}
	return out
}

// wantDump fails if two contents differ.
func wantDump(t testing.TB, what string, got, want map[string][]string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		if len(d) > 3000 {
			d = d[:3000]
		}
		t.Errorf("%s: content differs (-want +got):\n%s", what, d)
	}
}

// TestMetaOfWhatCannotBeLookedAt: a disk that fails for a moment must not make
// devices think that there is nothing here, and overwrite it.
func TestMetaOfWhatCannotBeLookedAt(t *testing.T) {
	r := newRig(t, Options{})
	if err := os.MkdirAll(r.dir(testUser), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(FileName, r.file(testUser)); err != nil { // to itself
		t.Skip("no symbolic links here: ", err)
	}
	if m, err := r.s.Meta(t.Context(), testUser); err == nil {
		t.Errorf("%+v", m)
	}
}
