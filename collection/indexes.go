package collection

import (
	"context"
	"database/sql"
	"fmt"
)

// usnIndexes are the indexes that a sync cannot do without: they make its cost
// that of what changed, and the statements that hand out rows name them, since
// SQLite would rather walk a table in the order asked for.
var usnIndexes = []struct{ name, table string }{
	{"ix_cards_usn", "cards"},
	{"ix_notes_usn", "notes"},
	{"ix_revlog_usn", "revlog"},
}

// ensureIndexes makes those of usnIndexes that are missing, or are not what
// their name says. Where all are there nothing is written.
func ensureIndexes(ctx context.Context, conn *sql.Conn) error {
	for _, ix := range usnIndexes {
		var good bool
		err := conn.QueryRowContext(ctx, `SELECT count(*) = 1 AND coalesce(max(i.name = 'usn' AND NOT l.partial), 0)
			FROM pragma_index_list(?1) l, pragma_index_info(?2) i WHERE l.name = ?2`, ix.table, ix.name).Scan(&good)
		if err != nil {
			return fmt.Errorf("look for index %s: %w", ix.name, err)
		}
		if good {
			continue
		}
		if _, err := conn.ExecContext(ctx, fmt.Sprintf(`DROP INDEX IF EXISTS %[1]s; CREATE INDEX %[1]s ON %[2]s (usn)`, ix.name, ix.table)); err != nil {
			return fmt.Errorf("make index %s: %w", ix.name, err)
		}
	}
	return nil
}
