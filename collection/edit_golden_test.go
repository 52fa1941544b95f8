package collection

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/schema"
)

// table is the rows of one table; tables is what e2e/golden/edits.py records.
type (
	table  [][]any
	tables map[string]table
)

// tableQueries are those of e2e/golden/edits.py. What has changed has the usn 7
// here and −1 there.
var tableQueries = map[string]string{
	"notes": `SELECT json_array(id, usn = 7, mod > 1600000000, guid, mid, tags, flds, CAST(sfld AS TEXT), csum) FROM notes ORDER BY id`,
	"cards": `SELECT json_array(id, usn = 7, mod > 1600000000, nid, did, ord, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data)
		FROM cards ORDER BY id`,
	"graves":      `SELECT json_array(oid, type, usn = 7) FROM graves ORDER BY type, oid`,
	"decks":       `SELECT json_array(id, usn = 7, mtime_secs > 1600000000, name, hex(common), hex(kind)) FROM decks ORDER BY id`,
	"notetypes":   `SELECT json_array(id, usn = 7, mtime_secs > 1600000000, name, hex(config)) FROM notetypes ORDER BY id`,
	"fields":      `SELECT json_array(ntid, ord, name, hex(config)) FROM fields ORDER BY ntid, ord`,
	"templates":   `SELECT json_array(ntid, ord, name, hex(config)) FROM templates ORDER BY ntid, ord`,
	"tags":        `SELECT json_array(tag, usn = 7) FROM tags ORDER BY tag`,
	"deck_config": `SELECT json_array(id, usn = 7, mtime_secs > 1600000000, name, hex(config)) FROM deck_config ORDER BY id`,
	"config":      `SELECT json_array(KEY, usn = 7, CAST(val AS TEXT)) FROM config ORDER BY KEY`,
	"revlog":      `SELECT json_array(cid, usn = 7, ease, ivl, lastIvl, factor, time, type) FROM revlog ORDER BY cid, id`,
	"col":         `SELECT json_array(scm) FROM col`,
}

func (r *rig) tables() tables {
	r.t.Helper()
	out := tables{}
	for name, query := range tableQueries {
		for _, line := range r.rows(testUser, query) {
			var row []any
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				r.t.Fatal(err)
			}
			out[name] = append(out[name], row)
		}
	}
	return out
}

// TestEditsAsTheClient makes edits that the newest client's library made on a
// copy: all tables are the same after each. Ids, guids and times that are made
// by an edit are matched, and the schema's time must change where it did there.
func TestEditsAsTheClient(t *testing.T) {
	const dir = "testdata/edits/"
	var want struct {
		Now    int64
		Before tables
		Edits  []struct {
			Name  string
			After tables
		}
	}
	if err := json.Unmarshal(readGzip(t, dir+"edits.json.gz"), &want); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{Snapshots: Retention{Keep: -1}})
	r.clock.set(time.Unix(want.Now, 0))
	r.putGzip(dir + "edits.anki2.gz")
	edits := goldenEdits()
	theirs, ours := maps.Clone(want.Before), r.tables()
	numbers := [2]newIDs{{}, {}} // there and here
	known := ids(theirs)
	for i, e := range want.Edits {
		if edits[e.Name] == nil {
			t.Fatalf("no edit %q", e.Name)
		}
		before := [2]tables{maps.Clone(theirs), ours}
		maps.Copy(theirs, e.After)
		r.clock.add(time.Second)
		if err := r.s.Edit(t.Context(), testUser, edits[e.Name]); err != nil {
			t.Errorf("%d %s: %v", i, e.Name, err)
		}
		ours = r.tables()
		if got, want := rescoped(before[1], ours), rescoped(before[0], theirs); got != want {
			t.Errorf("%d %s: a change of the schema: %v, want %v", i, e.Name, got, want)
		}
		for k, in := range []tables{theirs, ours} {
			for _, id := range ids(in) {
				if !slices.Contains(known, id) && numbers[k][id] == "" {
					numbers[k][id] = fmt.Sprintf("new %d", len(numbers[k]))
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(tableQueries)) {
			if name == "col" {
				continue
			}
			if diff := gocmp.Diff(plain(t, name, theirs, numbers[0]), plain(t, name, ours, numbers[1])); diff != "" {
				t.Errorf("%d %s: %s (-want +got):\n%s", i, e.Name, name, diff)
			}
		}
		if t.Failed() {
			return // the following ones would differ, too
		}
	}
	if len(want.Edits) != len(edits) {
		t.Errorf("%d edits, want %d", len(want.Edits), len(edits))
	}
	r.checkCollection()
}

// rescoped tells whether an edit changed the schema.
func rescoped(before, after tables) bool { return before["col"][0][0] != after["col"][0][0] }

// newIDs are the numbers of the objects that the edits made. A card and its note
// can have one id: those of cards begin with a "c".
type newIDs map[string]string

// ids are the ids of all objects, in the order of their tables; but decks by name and
// cards by note and ordinal, for there the client makes several in any order.
func ids(in tables) (out []string) {
	for _, name := range []string{"notes", "cards", "decks", "notetypes", "deck_config"} {
		rows, prefix := slices.Clone(in[name]), ""
		switch name {
		case "decks":
			slices.SortFunc(rows, func(a, b []any) int { return cmp.Compare(a[3].(string), b[3].(string)) })
		case "cards":
			prefix = "c"
			slices.SortFunc(rows, func(a, b []any) int {
				return cmp.Or(cmp.Compare(a[3].(float64), b[3].(float64)), cmp.Compare(a[5].(float64), b[5].(float64)))
			})
		}
		for _, row := range rows {
			out = append(out, fmt.Sprintf("%s%.0f", prefix, row[0]))
		}
	}
	return out
}

// ownKeys are what a client's dialogs remember of their check boxes, and what is
// written here for clients before 2021 only.
var ownKeys = []string{"randomOrderReposition", "shiftPositionOfExistingCards", "resetCountsBrowser", "restorePositionBrowser", "activeDecks"}

var longNumber = regexp.MustCompile(`\d{13}`)

// plain prints a table without what differs by chance: ids that the edits made are
// numbered, and such rows have no guid. The current deck is one that is there:
// clients forget one that is gone when they ask for it.
func plain(t *testing.T, name string, in tables, numbers newIDs) []string {
	t.Helper()
	var out []string
	for _, row := range in[name] {
		if name == "config" && slices.Contains(ownKeys, row[0].(string)) {
			continue
		}
		if name == "config" && row[0] == "curDeck" && !slices.ContainsFunc(in["decks"], func(d []any) bool { return fmt.Sprintf("%.0f", d[0]) == row[2] }) {
			row = []any{row[0], row[1], "1"}
		}
		var cells []string
		for i, v := range row {
			if f, ok := v.(float64); ok && f == float64(int64(f)) {
				v = int64(f)
			}
			text := fmt.Sprint(v)
			if name == "notes" && i == 3 && numbers[cells[0]] != "" {
				text = "guid"
			}
			card := name == "cards" || name == "revlog" || name == "graves" && row[1] == float64(graveCard)
			if card && i == 0 && numbers["c"+text] != "" {
				text = "card " + numbers["c"+text]
			}
			cells = append(cells, text)
		}
		if f := blobs[name]; f != nil {
			f(t, cells)
		}
		line := strings.Join(cells, "|")
		out = append(out, longNumber.ReplaceAllStringFunc(line, func(s string) string { return cmp.Or(numbers[s], s) }))
	}
	slices.Sort(out)
	return out
}

// blobs drop the random ids of fields and templates, and give messages one form.
// With a field renamed or removed, the client writes the first field into empty
// formats for the browser and loses what such cards require: that is left out,
// here the former stay empty, and the latter is right (package rendering).
var blobs = map[string]func(t *testing.T, cells []string){
	"fields": func(t *testing.T, cells []string) {
		reform(t, &cells[3], schema.DecodeFieldConfig, func(c schema.FieldConfig) []byte { c.ID = nil; return c.Encode() })
	},
	"templates": func(t *testing.T, cells []string) {
		reform(t, &cells[3], schema.DecodeTemplateConfig, func(c schema.TemplateConfig) []byte {
			c.ID, c.QFormatBrowser, c.AFormatBrowser = nil, "", ""
			return c.Encode()
		})
	},
	"notetypes": func(t *testing.T, cells []string) {
		reform(t, &cells[4], schema.DecodeNotetypeConfig, func(c schema.NotetypeConfig) []byte { c.Reqs = nil; return c.Encode() })
	},
	"deck_config": func(t *testing.T, cells []string) {
		reform(t, &cells[4], schema.DecodeDeckConfigInner, schema.DeckConfigInner.Encode)
	},
	"decks": func(t *testing.T, cells []string) {
		reform(t, &cells[4], schema.DecodeDeckCommon, schema.DeckCommon.Encode)
		reform(t, &cells[5], schema.DecodeDeckKind, schema.DeckKind.Encode)
	},
}

func reform[T any](t *testing.T, cell *string, decode func([]byte) (T, error), encode func(T) []byte) {
	t.Helper()
	raw, err := hex.DecodeString(*cell)
	if err != nil {
		t.Fatal(err)
	}
	v, err := decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	*cell = fmt.Sprintf("%q", encode(v))
}
