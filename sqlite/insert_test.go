package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestInserter: any number of rows, in their order, and a statement that fails.
func TestInserter(t *testing.T) {
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "db"), Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := NewConn(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Run(`CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT, at INTEGER, CHECK (v <> 'bad'))`); err != nil {
		t.Fatal(err)
	}
	put := NewInsert(`INSERT INTO t (k, v, at)`, 3, `ON CONFLICT (k) DO UPDATE SET v = excluded.v, at = excluded.at`)
	for _, n := range []int{0, 1, insertRows - 1, insertRows, insertRows + 1, 3*insertRows + 2} {
		if _, err := c.Run(`DELETE FROM t`); err != nil {
			t.Fatal(err)
		}
		rows := put.On(c)
		var want []string
		for i := range n {
			if err := rows.Add(i, fmt.Sprint("v", i), i*i); err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("%d v%d %d", i, i, i*i))
		}
		if n > 0 { // the last of a name counts
			if err := rows.Add(0, "again", -1); err != nil {
				t.Fatal(err)
			}
			want[0] = "0 again -1"
		}
		if err := rows.Flush(); err != nil {
			t.Fatal(err)
		}
		if most := int64(n + min(n, 1)); rows.Changed != most {
			t.Errorf("%d rows: %d changed, want %d", n, rows.Changed, most)
		}
		var got []string
		err := c.Each(func(scan func(...any) error) error {
			var k, at int
			var v string
			err := scan(&k, &v, &at)
			got = append(got, fmt.Sprintf("%d %s %d", k, v, at))
			return err
		}, `SELECT k, v, at FROM t ORDER BY k`)
		if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%d rows: %v, %v, want %v", n, got, err, want)
		}
	}
	for _, bad := range []int{0, insertRows - 1, insertRows} { // in the first statement, its last row, the next
		rows := put.On(c)
		var failed error
		for i := range insertRows + 1 {
			v := "good"
			if i == bad {
				v = "bad"
			}
			if err := rows.Add(i, v, 0); err != nil {
				failed = err
				break
			}
		}
		if failed == nil {
			failed = rows.Flush()
		}
		if failed == nil {
			t.Errorf("row %d did not fail", bad)
		}
	}
}
