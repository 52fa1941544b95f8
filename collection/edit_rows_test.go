package collection

import (
	"fmt"
	"testing"
)

// TestDeletedIDsAreNotReused: within one millisecond (or with a clock that was
// set back) a note is deleted and another is added. Had it the old id, the grave
// of the first would delete it on every other device.
func TestDeletedIDsAreNotReused(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(func(tx *Txn) error {
		nt, err := tx.NotetypeByName("Basic")
		if err != nil {
			return err
		}
		for range 3 {
			id, _, err := tx.AddNote(NewNote{NotetypeID: nt.ID, Fields: []string{"front", "back"}})
			if err != nil {
				return err
			}
			if _, err := tx.DeleteNotes(id); err != nil {
				return err
			}
		}
		return addTo("Basic")(tx)
	})
	r.wantRows(`SELECT count(*) FROM graves WHERE oid IN (SELECT id FROM notes UNION SELECT id FROM cards)`, "0")
	r.checkCollection()
}

// TestCardsWithFractions: add-ons of old clients have left such; the rest of the
// collection could not be studied either.
func TestCardsWithFractions(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser,
		fmt.Sprintf(`INSERT INTO notes VALUES (1, 'g', %d, 1.5, 1, '', 'a'||char(31)||'b', 'a', 1, 0, '')`, ntBasic),
		`INSERT INTO cards VALUES (2, 1, 1, 0, 3.5, 1, 2, 2, -0.5, 10.5, 2557.5, 7.5, 1.5, 2.5, 0.5, 0, 0, '')`)
	r.view(func(tx *Txn) error {
		next, ok, err := tx.NextCard(1)
		if err != nil || !ok {
			t.Fatalf("next card: %v, %v", ok, err)
		}
		c, err := tx.Card(next.Card.ID)
		if c.Ivl != 10 || c.Factor != 2557 || c.Reps != 7 || c.Lapses != 1 || c.Left != 2 {
			t.Errorf("%+v", c)
		}
		return err
	})
}
