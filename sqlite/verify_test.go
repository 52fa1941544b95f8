package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample makes a database with trees of every form that matters: several
// levels, overflowing rows, folded and unique and partial indexes, negative and
// large keys, a table without rowid.
func sample(t testing.TB, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.db")
	db, err := Open(context.Background(), path, Options{Create: true, Synchronous: "off"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = InTx(context.Background(), db, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`
			CREATE TABLE notes (id INTEGER PRIMARY KEY, guid TEXT NOT NULL, usn INTEGER NOT NULL, flds TEXT NOT NULL, csum INTEGER NOT NULL);
			CREATE INDEX ix_usn ON notes (usn);
			CREATE INDEX ix_csum ON notes (csum);
			CREATE INDEX ix_both ON notes (usn, csum DESC);
			CREATE UNIQUE INDEX ix_guid ON notes (guid);
			CREATE INDEX ix_some ON notes (csum) WHERE usn != 0;
			CREATE TABLE decks (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL COLLATE unicase);
			CREATE UNIQUE INDEX ix_name ON decks (name);
			CREATE TABLE tags (tag TEXT NOT NULL PRIMARY KEY COLLATE unicase, usn INTEGER) WITHOUT ROWID;
			CREATE TABLE plain (a, b);
		`); err != nil {
			return err
		}
		r := rand.New(rand.NewPCG(1, 2))
		for i := range rows {
			flds := strings.Repeat("x", r.IntN(300))
			if i%50 == 0 {
				flds = strings.Repeat("long ", 3000) // csum lies in an overflow page
			}
			if _, err := tx.Exec(`INSERT INTO notes VALUES (?, ?, ?, ?, ?)`, 1500000000000+int64(i)*7, fmt.Sprint("g", i), i%7-1, flds, r.Int64()-r.Int64()); err != nil {
				return err
			}
		}
		for i := range 200 {
			if _, err := tx.Exec(`INSERT INTO decks VALUES (?, ?); INSERT INTO tags VALUES (?2, 0); INSERT INTO plain VALUES (1.5, ?2)`, i, fmt.Sprintf("Déck %cß %d", 'A'+i%26+i/26%2*32, i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func integrityCheck(t testing.TB, path string) error {
	t.Helper()
	db, err := Open(context.Background(), path, Options{Immutable: true})
	if err != nil {
		return err
	}
	defer db.Close()
	return pragmaCheck(context.Background(), db, "integrity_check", "")
}

func TestVerifySound(t *testing.T) {
	for _, rows := range []int{0, 1, 3000} {
		if err := Verify(context.Background(), sample(t, rows)); err != nil {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
}

// script runs statements on the database at path, all on one connection.
func script(t testing.TB, path string, o Options, stmts ...string) {
	t.Helper()
	db, err := Open(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, stmt := range stmts {
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(stmt, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

var made = Options{Create: true, Synchronous: "off"}

// ownVerdict is what our reader says, without SQLite's last word.
func ownVerdict(t testing.TB, path string) error {
	t.Helper()
	db, err := Open(context.Background(), path, Options{Immutable: true, MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return readThrough(context.Background(), db, path)
}

// TestVerifyAlone makes databases of many shapes, with pages that were filled,
// emptied and split at random: our reader finds nothing wrong with any, and so
// never needs SQLite.
func TestVerifyAlone(t *testing.T) {
	ctx := context.Background()
	for i, pageSize := range []int{512, 1024, 4096, 4096, 16384, 65536} {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := Open(ctx, path, Options{Create: true, Synchronous: "off", Journal: "off", Pragmas: []string{fmt.Sprintf("page_size(%d)", pageSize)}})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(i), 7))
		exec := func(query string, args ...any) {
			t.Helper()
			if _, err := db.Exec(query, args...); err != nil {
				t.Fatal(query, err)
			}
		}
		exec(`CREATE TABLE cards (id INTEGER PRIMARY KEY, did INTEGER NOT NULL, due INTEGER, data TEXT NOT NULL, odd INTEGER NOT NULL);
			CREATE INDEX ix_due ON cards (did, due); CREATE INDEX ix_data ON cards (data); CREATE INDEX ix_some ON cards (due) WHERE did != 0;
			CREATE TABLE blobs (a BLOB, b, c REAL, d NUMERIC);
			CREATE TABLE kv (k TEXT PRIMARY KEY COLLATE unicase, v BLOB) WITHOUT ROWID;
			CREATE TABLE empty (x)`)
		err = InTx(ctx, db, func(tx *sql.Tx) error {
			for n := range 4000 {
				id := r.Int64N(3000)
				var err error
				switch r.IntN(6) {
				case 0, 1, 2:
					// A text in an INTEGER column, as the sort field of notes has it; fractions too.
					odd := []any{"Text", "3 + 4 = ?", 7, 1.5, "-", ""}[r.IntN(6)]
					if odd == "-" { // looks like a number, and is none: for SQLite to say
						odd = "x-"
					}
					_, err = tx.Exec(`INSERT OR REPLACE INTO cards VALUES (?, ?, ?, ?, ?)`, id, r.IntN(3), r.IntN(100), strings.Repeat("ab", r.IntN(10)*r.IntN(10)*r.IntN(30)), odd)
				case 3:
					_, err = tx.Exec(`DELETE FROM cards WHERE id BETWEEN ? AND ?`, id, id+r.Int64N(8))
				case 4:
					_, err = tx.Exec(`INSERT INTO blobs VALUES (zeroblob(?), ?, 1.25, 'word')`, r.IntN(2000), []any{nil, 1, "12", []byte{1}}[n%4])
				case 5:
					_, err = tx.Exec(`INSERT OR REPLACE INTO kv VALUES (?, zeroblob(?))`, fmt.Sprint("Ä", r.IntN(500)), r.IntN(1500))
				}
				if err != nil {
					return err
				}
			}
			_, err := tx.Exec(`DELETE FROM blobs WHERE rowid % 3 = 0;
				CREATE TABLE gone (x); INSERT INTO gone SELECT data FROM cards; DROP TABLE gone`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := openPages(path)
		if err != nil {
			t.Fatal(err)
		}
		if file.size != pageSize || !file.plain || file.freeLen == 0 {
			t.Fatalf("pages of %d, plain: %v, %d free: the test is wrong", file.size, file.plain, file.freeLen)
		}
		file.close()
		if err := integrityCheck(t, path); err != nil {
			t.Fatal("the test is wrong: ", err)
		}
		if err := ownVerdict(t, path); err != nil {
			t.Errorf("pages of %d: %v", pageSize, err)
		}
	}
}

// TestVerifyFaults makes one fault of each kind, byte by byte, and expects our
// own reader to see it.
func TestVerifyFaults(t *testing.T) {
	path := sample(t, 1500)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	be := binary.BigEndian
	file, err := openPages(path)
	if err != nil {
		t.Fatal(err)
	}
	file.close()
	page := func(b []byte, n int) []byte { return b[(n-1)*4096 : n*4096] }
	// The first leaf of a table with two cells, and an interior page.
	leaf, interior := 0, 0
	for n := 2; n <= len(good)/4096; n++ {
		switch p := page(good, n); {
		case p[0] == pageLeafTable && be.Uint16(p[3:]) > 2 && leaf == 0:
			leaf = n
		case p[0] == pageInteriorTable && interior == 0:
			interior = n
		}
	}
	for what, spoil := range map[string]func(b []byte){
		"a lost byte":             func(b []byte) { page(b, leaf)[7]++ },
		"a cell outside":          func(b []byte) { be.PutUint16(page(b, leaf)[8:], 4094) },
		"a cell twice":            func(b []byte) { p := page(b, leaf); copy(p[8:10], p[10:12]) },
		"cells in another order":  func(b []byte) { p := page(b, leaf); x := be.Uint32(p[8:]); be.PutUint32(p[8:], x<<16|x>>16) },
		"a free block nowhere":    func(b []byte) { be.PutUint16(page(b, leaf)[1:], 9) },
		"another kind of page":    func(b []byte) { page(b, leaf)[0] = pageLeafIndex },
		"a child twice":           func(b []byte) { p := page(b, interior); c := be.Uint16(p[12:]); copy(p[8:12], p[c:c+4]) },
		"a child out of the file": func(b []byte) { be.PutUint32(page(b, interior)[8:], uint32(len(b)/4096+1)) },
		"a child deeper":          func(b []byte) { be.PutUint32(page(b, interior)[8:], uint32(interior)) },
		"a page of nobody": func(b []byte) { // an interior page loses its last cell
			p := page(b, interior)
			be.PutUint16(p[3:], be.Uint16(p[3:])-1)
		},
		"the free list's length": func(b []byte) { be.PutUint32(b[36:], be.Uint32(b[36:])+1) },
	} {
		b := bytes.Clone(good)
		spoil(b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := ownVerdict(t, path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
		if err := Verify(context.Background(), path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: SQLite finds nothing: %v", what, err)
		}
	}
}

// TestTreeShape has faults of a tree's form that make up for one another, so that
// each has only one check to find it.
func TestTreeShape(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	script(t, path, made, `CREATE TABLE a (x); INSERT INTO a VALUES (zeroblob(50)), (zeroblob(50)), (zeroblob(50));
		CREATE TABLE b (x); INSERT INTO b VALUES (zeroblob(12000))`)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const a, b = 2, 3 // roots
	be := binary.BigEndian
	page := func(f []byte, n int) []byte { return f[(n-1)*4096 : n*4096] }
	cellAt := func(f []byte, root, i int) []byte { p := page(f, root); return p[be.Uint16(p[8+2*i:]):] }
	for what, c := range map[string]struct {
		root  uint32
		spoil func(f []byte)
		twice bool
		fault string
	}{
		"sound":       {root: a, spoil: func([]byte) {}},
		"sound chain": {root: b, spoil: func([]byte) {}},
		"one cell longer, the one before it shorter": {root: a, fault: "used twice", spoil: func(f []byte) {
			cellAt(f, a, 1)[0]++
			cellAt(f, a, 0)[0]--
		}},
		"a chain that ends early": {root: b, fault: "lacks", spoil: func(f []byte) {
			first := be.Uint32(page(f, b)[len(page(f, b))-4:])
			be.PutUint32(page(f, int(first)), 0)
		}},
		"a chain that goes on": {root: b, fault: "goes on", spoil: func(f []byte) {
			first := be.Uint32(page(f, b)[len(page(f, b))-4:])
			second := be.Uint32(page(f, int(first)))
			be.PutUint32(page(f, int(second)), b+100)
		}},
		"a tree in two places": {root: a, twice: true, fault: "used twice", spoil: func([]byte) {}},
	} {
		f := bytes.Clone(good)
		c.spoil(f)
		if err := os.WriteFile(path, f, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := openPages(path)
		if err != nil {
			t.Fatal(err)
		}
		w := walker{ctx: context.Background(), p: file}
		err = w.tree(c.root, tableTreeForm)
		if err == nil && c.twice {
			w := walker{ctx: context.Background(), p: file}
			err = w.tree(c.root, anyForm)
		}
		file.close()
		if c.fault == "" && err != nil || c.fault != "" && (!errors.Is(err, errForm) || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v, want %q", what, err, c.fault)
		}
	}
}

// TestPartialIndexOfADamagedTable: SQLite may be the first to meet a fault, and its
// word for it must be ours.
func TestPartialIndexOfADamagedTable(t *testing.T) {
	path := sample(t, 1500)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var leaves []int // of notes, the first table
	for n := 2; n < len(good)/4096; n++ {
		if good[n*4096] == pageLeafTable && len(leaves) < 50 {
			leaves = append(leaves, n)
		}
	}
	for _, bad := range [][]int{leaves, leaves[len(leaves)-1:]} { // met at once; met later
		b := bytes.Clone(good)
		for _, n := range bad {
			clear(b[n*4096 : n*4096+100])
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := partialSum(t, path); !errors.Is(err, ErrDamaged) {
			t.Errorf("leaves %v: %v", bad, err)
		}
	}
}

func partialSum(t *testing.T, path string) error {
	t.Helper()
	db, err := Open(t.Context(), path, Options{Immutable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	schema, err := describeSchema(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range schema.tables {
		for _, ix := range table.indexes {
			if ix.partial != "" {
				return table.sumPartial(t.Context(), db, ix)
			}
		}
	}
	t.Fatal("no partial index: the test is wrong")
	return nil
}

// TestVerifyLastWord: what our reader takes for a fault and SQLite does not is none.
func TestVerifyLastWord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	script(t, path, made, `CREATE TABLE a (x); CREATE TRIGGER r AFTER INSERT ON a BEGIN SELECT 1; END`,
		`PRAGMA writable_schema = on`, `UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'r'`) // a's, to our reader
	if err := integrityCheck(t, path); err != nil {
		t.Fatal("the test is wrong: ", err)
	}
	if err := ownVerdict(t, path); !errors.Is(err, errForm) {
		t.Fatal("the test is wrong: ", err)
	}
	if err := Verify(context.Background(), path); err != nil {
		t.Error(err)
	}
}

// TestVerifyOtherForms: of files of a form that our reader does not know in full,
// SQLite checks the pages.
func TestVerifyOtherForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	script(t, path, Options{Create: true, Synchronous: "off", Pragmas: []string{"auto_vacuum(full)"}},
		`CREATE TABLE a (x); CREATE INDEX i ON a (x)`, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO a SELECT i FROM n`)
	if err := Verify(context.Background(), path); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[4096] ^= 7 // the map of the pages that point back
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := integrityCheck(t, path); err == nil {
		t.Fatal("SQLite finds nothing: the test is wrong")
	}
	if err := Verify(context.Background(), path); !errors.Is(err, ErrDamaged) {
		t.Error("the map is not looked at: ", err)
	}
}

// TestVerifyValues: rows that break what their table declares are SQLite's to
// judge, and get the same judgement.
func TestVerifyValues(t *testing.T) {
	for _, c := range []struct {
		ddl, insert, then string
		sound             bool
	}{
		{`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)`, `INSERT INTO t VALUES (1, NULL)`, `CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)`, false},
		{`CREATE TABLE t (a INTEGER PRIMARY KEY, b)`, `INSERT INTO t VALUES (1, 5)`, `CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)`, false},
		{`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)`, `INSERT INTO t VALUES (1, ' 5.5e3 ')`, `CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER)`, false},
		{`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)`, `INSERT INTO t VALUES (1, '5-6')`, `CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER)`, true},
		{`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)`, `INSERT INTO t VALUES (1, 'x')`, `CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c TEXT DEFAULT 'added')`, true},
	} {
		path := filepath.Join(t.TempDir(), "x.db")
		script(t, path, made, c.ddl, c.insert, `PRAGMA writable_schema = on`, `UPDATE sqlite_schema SET sql = `+Quote(c.then))
		if err := integrityCheck(t, path); (err == nil) != c.sound {
			t.Fatalf("%s: SQLite says %v: the test is wrong", c.then, err)
		}
		if err := Verify(context.Background(), path); (err == nil) != c.sound {
			t.Errorf("%s: %v", c.then, err)
		}
	}
}

// change edits a database behind the back of an index: while the index is not
// in the schema.
func change(t *testing.T, path, index, stmt string) {
	t.Helper()
	db, err := Open(context.Background(), path, Options{Synchronous: "off"})
	if err != nil {
		t.Fatal(err)
	}
	var ddl string
	var root int
	if err := db.QueryRow(`SELECT sql, rootpage FROM sqlite_schema WHERE name = ?`, index).Scan(&ddl, &root); err != nil {
		t.Fatal(err)
	}
	var table string
	if err := db.QueryRow(`SELECT tbl_name FROM sqlite_schema WHERE name = ?`, index).Scan(&table); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{`PRAGMA writable_schema = on`, `DELETE FROM sqlite_schema WHERE name = '` + index + `'`, `PRAGMA writable_schema = reset`} {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	script(t, path, Options{Synchronous: "off"}, stmt, `PRAGMA writable_schema = on`,
		fmt.Sprintf(`INSERT INTO sqlite_schema VALUES ('index', %s, %s, %d, %s)`, Quote(index), Quote(table), root, Quote(ddl)))
}

func TestVerifyIndexes(t *testing.T) {
	for _, c := range []struct{ index, stmt string }{
		{"ix_usn", `DELETE FROM notes WHERE id = 1500000000007`},
		{"ix_usn", `UPDATE notes SET usn = 99 WHERE id = 1500000000700`},
		{"ix_csum", `UPDATE notes SET csum = csum + 1 WHERE id = 1500000000000`},
		{"ix_both", `UPDATE notes SET csum = 0 WHERE usn = 3`},
		{"ix_guid", `INSERT INTO notes VALUES (1, 'new', 0, '', 0)`},
		{"ix_some", `UPDATE notes SET csum = 5 WHERE id = 1500000000021`},
		{"ix_some", `DELETE FROM notes WHERE id = 1500000000021`},
		{"ix_name", `UPDATE decks SET name = 'other' WHERE id = 7`},
		{"ix_name", `UPDATE decks SET name = upper(name) WHERE id = 0`},
	} {
		path := sample(t, 400)
		change(t, path, c.index, c.stmt)
		// (Of a partial index SQLite does not notice entries too many.)
		if err := integrityCheck(t, path); err == nil && !strings.HasPrefix(c.stmt, "DELETE") {
			t.Fatalf("%s: SQLite finds nothing: the test is wrong", c.stmt)
		}
		if err := Verify(context.Background(), path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s behind the back of %s: %v", c.stmt, c.index, err)
		}
	}
}

// TestVerifyAgrees damages files at random places: what SQLite's own check
// refuses, Verify refuses.
func TestVerifyAgrees(t *testing.T) {
	path := sample(t, 1500)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	refused := 0
	n := 150
	if testing.Short() {
		n = 30
	}
	for i := range n {
		b := append([]byte(nil), good...)
		for range 1 + r.IntN(3) {
			at := r.IntN(len(b))
			switch r.IntN(4) {
			case 0:
				b[at] ^= 1 << r.IntN(8)
			case 1:
				b[at] = byte(r.Uint32())
			case 2: // a page in the place of another
				x, y := r.IntN(len(b)/4096), r.IntN(len(b)/4096)
				copy(b[x*4096:(x+1)*4096], good[y*4096:])
			case 3:
				clear(b[at:min(len(b), at+r.IntN(64))])
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		theirs, ours := integrityCheck(t, path), Verify(context.Background(), path)
		if theirs != nil {
			refused++
			if ours == nil {
				bad := filepath.Join(os.TempDir(), "verify-disagrees.db")
				_ = os.WriteFile(bad, b, 0o600)
				t.Fatalf("case %d: SQLite says %v, Verify nothing (kept as %s)", i, theirs, bad)
			}
		}
	}
	if refused < n/5 {
		t.Errorf("only %d of %d were damaged at all", refused, n)
	}
}

func FuzzVerify(f *testing.F) {
	path := sample(f, 60)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(4096), []byte{0xff})
	f.Add(uint32(100), []byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		b := append([]byte(nil), good...)
		copy(b[int(at)%len(b):], patch)
		path := filepath.Join(t.TempDir(), "x.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if Verify(context.Background(), path) == nil {
			if err := integrityCheck(t, path); err != nil {
				t.Fatalf("SQLite says %v, Verify nothing", err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	path := sample(b, 50000)
	fi, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify", func(b *testing.B) {
		b.SetBytes(fi.Size())
		for b.Loop() {
			if err := Verify(context.Background(), path); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("integrity_check", func(b *testing.B) {
		b.SetBytes(fi.Size())
		for b.Loop() {
			if err := integrityCheck(b, path); err != nil {
				b.Fatal(err)
			}
		}
	})
}
