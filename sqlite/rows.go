package sqlite

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// cursor reads the rows of a running statement from SQLite itself. The driver
// makes a value on the heap of each column: two thirds of the allocations of a
// chunk, and 6 to 16 % of its cost.
type cursor struct {
	tls   *libc.TLS
	stmt  uintptr
	empty bool // there is no first row
}

// cursorOf returns what lies behind the driver's rows; ok is false if they are
// not built as they were when this was written, or read with a conversion that
// a cursor does not know. Then the driver must read them.
func cursorOf(rows driver.Rows) (c cursor, ok bool) {
	v := reflect.ValueOf(rows)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return c, false
	}
	v = v.Elem()
	stmt, empty, conn := v.FieldByName("pstmt"), v.FieldByName("empty"), v.FieldByName("c")
	if stmt.Kind() != reflect.Uintptr || stmt.Uint() == 0 || empty.Kind() != reflect.Bool || conn.Kind() != reflect.Pointer || conn.IsNil() {
		return c, false
	}
	tls := conn.Elem().FieldByName("tls")
	if !tls.IsValid() || tls.Type() != reflect.TypeFor[*libc.TLS]() {
		return c, false
	}
	return cursor{tls: (*libc.TLS)(tls.UnsafePointer()), stmt: uintptr(stmt.Uint()), empty: empty.Bool()}, true
}

// each calls f for every row. The first has been stepped to already. An error of
// SQLite's is told again, in full, when the driver resets the statement.
func (c cursor) each(f func(scan func(dest ...any) error) error) error {
	if c.empty {
		return nil
	}
	columns := int(lib.Xsqlite3_data_count(c.tls, c.stmt))
	scan := func(dest ...any) error { return c.scan(columns, dest) }
	for {
		if err := f(scan); err != nil {
			return err
		}
		switch rc := lib.Xsqlite3_step(c.tls, c.stmt); rc {
		case lib.SQLITE_ROW:
		case lib.SQLITE_DONE:
			return nil
		default:
			return fmt.Errorf("sqlite: step: %d", rc)
		}
	}
}

func (c cursor) scan(columns int, dest []any) error {
	if len(dest) != columns {
		return fmt.Errorf("sqlite: %d columns, %d destinations", columns, len(dest))
	}
	for i, d := range dest {
		kind := lib.Xsqlite3_column_type(c.tls, c.stmt, int32(i))
		switch d := d.(type) {
		case *int64:
			if kind == lib.SQLITE_INTEGER {
				*d = lib.Xsqlite3_column_int64(c.tls, c.stmt, int32(i))
				continue
			}
		case *int32:
			if kind == lib.SQLITE_INTEGER {
				if n := lib.Xsqlite3_column_int64(c.tls, c.stmt, int32(i)); n == int64(int32(n)) {
					*d = int32(n)
					continue
				}
			}
		case *string:
			if kind == lib.SQLITE_TEXT {
				*d = c.text(i)
				continue
			}
		}
		if err := assign(d, c.value(i, kind)); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// value is what the driver would make of a column.
func (c cursor) value(i int, kind int32) driver.Value {
	switch kind {
	case lib.SQLITE_INTEGER:
		return lib.Xsqlite3_column_int64(c.tls, c.stmt, int32(i))
	case lib.SQLITE_FLOAT:
		return lib.Xsqlite3_column_double(c.tls, c.stmt, int32(i))
	case lib.SQLITE_TEXT:
		return c.text(i)
	case lib.SQLITE_BLOB:
		return c.bytes(lib.Xsqlite3_column_blob(c.tls, c.stmt, int32(i)), i)
	}
	return nil
}

func (c cursor) text(i int) string {
	b := c.bytes(lib.Xsqlite3_column_text(c.tls, c.stmt, int32(i)), i)
	return unsafe.String(unsafe.SliceData(b), len(b)) // nobody else has b
}

// bytes copies a column's bytes, which belong to SQLite; nil if there are none.
func (c cursor) bytes(at uintptr, i int) []byte {
	n := int(lib.Xsqlite3_column_bytes(c.tls, c.stmt, int32(i)))
	if at == 0 || n == 0 {
		return nil
	}
	b := make([]byte, n)
	copy(b, unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), n))
	return b
}
