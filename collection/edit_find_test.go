package collection

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/ankisyncd/ankisyncd/scheduling"
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

// A filtered deck whose caller has gone is not filled, and nothing is changed.
func TestFilteredDeckIsCancelled(t *testing.T) {
	r := newRig(t, Options{})
	r.putGzip("testdata/study/sm2.anki2.gz")
	r.clockAfter()
	for _, order := range []scheduling.FilteredOrder{scheduling.FilterOldestReviewed, scheduling.FilterRandom} {
		err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, _, err := tx.SaveFilteredDeck(ctx, 0, FilteredDeck{Name: "Gone", Searches: []FilteredSearch{{Query: "deck:A", Limit: 5, Order: order}}}, true)
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	r.wantRows(`SELECT (SELECT count(*) FROM decks WHERE name = 'Gone'), (SELECT count(DISTINCT did) FROM cards WHERE odid != 0)`, "0|2")
}
