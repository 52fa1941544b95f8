package sqlite

import (
	"context"
	"database/sql"
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
	if db, err = Open(context.Background(), path, Options{Synchronous: "off"}); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(stmt); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA writable_schema = on`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO sqlite_schema VALUES ('index', ?, ?, ?, ?)`, index, table, root, ddl); err != nil {
		t.Fatal(err)
	}
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
