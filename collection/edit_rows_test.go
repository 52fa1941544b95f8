package collection

import "testing"

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
