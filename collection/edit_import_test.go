package collection

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// importRig is a collection with an object of everything, at a time when the
// ids of all are of the past.
func importRig(t *testing.T) *rig {
	r := newRig(t, Options{})
	r.clock.set(time.Unix(1795428000, 0))
	r.putGzip("../testdata/collections/v18-26.09.anki2.gz")
	return r
}

func TestImportRows(t *testing.T) {
	r := importRig(t)
	counts := func() string {
		return r.one(`SELECT (SELECT count(*) FROM notes) || ' ' || (SELECT count(*) FROM cards) || ' ' || (SELECT count(*) FROM revlog)`)
	}
	problems := r.problems()
	if len(problems) > 0 {
		t.Logf("before: %v", problems)
	}
	r.rows(testUser, `INSERT INTO graves (oid, type, usn) VALUES (1600000000001, 1, 0), (1600000000002, 0, 0)`)
	r.reopen()
	if got := counts(); got != "50 54 28" {
		t.Fatal(got)
	}
	want := Card{
		DID: 1, Type: 3, Queue: 3, Due: 9, Ivl: 4, Factor: 2100, Reps: 7, Lapses: 2, Left: 1002, Flags: 3, Data: `{"pos":4}`,
	}
	var note int64
	var got []Card
	var log []RevlogEntry
	r.edit(func(t *Txn) error {
		nt, err := t.NotetypeByName("Basic")
		if err != nil {
			return err
		}
		// Neither an id that was deleted nor one of the future is kept.
		for _, id := range []int64{1600000000001, 1600000000003, 1600000000003, t.now.UnixMilli() + 1, -4} {
			if note, err = t.ImportNote(ImportedNote{
				ID: id, Mod: 1600000000, GUID: "guid", NotetypeID: nt.ID, Fields: []string{"front", "back"}, Tags: []string{"New Tag"},
			}); err != nil {
				return err
			}
			want.NID = note
			card := want
			card.ID = id + 1
			cid, err := t.ImportCard(card)
			if err != nil {
				return err
			}
			if n, err := t.ImportReviews(cid, []RevlogEntry{
				{ID: id + 7, CID: 42, USN: -1, Ease: 3, Ivl: 4, LastIvl: -600, Factor: 2100, Time: 900, Type: 2},
				{ID: id + 8, Ease: 5}, {ID: id + 9, Type: 6}, {ID: 0, Ease: 1}, {ID: id + 10, Ivl: 1 << 40}, {ID: t.now.UnixMilli() * 2},
			}); err != nil || n > 1 {
				return errors.Join(err, errNothingThere)
			}
			c, err := t.Card(cid)
			if err != nil {
				return err
			}
			got = append(got, c)
			more, err := t.CardRevlog(cid)
			if err != nil {
				return err
			}
			log = append(log, more...)
		}
		return nil
	})
	now := r.clock.Now().Unix()
	for i, id := range []int64{now * 1000, 1600000000004, now*1000 + 1, now*1000 + 2, now*1000 + 3} {
		w := want
		w.ID, w.NID, w.Mod = id, got[i].NID, now
		if diff := cmp.Diff(w, got[i]); diff != "" {
			t.Error(i, diff)
		}
	}
	// The third has the ids of the second.
	if len(log) != 4 || log[0] != (RevlogEntry{ID: 1600000000008, CID: got[0].ID, Ease: 3, Ivl: 4, LastIvl: -600, Factor: 2100, Time: 900, Type: 2}) {
		t.Errorf("reviews %+v", log)
	}
	if got := counts(); got != "55 59 32" {
		t.Error(got)
	}
	if diff := cmp.Diff(problems, r.problems()); diff != "" {
		t.Error(diff)
	}
	if got := r.one(`SELECT group_concat(DISTINCT mod) FROM notes WHERE guid = 'guid'`); got != "1600000000" {
		t.Errorf("mod %s", got)
	}
}

func TestImportCardRefuses(t *testing.T) {
	r := importRig(t)
	filtered := r.one(`SELECT did FROM cards WHERE odid != 0 LIMIT 1`)
	r.edit(func(x *Txn) error {
		nt, err := x.NotetypeByName("Basic")
		if err != nil {
			return err
		}
		note, err := x.ImportNote(ImportedNote{NotetypeID: nt.ID, Fields: []string{"a", "b"}})
		if err != nil {
			return err
		}
		did, err := x.first(`SELECT id FROM decks WHERE id = ?`, filtered)
		if err != nil {
			return err
		}
		for what, c := range map[string]Card{
			"template":   {DID: 1, Ord: 1},
			"ordinal":    {DID: 1, Ord: -1},
			"filtered":   {DID: did},
			"home":       {DID: 1, ODID: 1},
			"lent twice": {DID: did, ODID: did},
			"old due":    {DID: 1, ODue: 1},
			"type":       {DID: 1, Type: 4, Queue: -1},
			"queue":      {DID: 1, Type: 2},
			"preview":    {DID: 1, Type: 1, Queue: 4},
			"due":        {DID: 1, Due: 1 << 31},
			"interval":   {DID: 1, Ivl: -1},
			"factor":     {DID: 1, Factor: 65536},
			"reps":       {DID: 1, Reps: 1 << 32},
			"flags":      {DID: 1, Flags: 256},
			"data":       {DID: 1, Data: "[]"},
			"data, text": {DID: 1, Data: "{"},
		} {
			c.NID = note
			if _, err := x.ImportCard(c); !isRefused(err) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, c := range []Card{{NID: 4711, DID: 1}, {NID: note, DID: 4711}, {NID: note, DID: did, ODID: 4711}} {
			if _, err := x.ImportCard(c); !errors.Is(err, ErrNoObject) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if _, err := x.ImportReviews(4711, nil); !errors.Is(err, ErrNoObject) {
			t.Errorf("reviews of no card: %v", err)
		}
		if _, err := x.ImportNote(ImportedNote{NotetypeID: nt.ID, Fields: []string{"a"}}); !isRefused(err) {
			t.Errorf("one field: %v", err)
		}
		for range 2 { // the second time it has one
			if err := x.EnsureCards(note, 1); err != nil {
				return err
			}
		}
		if cards, err := x.NoteCards(note); err != nil || len(cards) != 1 {
			t.Errorf("%d cards, %v", len(cards), err)
		}
		if _, err := x.ImportCard(Card{NID: note, DID: 1}); !isRefused(err) {
			t.Errorf("card that is there: %v", err)
		}
		return nil
	})
	r.view(func(x *Txn) error {
		_, err1 := x.ImportNote(ImportedNote{})
		_, err2 := x.ImportCard(Card{})
		_, err3 := x.ImportReviews(1, nil)
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("read-only: %v", err)
			}
		}
		return nil
	})
}

func TestNotesByGUID(t *testing.T) {
	r := importRig(t)
	r.rows(testUser, `UPDATE notes SET guid = 'a"<&>''b' WHERE id = (SELECT min(id) FROM notes)`)
	r.view(func(x *Txn) error {
		got, err := x.NotesByGUID([]string{`a"<&>'b`, "nobody", ""})
		if err != nil {
			return err
		}
		first, err := x.first(`SELECT min(id) FROM notes`)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(map[string]int64{`a"<&>'b`: first}, got); diff != "" {
			t.Error(diff)
		}
		got, err = x.NotesByGUID(nil)
		if err == nil && len(got) > 0 {
			t.Errorf("of none: %v", got)
		}
		return err
	})
}
