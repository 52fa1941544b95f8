package sqlite_test

import (
	sqldriver "database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

func init() {
	sqlite.RegisterFunc("test_join", -1, func(args []sqldriver.Value) (any, error) {
		var parts []string
		for _, a := range args {
			s, ok := a.(string)
			if !ok {
				return nil, errors.New("not a text")
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, "+"), nil
	})
}

func TestRegisterFunc(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "f.db"), sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var got string
	if err := db.QueryRow(`SELECT test_join('a', ?, 'c')`, "b\x00b").Scan(&got); err != nil || got != "a+b\x00b+c" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := db.QueryRow(`SELECT test_join('a', 1)`).Scan(&got); err == nil {
		t.Error("the function's error was lost")
	}
}
