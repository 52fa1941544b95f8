package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"testing"
)

// TestCursor: whatever a column holds and wherever it goes, a cursor reads it as
// the driver does, errors included.
func TestCursor(t *testing.T) {
	ctx, conn := context.Background(), newConn(t)
	st, err := Prepare(ctx, conn, `SELECT ?, 1 UNION ALL SELECT ?, 2`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	type number int32
	dests := []func() any{
		func() any { return new(int64) }, func() any { return new(int32) }, func() any { return new(number) }, func() any { return new(int8) },
		func() any { return new(string) }, func() any { return new([]byte) }, func() any { return new(any) }, func() any { return new(float64) },
		func() any { return new(bool) }, func() any { return new(*int64) }, func() any { return new(sql.NullString) },
	}
	read := func(a any, dest func() any, f func(driver.Rows, func(func(...any) error) error) error) (out []string) {
		args, err := st.bind([]any{a, a})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := st.qry.QueryContext(ctx, args)
		if err != nil {
			t.Fatal(err)
		}
		err = f(rows, func(scan func(...any) error) error {
			d, n := dest(), int64(0)
			err := scan(d, &n)
			out = append(out, fmt.Sprintf("%#v %d %v", reflect.ValueOf(d).Elem().Interface(), n, err))
			return nil
		})
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
		return append(out, fmt.Sprint(err))
	}
	for _, a := range []any{
		nil, 0, 1, -1, 300, math.MaxInt32, int64(math.MaxInt32) + 1, int64(math.MinInt64), 1.0, 1.5, math.Inf(1), "", "text", "12", "nul\x00inside", "\xff\xfe", "ä😀",
		[]byte{}, []byte("blob\x00"),
	} {
		for _, dest := range dests {
			want := read(a, dest, readAll)
			got := read(a, dest, func(rows driver.Rows, f func(func(...any) error) error) error {
				c, ok := cursorOf(rows)
				if !ok {
					t.Fatal("the driver's rows are not what they were")
				}
				return c.each(f)
			})
			// Pointers differ, and what they point to is shown by other destinations.
			if _, ok := dest().(**int64); ok {
				got, want = got[len(got)-1:], want[len(want)-1:]
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%#v into %T: %v, the driver reads %v", a, dest(), got, want)
			}
		}
	}
}

// TestCursorFails: an error in the middle is SQLite's, with its code, and the
// statement works afterwards.
func TestCursorFails(t *testing.T) {
	ctx, conn := context.Background(), newConn(t)
	st, err := Prepare(ctx, conn, `SELECT abs(column1) FROM (VALUES (?), (2))`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	second, err := Prepare(ctx, conn, `SELECT abs(column1) FROM (VALUES (1), (?))`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = second.Close() })
	none, err := Prepare(ctx, conn, `SELECT 1 WHERE ?`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = none.Close() })
	for range 2 {
		n := 0
		if err := none.Query(ctx, func(func(...any) error) error { n++; return nil }, 0); err != nil || n != 0 {
			t.Fatalf("%d rows of none, %v", n, err)
		}
		count := func(func(...any) error) error { n++; return nil }
		err := second.Query(ctx, count, int64(math.MinInt64)) // has no absolute value
		if c, ok := code(err); !ok || c != 1 || n != 1 {
			t.Errorf("code %d after %d rows: %v", c, n, err)
		}
		if err := st.Query(ctx, count, 1); err != nil || n != 3 {
			t.Errorf("%d rows, %v", n, err)
		}
		if err := second.Query(ctx, count, 1); err != nil || n != 5 {
			t.Errorf("%d rows, %v", n, err)
		}
	}
}
