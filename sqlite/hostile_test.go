package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestInParallelPanic: a fault of ours that a file brings to light is that
// check's failure, and not the server's end.
func TestInParallelPanic(t *testing.T) {
	done := false
	err := inParallel(t.Context(), 2, func(context.Context) []func() error {
		return []func() error{func() error { panic("out of range") }, func() error { done = true; return nil }}
	})
	if err == nil || !strings.Contains(err.Error(), "out of range") || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if !done {
		t.Error("the other job was not done")
	}
}

// TestForeignTriggers: no connection runs a trigger that a file brought along.
func TestForeignTriggers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	script(t, path, made, `CREATE TABLE a (x)`, `CREATE TRIGGER r AFTER INSERT ON a BEGIN SELECT RAISE(ABORT, 'the trigger ran'); END`,
		`INSERT INTO a VALUES (1)`)
}

// TestForeignLimits: the limits are those of connections that ask for them.
func TestForeignLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	script(t, path, made, `CREATE TABLE a (x)`, `CREATE VIEW v AS SELECT * FROM a`)
	for query, want := range map[string]string{
		`SELECT length(zeroblob(20 << 20))`:                                       "", // a note may be this long
		`SELECT length(zeroblob(200 << 20))`:                                      "too big",
		`SELECT 'a' LIKE '` + strings.Repeat("%a", 100) + `'`:                     "too complex",
		`SELECT ` + strings.Repeat("(1 + ", 120) + `1` + strings.Repeat(")", 120): "too large",
		`SELECT max(` + strings.Repeat("1, ", 20) + `1)`:                          "too many arguments",
		`SELECT count(*) FROM v`:                                                  "prohibited",
	} {
		for _, foreign := range []bool{true, false} {
			db, err := Open(t.Context(), path, Options{ReadOnly: true, Foreign: foreign})
			if err != nil {
				t.Fatal(err)
			}
			var n any
			err = db.QueryRow(query).Scan(&n)
			if foreign && want != "" {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%.40s: %v, want %q", query, err, want)
				}
			} else if err != nil {
				t.Errorf("%.40s: foreign %v: %v", query, foreign, err)
			}
			db.Close()
		}
	}
}
