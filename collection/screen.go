package collection

import (
	"context"
	"database/sql"
	"regexp"
	"strings"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// screen takes out of a file from outside what would have SQLite compute for its
// sender whenever we write: triggers and views, and indexes of Anki's tables over
// expressions or with a WHERE of their own. Anki has none of these, and they hold
// no data. Where Anki's own tables compute something they are not Anki's:
// ErrCorrupt. Tables of add-ons stay as they are; nothing of ours writes to them.
func screen(ctx context.Context, tx convTx) error {
	if err := dropPrograms(ctx, tx); err != nil {
		return err
	}
	for _, e := range expectedColumns {
		if err := wantPlainTable(ctx, tx, e.table); err != nil {
			return err
		}
		if err := dropComputedIndexes(ctx, tx, e.table); err != nil {
			return err
		}
	}
	return nil
}

// dropPrograms removes triggers and views: a trigger runs with our statements, and
// ALTER TABLE reads every view. One DELETE does it, however many there are and
// whatever is in them. The case of the type: SQLite does not mind.
func dropPrograms(ctx context.Context, tx convTx) error {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type COLLATE NOCASE IN ('trigger', 'view')`).Scan(&n)
	if err != nil || n == 0 {
		return err
	}
	return convExec(ctx, tx, `PRAGMA writable_schema = on;
		DELETE FROM sqlite_schema WHERE type COLLATE NOCASE IN ('trigger', 'view');
		PRAGMA writable_schema = reset`)
}

var (
	checkWord = regexp.MustCompile(`(?i)\bCHECK\b`)
	// literal is a default that is a value.
	literal = regexp.MustCompile(`(?i)^(?:[-+]?[0-9][0-9a-fx.+-]*|x?'(?:[^']|'')*'|"[^"]*"|null|true|false|current_(?:date|time|timestamp))$`)
)

// wantPlainTable wants a table, if it is there, to consist of columns and nothing
// else: inserting a row must cost what the row does.
func wantPlainTable(ctx context.Context, tx convTx, table string) error {
	err := convEach(ctx, tx, `SELECT coalesce(rootpage, 0), coalesce(sql, '') FROM sqlite_schema WHERE name = '`+table+`' COLLATE NOCASE`, func(rows *sql.Rows) error {
		var root int64
		var ddl string
		if err := rows.Scan(&root, &ddl); err != nil {
			return corrupt("table %s: %w", table, err)
		}
		if root == 0 || checkWord.MatchString(ddl) {
			return corrupt("table %s is not a plain one", table)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return convEach(ctx, tx, `SELECT name, hidden, coalesce(dflt_value, 'NULL') FROM pragma_table_xinfo('`+table+`')`, func(rows *sql.Rows) error {
		var name, value string
		var hidden int
		if err := rows.Scan(&name, &hidden, &value); err != nil {
			return err
		}
		if hidden != 0 || !literal.MatchString(value) {
			return corrupt("column %s.%s is computed", table, name)
		}
		return nil
	})
}

func dropComputedIndexes(ctx context.Context, tx convTx, table string) error {
	var drop []string
	err := convEach(ctx, tx, `SELECT l.name, l.partial, coalesce(s.sql, ''), EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) WHERE cid = -2)
		FROM pragma_index_list('`+table+`') l LEFT JOIN sqlite_schema s ON s.name = l.name`, func(rows *sql.Rows) error {
		var name, ddl string
		var partial, computed bool
		if err := rows.Scan(&name, &partial, &ddl, &computed); err != nil {
			return err
		}
		if computed || partial && sqlite.PartialColumn(ddl) == "" {
			drop = append(drop, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range drop {
		if err := convExec(ctx, tx, `DROP INDEX "`+strings.ReplaceAll(name, `"`, `""`)+`"`); err != nil {
			return err
		}
	}
	return nil
}
