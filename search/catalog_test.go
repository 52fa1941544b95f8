package search_test

import (
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/search"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// dbCatalog is a catalog of a collection of schema 18.
type dbCatalog struct{ db *sql.DB }

func (c dbCatalog) Notetypes(ctx context.Context) ([]search.NotetypeInfo, error) {
	rows, err := c.db.QueryContext(ctx, `SELECT n.id, n.config, f.name, f.config FROM notetypes n JOIN fields f ON f.ntid = n.id ORDER BY n.id, f.ord`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []search.NotetypeInfo
	for rows.Next() {
		var id int64
		var name string
		var nt, f []byte
		if err := rows.Scan(&id, &nt, &name, &f); err != nil {
			return nil, err
		}
		ntc, err := schema.DecodeNotetypeConfig(nt)
		if err != nil {
			return nil, err
		}
		fc, err := schema.DecodeFieldConfig(f)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 || list[len(list)-1].ID != id {
			list = append(list, search.NotetypeInfo{ID: id, Cloze: ntc.Kind == 1, SortField: int(ntc.SortFieldIdx)})
		}
		last := &list[len(list)-1]
		last.Fields = append(last.Fields, search.FieldInfo{Name: name, Excluded: fc.ExcludeFromSearch})
	}
	return list, rows.Err()
}

func (c dbCatalog) CurrentDeck(ctx context.Context) (string, error) {
	var val []byte
	id := int64(1)
	switch err := c.db.QueryRowContext(ctx, `SELECT val FROM config WHERE KEY = 'curDeck'`).Scan(&val); err {
	case nil:
		_ = json.Unmarshal(val, &id)
	case sql.ErrNoRows:
	default:
		return "", err
	}
	name := "Default"
	if err := c.db.QueryRowContext(ctx, `SELECT name FROM decks WHERE id = ?`, id).Scan(&name); err != nil && err != sql.ErrNoRows {
		return "", err
	}
	return name, nil
}

func (c dbCatalog) PresetDecks(ctx context.Context, name string) ([]int64, error) {
	var preset int64
	err := c.db.QueryRowContext(ctx, `SELECT id FROM deck_config WHERE name = ? ORDER BY id`, name).Scan(&preset)
	if err == sql.ErrNoRows {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	rows, err := c.db.QueryContext(ctx, `SELECT id, kind FROM decks`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		var kind []byte
		if err := rows.Scan(&id, &kind); err != nil {
			return nil, err
		}
		k, err := schema.DecodeDeckKind(kind)
		if err != nil {
			return nil, err
		}
		if k.Normal != nil && k.Normal.ConfigID == preset {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

// openCollection unpacks a collection of testdata.
func openCollection(tb testing.TB, name string) *sql.DB {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name+".anki2")
	if err := os.WriteFile(path, gunzip(tb, name+".anki2.gz"), 0o600); err != nil {
		tb.Fatal(err)
	}
	db, err := sqlite.Open(tb.Context(), path, sqlite.Options{Immutable: true, CacheKiB: 16 << 10})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

func gunzip(tb testing.TB, name string) []byte {
	tb.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// ids runs a statement.
func ids(ctx context.Context, db *sql.DB, st search.Statement) ([]int64, error) {
	rows, err := db.QueryContext(ctx, st.SQL, st.Args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
