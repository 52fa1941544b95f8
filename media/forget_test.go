package media_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// TestNewestRowIsSought: forgetting a file costs the same whatever the number of
// others: SQLite does not go through them.
func TestNewestRowIsSought(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"a", "1"}, entry{"b", "2"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(ctx, filepath.Join(root, user, media.DatabaseNames()[0]), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`EXPLAIN QUERY PLAN ` + media.NewestRow)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if text := strings.Join(plan, "\n"); rows.Err() != nil || !strings.Contains(text, "SEARCH media") || strings.Contains(text, "SCAN media") {
		t.Errorf("%v\n%s", rows.Err(), text)
	}
}
