package collection

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

const convFixtures = "../testdata/collections/"

// convFixture unpacks a recorded collection into a folder of its own.
func convFixture(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(convFixtures + name + ".anki2.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name+".anki2")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func convOpen(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// convJSON decodes JSON with numbers as their text, but floats normalised.
func convJSON(t testing.TB, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %.200s", err, b)
	}
	return v
}

func convGolden(t testing.TB, name string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(convFixtures + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return convJSON(t, b).(map[string]any)
}

// convView is the schema-11 view of a schema-18 file, in the form of the
// recorded *.schema11.json.
func convView(t testing.TB, path string) map[string]any {
	t.Helper()
	ctx, db := t.Context(), convOpen(t, path)
	d := downgrader{ctx: ctx, tx: db}
	view := map[string]any{}
	for key, f := range map[string]func() (string, error){
		"models": func() (string, error) { return d.models(false) },
		"decks":  d.decks, "dconf": d.dconf, "conf": d.conf,
	} {
		s, err := f()
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		view[key] = convJSON(t, []byte(s))
	}
	tags := []any{}
	err := convEach(ctx, db, `SELECT tag FROM tags ORDER BY tag COLLATE BINARY`, func(rows *sql.Rows) error {
		var tag string
		err := rows.Scan(&tag)
		tags = append(tags, tag)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	view["tags"] = tags
	return view
}

// convDump is the content of tables, a line a row.
func convDump(t testing.TB, path string, tables ...string) map[string][]string {
	t.Helper()
	db := convOpen(t, path)
	out := map[string][]string{}
	for _, table := range tables {
		err := convEach(t.Context(), db, `SELECT * FROM `+table, func(rows *sql.Rows) error {
			cols, err := rows.Columns()
			if err != nil {
				return err
			}
			vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
			for i := range vals {
				ptrs[i] = &vals[i]
			}
			if err := rows.Scan(ptrs...); err != nil {
				return err
			}
			line := ""
			for i, v := range vals {
				v = convSortOther(t, table, cols[i], v)
				line += fmt.Sprintf("%s=%#v ", cols[i], v)
			}
			out[table] = append(out[table], line)
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		slices.Sort(out[table])
	}
	return out
}

// convSortOther brings the keys of a blob's `other` JSON into sorted order: the
// reference writes them in random order.
func convSortOther(t testing.TB, table, column string, v any) any {
	t.Helper()
	b, ok := v.([]byte)
	if !ok {
		return v
	}
	sorted := func(other []byte) []byte {
		if len(other) == 0 {
			return other
		}
		out, err := json.Marshal(convJSON(t, other))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var err error
	switch table + "." + column {
	case "notetypes.config":
		var c schema.NotetypeConfig
		c, err = schema.DecodeNotetypeConfig(b)
		c.Other = sorted(c.Other)
		v = c.Encode()
	case "fields.config":
		var c schema.FieldConfig
		c, err = schema.DecodeFieldConfig(b)
		c.Other = sorted(c.Other)
		v = c.Encode()
	case "templates.config":
		var c schema.TemplateConfig
		c, err = schema.DecodeTemplateConfig(b)
		c.Other = sorted(c.Other)
		v = c.Encode()
	case "decks.common":
		var c schema.DeckCommon
		c, err = schema.DecodeDeckCommon(b)
		c.Other = sorted(c.Other)
		v = c.Encode()
	case "deck_config.config":
		var c schema.DeckConfigInner
		c, err = schema.DecodeDeckConfigInner(b)
		c.Other = sorted(c.Other)
		v = c.Encode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var convRows = []string{"notes", "cards", "revlog", "graves"}

func convUpgrade(t testing.TB, path string) {
	t.Helper()
	changed, err := Upgrade(t.Context(), path)
	if err != nil || !changed {
		t.Fatalf("Upgrade: %v, %v", changed, err)
	}
	convCheck(t, path, schemaCurrent)
}

func convDowngrade(t testing.TB, src string, textIDs bool) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "downgraded.anki2")
	before, err := os.ReadFile(src)
	if err != nil {
		t.Fatal(err)
	}
	if err := Downgrade(t.Context(), src, dst, textIDs); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(src); err != nil || !bytes.Equal(before, after) {
		t.Fatalf("the source was changed (%v)", err)
	}
	convCheck(t, dst, schemaOldest)
	return dst
}

// convCheck wants a single file with a rollback journal and the given version,
// whole, and readable without our collation if it is schema 11.
func convCheck(t testing.TB, path string, version int64) {
	t.Helper()
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 1 {
		t.Errorf("files %v, want one (%v)", names, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b[18] != 1 || b[19] != 1 {
		t.Errorf("journal versions %d, %d in the header, want a rollback journal", b[18], b[19])
	}
	db := convOpen(t, path)
	var got string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&got); err != nil || got != "ok" {
		t.Errorf("integrity_check: %s, %v", got, err)
	}
	if ver, err := schemaVersion(t.Context(), db); err != nil || ver != version {
		t.Errorf("schema %d, want %d (%v)", ver, version, err)
	}
	if version == schemaCurrent {
		if err := checkObjects(t.Context(), db); err != nil {
			t.Errorf("checkObjects: %v", err)
		}
		return
	}
	var objects string
	err = db.QueryRow(`SELECT group_concat(name || coalesce(sql, ''), ' ') FROM sqlite_master`).Scan(&objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"unicase", "idx_", "_old", "config", "WITHOUT"} {
		if strings.Contains(objects, left) {
			t.Errorf("%q is left in the schema", left)
		}
	}
}

func convDiff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		if len(d) > 6000 {
			d = d[:6000]
		}
		t.Errorf("%s differ (-want +got):\n%s", what, d)
	}
}

func TestViewGolden(t *testing.T) {
	for _, golden := range []string{
		"fresh-26.09.schema11", "v18-26.09.schema11", "v18-25.09.schema11", "v18-23.10.as-26.09", "v18-2.1.66.as-26.09",
		"v18-upgraded-from-2.1.36.schema11", "v18-upgraded-from-2.1.49.schema11", "v18-upgraded-quirks.schema11",
	} {
		name := golden[:strings.LastIndex(golden, ".")]
		name = strings.TrimSuffix(name, ".as-26")
		t.Run(name, func(t *testing.T) {
			want, got := convGolden(t, golden), convView(t, convFixture(t, name))
			for _, key := range []string{"models", "decks", "dconf", "conf", "tags"} {
				convDiff(t, key, want[key], got[key])
			}
		})
	}
}

func TestUpgradeRowsGolden(t *testing.T) {
	all := append([]string{"config", "deck_config", "tags", "notetypes", "fields", "templates", "decks", "col"}, convRows...)
	for _, c := range []struct{ name, want string }{
		{"v11-2.1.36", "v18-upgraded-from-2.1.36"},
		{"v11-2.1.49", "v18-upgraded-from-2.1.49"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := convFixture(t, c.name)
			convUpgrade(t, path)
			got, want := convDump(t, path, all...), convDump(t, convFixture(t, c.want), all...)
			for _, table := range all {
				convDiff(t, table, want[table], got[table])
			}
		})
	}
}

func TestDowngradeGolden(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"v18-26.09", "v11-from-26.09"},
		{"fresh-26.09", "fresh-v11-from-26.09"},
		{"v18-upgraded-quirks", "v11-roundtrip-quirks"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := convFixture(t, c.name)
			path := convDowngrade(t, src, false)
			want := convGolden(t, c.want+".raw-v11")
			for key, got := range convColumns(t, path) {
				if key == "decks" {
					// Which of two equal names was changed was random on the way here.
					for _, id := range []string{"1002", "1003"} {
						delete(want[key].(map[string]any), id)
						delete(got.(map[string]any), id)
					}
				}
				convDiff(t, key, want[key], got)
			}
			convDiff(t, "rows", convDump(t, src, "notes", "cards", "revlog"), convDump(t, path, "notes", "cards", "revlog"))
			convDiff(t, "graves", convDump(t, convFixture(t, c.want), "graves"), convDump(t, path, "graves"))
		})
	}
}

// convColumns reads the five JSON columns.
func convColumns(t testing.TB, path string) map[string]any {
	t.Helper()
	var conf, models, decks, dconf, tags []byte
	err := convOpen(t, path).QueryRow(`SELECT conf, models, decks, dconf, tags FROM col`).Scan(&conf, &models, &decks, &dconf, &tags)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"conf": convJSON(t, conf), "models": convJSON(t, models), "decks": convJSON(t, decks),
		"dconf": convJSON(t, dconf), "tags": convJSON(t, tags),
	}
}
