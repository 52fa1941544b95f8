package collection

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// What a later client has stored with a deck, and what its JSON form cannot say,
// survives an edit of something else.
func TestPatchDeckKeepsTheRest(t *testing.T) {
	unknown := protowire.AppendString(protowire.AppendTag(nil, 200, protowire.BytesType), "of the future")
	retention := float32(0.905)
	for name, kind := range map[string]schema.DeckKind{
		"normal": {Unknown: unknown, Normal: &schema.NormalDeck{
			ConfigID: 1, Description: "d", DesiredRetention: &retention, Unknown: unknown,
			ReviewLimitToday: &schema.DayLimit{Limit: 1, Today: 2, Unknown: unknown}, NewLimitToday: &schema.DayLimit{Limit: 3, Today: 4, Unknown: unknown},
		}},
		"filtered": {Unknown: unknown, Filtered: &schema.FilteredDeck{
			Reschedule: true, Delays: []float32{1, 2}, PreviewDelay: 3, PreviewAgainSecs: 4, PreviewHardSecs: 5, PreviewGoodSecs: 6, Unknown: unknown,
			SearchTerms: []schema.SearchTerm{{Search: "one", Limit: 7, Order: 1, Unknown: unknown}, {Search: "two", Limit: 8, Order: 2, Unknown: unknown}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser)
			var id int64
			r.edit(func(tx *Txn) error {
				d, err := tx.CreateDeck(name)
				if err != nil {
					return err
				}
				id = d.ID
				d.Kind, d.Common.Unknown = kind, unknown
				return tx.saveDeck(d)
			})
			r.edit(func(tx *Txn) error {
				return tx.PatchDeck(context.Background(), id, map[string]json.RawMessage{"collapsed": []byte("true"), "name": []byte(`"renamed"`)})
			})
			r.view(func(tx *Txn) error {
				d, err := tx.Deck(id)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(kind, d.Kind); diff != "" || string(d.Common.Unknown) != string(unknown) || !d.Common.StudyCollapsed || d.Name != "renamed" {
					t.Errorf("%+v (-want +got):\n%s", d, diff)
				}
				return nil
			})
		})
	}
}

// A filtered deck that is made anew keeps what belongs to the searches that stay.
func TestFilteredDeckKeepsTheRest(t *testing.T) {
	unknown := protowire.AppendString(protowire.AppendTag(nil, 200, protowire.BytesType), "of the future")
	r := newRig(t, Options{})
	r.seed(testUser)
	f := FilteredDeck{Name: "F", Reschedule: true, Searches: []FilteredSearch{{Query: "one", Limit: 7}, {Query: "two", Limit: 8}}}
	r.edit(func(tx *Txn) error {
		d, _, err := tx.SaveFilteredDeck(context.Background(), 0, f, true)
		if err != nil {
			return err
		}
		kind := *d.Kind.Filtered
		kind.Unknown = unknown
		for i := range kind.SearchTerms {
			kind.SearchTerms[i].Unknown = unknown
		}
		d.Kind.Filtered = &kind
		if err := tx.saveDeck(d); err != nil {
			return err
		}
		f.Searches[0].Limit, f.Searches[1] = 9, FilteredSearch{Query: "three", Limit: 1, Order: scheduling.FilterRandom}
		d, _, err = tx.SaveFilteredDeck(context.Background(), d.ID, f, true)
		if err != nil {
			return err
		}
		want := []schema.SearchTerm{{Search: "one", Limit: 9, Unknown: unknown}, {Search: "three", Limit: 1, Order: 1}}
		if diff := cmp.Diff(want, d.Kind.Filtered.SearchTerms); diff != "" || string(d.Kind.Filtered.Unknown) != string(unknown) {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return nil
	})
}

// A notetype without fields takes up its id all the same: it is neither replaced
// nor counted twice.
func TestInsertBesideHollowNotetype(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, `INSERT INTO notetypes SELECT 77, 'hollow', mtime_secs, usn, config FROM notetypes LIMIT 1`)
	var kept Counts
	count := func() Counts {
		t.Helper()
		var c Counts
		if err := r.s.withUser(t.Context(), testUser, func(u *user) error {
			var err error
			if c, err = countRows(u.col); err == nil && u.col.counts == nil {
				u.col.counts = &c
			}
			kept = *u.col.counts
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	r.view(func(*Txn) error { return nil }) // opens it
	before := count()
	r.edit(func(tx *Txn) error {
		nt, err := tx.Notetype(ntBasic)
		if err != nil {
			return err
		}
		nt.ID, nt.Name = 77, "imported"
		text, err := nt.JSON(false)
		if err != nil {
			return err
		}
		nt, err = tx.ImportNotetype(text)
		if err == nil && nt.ID == 77 {
			t.Error("the id was given twice")
		}
		return err
	})
	after := count()
	if after.Notetypes != before.Notetypes+1 || after != kept {
		t.Errorf("%+v, counted on to %+v, were %+v", after, kept, before)
	}
}
