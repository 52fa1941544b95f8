package sqlite_test

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"path/filepath"
	"testing"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// onTestCall is what the SQL function test_call does.
var onTestCall func()

func init() {
	sqlite.RegisterFunc("test_call", 1, func([]sqldriver.Value) (any, error) {
		onTestCall()
		return false, nil
	})
}

// A query that has found its first row ends with its context: this one has no
// other end that a test could wait for.
func TestInterruptWhenDone(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "i.db"), sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := sqlite.NewConn(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	onTestCall = cancel
	stop, err := conn.InterruptWhenDone(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := conn.QueryContext(ctx, `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)
		SELECT x FROM c WHERE x = 1 OR (x = 2 AND test_call(x))`)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for rows.Next() {
		found++
	}
	if rows.Err() == nil || ctx.Err() == nil || found > 1 {
		t.Errorf("%d rows, then %v", found, rows.Err())
	}
	if err := rows.Close(); err != nil && !errors.Is(err, context.Canceled) {
		t.Log(err)
	}
	stop()
	// What comes after it is not stopped.
	var n int
	if err := conn.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_master`).Scan(&n); err != nil {
		t.Error(err)
	}
	for _, ctx := range []context.Context{context.Background(), t.Context()} {
		stop, err := conn.InterruptWhenDone(ctx)
		if err != nil {
			t.Fatal(err)
		}
		stop()
	}
}
