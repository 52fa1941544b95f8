package sqlite

import (
	"context"
	"database/sql"
	"regexp"
	"slices"
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

// describeSchema asks a question once for all tables, not once for each: preparing
// a statement costs more than its answer.
func describeSchema(ctx context.Context, db *sql.DB) (*dbSchema, error) {
	d := describer{s: &dbSchema{roots: []uint32{1}}, tables: map[int64]*tableTree{}, indexes: map[string]object{}}
	for _, ask := range []func(context.Context, *sql.DB) error{
		d.objects, d.kinds, d.columns, d.indexesOf, d.indexColumns,
	} {
		if err := ask(ctx, db); err != nil {
			return nil, err
		}
	}
	for _, t := range d.s.tables {
		for _, ix := range t.indexes {
			t.opaque = t.opaque || len(ix.columns) == 0
		}
		d.s.computed = d.s.computed || t.computed
	}
	return d.s, nil
}

type describer struct {
	s       *dbSchema
	tables  map[int64]*tableTree // by rowid in sqlite_schema
	indexes map[string]object    // by name
}

// object is a row of sqlite_schema.
type object struct {
	root uint32
	ddl  string
}

// itsTables are the tables in sqlite_schema. Their type: SQLite does not mind in
// which case it is written.
const itsTables = `(SELECT rowid, name FROM sqlite_schema WHERE type = 'table' COLLATE NOCASE AND rootpage > 0) t`

// OddObject is a condition of SQL for what SQLite never writes into sqlite_schema.
// It takes a blob for a text there, and ends a text at its first NUL, and so sees
// tables, triggers and trees where comparing these values finds none.
const OddObject = `(typeof(type) != 'text' OR typeof(name) != 'text' OR typeof(tbl_name) != 'text' OR typeof(rootpage) NOT IN ('integer', 'null')
	OR instr(type, char(0)) OR instr(name, char(0)) OR instr(tbl_name, char(0)))`

func (d *describer) objects(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, `SELECT `+OddObject+`, rowid, type, name, coalesce(rootpage, 0), coalesce(sql, '') FROM sqlite_schema`, func(rows *sql.Rows) error {
		var id int64
		var typ, name string
		var o object
		var odd bool
		err := rows.Scan(&odd, &id, &typ, &name, &o.root, &o.ddl)
		if odd {
			return damaged("an object of the schema that SQLite has not written")
		}
		if err != nil {
			return err
		}
		typ = strings.ToLower(typ)
		if typ == "index" {
			d.indexes[name] = o
		}
		if o.root == 0 {
			d.s.virtual = d.s.virtual || typ == "table"
			return nil
		}
		d.s.roots = append(d.s.roots, o.root)
		if typ == "table" {
			t := &tableTree{name: name, root: o.root}
			d.tables[id] = t
			d.s.tables = append(d.s.tables, t)
		}
		return nil
	})
}

// kinds finds out which tables are not of the ordinary kind.
func (d *describer) kinds(ctx context.Context, db *sql.DB) error {
	known := 0
	err := each(ctx, db, `SELECT t.rowid, l.wr OR l.strict FROM `+itsTables+` CROSS JOIN pragma_table_list(t.name) l WHERE l.schema = 'main'`, func(rows *sql.Rows) error {
		var id int64
		var odd bool
		if err := rows.Scan(&id, &odd); err != nil {
			return err
		}
		known++
		d.tables[id].opaque = odd
		return nil
	})
	if err == nil && known != len(d.tables) {
		err = damaged("%d tables, SQLite knows %d of them", len(d.tables), known)
	}
	return err
}

func (d *describer) columns(ctx context.Context, db *sql.DB) error {
	keys := map[*tableTree]int{}
	err := each(ctx, db, `SELECT t.rowid, c.name, c.type, c."notnull", c.pk, c.hidden FROM `+itsTables+` CROSS JOIN pragma_table_xinfo(t.name) c`, func(rows *sql.Rows) error {
		var id int64
		var c column
		var pk, hidden int
		if err := rows.Scan(&id, &c.name, &c.typ, &c.notNull, &pk, &hidden); err != nil {
			return err
		}
		t := d.tables[id]
		t.computed = t.computed || hidden > 0 // a generated column
		c.typ = strings.ToUpper(c.typ)
		c.affinity = affinityOf(c.typ)
		if pk > 0 {
			keys[t]++
			c.rowid = c.typ == "INTEGER"
		}
		t.columns = append(t.columns, c)
		return nil
	})
	for t, n := range keys {
		if n > 1 { // then the key is not the rowid
			for i := range t.columns {
				t.columns[i].rowid = false
			}
		}
	}
	return err
}

func (d *describer) indexesOf(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, `SELECT t.rowid, l.name, l."unique", l.partial FROM `+itsTables+` CROSS JOIN pragma_index_list(t.name) l`, func(rows *sql.Rows) error {
		var id int64
		var partial bool
		ix := &indexTree{}
		if err := rows.Scan(&id, &ix.name, &ix.unique, &partial); err != nil {
			return err
		}
		t, o := d.tables[id], d.indexes[ix.name]
		ix.root = o.root
		// One that the table's declaration calls for, and that has no tree.
		t.opaque = t.opaque || ix.root == 0
		if partial {
			ix.partial = t.columnNamed(PartialColumn(o.ddl))
			t.computed = t.computed || ix.partial == ""
		}
		t.indexes = append(t.indexes, ix)
		return nil
	})
}

func (d *describer) indexColumns(ctx context.Context, db *sql.DB) error {
	return each(ctx, db, `SELECT t.rowid, l.name, c.cid, c."desc", coalesce(c.coll, ''), c.key
		FROM `+itsTables+` CROSS JOIN pragma_index_list(t.name) l CROSS JOIN pragma_index_xinfo(l.name) c`, func(rows *sql.Rows) error {
		var id int64
		var name, coll string
		var cid int
		var desc, key bool
		if err := rows.Scan(&id, &name, &cid, &desc, &coll, &key); err != nil {
			return err
		}
		t := d.tables[id]
		i := slices.IndexFunc(t.indexes, func(ix *indexTree) bool { return ix.name == name })
		if i < 0 {
			return damaged("columns of an index %s that its table does not have", name)
		}
		t.addIndexColumn(t.indexes[i], cid, desc, key, coll)
		return nil
	})
}

func (t *tableTree) addIndexColumn(ix *indexTree, cid int, desc, key bool, coll string) {
	switch {
	case cid == -2: // an expression
		t.computed = true
		return
	case cid == -1 && !key: // the rowid at the end
		return
	case cid < 0 || cid >= len(t.columns) || !key:
		t.opaque = true
		return
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

// each calls f for each row of a query's answer.
func each(ctx context.Context, db *sql.DB, query string, f func(rows *sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
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
