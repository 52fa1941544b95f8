package collection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/schema"
)

// ntBasic is the id of the first notetype of the fresh collection: two fields.
var ntBasic = testNow.UnixMilli()

func sqlCard(id int64, usn, mod int) string {
	return fmt.Sprintf(`INSERT INTO cards VALUES (%d, 1, 1, 0, %d, %d, 2, 2, 100, 10, 2500, 5, 1, 0, 0, 0, 3, '{"s":1.23456789,"x":1}')`, id, mod, usn)
}

func sqlNote(id int64, usn, mod int) string {
	return fmt.Sprintf(`INSERT INTO notes VALUES (%d, 'g%d', %d, %d, %d, ' a ', 'f'||char(31)||'b', 'f', 1, 0, '')`, id, id, ntBasic, mod, usn)
}

func sqlRevlog(id int64, usn int) string {
	return fmt.Sprintf(`INSERT INTO revlog VALUES (%d, 1, %d, 3, 10, 5, 2500, 4000, 1)`, id, usn)
}

const setUSN10 = `UPDATE col SET usn = 10`

// unchangedSince5 and changedSince5 are usns of rows, for a client that last
// synced at usn 5.
const (
	unchangedSince5 = 3
	changedSince5   = 7
)

func TestMergeCardAndNote(t *testing.T) {
	// docs/protocol.md §6.6: taken if unknown, not changed here since, or
	// changed here earlier (strictly). A card that stays with its note, 1, is
	// stored by another statement than one that has moved.
	for _, nid := range []int64{1, 11} {
		t.Run(fmt.Sprint("note ", nid), func(t *testing.T) { testMergeCardAndNote(t, nid) })
	}
}

func testMergeCardAndNote(t *testing.T, nid int64) {
	for _, tt := range []struct {
		name      string
		usn, mod  int // ours; usn < 0: we do not have it
		clientMod int64
		taken     bool
	}{
		{"unknown", -9, 0, 1, true},
		{"unchanged here, client older", unchangedSince5, 100, 50, true},
		{"unchanged here, same mod", unchangedSince5, 100, 100, true},
		{"unchanged here, client newer", unchangedSince5, 100, 150, true},
		{"changed here, client older", changedSince5, 100, 99, false},
		{"changed here, tie", changedSince5, 100, 100, false},
		{"changed here, client newer", changedSince5, 100, 101, true},
		{"changed at the very usn of the client, tie", 5, 100, 100, false},
		{"changed at the very usn of the client, newer", 5, 100, 101, true},
		{"changed in this usn, tie", 10, 100, 100, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{})
			seed := []string{setUSN10}
			if tt.usn >= 0 {
				seed = append(seed, sqlCard(1, tt.usn, tt.mod), sqlNote(1, tt.usn, tt.mod))
			}
			r.seed(testUser, seed...)
			r.start(5, true)
			data := `{"pos":7, "s":1.23456789,"unknown":[1,2],"d":5.55555}`
			err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{
				Cards: []Card{{ID: 1, NID: nid, DID: 12, Ord: 13, Mod: tt.clientMod, USN: 10, Type: 1, Queue: -1, Due: -14, Ivl: 15, Factor: 16,
					Reps: 17, Lapses: 18, Left: 19, ODue: 20, ODID: 21, Flags: 0xff, Data: data}},
				Notes: []Note{{ID: 1, GUID: "new", MID: ntBasic, Mod: tt.clientMod, USN: 10, Tags: " x y ", Flds: "<b>12</b>\x1fback\r\x00!\n\t", Flags: 5, Data: "junk"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			card, note := fmt.Sprintf("1|1|1|0|%d|%d|2|2|100|10|2500|5|1|0|0|0|3|{\"s\":1.23456789,\"x\":1}", tt.mod, tt.usn),
				fmt.Sprintf("1|g1|%d|%d| a |f\x1fb|f|1|0|", tt.mod, tt.usn)
			if tt.taken {
				card = fmt.Sprintf("1|%d|12|13|%d|10|1|-1|-14|15|16|17|18|19|20|21|255|%s", nid, tt.clientMod, data)
				note = fmt.Sprintf("1|new|%d|10| x y |<b>12</b>\x1fback!\n\t|12|%d|0|", tt.clientMod, schema.Checksum("12"))
			}
			r.wantRows(`SELECT * FROM cards`, card)
			r.wantRows(`SELECT id, guid, mod, usn, tags, flds, sfld, csum, flags, data FROM notes`, note)
			if tt.taken {
				r.wantRows(`SELECT typeof(sfld) FROM notes`, "integer")
			}
		})
	}
}

func TestIncomingUSNIsOurs(t *testing.T) {
	// Whatever the client stamped on a row: the usn is set by us, and the
	// stamp of a row it has not marked as sent makes the sanity check fail.
	for _, tt := range []struct {
		usn USN
		ok  bool
	}{{10, true}, {0, true}, {9999, true}, {-1, false}} {
		r := newRig(t, Options{})
		r.seed(testUser, setUSN10)
		r.start(5, true)
		err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{
			Revlog: []RevlogEntry{{ID: 1, USN: tt.usn}},
			Cards:  []Card{{ID: 1, USN: tt.usn}},
			Notes:  []Note{{ID: 1, MID: ntBasic, Flds: "a\x1fb", USN: tt.usn}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"revlog", "cards", "notes"} {
			r.wantRows(`SELECT usn FROM `+table, "10")
		}
		before := r.meta()
		_, ok, err := r.s.SanityCheck(t.Context(), testUser, "k", Counts{Cards: 1, Notes: 1, Revlog: 1, Notetypes: 6, Decks: 1, DeckConfigs: 1, Graves: 77})
		if ok != tt.ok || err != nil {
			t.Errorf("usn %d: sanity check: %v, %v", tt.usn, ok, err)
		}
		if _, err := r.s.Finish(t.Context(), testUser, "k"); errors.Is(err, ErrConflict) == tt.ok {
			t.Errorf("usn %d: finish: %v", tt.usn, err)
		}
		if !tt.ok && r.meta() != before {
			t.Error("a failed sanity check left something")
		}
	}
}

func TestRevlogIsNeverOverwritten(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, sqlRevlog(1, 3), sqlRevlog(2, 7))
	r.start(5, true)
	err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Revlog: []RevlogEntry{
		{ID: 1, CID: 99, USN: 10}, {ID: 2, CID: 99, USN: 10},
		{ID: 3, CID: 4, USN: 10, Ease: 1, Ivl: -60, LastIvl: -600, Factor: 555, Time: 9000, Type: 3}, {ID: 3, CID: 5},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT * FROM revlog`, "1|1|3|3|10|5|2500|4000|1", "2|1|7|3|10|5|2500|4000|1", "3|4|10|1|-60|-600|555|9000|3")
}

func TestBadNotesEndTheSync(t *testing.T) {
	for _, tt := range []struct{ name, flds, reason string }{
		{"too few fields", "a", "field count"},
		{"too many fields", "a\x1fb\x1fc", "field count"},
		{"no fields", "", "field count"},
		{"no notetype", "a\x1fb", "does not exist"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser, setUSN10)
			before := r.dump(testUser)
			r.start(5, true)
			mid := ntBasic
			if tt.name == "no notetype" {
				mid = 12345
			}
			err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{
				Cards: []Card{{ID: 5}}, Notes: []Note{{ID: 1, MID: mid, Flds: tt.flds}},
			})
			var bad *BadInputError
			if !errors.As(err, &bad) || !strings.Contains(bad.Reason, tt.reason) || bad.Step != "applyChunk" {
				t.Errorf("err = %v", err)
			}
			if _, err := r.s.Finish(t.Context(), testUser, "k"); !errors.Is(err, ErrConflict) {
				t.Errorf("finish: %v", err)
			}
			wantDump(t, "after a refused note", r.dump(testUser), before)
		})
	}
}

func TestNoteOfANotetypeThatComesInTheSameSync(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.start(0, true)
	// A note in vain would end the sync, so the notetype comes first, as all
	// clients do it; and it changes which field is the sort field.
	nt := object(t, r.changes(t, 0).Notetypes[0])
	nt["mod"] = testNow.Unix() + 5
	nt["sortf"] = 1
	r.start(0, true)
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Notes: []Note{{ID: 1, MID: ntBasic, Flds: "a\x1fb"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.ApplyChanges(t.Context(), testUser, "k", Changes{Notetypes: raws(t, nt)}); err != nil {
		t.Fatal(err)
	}
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Notes: []Note{{ID: 2, MID: ntBasic, Flds: "a\x1fb"}}}); err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT id, sfld FROM notes`, "1|a", "2|b")
}

func TestChunkOfManyRows(t *testing.T) {
	// 2.0.27 to 2.0.30 send 2500 rows at once.
	r := newRig(t, Options{})
	r.seed(testUser)
	r.start(0, true)
	var c Chunk
	for i := range int64(2500) {
		c.Cards = append(c.Cards, Card{ID: i + 1})
	}
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", c); err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT count(*) FROM cards`, "2500")
}

func TestApplyGraves(t *testing.T) {
	// docs/protocol.md §6.3
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10,
		sqlCard(1, 3, 100), sqlCard(2, 7, 100), sqlCard(3, 3, 100), sqlNote(1, 3, 100), sqlNote(2, 3, 1), sqlRevlog(1, 3),
		`INSERT INTO graves (oid, type, usn) VALUES (3, 0, 4), (4, 0, 4), (5, 0, 6), (6, 1, 6), (7, 2, 6), (8, 2, 2)`,
		`INSERT INTO decks SELECT 50, 'gone', 0, 3, common, kind FROM decks`)
	if got := fmt.Sprint(r.start(5, true)); got != "{[5] [6] [7]}" {
		t.Errorf("graves since usn 5: %s", got)
	}
	g := Graves{Cards: []int64{2, 3, 4, 400, 400}, Notes: []int64{1}, Decks: []int64{50, 51}}
	for range 2 { // a repeated step changes nothing
		if err := r.s.ApplyGraves(t.Context(), testUser, "k", g); err != nil {
			t.Fatal(err)
		}
		r.wantRows(`SELECT id FROM cards`, "1") // also of the deleted note: it comes as a grave of its own
		r.wantRows(`SELECT id FROM notes`, "2")
		r.wantRows(`SELECT id FROM decks`, "1")
		r.wantRows(`SELECT id FROM revlog`, "1")
		r.wantRows(`SELECT oid, type, usn FROM graves ORDER BY type, oid`,
			"2|0|10",
			"3|0|10", // it was back, and is deleted again: devices must hear of it
			"4|0|4",  // it was gone already: the old grave stays
			"5|0|6", "400|0|10", "1|1|10", "6|1|6", "7|2|6", "8|2|2", "50|2|10", "51|2|10")
	}
	// What comes later with the id of a grave is simply added; the grave stays.
	if err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Cards: []Card{{ID: 2}}}); err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT id FROM cards ORDER BY id`, "1", "2")
	r.wantRows(`SELECT count(*) FROM graves WHERE oid = 2`, "1")
}

func TestGravesInStart(t *testing.T) {
	// Clients of protocol 8 send their deletions with start; the answer does
	// not echo them.
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, sqlCard(1, 3, 100), `INSERT INTO graves (oid, type, usn) VALUES (9, 1, 10)`)
	g, err := r.s.Start(context.Background(), testUser, StartOptions{SKey: "k", ClientUSN: 5, Graves: &Graves{Cards: []int64{1}}})
	if err != nil || fmt.Sprint(g) != "{[] [9] []}" {
		t.Errorf("start: %v %v", g, err)
	}
	r.wantRows(`SELECT count(*) FROM cards`, "0")
	r.wantRows(`SELECT oid, usn FROM graves ORDER BY oid`, "1|10", "9|10")
}

// TestNoteTagsAreTidied: the column is searched for " tag " (docs/protocol.md §6.6).
func TestNoteTagsAreTidied(t *testing.T) {
	for in, want := range map[string]string{"": "", " foo ": " foo ", "foo": " foo ", "a  b": " a b ", " a\u3000b ": " a b ", "  ": ""} {
		r := newRig(t, Options{})
		r.seed(testUser, setUSN10)
		for mod := range int64(2) { // a new one, and then a known one
			r.start(5, true)
			err := r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{Notes: []Note{{ID: 1, GUID: "g", MID: ntBasic, Mod: 2e9 + mod, USN: 10, Tags: in, Flds: "a\x1fb"}}})
			if err != nil {
				t.Fatal(err)
			}
			r.finish()
			r.wantRows(`SELECT quote(tags) FROM notes`, "'"+want+"'")
		}
	}
}
