package collection

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ankisyncd/ankisyncd/schema"
)

type tableColumns struct {
	table   string
	columns []string
}

// expectedIn is expectedColumns as far as a version before 18 has it.
func expectedIn(version int64) []tableColumns {
	since := map[string]int64{
		"config": schemaTables, "deck_config": schemaTables, "tags": schemaTables,
		"notetypes": schemaProtobuf, "fields": schemaProtobuf, "templates": schemaProtobuf, "decks": schemaProtobuf,
	}
	var out []tableColumns
	for _, e := range expectedColumns {
		if version < since[e.table] {
			continue
		}
		if e.table == "tags" && version < schemaTags {
			e.columns = []string{"tag", "usn"}
		}
		out = append(out, e)
	}
	return out
}

// expectedColumns are the tables of schema 18 with the columns that clients
// and we use (docs/collection-format.md §2).
var expectedColumns = []tableColumns{
	{"col", []string{"id", "crt", "mod", "scm", "ver", "dty", "usn", "ls", "conf", "models", "decks", "dconf", "tags"}},
	{"notes", []string{"id", "guid", "mid", "mod", "usn", "tags", "flds", "sfld", "csum", "flags", "data"}},
	{"cards", []string{"id", "nid", "did", "ord", "mod", "usn", "type", "queue", "due", "ivl", "factor", "reps", "lapses", "left", "odue", "odid", "flags", "data"}},
	{"revlog", []string{"id", "cid", "usn", "ease", "ivl", "lastIvl", "factor", "time", "type"}},
	{"graves", []string{"oid", "type", "usn"}},
	{"config", []string{"KEY", "usn", "mtime_secs", "val"}},
	{"deck_config", []string{"id", "name", "mtime_secs", "usn", "config"}},
	{"tags", []string{"tag", "usn", "collapsed", "config"}},
	{"notetypes", []string{"id", "name", "mtime_secs", "usn", "config"}},
	{"fields", []string{"ntid", "ord", "name", "config"}},
	{"templates", []string{"ntid", "ord", "name", "mtime_secs", "usn", "config"}},
	{"decks", []string{"id", "name", "mtime_secs", "usn", "common", "kind"}},
}

// tableNames are the names of expectedColumns, as SQL.
var tableNames = func() string {
	var names []string
	for _, e := range expectedColumns {
		names = append(names, "'"+e.table+"'")
	}
	return "(" + strings.Join(names, ", ") + ")"
}()

// checkObjects reads every object of a schema-18 database, so that a broken one
// is found at the upload and not at some later sync
// (docs/collection-format.md §12). The first fault is returned, as ErrCorrupt.
// Notes, cards and reviews are not looked at: that is integrity_check's part.
func checkObjects(ctx context.Context, db *sql.DB) error {
	if err := checkTables(ctx, db, expectedColumns); err != nil {
		return err
	}
	if err := checkCol(ctx, db); err != nil {
		return err
	}
	if _, err := readNotetypes(ctx, db); err != nil {
		return err
	}
	if err := eachDeck(ctx, db, func(*schema.Deck) error { return nil }); err != nil {
		return err
	}
	if err := eachDeckConfig(ctx, db, func(*schema.DeckConfig) error { return nil }); err != nil {
		return err
	}
	return eachConfig(ctx, db, func(string, []byte) error { return nil })
}

func checkTables(ctx context.Context, tx convTx, expected []tableColumns) error {
	have := map[string][]string{}
	err := convEach(ctx, tx, `SELECT t.name, c.name FROM sqlite_schema t CROSS JOIN pragma_table_info(t.name) c
		WHERE t.type = 'table' AND t.name IN `+tableNames, func(rows *sql.Rows) error {
		var table, name string
		err := rows.Scan(&table, &name)
		have[table] = append(have[table], strings.ToLower(name)) // 2.1.36 has "key", 26.09 "KEY"
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range expected {
		if len(have[e.table]) == 0 {
			return corrupt("no table %s", e.table)
		}
		for _, c := range e.columns {
			if !slices.Contains(have[e.table], strings.ToLower(c)) {
				return corrupt("no column %s.%s", e.table, c)
			}
		}
	}
	return nil
}

// checkCol wants one row whose stamps are numbers that can be right.
func checkCol(ctx context.Context, tx convTx) error {
	ver, err := schemaVersion(ctx, tx)
	if err != nil {
		return err
	}
	if ver != schemaCurrent {
		return corrupt("col: schema %d", ver)
	}
	var crt, mod, scm, usn, ls sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT crt, mod, scm, usn, ls FROM col WHERE id = 1`).Scan(&crt, &mod, &scm, &usn, &ls)
	if err != nil {
		return corrupt("col: %w", err)
	}
	for _, v := range []struct {
		name     string
		n        sql.NullInt64
		min, max int64
	}{
		{"crt", crt, 0, math.MaxInt32 * 16},
		{"mod", mod, 0, math.MaxInt64},
		{"scm", scm, 0, math.MaxInt64},
		{"usn", usn, 0, math.MaxInt32},
		{"ls", ls, 0, math.MaxInt64},
	} {
		if !v.n.Valid || v.n.Int64 < v.min || v.n.Int64 > v.max {
			return corrupt("col: %s is out of range", v.name)
		}
	}
	return nil
}

// readNotetypes reads all notetypes with their fields and templates, by id. The
// ords of what it returns are the positions.
func readNotetypes(ctx context.Context, tx convTx) ([]*schema.Notetype, error) {
	var nts []*schema.Notetype
	byID := map[int64]*schema.Notetype{}
	err := convEach(ctx, tx, `SELECT id, name, mtime_secs, usn, config FROM notetypes ORDER BY id`, func(rows *sql.Rows) error {
		var nt schema.Notetype
		var b []byte
		err := rows.Scan(&nt.ID, &nt.Name, &nt.Mtime, &nt.USN, &b)
		if err == nil {
			nt.Config, err = schema.DecodeNotetypeConfig(b)
		}
		if err != nil {
			return corrupt("notetype %d: %w", nt.ID, err)
		}
		nts = append(nts, &nt)
		byID[nt.ID] = &nt
		return textOK("notetype", nt.ID, nt.Name)
	})
	if err != nil {
		return nil, err
	}
	err = convEach(ctx, tx, `SELECT ntid, ord, name, config FROM fields ORDER BY ntid, ord`, func(rows *sql.Rows) error {
		var id int64
		var f schema.Field
		var b []byte
		err := rows.Scan(&id, &f.Ord, &f.Name, &b)
		if err == nil {
			f.Config, err = schema.DecodeFieldConfig(b)
		}
		if err != nil {
			return corrupt("notetype %d, field %d: %w", id, f.Ord, err)
		}
		if nt := byID[id]; nt != nil {
			f.Ord = uint32(len(nt.Fields))
			nt.Fields = append(nt.Fields, f)
		}
		return textOK("field of notetype", id, f.Name)
	})
	if err != nil {
		return nil, err
	}
	err = convEach(ctx, tx, `SELECT ntid, ord, name, mtime_secs, usn, config FROM templates ORDER BY ntid, ord`, func(rows *sql.Rows) error {
		var id int64
		var t schema.Template
		var b []byte
		err := rows.Scan(&id, &t.Ord, &t.Name, &t.Mtime, &t.USN, &b)
		if err == nil {
			t.Config, err = schema.DecodeTemplateConfig(b)
		}
		if err != nil {
			return corrupt("notetype %d, template %d: %w", id, t.Ord, err)
		}
		if nt := byID[id]; nt != nil {
			t.Ord = uint32(len(nt.Templates))
			nt.Templates = append(nt.Templates, t)
		}
		return textOK("template of notetype", id, t.Name)
	})
	return nts, err
}

func textOK(what string, id int64, name string) error {
	if !utf8.ValidString(name) {
		return corrupt("%s %d: the name is not UTF-8", what, id)
	}
	return nil
}

func eachDeck(ctx context.Context, tx convTx, f func(*schema.Deck) error) error {
	return convEach(ctx, tx, `SELECT id, name, mtime_secs, usn, common, kind FROM decks ORDER BY id`, func(rows *sql.Rows) error {
		var d schema.Deck
		var common, kind []byte
		err := rows.Scan(&d.ID, &d.Name, &d.Mtime, &d.USN, &common, &kind)
		if err == nil {
			d.Common, err = schema.DecodeDeckCommon(common)
		}
		if err == nil {
			d.Kind, err = schema.DecodeDeckKind(kind)
		}
		if err != nil {
			return corrupt("deck %d: %w", d.ID, err)
		}
		if err := textOK("deck", d.ID, d.Name); err != nil {
			return err
		}
		return f(&d)
	})
}

func eachDeckConfig(ctx context.Context, tx convTx, f func(*schema.DeckConfig) error) error {
	return convEach(ctx, tx, `SELECT id, name, mtime_secs, usn, config FROM deck_config ORDER BY id`, func(rows *sql.Rows) error {
		var c schema.DeckConfig
		var b []byte
		err := rows.Scan(&c.ID, &c.Name, &c.Mtime, &c.USN, &b)
		if err == nil {
			c.Config, err = schema.DecodeDeckConfigInner(b)
		}
		if err != nil {
			return corrupt("deck config %d: %w", c.ID, err)
		}
		if err := textOK("deck config", c.ID, c.Name); err != nil {
			return err
		}
		return f(&c)
	})
}

// eachConfig hands out the configuration: keys and JSON values that every client
// can read.
func eachConfig(ctx context.Context, tx convTx, f func(key string, val []byte) error) error {
	return convEach(ctx, tx, `SELECT KEY, val FROM config ORDER BY KEY`, func(rows *sql.Rows) error {
		var key string
		var val []byte
		if err := rows.Scan(&key, &val); err != nil {
			return fmt.Errorf("%w: config: %w", ErrCorrupt, err)
		}
		val, err := schema.CleanJSON(val)
		if err != nil {
			return corrupt("config %q: %w", key, err)
		}
		if !utf8.ValidString(key) {
			return corrupt("config: the key %q is not UTF-8", key)
		}
		return f(key, val)
	})
}
