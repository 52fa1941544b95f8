package collection

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// TestIndexes: a file that lacks an index, or has another one of its name, is
// given the right one, and chunks are searched through it.
func TestIndexes(t *testing.T) {
	for _, stmt := range []string{
		``,
		`DROP INDEX ix_cards_usn; DROP INDEX ix_notes_usn; DROP INDEX ix_revlog_usn`,
		`DROP INDEX ix_cards_usn; CREATE INDEX ix_cards_usn ON cards (mod)`,
		`DROP INDEX ix_cards_usn; CREATE INDEX ix_cards_usn ON notes (usn)`,
		`DROP INDEX ix_notes_usn; CREATE INDEX ix_notes_usn ON notes (usn) WHERE usn > 5`,
		`DROP INDEX ix_revlog_usn; CREATE INDEX ix_revlog_usn ON revlog (usn, id)`,
	} {
		path := smallUpload(t)
		db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := New(t.TempDir(), Options{})
		if err := s.Upload(t.Context(), testUser, bytes.NewReader(b)); err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
		if _, err := s.Start(t.Context(), testUser, StartOptions{SKey: "s"}); err != nil {
			t.Fatal(err)
		}
		for {
			c, err := s.Chunk(t.Context(), testUser, "s")
			if err != nil {
				t.Fatalf("%s: %v", stmt, err)
			}
			if c.Done {
				break
			}
		}
		err = s.withUser(t.Context(), testUser, func(u *user) error {
			for i, sel := range chunkSelects {
				var id, parent, unused int
				var plan string
				err := u.col.conn.QueryRowContext(context.Background(), `EXPLAIN QUERY PLAN `+sel+` WHERE usn = 1 AND id > 2 ORDER BY id LIMIT 3`).Scan(&id, &parent, &unused, &plan)
				if err != nil {
					return err
				}
				if !strings.Contains(plan, "_usn (usn=? AND rowid>?)") {
					t.Errorf("%s: table %d is searched by %q", stmt, i, plan)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
