package sqlite

import (
	"context"
	"database/sql"
	"strings"
)

// This file reads what a database says of its tables and indexes, for Verify.

// dbSchema is what sqlite_schema says.
type dbSchema struct {
	tables  []*tableTree
	roots   []uint32 // of all trees, sqlite_schema's own among them
	virtual bool     // there are virtual tables
}

// tableTree is a table and its indexes, as sqlite_schema describes them.
type tableTree struct {
	name    string
	root    uint32
	columns []column
	indexes []*indexTree
	// opaque: leave it to SQLite.
	opaque bool
}

// column is what a table's declaration says of a column.
type column struct {
	typ      string // in capitals
	affinity int
	notNull  bool
	rowid    bool // it is the rowid
}

const (
	affinityNone   = iota // any value
	affinityText          // no number
	affinityNumber        // no text that is one
)

// affinityOf is SQLite's rule (https://sqlite.org/datatype3.html §3.1).
func affinityOf(typ string) int {
	has := func(s string) bool { return strings.Contains(typ, s) }
	switch {
	case has("INT"):
		return affinityNumber
	case has("CHAR"), has("CLOB"), has("TEXT"):
		return affinityText
	case has("BLOB"), typ == "":
		return affinityNone
	}
	return affinityNumber
}

type indexTree struct {
	name    string
	root    uint32
	unique  bool
	partial string // the WHERE clause; "" means all rows
	columns []indexColumn
	// called for by the table's rows, and found
	want, got treeSum
	// opaque: SQLite has checked it.
	opaque bool
}

// indexColumn is a column of an index: its place in the table's record (-1 is
// the rowid), and how it is ordered.
type indexColumn struct {
	place int
	fold  bool // the unicase collation; otherwise binary
	desc  bool
}

func describeSchema(ctx context.Context, db *sql.DB) (*dbSchema, error) {
	type object struct {
		typ, name, ddl string
		root           uint32
	}
	var list []object
	rows, err := db.QueryContext(ctx, `SELECT type, name, coalesce(rootpage, 0), coalesce(sql, '') FROM sqlite_schema`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o object
		if err := rows.Scan(&o.typ, &o.name, &o.root, &o.ddl); err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	s := &dbSchema{roots: []uint32{1}}
	for _, o := range list {
		if o.root == 0 {
			s.virtual = s.virtual || o.typ == "table"
			continue
		}
		s.roots = append(s.roots, o.root)
		if o.typ != "table" {
			continue
		}
		t := &tableTree{name: o.name, root: o.root}
		if err := t.describe(ctx, db, o.ddl); err != nil {
			return nil, err
		}
		s.tables = append(s.tables, t)
	}
	return s, nil
}

func (t *tableTree) describe(ctx context.Context, db *sql.DB, ddl string) error {
	var withoutRowID, strict bool
	err := db.QueryRowContext(ctx, `SELECT wr, strict FROM pragma_table_list(?) WHERE schema = 'main'`, t.name).Scan(&withoutRowID, &strict)
	if err != nil {
		return err
	}
	if withoutRowID || strict || strings.Contains(strings.ToUpper(ddl), "CHECK") {
		t.opaque = true
		return nil
	}
	if err := t.describeColumns(ctx, db); err != nil || t.opaque {
		return err
	}
	rows, err := db.QueryContext(ctx, `SELECT l.name, l."unique", l.partial, coalesce(s.rootpage, 0), coalesce(s.sql, '')
		FROM pragma_index_list(?1) l LEFT JOIN sqlite_schema s ON s.type = 'index' AND s.name = l.name`, t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	type index struct {
		tree    *indexTree
		partial bool
		ddl     string
	}
	var list []index
	for rows.Next() {
		ix := index{tree: &indexTree{}}
		if err := rows.Scan(&ix.tree.name, &ix.tree.unique, &ix.partial, &ix.tree.root, &ix.ddl); err != nil {
			return err
		}
		// One that the table's declaration calls for, and that has no tree.
		t.opaque = t.opaque || ix.tree.root == 0
		list = append(list, ix)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if t.opaque {
		return nil
	}
	for _, ix := range list {
		if ix.partial {
			i := strings.LastIndex(strings.ToUpper(ix.ddl), "WHERE")
			if i < 0 {
				t.opaque = true
				return nil
			}
			ix.tree.partial = ix.ddl[i+len("WHERE"):]
		}
		known, err := ix.tree.describe(ctx, db, t.columns)
		if err != nil {
			return err
		}
		if !known {
			t.opaque = true
			return nil
		}
		t.indexes = append(t.indexes, ix.tree)
	}
	return nil
}

func (t *tableTree) describeColumns(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT type, "notnull", pk, hidden FROM pragma_table_xinfo(?)`, t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	rowid, keys := -1, 0
	for rows.Next() {
		var c column
		var pk, hidden int
		if err := rows.Scan(&c.typ, &c.notNull, &pk, &hidden); err != nil {
			return err
		}
		// Generated columns are not stored where their number says.
		t.opaque = t.opaque || hidden > 0
		c.typ = strings.ToUpper(c.typ)
		c.affinity = affinityOf(c.typ)
		if pk > 0 {
			keys++
			if c.typ == "INTEGER" {
				rowid = len(t.columns)
			}
		}
		t.columns = append(t.columns, c)
	}
	if keys == 1 && rowid >= 0 {
		t.columns[rowid].rowid = true
	}
	return rows.Err()
}

func (ix *indexTree) describe(ctx context.Context, db *sql.DB, columns []column) (known bool, err error) {
	rows, err := db.QueryContext(ctx, `SELECT cid, "desc", coalesce(coll, ''), key FROM pragma_index_xinfo(?)`, ix.name)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var cid int
		var desc, key bool
		var coll string
		if err := rows.Scan(&cid, &desc, &coll, &key); err != nil {
			return false, err
		}
		switch {
		case cid == -1 && !key: // the rowid at the end
			continue
		case cid < 0 || cid >= len(columns) || !key:
			return false, rows.Err()
		case !strings.Contains(columns[cid].typ, "INT") && columns[cid].typ != "TEXT":
			return false, rows.Err() // other types may be stored differently in the two trees
		}
		c := indexColumn{place: cid, desc: desc}
		if columns[cid].rowid {
			c.place = -1
		}
		switch strings.ToLower(coll) {
		case "binary", "":
		case "unicase":
			c.fold = true
		default:
			return false, rows.Err()
		}
		ix.columns = append(ix.columns, c)
	}
	return len(ix.columns) > 0, rows.Err()
}
