package collection

import (
	"fmt"
	"testing"
)

// TestDeckTreeWithGaps: decks whose parents are missing, and ids that no deck
// should have, make neither gaps nor circles.
func TestDeckTreeWithGaps(t *testing.T) {
	r := newRig(t, Options{})
	const like = `, mtime_secs, usn, common, kind FROM decks WHERE id = 1`
	r.seed(testUser, `INSERT INTO decks SELECT 10, 'A'`+like, `INSERT INTO decks SELECT 11, 'A' || char(31) || 'B'`+like,
		`INSERT INTO decks SELECT 12, 'a' || char(31) || 'B' || char(31) || 'C' || char(31) || 'D'`+like, `INSERT INTO decks SELECT 0, 'X'`+like)
	names := map[int64]string{}
	got := ""
	r.edit(func(tx *Txn) error {
		list, err := tx.DeckTree()
		for _, n := range list {
			above := names[n.Parent]
			if n.Parent != 0 && above == "" {
				t.Errorf("%s comes before the deck above it", n.Deck.Name)
			}
			names[n.Deck.ID] = n.Deck.Name
			if n.Parent == 0 {
				above = "-"
			}
			got += fmt.Sprintf("%q below %q; ", n.Deck.Name, above)
		}
		return err
	})
	if want := `"A" below "-"; "A\x1fB" below "A"; "a\x1fB\x1fC\x1fD" below "A\x1fB"; "Default" below "-"; "X" below "-"; `; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
