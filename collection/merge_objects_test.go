package collection

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// object decodes a JSON object with its numbers as they are written.
func object(t testing.TB, b []byte) map[string]any {
	t.Helper()
	return convJSON(t, b).(map[string]any)
}

func raws(t testing.TB, objects ...map[string]any) []json.RawMessage {
	t.Helper()
	var out []json.RawMessage
	for _, o := range objects {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// changes returns what the server has for a client of that usn, through a sync
// of its own.
func (r *rig) changes(t testing.TB, usn USN) Changes {
	t.Helper()
	return r.apply(t, usn, false, Changes{})
}

// apply runs start and applyChanges; the sync stays open.
func (r *rig) apply(t testing.TB, usn USN, newer bool, in Changes) Changes {
	t.Helper()
	r.start(usn, newer)
	out, err := r.s.ApplyChanges(t.Context(), testUser, "k", in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The three kinds of objects follow one rule: an incoming one is taken unless
// ours is newer (docs/protocol.md §6.4; on a tie the incoming one).
func TestMergeObjectMtime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mtime int64 // the client's; ours is 1000
		taken bool
	}{{"older", 999, false}, {"tie", 1000, true}, {"newer", 1001, true}} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser, setUSN10, `UPDATE notetypes SET mtime_secs = 1000`, `UPDATE decks SET mtime_secs = 1000`,
				`UPDATE deck_config SET mtime_secs = 1000`)
			have := r.changes(t, 0)
			edit := func(b []byte, name string) map[string]any {
				o := object(t, b)
				o["name"], o["mod"], o["usn"] = name, tt.mtime, 3
				o["strange key"] = map[string]any{"of": []any{"an", "add-on"}}
				return o
			}
			nt, deck, conf := edit(have.Notetypes[0], "NT"), edit(have.Decks[0], "A::B"), edit(have.DeckConfigs[0], "Conf")
			nt["flds"].([]any)[1].(map[string]any)["name"] = "Hinten"
			r.apply(t, 5, false, Changes{Notetypes: raws(t, nt), Decks: raws(t, deck), DeckConfigs: raws(t, conf)})
			want := []string{fmt.Sprintf("NT|%d|10", tt.mtime), fmt.Sprintf("A\x1fB|%d|10", tt.mtime), fmt.Sprintf("Conf|%d|10", tt.mtime), "Front|Hinten"}
			if !tt.taken {
				want = []string{"Basic|1000|0", "Default|1000|0", "Default|1000|0", "Front|Back"}
			}
			r.wantRows(fmt.Sprintf(`SELECT name, mtime_secs, usn FROM notetypes WHERE id = %d`, ntBasic), want[0])
			r.wantRows(`SELECT name, mtime_secs, usn FROM decks`, want[1])
			r.wantRows(`SELECT name, mtime_secs, usn FROM deck_config`, want[2])
			r.wantRows(fmt.Sprintf(`SELECT group_concat(name, '|') FROM (SELECT name FROM fields WHERE ntid = %d ORDER BY ord)`, ntBasic), want[3])
			// What this schema has no place for comes back.
			got := r.changes(t, 0) // rolls the open sync back
			_ = got
			r.apply(t, 5, false, Changes{Notetypes: raws(t, nt), Decks: raws(t, deck), DeckConfigs: raws(t, conf)})
			r.finish()
			got = r.changes(t, 10)
			for _, list := range [][]json.RawMessage{got.Notetypes, got.Decks, got.DeckConfigs} {
				if len(list) != map[bool]int{true: 1, false: 0}[tt.taken] {
					t.Errorf("%d objects since the sync", len(list))
				}
				for _, b := range list {
					if o := object(t, b); fmt.Sprint(o["strange key"]) != "map[of:[an add-on]]" || fmt.Sprint(o["usn"]) != "10" {
						t.Errorf("came back as %s", b)
					}
				}
			}
		})
	}
}

// Names that one client moved between its objects arrive as they are there, in
// whatever order the objects come: it never learns of a "+" that is appended
// here (docs/protocol.md §6.4).
func TestMergeTakenOverNames(t *testing.T) {
	for _, tt := range []struct {
		name    string
		mtime   int64 // of the first one, which gives its name up; ours is 1000
		renamed [2]string
		want    []string
	}{
		{"taken over", 1001, [2]string{"C", "A"}, []string{"C", "A"}},
		{"swapped", 1001, [2]string{"B", "A"}, []string{"B", "A"}},
		{"other case", 1001, [2]string{"b", "a"}, []string{"b", "a"}},
		{"given up too late", 999, [2]string{"C", "A"}, []string{"A", "A+"}},
	} {
		for _, reverse := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, reverse), func(t *testing.T) {
				r := newRig(t, Options{})
				r.seed(testUser, setUSN10, `UPDATE decks SET name = 'A', mtime_secs = 1000`,
					`INSERT INTO decks SELECT 2, 'B', mtime_secs, usn, common, kind FROM decks`,
					fmt.Sprintf(`UPDATE notetypes SET mtime_secs = 1000, name = CASE id WHEN %d THEN 'A' WHEN %d THEN 'B' ELSE name END`, ntBasic, ntBasic+1))
				have := r.changes(t, 0)
				send := func(list []json.RawMessage) []json.RawMessage {
					var out []map[string]any
					for i, name := range tt.renamed {
						o := object(t, list[i])
						o["name"], o["mod"] = name, []int64{tt.mtime, 1001}[i]
						out = append(out, o)
					}
					if reverse {
						slices.Reverse(out)
					}
					return raws(t, out...)
				}
				r.apply(t, 5, false, Changes{Notetypes: send(have.Notetypes), Decks: send(have.Decks)})
				r.wantRows(`SELECT name FROM decks ORDER BY id`, tt.want...)
				r.wantRows(`SELECT name FROM notetypes ORDER BY id LIMIT 2`, tt.want...)
				r.finish()
				r.checkCollection()
			})
		}
	}
}

func TestMergeNewObjects(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10)
	have := r.changes(t, 0)
	if len(have.Notetypes) != 6 || len(have.Decks) != 1 || len(have.DeckConfigs) != 1 || have.CRT == nil || have.Config == nil {
		t.Fatalf("a fresh collection has %d, %d, %d, %v, %v", len(have.Notetypes), len(have.Decks), len(have.DeckConfigs), have.CRT, have.Config)
	}
	nt, deck, conf := object(t, have.Notetypes[0]), object(t, have.Decks[0]), object(t, have.DeckConfigs[0])
	// As some clients write them: ids as text, "dyn" as a bool.
	nt["id"], nt["name"] = "77", "Other"
	deck["id"], deck["name"], deck["dyn"], deck["conf"] = "78", "Other::Deck", false, "1"
	conf["id"] = "79" // the same name as another: options need none of their own
	r.apply(t, 5, false, Changes{Notetypes: raws(t, nt), Decks: raws(t, deck), DeckConfigs: raws(t, conf)})
	r.wantRows(`SELECT id, name, usn FROM notetypes WHERE id = 77`, "77|Other|10")
	r.wantRows(`SELECT count(*) FROM fields WHERE ntid = 77`, "2")
	r.wantRows(`SELECT id, name, usn FROM decks WHERE id = 78`, "78|Other\x1fDeck|10")
	r.wantRows(`SELECT id, name, usn FROM deck_config WHERE id = 79`, "79|Default|10")
	want := Counts{Notetypes: 7, Decks: 2, DeckConfigs: 2}
	if got, ok, err := r.s.SanityCheck(t.Context(), testUser, "k", want); err != nil || !ok {
		t.Errorf("counts %+v, want %+v (%v)", got, want, err)
	}
}

func TestNameFixUps(t *testing.T) {
	// A name that belongs to another object, in whatever case, gets "+" until
	// it is free, and a new mtime, so that the change goes to everybody.
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, `UPDATE notetypes SET name = 'Straße' WHERE name = 'Cloze'`, `UPDATE notetypes SET name = 'STRASSE+' WHERE name LIKE 'Image%'`,
		`INSERT INTO decks SELECT 5, 'A'||char(31)||'B', 0, 3, common, kind FROM decks`)
	have := r.changes(t, 0)
	nt, deck := object(t, have.Notetypes[0]), object(t, have.Decks[0])
	nt["id"], nt["name"], nt["mod"] = 77, "strasse", 1
	deck["id"], deck["name"], deck["mod"] = 78, "a::b", 1
	r.apply(t, 5, false, Changes{Notetypes: raws(t, nt), Decks: raws(t, deck)})
	r.wantRows(`SELECT name, mtime_secs, usn FROM notetypes WHERE id = 77`, fmt.Sprintf("strasse++|%d|10", testNow.Unix()))
	r.wantRows(`SELECT name, mtime_secs, usn FROM decks WHERE id = 78`, fmt.Sprintf("a\x1fb+|%d|10", testNow.Unix()))
	// Its own name in another case is no clash.
	deck["id"], deck["name"], deck["mod"] = 5, "a::B", 9
	r.apply(t, 5, false, Changes{Decks: raws(t, deck)})
	r.wantRows(`SELECT name, mtime_secs FROM decks WHERE id = 5`, "a\x1fB|9")
	// Two that swap their names: none is lost, and none is changed.
	basic, reversed := object(t, have.Notetypes[0]), object(t, have.Notetypes[1])
	basic["name"], reversed["name"] = reversed["name"], basic["name"]
	basic["mod"], reversed["mod"] = 2e9, 2e9
	r.apply(t, 5, false, Changes{Notetypes: raws(t, basic, reversed)})
	r.wantRows(`SELECT name FROM notetypes ORDER BY id LIMIT 2`, "Basic (and reversed card)", "Basic")
}

func TestNotetypeShapeMayNotChange(t *testing.T) {
	for _, list := range []string{"flds", "tmpls"} {
		for _, more := range []bool{true, false} {
			r := newRig(t, Options{})
			r.seed(testUser, setUSN10)
			before := r.dump(testUser)
			nt := object(t, r.changes(t, 0).Notetypes[1]) // two of each
			l := nt[list].([]any)
			if more {
				x := convJSON(t, raws(t, l[0].(map[string]any))[0]).(map[string]any)
				x["name"] = "one more"
				l = append(l, x)
			} else {
				l = l[:1]
			}
			nt[list], nt["mod"] = l, 2e9
			r.start(5, true)
			_, err := r.s.ApplyChanges(t.Context(), testUser, "k", Changes{Notetypes: raws(t, nt), Tags: []string{"t"}})
			var bad *BadInputError
			if !errors.As(err, &bad) {
				t.Errorf("%s, more %v: %v", list, more, err)
			}
			if err := r.s.AbortSync(t.Context(), testUser, "k"); !errors.Is(err, ErrConflict) {
				t.Errorf("the sync is not over: %v", err)
			}
			wantDump(t, list, r.dump(testUser), before)
			// An older one is not looked at that closely.
			nt["mod"] = -1
			r.apply(t, 5, true, Changes{Notetypes: raws(t, nt)})
		}
	}
}

func TestObjectsThatAreNone(t *testing.T) {
	for _, in := range []Changes{
		{Notetypes: []json.RawMessage{[]byte(`{"id":1}`)}},
		{Notetypes: []json.RawMessage{[]byte(`null`)}},
		{Decks: []json.RawMessage{[]byte(`[]`)}},
		{DeckConfigs: []json.RawMessage{[]byte(`{"id":1,"name":"x"}`)}},
		{DeckConfigs: []json.RawMessage{[]byte(``)}},
	} {
		r := newRig(t, Options{})
		r.seed(testUser)
		r.start(0, true)
		_, err := r.s.ApplyChanges(t.Context(), testUser, "k", in)
		if bad := (*BadInputError)(nil); !errors.As(err, &bad) || bad.Unwrap() == nil {
			t.Errorf("%v: %v", in, err)
		}
	}
}

// A client merges decks one after the other, and adds "+" to a name that another
// deck still has: the deck that gave a name up must come before the new one.
func TestDecksInTheOrderOfIDs(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10,
		`INSERT INTO decks SELECT 9, 'Spanish', 100, 7, common, kind FROM decks WHERE id = 1`,
		`INSERT INTO decks SELECT 5, 'Spanish old', 100, 7, common, kind FROM decks WHERE id = 1`)
	var got []string
	for _, raw := range r.apply(t, 5, false, Changes{}).Decks {
		var d struct{ Name string }
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatal(err)
		}
		got = append(got, d.Name)
	}
	if want := []string{"Spanish old", "Spanish"}; !slices.Equal(got, want) {
		t.Errorf("decks %q, want %q", got, want)
	}
}

func TestTags(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, `INSERT INTO tags VALUES ('Known', 3, 0, x'01'), ('later', 7, 1, null)`)
	out := r.apply(t, 5, false, Changes{Tags: []string{
		"KNOWN", "new", "New", "", "Ärger::x", "ÄRGER::X", "later", "two words", "KNOWN::a", "ärger::X::B::c", "none::x",
	}})
	if !slices.Equal(out.Tags, []string{"later"}) {
		t.Errorf("tags since usn 5: %q", out.Tags)
	}
	r.wantRows(`SELECT tag, usn, collapsed, coalesce(config, 'null') FROM tags ORDER BY tag`,
		"Known|3|0|\x01", "Known::a|10|1|null", "later|7|1|null", "new|10|1|null", "none::x|10|1|null", "twowords|10|1|null",
		"Ärger::x|10|1|null", "Ärger::x::B::c|10|1|null")
}

// What is found by steps is what looking for every tag above would find.
func TestSpellTag(t *testing.T) {
	all := []string{"a", "A!", "a!", "b", "\u0390"}
	for range 2 {
		for _, above := range slices.Clone(all) {
			for _, part := range []string{"A", "a!", "\u03b9\u0308\u0301"} {
				all = append(all, above+"::"+part)
			}
		}
	}
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(func(tx *Txn) error {
		for i, tag := range all {
			if i%3 == 1 || i%7 == 2 {
				if _, err := tx.h.exec(`INSERT OR IGNORE INTO tags VALUES (?, 0, 1, null)`, tag); err != nil {
					return err
				}
			}
		}
		found := 0
		for _, tag := range append(all, "", "c::d", "0", strings.Repeat("b::", 100)+"x") {
			want, known, err := knownTag(tx.h, tag)
			if err != nil {
				return err
			}
			for parts, n := strings.Split(tag, "::"), strings.Count(tag, "::"); want == "" && n > 0; n-- {
				above, ok, err := knownTag(tx.h, strings.Join(parts[:n], "::"))
				if err != nil {
					return err
				}
				if ok {
					found++
					want = strings.Join(append([]string{above}, parts[n:]...), "::")
				}
			}
			if want == "" {
				want = tag
			}
			if got, gotKnown, err := spellTag(tx.h, tag); got != want || gotKnown != known || err != nil {
				t.Errorf("%q: %q, %v, %v, want %q, %v", tag, got, gotKnown, err, want, known)
			}
		}
		if found == 0 {
			t.Error("nothing above was found")
		}
		return nil
	})
}

// Looking for every tag above one of so many parts would take longer than a test may.
func TestTagOfManyParts(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, `INSERT INTO tags VALUES ('A', 3, 1, null)`)
	tail := strings.Repeat("::a", 100_000)
	r.edit(func(tx *Txn) error {
		got, err := tx.canonTags([]string{"a" + tail})
		if err == nil && !slices.Equal(got, []string{"A" + tail}) {
			t.Errorf("got %d tags", len(got))
		}
		return err
	})
	r.apply(t, 5, false, Changes{Tags: []string{"a" + tail + "::b"}})
	r.wantRows(`SELECT substr(tag, 1, 3), length(tag) FROM tags ORDER BY length(tag)`, "A|1", "A::|300001", "A::|300004")
}

// TestTagsBelowKnownOnes: as on the official server, a new tag is spelt as the
// nearest known one above it.
func TestTagsBelowKnownOnes(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, `INSERT INTO tags VALUES ('b::c', 3, 1, null), ('Ü', 3, 1, null)`)
	deep := strings.Repeat("x::", 100) + "x"
	r.apply(t, 5, false, Changes{Tags: []string{"B::C::E", "ü::1::2", "B::d", "p::Q", "P", "P::q::r", "P::r", deep, "X::" + deep}})
	r.wantRows(`SELECT tag FROM tags ORDER BY tag`,
		"b::c", "b::c::E", "B::d", "P", "p::Q", "p::Q::r", "P::r", deep, deep+"::x", "Ü", "Ü::1::2")
}

func TestConfigAndCRT(t *testing.T) {
	crt := int64(1_500_000_000)
	conf := map[string]json.RawMessage{"a": []byte(`{"b": [1, 2.50, "ü"]}`), "schedVer": []byte(`2`), "rollover": []byte(`5`)}
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, `INSERT INTO config VALUES ('mine', 3, 4, '{"keep": "not"}')`)
	// The newer side sends them; the server does not answer with its own.
	out := r.apply(t, 5, true, Changes{Config: conf, CRT: &crt})
	if out.Config != nil || out.CRT != nil {
		t.Errorf("sent %v, %v to a newer client", out.Config, out.CRT)
	}
	now := testNow.Unix()
	// schedVer was so before, and is not written.
	r.wantRows(`SELECT * FROM config ORDER BY KEY`, fmt.Sprintf(`a|10|%d|{"b": [1, 2.50, "ü"]}`, now), fmt.Sprintf("rollover|10|%d|5", now), "schedVer|0|0|2")
	r.wantRows(`SELECT typeof(val) FROM config WHERE KEY = 'a'`, "blob")
	r.wantRows(`SELECT crt FROM col`, "1500000000")
	r.finish()
	// The older side gets everything, as it is stored.
	out = r.changes(t, 10)
	if out.CRT == nil || *out.CRT != crt || len(out.Config) != 4 /* and lastUnburied */ && len(out.Config) != 3 || string(out.Config["a"]) != `{"b": [1, 2.50, "ü"]}` {
		t.Errorf("config %s, crt %v", out.Config, out.CRT)
	}
	// Nothing sent: nothing changed.
	r.apply(t, 10, false, Changes{})
	r.wantRows(`SELECT val FROM config WHERE KEY = 'rollover'`, "5")
}

func TestConfigValueThatIsNoJSON(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, `INSERT INTO config VALUES ('broken', 0, 0, x'ff00')`)
	out := r.changes(t, 0)
	if _, ok := out.Config["broken"]; ok || len(out.Config) == 0 {
		t.Errorf("config %v", out.Config)
	}
	if _, err := json.Marshal(out.Config); err != nil {
		t.Error(err)
	}
}

// What a later client stores in fields that this program does not know survives
// the sync of an old client that edits other objects.
func TestUnknownFieldsSurviveOtherEdits(t *testing.T) {
	unknown := protowire.AppendTag(nil, 200, protowire.BytesType)
	unknown = protowire.AppendBytes(unknown, []byte("of the future"))
	hex := fmt.Sprintf("%x", unknown)
	var seed []string
	for table, cols := range map[string][]string{"notetypes": {"config"}, "fields": {"config"}, "templates": {"config"}, "decks": {"common", "kind"}, "deck_config": {"config"}} {
		for _, c := range cols {
			seed = append(seed, fmt.Sprintf(`UPDATE %s SET %s = CAST(%s || x'%s' AS BLOB)`, table, c, c, hex))
		}
	}
	r := newRig(t, Options{})
	r.seed(testUser, append(seed, setUSN10)...)
	before := r.dump(testUser)
	have := r.changes(t, 0)
	nt, deck, conf := object(t, have.Notetypes[0]), object(t, have.Decks[0]), object(t, have.DeckConfigs[0])
	nt["id"], nt["name"], deck["id"], deck["name"], conf["id"] = 77, "new", 78, "new", 79
	old := object(t, have.Notetypes[1])
	old["mod"] = -5 // an edit that ours beats
	r.apply(t, 5, true, Changes{Notetypes: raws(t, nt, old), Decks: raws(t, deck), DeckConfigs: raws(t, conf), Tags: []string{"t"}})
	r.finish()
	after := r.dump(testUser)
	for _, table := range []string{"notetypes", "fields", "templates", "decks", "deck_config"} {
		for _, row := range before[table] {
			if !bytes.Contains([]byte(row), unknown) {
				t.Fatalf("the test put nothing into %q", row)
			}
			if !slices.Contains(after[table], row) {
				t.Errorf("%s: %q is gone", table, row)
			}
		}
	}
}

func TestTextIDs(t *testing.T) {
	for _, text := range []bool{false, true} {
		r := newRig(t, Options{})
		r.seed(testUser)
		if _, err := r.s.Start(t.Context(), testUser, StartOptions{SKey: "k", TextIDs: text}); err != nil {
			t.Fatal(err)
		}
		out, err := r.s.ApplyChanges(t.Context(), testUser, "k", Changes{})
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`"id":%d`, ntBasic)
		if text {
			want = fmt.Sprintf(`"id":"%d"`, ntBasic)
		}
		if !strings.Contains(string(out.Notetypes[0]), want) {
			t.Errorf("text ids %v: %s", text, out.Notetypes[0])
		}
	}
}

// Two fields or templates of one notetype cannot have one name here; what comes
// that way is made unique and not refused.
func TestDoubleFieldNames(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	nt := object(t, r.changes(t, 0).Notetypes[1])
	for _, list := range []string{"flds", "tmpls"} {
		for _, x := range nt[list].([]any) {
			x.(map[string]any)["name"] = "Same"
		}
	}
	nt["mod"] = 2e9
	r.apply(t, 0, true, Changes{Notetypes: raws(t, nt)})
	for _, table := range []string{"fields", "templates"} {
		r.wantRows(fmt.Sprintf(`SELECT name FROM %s WHERE ntid = %d ORDER BY ord`, table, ntBasic+1), "Same", "Same+")
	}
}
