package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompareFold(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"Default", "dEFAULT", 0},
		{"_", "A", -1}, // 0x5f is below the lower-case letters
		{"ß", "SS", 0},
		{"ß", "ss", 0},
		{"ﬁ", "fi", 0},
		{"Σ", "ς", 0},
		{"\u212a", "k", 0},       // Kelvin sign
		{"\u0130", "i\u0307", 0}, // İ
		{"\u0130", "i", 1},       // but not plain i
		{"ı", "I", 1},            // dotless i has no fold
		{"\u00c5", "A\u030a", 1}, // no normalisation
		{"straße x", "STRASSE y", -1},
		{"aé", "ab", 1},
		{"ab", "aé", -1},
		{"Ünal", "ünal", 0},
	} {
		if got := CompareFold(c.a, c.b); got != c.want {
			t.Errorf("CompareFold(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := CompareFold(c.b, c.a); got != -c.want {
			t.Errorf("CompareFold(%q, %q) = %d, want %d", c.b, c.a, got, -c.want)
		}
		if want := strings.Compare(Fold(c.a), Fold(c.b)); want != c.want {
			t.Errorf("order of the folds of %q and %q: got %d, want %d", c.a, c.b, want, c.want)
		}
	}
}

func FuzzCompareFold(f *testing.F) {
	f.Add("Straße", "STRASSE")
	f.Add("a\u0130b", "ai\u0307B")
	f.Add("\xff", "é")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := CompareFold(a, b), strings.Compare(Fold(a), Fold(b)); got != want {
			t.Fatalf("CompareFold(%q, %q) = %d, folds say %d", a, b, got, want)
		}
	})
}

func TestOpen(t *testing.T) {
	ctx := context.Background()
	// A name in which every character that means something in a URI occurs.
	path := filepath.Join(t.TempDir(), "a?b#c%41 d&e'f", "x.db")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, path, Options{}); err == nil {
		t.Fatal("opened a missing file without Create")
	}
	db, err := Open(ctx, path, Options{Create: true, Journal: "wal", Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE t (n TEXT PRIMARY KEY COLLATE unicase)`); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the file is elsewhere: %v", err)
	}
	if _, err := os.Stat(path + "-shm"); err == nil {
		t.Error("an exclusive WAL made a shared-memory file")
	}
	for _, c := range []struct{ pragma, want string }{
		{"journal_mode", "wal"}, {"locking_mode", "exclusive"}, {"synchronous", "2"}, {"cache_size", "-1024"}, {"busy_timeout", "5000"},
	} {
		var got string
		if err := db.QueryRow("PRAGMA " + c.pragma).Scan(&got); err != nil || got != c.want {
			t.Errorf("%s = %q, %v; want %q", c.pragma, got, err, c.want)
		}
	}
	_, err = db.Exec(`INSERT INTO t VALUES ('Straße'), ('STRASSE')`)
	if !IsUnique(err) {
		t.Errorf("two equal names: got %v, want a unique violation", err)
	}
	if _, err := Open(ctx, path, Options{BusyTimeout: -1}); !IsBusy(err) {
		t.Errorf("second opener of an exclusive database: got %v, want busy", err)
	}
	wantErr := errors.New("no")
	err = InTx(ctx, db, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO t VALUES ('x')`); err != nil {
			return err
		}
		return wantErr
	})
	if !errors.Is(err, wantErr) {
		t.Errorf("InTx: got %v", err)
	}
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil || n != 0 {
		t.Errorf("after a rolled back transaction: %d rows, %v", n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, path, Options{}); !IsCorrupt(err) {
		t.Errorf("garbage: got %v, want corrupt", err)
	}
}
