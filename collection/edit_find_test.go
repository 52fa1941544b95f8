package collection

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/ankisyncd/ankisyncd/search"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// onTestFind is what the SQL function test_find does.
var onTestFind func()

func init() {
	sqlite.RegisterFunc("test_find", 1, func([]driver.Value) (any, error) {
		onTestFind()
		return false, nil
	})
}

// A search whose caller has gone ends, also if it had found something before:
// this one would go on for long, and then report no error.
func TestFindIsCancelled(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	err := r.s.View(t.Context(), testUser, func(tx *Txn) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		onTestFind = cancel
		st := search.Statement{SQL: `WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 20000000)
			SELECT x FROM c WHERE x = 1 OR (x = 2 AND test_find(x))`}
		if ids, err := tx.ids(ctx, st, FindOptions{}); !errors.Is(err, context.Canceled) || ids != nil {
			t.Errorf("got %v, %v", ids, err)
		}
		_, err := tx.FindNotes(t.Context(), "", FindOptions{})
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
