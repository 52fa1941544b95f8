package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

var (
	// ErrCorrupt means that a file is no collection, or one with broken objects.
	ErrCorrupt = errors.New("collection: corrupt")
	// ErrUnsupportedSchema means that a collection's version is neither 11, nor
	// 14 to 18: a beta of long ago, or one that is newer than this program.
	ErrUnsupportedSchema = errors.New("collection: unsupported schema version")
)

const (
	schemaOldest   = 11 // what clients before 2023 exchange
	schemaTables   = 14 // first one with config, deck_config and tags tables
	schemaProtobuf = 15 // first one with notetypes and decks tables, and protobuf
	schemaEase     = 16
	schemaTags     = 17
	schemaCurrent  = 18
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)
}

// The statements of docs/collection-format.md §2. They are split by the step
// of §5 that needs them; a fresh collection runs them all.
const (
	ddlBase = `
CREATE TABLE col (
  id integer PRIMARY KEY, crt integer NOT NULL, mod integer NOT NULL, scm integer NOT NULL, ver integer NOT NULL,
  dty integer NOT NULL, usn integer NOT NULL, ls integer NOT NULL, conf text NOT NULL, models text NOT NULL,
  decks text NOT NULL, dconf text NOT NULL, tags text NOT NULL
);
-- sfld is an integer on purpose: it makes numbers sort as numbers.
CREATE TABLE notes (
  id integer PRIMARY KEY, guid text NOT NULL, mid integer NOT NULL, mod integer NOT NULL, usn integer NOT NULL,
  tags text NOT NULL, flds text NOT NULL, sfld integer NOT NULL, csum integer NOT NULL, flags integer NOT NULL,
  data text NOT NULL
);
CREATE TABLE cards (
  id integer PRIMARY KEY, nid integer NOT NULL, did integer NOT NULL, ord integer NOT NULL, mod integer NOT NULL,
  usn integer NOT NULL, type integer NOT NULL, queue integer NOT NULL, due integer NOT NULL, ivl integer NOT NULL,
  factor integer NOT NULL, reps integer NOT NULL, lapses integer NOT NULL, left integer NOT NULL, odue integer NOT NULL,
  odid integer NOT NULL, flags integer NOT NULL, data text NOT NULL
);
CREATE TABLE revlog (
  id integer PRIMARY KEY, cid integer NOT NULL, usn integer NOT NULL, ease integer NOT NULL, ivl integer NOT NULL,
  lastIvl integer NOT NULL, factor integer NOT NULL, time integer NOT NULL, type integer NOT NULL
);
CREATE INDEX ix_notes_usn ON notes (usn);
CREATE INDEX ix_cards_usn ON cards (usn);
CREATE INDEX ix_revlog_usn ON revlog (usn);
CREATE INDEX ix_cards_nid ON cards (nid);
CREATE INDEX ix_cards_sched ON cards (did, queue, due);
CREATE INDEX ix_revlog_cid ON revlog (cid);
CREATE INDEX ix_notes_csum ON notes (csum);`

	ddlGraves11 = `CREATE TABLE graves (usn integer NOT NULL, oid integer NOT NULL, type integer NOT NULL);`

	ddlTables = `
CREATE TABLE deck_config (
  id integer PRIMARY KEY NOT NULL, name text NOT NULL COLLATE unicase, mtime_secs integer NOT NULL, usn integer NOT NULL,
  config blob NOT NULL
);
CREATE TABLE config (
  KEY text NOT NULL PRIMARY KEY, usn integer NOT NULL, mtime_secs integer NOT NULL, val blob NOT NULL
) WITHOUT ROWID;`

	ddlProtobuf = `
CREATE TABLE fields (
  ntid integer NOT NULL, ord integer NOT NULL, name text NOT NULL COLLATE unicase, config blob NOT NULL,
  PRIMARY KEY (ntid, ord)
) WITHOUT ROWID;
CREATE UNIQUE INDEX idx_fields_name_ntid ON fields (name, ntid);
CREATE TABLE templates (
  ntid integer NOT NULL, ord integer NOT NULL, name text NOT NULL COLLATE unicase, mtime_secs integer NOT NULL,
  usn integer NOT NULL, config blob NOT NULL, PRIMARY KEY (ntid, ord)
) WITHOUT ROWID;
CREATE UNIQUE INDEX idx_templates_name_ntid ON templates (name, ntid);
CREATE INDEX idx_templates_usn ON templates (usn);
CREATE TABLE notetypes (
  id integer NOT NULL PRIMARY KEY, name text NOT NULL COLLATE unicase, mtime_secs integer NOT NULL, usn integer NOT NULL,
  config blob NOT NULL
);
CREATE UNIQUE INDEX idx_notetypes_name ON notetypes (name);
CREATE INDEX idx_notetypes_usn ON notetypes (usn);
CREATE TABLE decks (
  id integer PRIMARY KEY NOT NULL, name text NOT NULL COLLATE unicase, mtime_secs integer NOT NULL, usn integer NOT NULL,
  common blob NOT NULL, kind blob NOT NULL
);
CREATE UNIQUE INDEX idx_decks_name ON decks (name);
CREATE INDEX IF NOT EXISTS idx_notes_mid ON notes (mid);
CREATE INDEX IF NOT EXISTS idx_cards_odid ON cards (odid) WHERE odid != 0;`

	ddlTags = `
CREATE TABLE tags (
  tag text NOT NULL PRIMARY KEY COLLATE unicase, usn integer NOT NULL, collapsed boolean NOT NULL, config blob NULL
) WITHOUT ROWID;`

	ddlGraves18 = `
CREATE TABLE graves (
  oid integer NOT NULL, type integer NOT NULL, usn integer NOT NULL, PRIMARY KEY (oid, type)
) WITHOUT ROWID;
CREATE INDEX idx_graves_pending ON graves (usn);`

	// ddlDrop leaves what schema 11 has (§6), but for graves.
	ddlDrop = `
DROP TABLE deck_config;
DROP TABLE config;
DROP TABLE tags;
DROP TABLE fields;
DROP TABLE templates;
DROP TABLE notetypes;
DROP TABLE decks;
DROP INDEX IF EXISTS idx_notes_mid;
DROP INDEX IF EXISTS idx_cards_odid;`
)

// convTx is what the conversions need of a connection or a transaction.
type convTx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func convExec(ctx context.Context, tx convTx, query string, args ...any) error {
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// convEach calls f for every row of a query.
func convEach(ctx context.Context, tx convTx, query string, f func(rows *sql.Rows) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // read to the end below, or given up
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// schemaVersion reads col.ver. A file without exactly one row in col is no
// collection.
func schemaVersion(ctx context.Context, tx convTx) (int64, error) {
	var n int64
	var ver sql.NullInt64
	if err := tx.QueryRowContext(ctx, `SELECT count(*), max(ver) FROM col`).Scan(&n, &ver); err != nil {
		if ctx.Err() != nil {
			return 0, err
		}
		return 0, corrupt("no col table: %w", err)
	}
	if n != 1 || !ver.Valid {
		return 0, corrupt("%d rows in col", n)
	}
	return ver.Int64, nil
}
