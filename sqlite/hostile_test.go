package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a check of a small file may take. What it bounds would
// run for hours.
const patience = 5 * time.Second

// manyRows makes a table r of 3000 rows: counting three of them joined takes
// 27 thousand million steps.
const manyRows = `CREATE TABLE r (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO r SELECT i FROM n`

const forHours = `(SELECT count(*) FROM r a, r b, r c)`

func verifyPatiently(t *testing.T, path string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return Verify(ctx, path)
}

// TestVerifyPartialClause: the clause of a partial index is not run as a query
// because something in it looks like one.
func TestVerifyPartialClause(t *testing.T) {
	for _, clause := range []string{
		`odid != ' WHERE 1 AND ` + forHours + ` --'`,
		`odid != 0 AND odid != " where ` + forHours + `>=0 --"`,
		"odid != 0 /* WHERE " + forHours + " */",
	} {
		path := filepath.Join(t.TempDir(), "x.db")
		script(t, path, made, manyRows, `CREATE TABLE cards (id INTEGER PRIMARY KEY, odid INTEGER NOT NULL)`, `INSERT INTO cards VALUES (1, 0), (2, 7)`,
			`CREATE INDEX i ON cards (odid) WHERE `+clause)
		if err := verifyPatiently(t, path); err != nil {
			t.Errorf("%s: %v", clause, err)
		}
	}
}

// tripwire is an expression that is an error to evaluate.
const tripwire = `abs(-9223372036854775807 - 1)`

// foreignExpressions are statements that make a table t whose rows, or the keys
// of whose indexes, come from the tripwire; the last one replaces its DDL.
func foreignExpressions() map[string][]string {
	replace := func(from string) string {
		return `UPDATE sqlite_schema SET sql = replace(sql, '` + from + `', '` + tripwire + `')`
	}
	return map[string][]string{
		"a constraint":              {`CREATE TABLE t (a INTEGER PRIMARY KEY, b, CHECK (b != 9))`, `INSERT INTO t VALUES (1, 2)`, replace("b != 9")},
		"a constraint, no rowid":    {`CREATE TABLE t (a PRIMARY KEY, b, CHECK (b != 9)) WITHOUT ROWID`, `INSERT INTO t VALUES (1, 2)`, replace("b != 9")},
		"a generated column":        {`CREATE TABLE t (a INTEGER PRIMARY KEY, b, c INTEGER NOT NULL AS (b + 9))`, `INSERT INTO t VALUES (1, 2)`, replace("b + 9")},
		"generated, no rowid":       {`CREATE TABLE t (a PRIMARY KEY, b, c INTEGER NOT NULL AS (b + 9)) WITHOUT ROWID`, `INSERT INTO t VALUES (1, 2)`, replace("b + 9")},
		"an index of an expression": {`CREATE TABLE t (a INTEGER PRIMARY KEY, b)`, `INSERT INTO t VALUES (1, 2)`, `CREATE INDEX i ON t (b + 9)`, replace("b + 9")},
		"of an expression, no rowid": {
			`CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID`, `INSERT INTO t VALUES (1, 2)`, `CREATE INDEX i ON t (b + 9)`, replace("b + 9"),
		},
		"a partial index":   {`CREATE TABLE t (a INTEGER PRIMARY KEY, b)`, `INSERT INTO t VALUES (1, 2)`, `CREATE INDEX i ON t (b) WHERE b + 9`, replace("b + 9")},
		"partial, no rowid": {`CREATE TABLE t (a PRIMARY KEY, b) WITHOUT ROWID`, `INSERT INTO t VALUES (1, 2)`, `CREATE INDEX i ON t (b) WHERE b + 9`, replace("b + 9")},
		"a table in capitals": {
			`CREATE TABLE t (a PRIMARY KEY, b, CHECK (b != 9))`, `INSERT INTO t VALUES (1, 2)`, `UPDATE sqlite_schema SET type = 'TABLE' WHERE type = 'table'`, replace("b != 9"),
		},
	}
}

// TestVerifyEvaluatesNothing: what somebody else's tables would have SQLite
// compute is not computed, whichever way the check goes.
func TestVerifyEvaluatesNothing(t *testing.T) {
	for what, stmts := range foreignExpressions() {
		path := filepath.Join(t.TempDir(), "x.db")
		script(t, path, made, append([]string{`CREATE TABLE plain (x)`, `PRAGMA writable_schema = on`}, stmts...)...)
		// (SQLite passes over constraints where the file is opened for reading.)
		db, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = pragmaCheck(t.Context(), db, "integrity_check", "")
		db.Close()
		if err == nil || !strings.Contains(err.Error(), "overflow") {
			t.Fatalf("%s: SQLite says %v: the test is wrong", what, err)
		}
		if err := Verify(t.Context(), path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		// Where SQLite has to check the file, it does so table by table.
		script(t, path, Options{Synchronous: "off"}, `CREATE VIRTUAL TABLE v USING fts5 (a)`)
		if err := Verify(t.Context(), path); err != nil {
			t.Errorf("%s, with a virtual table: %v", what, err)
		}
		script(t, path, Options{Synchronous: "off"}, `INSERT INTO plain VALUES (1)`, `CREATE INDEX on_plain ON plain (x)`, `PRAGMA writable_schema = on`,
			`UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'plain') WHERE name = 'on_plain'`)
		if err := Verify(t.Context(), path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s, with a damaged index: %v", what, err)
		}
	}
}

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

func TestPartialColumn(t *testing.T) {
	for ddl, want := range map[string]string{
		"CREATE INDEX idx_cards_odid ON cards (odid)\nWHERE odid != 0":       "odid",
		`CREATE UNIQUE INDEX "i" ON "cards"("did", odid DESC) where odid<>0`: "odid",
		`CREATE INDEX i ON cards (odid) WHERE odid != 10`:                    "",
		`CREATE INDEX i ON cards (odid) WHERE odid != 0 AND did != 0`:        "",
		`CREATE INDEX i ON cards (odid) WHERE abs(odid) != 0`:                "",
		`CREATE INDEX i ON cards (odid) WHERE odid != ' WHERE odid != 0`:     "",
		`CREATE INDEX i ON cards (odid) /* x */ WHERE odid != 0`:             "",
		`CREATE INDEX i ON cards (odid) WHERE odid != 0 -- x`:                "",
		`CREATE INDEX [i] ON cards (odid) WHERE odid > 0`:                    "",
	} {
		if got := PartialColumn(ddl); got != want {
			t.Errorf("%s: %q, want %q", ddl, got, want)
		}
	}
}

// TestVerifySchemaSize: SQLite does not get to open a file whose schema it would
// take too long to read.
func TestVerifySchemaSize(t *testing.T) {
	const views = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
		INSERT INTO sqlite_schema SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT 1' FROM n`
	for what, c := range map[string]struct {
		stmts []string
		fault string
	}{
		"as many as can be":   {[]string{`PRAGMA writable_schema = on`, strings.Replace(views, "20000", "990", 1)}, ""},
		"too many":            {[]string{`PRAGMA writable_schema = on`, views}, "more than 1000"},
		"a long one":          {[]string{`CREATE TABLE long (x DEFAULT '` + strings.Repeat("x", maxSchemaBytes) + `')`}, "more than 1048576 bytes"},
		"statistics":          {[]string{`ANALYZE`}, ""},
		"too many statistics": {[]string{`ANALYZE`, `INSERT INTO sqlite_stat4 (tbl, idx, sample) VALUES ('t', 'i', zeroblob(20 << 20))`}, "statistics of more"},
	} {
		path := filepath.Join(t.TempDir(), "x.db")
		script(t, path, made, append([]string{`CREATE TABLE t (x INTEGER)`, `CREATE INDEX i ON t (x)`, `INSERT INTO t VALUES (1), (2)`}, c.stmts...)...)
		err := Verify(t.Context(), path)
		if c.fault == "" && err != nil || c.fault != "" && (!errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v, want %q", what, err, c.fault)
		}
	}
}

// TestVerifyOddObjects: what SQLite reads in its schema is what a query finds
// there.
func TestVerifyOddObjects(t *testing.T) {
	for what, odd := range map[string]string{
		"a type that is no text":    `UPDATE sqlite_schema SET type = CAST(type AS BLOB) WHERE name = 't'`,
		"a type with more in it":    `UPDATE sqlite_schema SET type = type || char(0) || 'x' WHERE name = 't'`,
		"a name that is no text":    `UPDATE sqlite_schema SET name = CAST(name AS BLOB) WHERE name = 't'`,
		"a name with more in it":    `UPDATE sqlite_schema SET name = name || char(0) || 'x' WHERE name = 't'`,
		"an index that is no text":  `UPDATE sqlite_schema SET name = CAST(name AS BLOB) WHERE name = 'i'`,
		"a table that is no text":   `UPDATE sqlite_schema SET tbl_name = CAST(tbl_name AS BLOB) WHERE name = 'i'`,
		"a page that is no number":  `UPDATE sqlite_schema SET rootpage = CAST(CAST(rootpage AS TEXT) AS BLOB) WHERE name = 't'`,
		"no page that is no number": `INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', x'30', 'CREATE VIRTUAL TABLE v USING nothing(x)')`,
		"a trigger that is no text": `CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END;
			UPDATE sqlite_schema SET type = CAST(type AS BLOB) WHERE name = 'r'`,
	} {
		path := filepath.Join(t.TempDir(), "x.db")
		script(t, path, made, `CREATE TABLE t (x INTEGER)`, `CREATE INDEX i ON t (x)`, `INSERT INTO t VALUES (1), (2)`,
			`PRAGMA writable_schema = on`, odd)
		if err := Verify(t.Context(), path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
