package collection

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Every blob that a real client wrote comes back byte by byte.
func TestBlobsOfRealClients(t *testing.T) {
	again := func(v interface{ Encode() []byte }, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return v.Encode(), nil
	}
	codecs := []struct {
		query string
		codec func([]byte) ([]byte, error)
	}{
		{`SELECT config FROM notetypes`, func(b []byte) ([]byte, error) { v, err := schema.DecodeNotetypeConfig(b); return again(v, err) }},
		{`SELECT config FROM fields`, func(b []byte) ([]byte, error) { v, err := schema.DecodeFieldConfig(b); return again(v, err) }},
		{`SELECT config FROM templates`, func(b []byte) ([]byte, error) { v, err := schema.DecodeTemplateConfig(b); return again(v, err) }},
		{`SELECT common FROM decks`, func(b []byte) ([]byte, error) { v, err := schema.DecodeDeckCommon(b); return again(v, err) }},
		{`SELECT kind FROM decks`, func(b []byte) ([]byte, error) { v, err := schema.DecodeDeckKind(b); return again(v, err) }},
		{`SELECT config FROM deck_config`, func(b []byte) ([]byte, error) { v, err := schema.DecodeDeckConfigInner(b); return again(v, err) }},
	}
	for _, name := range []string{"fresh-26.09", "v18-26.09", "v18-25.09", "v18-23.10", "v18-2.1.66", "v18-upgraded-from-2.1.36", "v18-upgraded-from-2.1.49", "v18-upgraded-quirks"} {
		db := convOpen(t, convFixture(t, name))
		for _, c := range codecs {
			n := 0
			err := convEach(t.Context(), db, c.query, func(rows *sql.Rows) error {
				var b []byte
				if err := rows.Scan(&b); err != nil {
					return err
				}
				n++
				got, err := c.codec(b)
				if err == nil && !bytes.Equal(got, b) {
					t.Errorf("%s: %s: %x became %x", name, c.query, b, got)
				}
				return err
			})
			if err != nil || n == 0 {
				t.Errorf("%s: %s: %d rows, %v", name, c.query, n, err)
			}
		}
	}
}

// Unknown protobuf fields stay through a check and are not touched by it; a
// downgrade cannot keep them.
func TestUnknownFieldsOfALaterClient(t *testing.T) {
	src := convFixture(t, "v18-26.09")
	convAlter(t, src, `UPDATE decks SET common = common || x'C03E07'; UPDATE notetypes SET config = config || x'C23E0178'`)
	if err := checkObjects(t.Context(), convOpen(t, src)); err != nil {
		t.Error(err)
	}
	convDowngrade(t, src, false)
}

// The sfld column turns what looks like a number into one.
func TestSortFieldAffinity(t *testing.T) {
	path := convFixture(t, "fresh-26.09")
	b, err := os.ReadFile("../testdata/schema/strip.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Field, Stored, Sfld string
		Type                string `json:"sfld_type"`
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, v := range vectors {
		if v.Stored == "" {
			v.Stored = v.Field
		}
		var got, typ string
		err := db.QueryRow(`INSERT INTO notes VALUES (NULL, '', 0, 0, 0, '', ?, ?, 0, 0, '') RETURNING CAST(sfld AS text), typeof(sfld)`,
			v.Stored, schema.SortField([]string{v.Stored}, 0)).Scan(&got, &typ)
		if typ == "real" { // SQLite versions differ in how many digits they print
			g, _ := strconv.ParseFloat(got, 64)
			w, _ := strconv.ParseFloat(v.Sfld, 64)
			if math.Abs(g-w) < 1e-14*w {
				got = v.Sfld
			}
		}
		if err != nil || got != v.Sfld || typ != v.Type {
			t.Errorf("%q is stored as %s %q, want %s %q (%v)", v.Field, typ, got, v.Type, v.Sfld, err)
		}
	}
}
