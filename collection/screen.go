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
	if err := wantPlainTables(ctx, tx); err != nil {
		return err
	}
	return dropComputedIndexes(ctx, tx)
}

// dropPrograms removes triggers and views: a trigger runs with our statements, and
// ALTER TABLE reads every view. One DELETE does it, however many there are and
// whatever is in them. The case of the type: SQLite does not mind. Where it would
// see one and we would not the file is ErrCorrupt.
func dropPrograms(ctx context.Context, tx convTx) error {
	var n, odd int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE type COLLATE NOCASE IN ('trigger', 'view')), count(*) FILTER (WHERE `+sqlite.OddObject+`)
		FROM sqlite_schema`).Scan(&n, &odd)
	if err == nil && odd > 0 {
		err = corrupt("the schema has objects that SQLite has not written")
	}
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

// wantPlainTables wants the tables, as far as they are there, to consist of columns
// and nothing else: inserting a row must cost what the row does.
func wantPlainTables(ctx context.Context, tx convTx) error {
	err := convEach(ctx, tx, `SELECT name, coalesce(rootpage, 0), coalesce(sql, '') FROM sqlite_schema WHERE name COLLATE NOCASE IN `+tableNames, func(rows *sql.Rows) error {
		var table, ddl string
		var root int64
		if err := rows.Scan(&table, &root, &ddl); err != nil {
			return corrupt("the schema: %w", err)
		}
		if root == 0 || checkWord.MatchString(ddl) {
			return corrupt("table %s is not a plain one", table)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return convEach(ctx, tx, `SELECT t.name, c.name, c.hidden, coalesce(c.dflt_value, 'NULL') FROM sqlite_schema t
		CROSS JOIN pragma_table_xinfo(t.name) c WHERE t.name COLLATE NOCASE IN `+tableNames, func(rows *sql.Rows) error {
		var table, name, value string
		var hidden int
		if err := rows.Scan(&table, &name, &hidden, &value); err != nil {
			return err
		}
		if hidden != 0 || !literal.MatchString(value) {
			return corrupt("column %s.%s is computed", table, name)
		}
		return nil
	})
}

// dropComputedIndexes drops those of the tables.
func dropComputedIndexes(ctx context.Context, tx convTx) error {
	var drop []string
	err := convEach(ctx, tx, `SELECT l.name, l.partial, coalesce(s.sql, ''), EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) WHERE cid = -2)
		FROM (SELECT name FROM sqlite_schema WHERE type = 'table' COLLATE NOCASE AND name COLLATE NOCASE IN `+tableNames+`) t
		CROSS JOIN pragma_index_list(t.name) l LEFT JOIN sqlite_schema s ON s.name = l.name`, func(rows *sql.Rows) error {
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
