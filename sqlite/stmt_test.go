package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"reflect"
	"testing"
)

// newConn opens a connection to an empty database.
func newConn(t *testing.T) *sql.Conn {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestStmt(t *testing.T) {
	ctx, conn := context.Background(), newConn(t)
	prepare := func(q string) *Stmt {
		t.Helper()
		s, err := Prepare(ctx, conn, q)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	if _, err := prepare(`CREATE TABLE t (i INTEGER, s TEXT, b BLOB, f REAL, n INTEGER, z BOOLEAN)`).Exec(ctx); err != nil {
		t.Fatal(err)
	}
	type number int32
	insert := prepare(`INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)`)
	for i := range 3 {
		if n, err := insert.Exec(ctx, number(i), "text", []byte{}, 1.5, nil, true); err != nil || n != 1 {
			t.Fatalf("insert: %d, %v", n, err)
		}
	}
	for i, a := range insert.args[:cap(insert.args)] {
		if a.Value != nil {
			t.Errorf("argument %d is held after the statement: %v", i, a.Value)
		}
	}
	if _, err := insert.Exec(ctx, struct{}{}, "", nil, nil, nil, nil); err == nil {
		t.Error("a struct was taken for a value")
	}
	var got []int64
	all := prepare(`SELECT i, s, b, f, n, z, i FROM t ORDER BY i`)
	update := prepare(`UPDATE t SET s = s || '!' WHERE i = ?`)
	err := all.Query(ctx, func(scan func(...any) error) error {
		var i int64
		var s string
		var b []byte
		var f float64
		var p *int64
		var z bool
		var n number
		if err := scan(&i, &s, &b, &f, &p, &z, &n); err != nil {
			return err
		}
		if s != "text" || b == nil && len(b) != 0 || f != 1.5 || p != nil || !z || int64(n) != i {
			t.Errorf("%d %q %v %v %v %v %v", i, s, b, f, p, z, n)
		}
		got = append(got, i)
		changed, err := update.Exec(ctx, i) // another statement meanwhile
		if changed != 1 {
			t.Errorf("%d rows changed", changed)
		}
		return err
	})
	if err != nil || !reflect.DeepEqual(got, []int64{0, 1, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	// What does not fit is an error, and the statement works afterwards.
	var small int8
	bad := prepare(`SELECT ?`)
	for _, v := range []any{1000, "x", nil} {
		if err := bad.Query(ctx, func(scan func(...any) error) error { return scan(&small) }, v); err == nil {
			t.Errorf("%v fits into an int8", v)
		}
	}
	var s sql.NullString
	if err := bad.Query(ctx, func(scan func(...any) error) error { return scan(&s) }, "x"); err != nil || s.String != "x" {
		t.Errorf("%v, %v", s, err)
	}
	if err := bad.Query(ctx, func(scan func(...any) error) error { return scan() }, 1); err == nil {
		t.Error("no destination for a column")
	}
}
