package sqlite

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
)

// This file reads what a database says of its tables and indexes, for Verify.

// dbSchema is what sqlite_schema says.
type dbSchema struct {
	tables  []*tableTree
	roots   []uint32 // of all trees, sqlite_schema's own among them
	virtual bool     // there are virtual tables
	// computed: SQLite would evaluate expressions to check the whole file.
	computed bool
}

// tableTree is a table and its indexes, as sqlite_schema describes them.
type tableTree struct {
	name    string
	root    uint32
	columns []column
	indexes []*indexTree
	// opaque: leave it to SQLite.
	opaque bool
	// computed: something in it is the value of an expression. Its rows are not
	// checked.
	computed bool
}

// column is what a table's declaration says of a column.
type column struct {
	name     string
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
	partial string // only rows where this column is not 0; "" means all rows
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
		o.typ = strings.ToLower(o.typ) // SQLite does not mind
		if o.root == 0 {
			s.virtual = s.virtual || o.typ == "table"
			continue
		}
		s.roots = append(s.roots, o.root)
		if o.typ != "table" {
			continue
		}
		t := &tableTree{name: o.name, root: o.root}
		if err := t.describe(ctx, db); err != nil {
			return nil, err
		}
		s.tables = append(s.tables, t)
		s.computed = s.computed || t.computed
	}
	return s, nil
}

func (t *tableTree) describe(ctx context.Context, db *sql.DB) error {
	var withoutRowID, strict bool
	err := db.QueryRowContext(ctx, `SELECT wr, strict FROM pragma_table_list(?) WHERE schema = 'main'`, t.name).Scan(&withoutRowID, &strict)
	if err != nil {
		return err
	}
	t.opaque = withoutRowID || strict
	if err := t.describeColumns(ctx, db); err != nil {
		return err
	}
	// The collation: SQLite does not mind in which case the type is written.
	rows, err := db.QueryContext(ctx, `SELECT l.name, l."unique", l.partial, coalesce(s.rootpage, 0), coalesce(s.sql, '')
		FROM pragma_index_list(?1) l LEFT JOIN sqlite_schema s ON s.type = 'index' COLLATE NOCASE AND s.name = l.name`, t.name)
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
	for _, ix := range list {
		if ix.partial {
			ix.tree.partial = t.columnNamed(PartialColumn(ix.ddl))
			t.computed = t.computed || ix.tree.partial == ""
		}
		if err := t.describeIndex(ctx, db, ix.tree); err != nil {
			return err
		}
		t.indexes = append(t.indexes, ix.tree)
	}
	return nil
}

// columnNamed returns the name as the table has it; "" if it has no such column.
func (t *tableTree) columnNamed(name string) string {
	for _, c := range t.columns {
		if strings.EqualFold(c.name, name) {
			return c.name
		}
	}
	return ""
}

// partialIndex is the one form of partial indexes that is known, with nothing in
// it that could hide something else: no text, no comment, no parentheses but those
// around the columns.
var partialIndex = regexp.MustCompile(`(?i)^CREATE (?:UNIQUE )?INDEX [\w"]+ ON [\w"]+ ?\([\w", ]+\) ?WHERE "?(\w+)"? ?(?:!=|<>) ?0$`)

// PartialColumn reads the declaration of a partial index that has the rows where
// a column is not 0, as Anki's own (cards.odid) has, and returns the column; "" if
// it is another one.
func PartialColumn(ddl string) string {
	m := partialIndex.FindStringSubmatch(strings.Join(strings.Fields(ddl), " "))
	if m == nil {
		return ""
	}
	return m[1]
}

func (t *tableTree) describeColumns(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, `SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)`, t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	rowid, keys := -1, 0
	for rows.Next() {
		var c column
		var pk, hidden int
		if err := rows.Scan(&c.name, &c.typ, &c.notNull, &pk, &hidden); err != nil {
			return err
		}
		t.computed = t.computed || hidden > 0 // a generated column
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

func (t *tableTree) describeIndex(ctx context.Context, db *sql.DB, ix *indexTree) error {
	rows, err := db.QueryContext(ctx, `SELECT cid, "desc", coalesce(coll, ''), key FROM pragma_index_xinfo(?)`, ix.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var cid int
		var desc, key bool
		var coll string
		if err := rows.Scan(&cid, &desc, &coll, &key); err != nil {
			return err
		}
		switch {
		case cid == -2: // an expression
			t.computed = true
			continue
		case cid == -1 && !key: // the rowid at the end
			continue
		case cid < 0 || cid >= len(t.columns) || !key:
			t.opaque = true
			continue
		case !strings.Contains(t.columns[cid].typ, "INT") && t.columns[cid].typ != "TEXT":
			t.opaque = true // other types may be stored differently in the two trees
		}
		c := indexColumn{place: cid, desc: desc}
		if t.columns[cid].rowid {
			c.place = -1
		}
		switch strings.ToLower(coll) {
		case "binary", "":
		case "unicase":
			c.fold = true
		default:
			t.opaque = true
		}
		ix.columns = append(ix.columns, c)
	}
	t.opaque = t.opaque || len(ix.columns) == 0
	return rows.Err()
}

// PlainTables lists the tables that PRAGMA integrity_check can check without
// evaluating expressions of the file's (Verify); all is true if these are all.
func PlainTables(ctx context.Context, db *sql.DB) (names []string, all bool, err error) {
	s, err := describeSchema(ctx, db)
	if err != nil {
		return nil, false, err
	}
	for _, t := range s.tables {
		if !t.computed {
			names = append(names, t.name)
		}
	}
	return names, !s.computed, nil
}
