package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

func TestConn(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := sqlite.NewConn(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	run := func(query string, args ...any) int64 {
		t.Helper()
		n, err := c.Run(query, args...)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	sum := func() (n int64) {
		t.Helper()
		err := c.Each(func(scan func(...any) error) error {
			var i int64
			err := scan(&i)
			n += i
			return err
		}, `SELECT i FROM t`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	run(`CREATE TABLE t (i INT UNIQUE)`)
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		run(`INSERT INTO t VALUES (?)`, i)
	}
	if err := c.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	if n := run(`UPDATE t SET i = i + 10 WHERE i > 1`); n != 2 {
		t.Error(n, "rows changed")
	}
	if n := sum(); n != 26 {
		t.Error(n)
	}
	if _, err := c.Run(`INSERT INTO t VALUES (?)`, 12); !sqlite.IsUnique(err) {
		t.Error(err)
	}
	if err := c.Rollback(); err != nil {
		t.Error(err)
	}
	if n := sum(); n != 6 {
		t.Error(n, "after rolling back")
	}
	if err := c.Rollback(); err != nil {
		t.Error("nothing to roll back is no error:", err)
	}
	stop := errors.New("stop")
	if err := c.Each(func(func(...any) error) error { return stop }, `SELECT i FROM t`); !errors.Is(err, stop) {
		t.Error(err)
	}
	if _, err := c.Run(`nonsense`); err == nil {
		t.Error("nonsense runs")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := db.Ping(); err != nil { // the pool has its connection again
		t.Error(err)
	}
}
