package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
)

// Stmt is a prepared statement of one connection, used without database/sql in
// between: no locks, no reflection, no goroutine. Where a statement is run for
// each of thousands of rows that is a third of its cost.
//
// It belongs to whoever owns the connection, is used by one goroutine at a
// time, and must be closed before the connection is.
type Stmt struct {
	st   driver.Stmt
	exec driver.StmtExecContext
	qry  driver.StmtQueryContext
	args []driver.NamedValue
}

// Prepare prepares query on conn. Parameters written "?" are cheaper than
// numbered ones.
func Prepare(ctx context.Context, conn *sql.Conn, query string) (*Stmt, error) {
	s := &Stmt{}
	err := conn.Raw(func(dc any) error {
		p, ok := dc.(driver.ConnPrepareContext)
		if !ok {
			return errors.New("sqlite: driver cannot prepare")
		}
		st, err := p.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		// The connection stays ours until Close, so the statement may leave
		// this function.
		s.st = st
		s.exec, _ = st.(driver.StmtExecContext)
		s.qry, _ = st.(driver.StmtQueryContext)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.exec == nil || s.qry == nil {
		return nil, errors.Join(errors.New("sqlite: driver cannot run statements"), s.st.Close())
	}
	return s, nil
}

// Close releases the statement.
func (s *Stmt) Close() error { return s.st.Close() }

// bind makes driver values of args: integers, strings, byte slices, booleans,
// floats and nil, and types made of them.
func (s *Stmt) bind(args []any) ([]driver.NamedValue, error) {
	s.args = s.args[:0]
	for i, a := range args {
		v := driver.NamedValue{Ordinal: i + 1}
		switch a := a.(type) {
		case int64, string, []byte, float64, bool, nil:
			v.Value = a
		case int:
			v.Value = int64(a)
		default:
			var err error
			if v.Value, err = driver.DefaultParameterConverter.ConvertValue(a); err != nil {
				return nil, fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
		s.args = append(s.args, v)
	}
	return s.args, nil
}

// Exec runs the statement and returns how many rows it changed.
func (s *Stmt) Exec(ctx context.Context, args ...any) (int64, error) {
	values, err := s.bind(args)
	if err != nil {
		return 0, err
	}
	defer clear(values) // a statement is kept for long, and must not hold on to a long text
	r, err := s.exec.ExecContext(ctx, values)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// Query runs the statement and calls f for every row. Inside f other statements
// may be run, but not this one.
func (s *Stmt) Query(ctx context.Context, f func(scan func(dest ...any) error) error, args ...any) (err error) {
	values, err := s.bind(args)
	if err != nil {
		return err
	}
	defer clear(values)
	rows, err := s.qry.QueryContext(ctx, values)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if c, ok := cursorOf(rows); ok && ctx.Done() == nil {
		return c.each(f)
	}
	return readAll(rows, f)
}

// readAll calls f for every row as the driver reads it.
func readAll(rows driver.Rows, f func(scan func(dest ...any) error) error) error {
	row := make([]driver.Value, len(rows.Columns()))
	scan := func(dest ...any) error { return scanRow(row, dest) }
	for {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := f(scan); err != nil {
			return err
		}
	}
}

func scanRow(row []driver.Value, dest []any) error {
	if len(dest) != len(row) {
		return fmt.Errorf("sqlite: %d columns, %d destinations", len(row), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, row[i]); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// assign stores a column's value, as database/sql would.
func assign(dest any, v driver.Value) error {
	switch d := dest.(type) {
	case *int64:
		if n, ok := v.(int64); ok {
			*d = n
			return nil
		}
	case *string:
		if s, ok := v.(string); ok {
			*d = s
			return nil
		}
	case *[]byte:
		switch v := v.(type) {
		case []byte:
			*d = v
			return nil
		case string:
			*d = []byte(v)
			return nil
		case nil:
			*d = nil
			return nil
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	}
	p := reflect.ValueOf(dest)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("sqlite: %T is no destination", dest)
	}
	return assignKind(p.Elem(), v)
}

func assignKind(d reflect.Value, v driver.Value) error {
	if !storeKind(d, v) {
		return fmt.Errorf("sqlite: %T does not fit into %s", v, d.Type())
	}
	return nil
}

// storeKind reports whether v fits into d, and stores it.
func storeKind(d reflect.Value, v driver.Value) bool {
	switch d.Kind() {
	case reflect.Pointer:
		if v == nil {
			d.SetZero()
			return true
		}
		d.Set(reflect.New(d.Type().Elem()))
		return storeKind(d.Elem(), v)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, ok := asInt(v)
		if !ok || d.OverflowInt(n) {
			return false
		}
		d.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, ok := asInt(v)
		if !ok || n < 0 || d.OverflowUint(uint64(n)) {
			return false
		}
		d.SetUint(uint64(n))
	case reflect.Bool:
		n, ok := asInt(v)
		if !ok {
			return false
		}
		d.SetBool(n != 0)
	case reflect.Float32, reflect.Float64:
		switch v := v.(type) {
		case float64:
			d.SetFloat(v)
		case int64:
			d.SetFloat(float64(v))
		default:
			return false
		}
	case reflect.String:
		switch v := v.(type) {
		case string:
			d.SetString(v)
		case []byte:
			d.SetString(string(v))
		case int64:
			d.SetString(strconv.FormatInt(v, 10))
		case float64:
			d.SetString(strconv.FormatFloat(v, 'g', -1, 64))
		default:
			return false
		}
	default:
		return false
	}
	return true
}

// asInt reads a value that is an integer in whatever form.
func asInt(v driver.Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<63 {
			return int64(v), true
		}
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	return 0, false
}
