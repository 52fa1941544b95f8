package collection

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// usnIndexes are the indexes that a sync cannot do without: they make its cost
// that of what changed, and the statements that hand out rows name them, since
// SQLite would rather walk a table in the order asked for.
var usnIndexes = [...]struct{ name, table string }{
	{"ix_cards_usn", "cards"},
	{"ix_notes_usn", "notes"},
	{"ix_revlog_usn", "revlog"},
}

// ensureIndexes makes those of usnIndexes that are missing, or are not what
// their name says. Where all are there nothing is written.
func ensureIndexes(ctx context.Context, conn *sql.Conn) error {
	var good [len(usnIndexes)]bool
	var ask []string
	var answers []any
	for i, ix := range usnIndexes {
		ask = append(ask, fmt.Sprintf(`(SELECT count(*) = 1 AND coalesce(max(i.name = 'usn' AND NOT l.partial), 0)
			FROM pragma_index_list('%s') l, pragma_index_info('%[2]s') i WHERE l.name = '%[2]s')`, ix.table, ix.name))
		answers = append(answers, &good[i])
	}
	if err := conn.QueryRowContext(ctx, `SELECT `+strings.Join(ask, ", ")).Scan(answers...); err != nil {
		return fmt.Errorf("look for indexes: %w", err)
	}
	for i, ix := range usnIndexes {
		if good[i] {
			continue
		}
		if _, err := conn.ExecContext(ctx, fmt.Sprintf(`DROP INDEX IF EXISTS %[1]s; CREATE INDEX %[1]s ON %[2]s (usn)`, ix.name, ix.table)); err != nil {
			return fmt.Errorf("make index %s: %w", ix.name, err)
		}
	}
	return nil
}
