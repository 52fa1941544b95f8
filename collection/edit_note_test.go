package collection

import "testing"

// TestTargetDeck: a template of a normal notetype may say where its cards go; that
// of a cloze notetype may not, nor is it asked about the card that a note has
// because it must have one (docs/collection-format.md §8).
func TestTargetDeck(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(func(tx *Txn) error {
		target, err := tx.CreateDeck("Target")
		if err != nil {
			return err
		}
		for _, n := range []struct {
			notetype string
			fields   []string
		}{
			{"Basic", []string{"asked", ""}},
			{"Basic", []string{"", "nothing is asked"}},
			{"Cloze", []string{"{{c1::x}}", ""}},
			{"Cloze", []string{"no cloze", ""}},
		} {
			nt, err := tx.NotetypeByName(n.notetype)
			if err != nil {
				return err
			}
			nt.Templates[0].Config.TargetDeckID = target.ID
			if err := tx.saveNotetype(nt); err != nil {
				return err
			}
			if _, _, err := tx.AddNote(NewNote{NotetypeID: nt.ID, DeckID: 1, Fields: n.fields}); err != nil {
				return err
			}
		}
		return nil
	})
	r.wantRows(`SELECT n.sfld, d.name FROM cards c JOIN notes n ON n.id = c.nid JOIN decks d ON d.id = c.did ORDER BY c.id`,
		"asked|Target", "|Default", "{{c1::x}}|Default", "no cloze|Default")
	r.checkCollection()
}

// TestFieldForm: control characters go first, so that what they kept apart is
// composed, too, and only if the collection wants that; duplicates are looked for in
// the form in which fields are stored.
func TestFieldForm(t *testing.T) {
	const apart, composed = "e\x01\u0301", "\u00e9"
	for _, tt := range []struct {
		normalize    bool
		stored       string
		found, other string // a first field that is a duplicate, and one that is none
	}{
		{true, composed, apart, "e"},
		{false, "e\u0301", apart, composed},
	} {
		r := newRig(t, Options{})
		r.seed(testUser)
		r.edit(func(tx *Txn) error {
			if err := tx.SetConfig("normalize_note_text", tt.normalize); err != nil {
				return err
			}
			nt, err := tx.NotetypeByName("Basic")
			if err != nil {
				return err
			}
			id, _, err := tx.AddNote(NewNote{NotetypeID: nt.ID, Fields: []string{apart, ""}})
			if err != nil {
				return err
			}
			if n, err := tx.Note(id); err != nil || n.FieldList()[0] != tt.stored {
				t.Errorf("normalize %v: stored %+q, %v, want %+q", tt.normalize, n.Flds, err, tt.stored)
			}
			for first, want := range map[string]int{tt.found: 1, tt.other: 0} {
				if same, err := tx.Duplicates(nt.ID, first, 0); err != nil || len(same) != want {
					t.Errorf("normalize %v: duplicates of %+q: %v, %v, want %d", tt.normalize, first, same, err, want)
				}
			}
			return nil
		})
		r.checkCollection()
	}
}
