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

	"github.com/ankisyncd/ankisyncd/scheduling"
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

// goldenEdits are the edits of e2e/golden/edits.py.
func goldenEdits() map[string]func(t *Txn) error {
	add := func(notetype, deck string, tags []string, fields ...string) func(t *Txn) error {
		return func(t *Txn) error {
			nt, err := t.NotetypeByName(notetype)
			if err != nil {
				return err
			}
			d, err := t.DeckByName(deck)
			if err != nil {
				return err
			}
			_, _, err = t.AddNote(NewNote{NotetypeID: nt.ID, DeckID: d.ID, Fields: fields, Tags: tags})
			return err
		}
	}
	update := func(id int64, tags []string, fields ...string) func(t *Txn) error {
		return func(t *Txn) error {
			c := NoteChange{Fields: fields}
			if tags != nil {
				c.Tags = &tags
			}
			return t.UpdateNote(id, c)
		}
	}
	cards := func(where string, f func(t *Txn, ids ...int64) (int, error)) func(t *Txn) error {
		return func(t *Txn) error {
			ids, err := collect(t.h, scanID, `SELECT id FROM cards WHERE `+where)
			if err != nil {
				return err
			}
			_, err = f(t, ids...)
			return err
		}
	}
	deck := func(name string, f func(t *Txn, id int64) error) func(t *Txn) error {
		return func(t *Txn) error {
			d, err := t.DeckByName(name)
			if err != nil {
				return err
			}
			return f(t, d.ID)
		}
	}
	filtered := func(id int64, f FilteredDeck) func(t *Txn) error {
		f.PreviewAgainSecs, f.PreviewHardSecs = 60, 600
		return func(t *Txn) error {
			d, _, err := t.SaveFilteredDeck(id, f, true)
			if err != nil {
				return err
			}
			return t.SelectDeck(d.ID) // the client does both in one
		}
	}
	preset := func(name string, f func(t *Txn, id int64) error) func(t *Txn) error {
		return func(t *Txn) error {
			id, err := t.first(`SELECT id FROM deck_config WHERE name = ?`, name)
			if err != nil {
				return err
			}
			return f(t, id)
		}
	}
	notetype := func(name string, f func(t *Txn, nt *schema.Notetype) error) func(t *Txn) error {
		return func(t *Txn) error {
			nt, err := t.NotetypeByName(name)
			if err != nil {
				return err
			}
			return f(t, nt)
		}
	}
	change := func(c NotetypeChange) func(t *Txn) error {
		return notetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.UpdateNotetype(nt.ID, c) })
	}
	// templates keeps templates of "Mine" in another order, and adds those that are new.
	templates := func(added []TemplateChange, order ...int) func(t *Txn) error {
		return notetype("Mine", func(t *Txn, nt *schema.Notetype) error {
			var c NotetypeChange
			for _, i := range order {
				o := nt.Templates[i]
				c.Templates = append(c.Templates, TemplateChange{From: i, Name: o.Name, Front: o.Config.QFormat, Back: o.Config.AFormat})
			}
			c.Templates = append(c.Templates, added...)
			return t.UpdateNotetype(nt.ID, c)
		})
	}
	return map[string]func(t *Txn) error{
		"add basic":             add("Basic", "A", []string{"New::Tag", "marked", "OLD"}, "<b>42</b>&nbsp;e\u0301", "[sound:a.mp3]"),
		"add cloze":             add("Cloze", "A::B", []string{"parent::Child"}, "{{c2::a}} {{c1,4::b::hint}}", ""),
		"add optional reversed": add("Basic (optional reversed card)", "E", nil, "f", "b", "yes"),
		"update fields":         update(1001, nil, `<img src="x y.jpg"> 1e3`, "<div></div>"),
		"update tags":           update(1002, []string{"b", "A", "a", "New::tag"}),
		"update cloze":          update(1500, nil, "{{c1::one}} {{c5::five}} {{c2::two}}", "more"),
		"update to nothing new": update(1003, nil),
		"add tags": func(t *Txn) error {
			_, err := t.AddNoteTags([]int64{1001, 1003, 1004}, []string{"x", "y", "OLD", "parent::child"}, false)
			return err
		},
		"remove tags": func(t *Txn) error {
			_, err := t.RemoveNoteTags([]int64{1001, 1002}, []string{"X", "a"}, false)
			return err
		},
		"rename tag":        func(t *Txn) error { _, err := t.RenameTag("parent", "Over::there"); return err },
		"clear unused tags": func(t *Txn) error { _, err := t.ClearUnusedTags(); return err },
		"delete notes":      func(t *Txn) error { _, err := t.DeleteNotes(1004, 1005, 1009); return err },
		"move cards": cards(`nid IN (1001, 1010, 1014, 1006) ORDER BY id`, func(t *Txn, ids ...int64) (int, error) {
			d, err := t.DeckByName("A::B")
			if err != nil {
				return 0, err
			}
			return t.MoveCards(d.ID, ids...)
		}),
		"suspend":     cards(`nid BETWEEN 1011 AND 1016`, (*Txn).Suspend),
		"unsuspend":   cards(`nid BETWEEN 1011 AND 1013`, (*Txn).Unsuspend),
		"bury":        cards(`nid BETWEEN 1014 AND 1020`, (*Txn).Bury),
		"unbury":      cards(`nid = 1017`, (*Txn).Unbury),
		"unbury deck": deck("A", func(t *Txn, id int64) error { _, err := t.UnburyDeck(id); return err }),
		"flag":        cards(`nid IN (1001, 1012)`, func(t *Txn, ids ...int64) (int, error) { return t.SetFlag(3, ids...) }),
		"unflag":      cards(`nid IN (1012, 1013)`, func(t *Txn, ids ...int64) (int, error) { return t.SetFlag(0, ids...) }),
		"reposition": cards(`type = 0 AND queue = 0 AND odid = 0 ORDER BY id LIMIT 5`, func(t *Txn, ids ...int64) (int, error) {
			return t.Reposition(RepositionOptions{Start: 2, Step: 2, Shift: true}, ids...)
		}),
		"set due": cards(`nid IN (1017, 1018, 1500)`, func(t *Txn, ids ...int64) (int, error) { return t.SetDueDate("4!", ids...) }),
		"forget": cards(`nid IN (1017, 1019)`, func(t *Txn, ids ...int64) (int, error) {
			return t.Forget(ForgetOptions{RestorePosition: true, ResetCounts: true}, ids...)
		}),
		"create deck":    func(t *Txn) error { _, err := t.CreateDeck("Über::Neu:: Drei "); return err },
		"rename deck":    deck("Über", func(t *Txn, id int64) error { return t.RenameDeck(id, "Ober::Unter") }),
		"case of a deck": deck("Ober", func(t *Txn, id int64) error { return t.RenameDeck(id, "OBER") }),
		"reparent deck":  deck("OBER::Unter", func(t *Txn, id int64) error { return t.ReparentDeck(id, 0) }),
		"reparent below": deck("A::B", func(t *Txn, id int64) error {
			return deck("E", func(t *Txn, below int64) error { return t.ReparentDeck(id, below) })(t)
		}),
		"filtered deck": filtered(0, FilteredDeck{Name: "OBER::H", Reschedule: true, Searches: []FilteredSearch{
			{"is:review", 4, scheduling.FilterAdded}, {"deck:A -is:review", 3, scheduling.FilterReverseAdded},
		}}),
		"rebuild": deck("OBER::H", func(t *Txn, id int64) error { _, err := t.RebuildFilteredDeck(id); return err }),
		"change filtered deck": deck("OBER::H", func(t *Txn, id int64) error {
			return filtered(id, FilteredDeck{Name: "OBER::P", Searches: []FilteredSearch{{"deck:E", 3, scheduling.FilterDue}}})(t)
		}),
		"empty":                deck("OBER::P", func(t *Txn, id int64) error { _, err := t.EmptyFilteredDeck(id); return err }),
		"delete filtered deck": deck("F", func(t *Txn, id int64) error { _, err := t.DeleteDeck(id, false); return err }),
		"options":              preset("preset A", func(t *Txn, id int64) error { _, err := t.AddDeckConfig("Mine", id); return err }),
		"change options": preset("preset A", func(t *Txn, id int64) error {
			c, err := t.DeckConfig(id)
			if err != nil {
				return err
			}
			text, err := c.JSON()
			if err != nil {
				return err
			}
			var o struct{ New map[string]any }
			if err := json.Unmarshal(text, &o); err != nil {
				return err
			}
			o.New["perDay"], o.New["delays"] = 33, []float64{1.5, 20}
			text, err = json.Marshal(o.New)
			if err != nil {
				return err
			}
			return t.PatchDeckConfig(id, map[string]json.RawMessage{"new": text})
		}),
		"use options": preset("preset E", func(t *Txn, id int64) error {
			return deck("A::D", func(t *Txn, did int64) error { return t.UseDeckConfig(did, id) })(t)
		}),
		"delete options": preset("preset E", (*Txn).DeleteDeckConfig),
		"select deck":    deck("E::B", (*Txn).SelectDeck),
		"delete deck":    deck("E", func(t *Txn, id int64) error { _, err := t.DeleteDeck(id, false); return err }),
		"config":         func(t *Txn) error { return t.SetConfig("someAddon", map[string]int{"a": 1}) },
		"remove config":  func(t *Txn) error { return t.RemoveConfig("someAddon") },
		"copy notetype": notetype("Basic (and reversed card)", func(t *Txn, nt *schema.Notetype) error {
			_, err := t.AddNotetype(nt.ID, "Mine")
			return err
		}),
		"add to it":         add("Mine", "A", nil, "one", "two"),
		"style":             change(NotetypeChange{CSS: ptr(".card{}")}),
		"add field":         notetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.AddField(nt.ID, "Third") }),
		"rename field":      notetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.RenameField(nt.ID, "Front", "Vorn") }),
		"sort by":           change(NotetypeChange{SortField: ptr(1)}),
		"reorder fields":    change(NotetypeChange{Fields: []FieldChange{{1, "Back"}, {2, "Third"}, {0, "Vorn"}}}),
		"add template":      templates([]TemplateChange{{From: -1, Name: "C", Front: "{{Vorn}}{{Back}}", Back: "x"}}, 0, 1),
		"reorder templates": templates(nil, 2, 0, 1),
		"remove template":   templates(nil, 0, 2),
		"remove field":      notetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.RemoveField(nt.ID, "Third") }),
		"delete notetype":   notetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.DeleteNotetype(nt.ID) }),
	}
}
