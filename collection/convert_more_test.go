package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

var convObjects = []string{"config", "deck_config", "tags", "notetypes", "fields", "templates", "decks"}

// Files that clients of 2020 left in their own schemas.
func TestUpgradeIntermediateSchemas(t *testing.T) {
	for _, name := range []string{"v14-2.1.26", "v15-2.1.28", "v16-2.1.36"} {
		t.Run(name, func(t *testing.T) {
			path := convFixture(t, name)
			before := convDump(t, path, "notes", "cards", "revlog")
			convUpgrade(t, path)
			convDiff(t, "rows", before, convDump(t, path, "notes", "cards", "revlog"))
			got := convView(t, path)
			for key, want := range convGolden(t, name+".as-26.09") {
				convDiff(t, key, want, got[key])
			}
		})
	}
	t.Run("v17", func(t *testing.T) { // 18 less the graves' primary key
		path := convFixture(t, "v18-26.09")
		want := convDump(t, path, append(convObjects, convRows...)...)
		convAlter(t, path, `DROP TABLE graves; CREATE TABLE graves (usn integer not null, oid integer not null, type integer not null);
			INSERT INTO graves SELECT usn, oid, type FROM old.graves; UPDATE col SET ver = 17`, convFixture(t, "v18-26.09"))
		convUpgrade(t, path)
		convDiff(t, "objects", want, convDump(t, path, append(convObjects, convRows...)...))
	})
}

// convAlter changes a file by hand; attach, if given, is there as "old".
func convAlter(t testing.TB, path, query string, attach ...string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, a := range attach {
		if _, err := db.Exec(`ATTACH ` + sqlite.Quote(a) + ` AS old`); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

// Everything that old or foreign programs may have put into a file.
func TestUpgradeQuirks(t *testing.T) {
	path := convFixture(t, "v11-quirks")
	start := time.Now().Unix()
	convUpgrade(t, path)
	ref := convFixture(t, "v18-upgraded-quirks")

	want, got := convView(t, ref), convView(t, path)
	// The reference's upgrade was run by a client: what it changed has usn -1
	// and its time; and it took "DUP" before "dup", and "foo" before "Foo".
	decks := want["decks"].(map[string]any)
	gotDecks := got["decks"].(map[string]any)
	for id, name := range map[string]string{"1001": "spaced::x::blank::y", "1002": "dup", "1003": "DUP_"} {
		w, g := decks[id].(map[string]any), gotDecks[id].(map[string]any)
		if g["name"] != name {
			t.Errorf("deck %s is %q, want %q", id, g["name"], name)
		}
		w["name"], w["mod"], w["usn"] = g["name"], g["mod"], g["usn"]
	}
	for _, key := range []string{"models", "decks", "dconf", "conf"} {
		convDiff(t, key, want[key], got[key])
	}
	convDiff(t, "tags", []any{"Foo", "a::b", "ü"}, got["tags"])

	db := convOpen(t, path)
	var mtime, usn, dup int64
	if err := db.QueryRow(`SELECT mtime_secs, usn FROM decks WHERE id = 1003`).Scan(&mtime, &usn); err != nil || mtime < start || usn != 0 {
		t.Errorf("changed deck: mtime %d, usn %d, %v", mtime, usn, err)
	}
	if err := db.QueryRow(`SELECT mtime_secs FROM decks WHERE id = 1002`).Scan(&dup); err != nil || dup != 1795394006 {
		t.Errorf("unchanged deck: mtime %d, %v", dup, err)
	}
	rows := convDump(t, ref, convRows...)
	for i, c := range rows["cards"] {
		if strings.Contains(c, "id=777 ") {
			rows["cards"][i] = strings.Replace(c, "usn=-1", "usn=0", 1)
		}
	}
	convDiff(t, "rows", rows, convDump(t, path, convRows...))
}

// 18 → 11 → 18 may lose what docs/collection-format.md §6 lists, and no more.
func TestRoundTripFrom18(t *testing.T) {
	for _, name := range []string{"fresh-26.09", "v18-26.09", "v18-25.09", "v18-2.1.66", "v18-upgraded-from-2.1.36", "v18-upgraded-from-2.1.49"} {
		for _, textIDs := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				src := convFixture(t, name)
				path := convDowngrade(t, src, textIDs)
				convUpgrade(t, path)
				convAlter(t, path, convLossy)
				convAlter(t, src, convLossy)
				tables := append(slices.Clone(convObjects), convRows...)
				want, got := convDump(t, src, tables...), convDump(t, path, tables...)
				if !strings.HasSuffix(name, "09") {
					// Options of before FSRS come back with its defaults, and keys
					// that are known today leave 2.1.66's "other": all of which
					// clients read the same, so compare what they read.
					for _, table := range []string{"deck_config", "decks"} {
						delete(want, table)
						delete(got, table)
					}
				}
				view := convView(t, src)
				for key, v := range convView(t, path) {
					convDiff(t, key, view[key], v)
				}
				convDiff(t, "content", want, got)
			})
		}
	}
}

// convLossy levels what schema 11 has no place for.
const convLossy = `UPDATE config SET usn = 0, mtime_secs = 0; UPDATE tags SET collapsed = 1, config = NULL;
	UPDATE templates SET mtime_secs = 0, usn = 0`

// 11 → 18 → 11 changes nothing that a client of schema 11 can see: keys with
// their defaults are added, nothing else.
func TestRoundTripFrom11(t *testing.T) {
	for _, name := range []string{"v11-2.1.36", "v11-2.1.49", "v11-from-26.09", "fresh-v11-from-26.09"} {
		t.Run(name, func(t *testing.T) {
			path := convFixture(t, name)
			want, rows := convColumns(t, path), convDump(t, path, convRows...)
			convUpgrade(t, path)
			back := convDowngrade(t, path, false)
			got := convColumns(t, back)
			// A second round is the identity.
			convUpgrade(t, back)
			convDiff(t, "second round", got, convColumns(t, convDowngrade(t, back, false)))
			for key := range want {
				convSubset(t, key, want[key], got[key])
			}
			gotRows := convDump(t, path, "notes", "cards", "revlog")
			for table, r := range gotRows {
				convDiff(t, table, rows[table], r)
			}
		})
	}
}

// convSubset wants every key of want in got, with the same value.
func convSubset(t *testing.T, path string, want, got any) {
	t.Helper()
	if list, ok := want.([]any); ok {
		g, ok := got.([]any)
		if !ok || len(g) != len(list) {
			t.Errorf("%s: %v, want %v", path, got, want)
			return
		}
		for i := range list {
			convSubset(t, fmt.Sprintf("%s[%d]", path, i), list[i], g[i])
		}
		return
	}
	w, ok := want.(map[string]any)
	if !ok {
		convDiff(t, path, want, got)
		return
	}
	g, ok := got.(map[string]any)
	if !ok {
		t.Errorf("%s: %v instead of an object", path, got)
		return
	}
	for k := range w {
		if _, ok := g[k]; !ok {
			t.Errorf("%s.%s is lost", path, k)
			continue
		}
		convSubset(t, path+"."+k, w[k], g[k])
	}
}

func TestDowngradeTextIDs(t *testing.T) {
	src := convFixture(t, "v18-26.09")
	for _, textIDs := range []bool{false, true} {
		models := convColumns(t, convDowngrade(t, src, textIDs))["models"].(map[string]any)
		if len(models) == 0 {
			t.Fatal("no notetypes")
		}
		for key, m := range models {
			id := m.(map[string]any)["id"]
			if _, text := id.(string); text != textIDs {
				t.Errorf("textIDs %v: id of %s is a %T", textIDs, key, id)
			}
		}
	}
}

func TestUpgradeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, file, query string
		want              error
	}{
		{"version 12", "v11-2.1.36", `UPDATE col SET ver = 12`, ErrUnsupportedSchema},
		{"version 13", "v11-2.1.36", `UPDATE col SET ver = 13`, ErrUnsupportedSchema},
		{"version 19", "v18-26.09", `UPDATE col SET ver = 19`, ErrUnsupportedSchema},
		{"version 10", "v11-2.1.36", `UPDATE col SET ver = 10`, ErrUnsupportedSchema},
		{"version text", "v11-2.1.36", `UPDATE col SET ver = 'x'`, ErrCorrupt},
		{"no row", "v11-2.1.36", `DELETE FROM col`, ErrCorrupt},
		{"two rows", "v11-2.1.36", `INSERT INTO col SELECT 2, crt, mod, scm, ver, dty, usn, ls, conf, models, decks, dconf, tags FROM col`, ErrCorrupt},
		{"no col", "v11-2.1.36", `DROP TABLE col`, ErrCorrupt},
		{"broken models", "v11-2.1.36", `UPDATE col SET models = '{'`, ErrCorrupt},
		{"empty decks", "v11-2.1.36", `UPDATE col SET decks = ''`, ErrCorrupt},
		{"deck without dyn", "v11-2.1.36", `UPDATE col SET decks = '{"1":{"id":1,"name":"x","usn":0,"collapsed":false}}'`, ErrCorrupt},
		{"options list", "v11-2.1.36", `UPDATE col SET dconf = '[]'`, ErrCorrupt},
		{"option key", "v11-2.1.36", `UPDATE col SET dconf = '{"x":{}}'`, ErrCorrupt},
		{"no graves", "v11-2.1.36", `DROP TABLE graves`, ErrCorrupt},
		{"no decks in 16", "v16-2.1.36", `DROP TABLE decks`, ErrCorrupt},
		{"no tags in 14", "v14-2.1.26", `DROP TABLE tags`, ErrCorrupt},
		{"broken options in 15", "v15-2.1.28", `UPDATE deck_config SET config = x'ff'`, ErrCorrupt},
		{"tag usn", "v11-2.1.36", `UPDATE col SET tags = '{"x":"y"}'`, ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := convFixture(t, c.file)
			convAlter(t, path, c.query)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if changed, err := Upgrade(t.Context(), path); changed || !errors.Is(err, c.want) {
				t.Errorf("Upgrade: %v, %v, want %v", changed, err, c.want)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Upgrade(t.Context(), text); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a text file: %v", err)
	}
	damagedFile := convFixture(t, "v11-2.1.36")
	b, err := os.ReadFile(damagedFile)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(b); i++ {
		b[i] = 0xaa
	}
	if err := os.WriteFile(damagedFile, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Upgrade(t.Context(), damagedFile); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := Upgrade(t.Context(), filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing file: no error")
	}
}

func TestUpgradeOfCurrentChangesNothing(t *testing.T) {
	path := convFixture(t, "v18-26.09")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := Upgrade(t.Context(), path); changed || err != nil {
		t.Errorf("Upgrade: %v, %v", changed, err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestUpgradeUnnumberedAndEqualIDs(t *testing.T) {
	path := convFixture(t, "v11-2.1.36")
	convAlter(t, path, `UPDATE col SET models = json_set(models, '$."0"', json_set(json_extract(models, '$."1795394005802"'), '$.id', 0)),
		decks = json_set(decks, '$."77"', json_set(json_extract(decks, '$."1"'), '$.name', 'again'))`)
	convUpgrade(t, path)
	db := convOpen(t, path)
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM notetypes WHERE id != 0 AND name = 'Basic_'`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d notetypes for the id 0, %v", n, err)
	}
	if err := db.QueryRow(`SELECT count(*) FROM decks WHERE id = 77 AND name = 'again'`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d decks for the second id 1, %v", n, err)
	}
}

func TestDowngradeRefuses(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "dst")
	gone := func(what string) {
		t.Helper()
		if m, _ := filepath.Glob(dst + "*"); len(m) != 0 {
			t.Errorf("%s: %v is left", what, m)
		}
	}
	if err := Downgrade(t.Context(), convFixture(t, "v11-2.1.36"), dst, false); !errors.Is(err, ErrUnsupportedSchema) {
		t.Errorf("schema 11: %v", err)
	}
	gone("schema 11")
	for table, query := range convBreakage {
		src := convFixture(t, "v18-26.09")
		convAlter(t, src, query)
		if err := Downgrade(t.Context(), src, dst, false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", table, err)
		}
		gone(table)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Downgrade(ctx, convFixture(t, "v18-26.09"), dst, false); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	gone("cancelled")
}

// convBreakage breaks one object of each kind.
var convBreakage = map[string]string{
	"notetypes":   `UPDATE notetypes SET config = x'0a'`,
	"fields":      `UPDATE fields SET config = x'ff'`,
	"templates":   `UPDATE templates SET config = x'0a05'`,
	"common":      `UPDATE decks SET common = x'0d' WHERE id = 1`,
	"kind":        `UPDATE decks SET kind = x'' WHERE id = 1`,
	"deck_config": `UPDATE deck_config SET config = x'0a03000000' WHERE id = 1`,
	"config":      `UPDATE config SET val = '{' WHERE KEY = 'curDeck'`,
}

func TestCheckObjects(t *testing.T) {
	bad := map[string]string{
		"no table":      `DROP TABLE tags`,
		"a view":        `ALTER TABLE tags RENAME TO tags2; CREATE VIEW tags AS SELECT * FROM tags2`,
		"no column":     `ALTER TABLE cards DROP COLUMN data`,
		"no row":        `DELETE FROM col`,
		"negative usn":  `UPDATE col SET usn = -1`,
		"text mod":      `UPDATE col SET mod = 'x'`,
		"another id":    `UPDATE col SET id = 2`,
		"schema 17":     `UPDATE col SET ver = 17`,
		"name no UTF-8": `UPDATE decks SET name = CAST(x'ff' AS text) WHERE id = 1`,
		"usn too large": `UPDATE notetypes SET usn = 4294967296`,
	}
	for name, query := range convBreakage {
		bad[name] = query
	}
	for name, query := range bad {
		t.Run(name, func(t *testing.T) {
			path := convFixture(t, "v18-26.09")
			convAlter(t, path, query)
			if err := checkObjects(t.Context(), convOpen(t, path)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("checkObjects: %v", err)
			}
		})
	}
}

func TestFreshGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fresh.anki2")
	ref := convFixture(t, "fresh-26.09")
	now := time.UnixMilli(1795394082734).UTC()
	if err := Fresh(t.Context(), path, now); err != nil {
		t.Fatal(err)
	}
	convCheck(t, path, schemaCurrent)
	convAlter(t, ref, `UPDATE config SET val = CAST('null' AS blob) WHERE KEY = 'creationOffset'; UPDATE col SET scm = 1795394082734`)
	got, want := convView(t, path), convView(t, ref)
	for _, v := range []map[string]any{got, want} {
		for _, m := range v["models"].(map[string]any) {
			for _, list := range []string{"flds", "tmpls"} {
				for _, o := range m.(map[string]any)[list].([]any) {
					if o.(map[string]any)["id"] == nil {
						t.Error("no id")
					}
					o.(map[string]any)["id"] = nil
				}
			}
		}
	}
	convDiff(t, "view", want, got)
	tables := []string{"col", "config", "deck_config", "tags", "notetypes", "decks", "notes", "cards", "revlog", "graves"}
	convDiff(t, "rows", convDump(t, ref, tables...), convDump(t, path, tables...))
	convDiff(t, "tables", convColumnTypes(t, ref), convColumnTypes(t, path))
}

// convColumnTypes describes all tables and indexes by column.
func convColumnTypes(t testing.TB, path string) []string {
	t.Helper()
	var out []string
	err := convEach(t.Context(), convOpen(t, path), `
		SELECT m.type || ' ' || m.name || '.' || x.name || ' ' || lower(x.type) || ' ' || x."notnull" || ' ' || x.pk
			FROM sqlite_master m, pragma_table_info(m.name) x WHERE m.name NOT LIKE 'sqlite_%'
		UNION SELECT m.type || ' ' || m.name || ' ' || coalesce(x.name, '') || ' ' || x.coll || ' ' || x.key || l."unique"
			FROM sqlite_master m, pragma_index_list(m.tbl_name) l, pragma_index_xinfo(m.name) x
			WHERE m.type = 'index' AND l.name = m.name AND m.name NOT LIKE 'sqlite_stat%' ORDER BY 1`,
		func(rows *sql.Rows) error {
			var s string
			err := rows.Scan(&s)
			out = append(out, s)
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFirstDay(t *testing.T) {
	zone := time.FixedZone("", 10*3600)
	for _, c := range []struct{ now, want string }{
		{"2026-11-23T04:00:00", "2026-11-23T04:00:00"},
		{"2026-11-23T03:59:59", "2026-11-22T04:00:00"},
		{"2026-03-01T00:30:00", "2026-02-28T04:00:00"},
	} {
		now, err := time.ParseInLocation("2006-01-02T15:04:05", c.now, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := firstDay(now).Format("2006-01-02T15:04:05"); got != c.want {
			t.Errorf("firstDay(%s) = %s, want %s", c.now, got, c.want)
		}
	}
}

// Files whose header says WAL, as a client that was killed leaves them.
func TestConvertWALFiles(t *testing.T) {
	for _, name := range []string{"v11-2.1.36", "v16-2.1.36", "v18-26.09"} {
		path := convFixture(t, name)
		convAlter(t, path, `PRAGMA journal_mode = wal`)
		if b, err := os.ReadFile(path); err != nil || b[18] != 2 {
			t.Fatalf("not a WAL file: %v", err)
		}
		changed, err := Upgrade(t.Context(), path)
		if err != nil || changed != (name != "v18-26.09") {
			t.Errorf("%s: Upgrade: %v, %v", name, changed, err)
		}
		convCheck(t, path, schemaCurrent)
		convAlter(t, path, `PRAGMA journal_mode = wal`)
		convDowngrade(t, path, false)
	}
}
