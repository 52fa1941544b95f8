package collection

import (
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// TestMoveWithFSRS: a card that comes to another deck is remembered as its reviews
// and that deck's options say (the numbers are the newest client's); new cards, and
// those of which no review counts, say nothing of it.
func TestMoveWithFSRS(t *testing.T) {
	for _, c := range []struct {
		name   string
		fsrs   bool
		before func(tx *Txn, id int64) error
		want   []string // of the data; none: nothing about memory
	}{
		{"learning", true, func(tx *Txn, id int64) error {
			_, err := tx.AnswerCard(Answer{CardID: id, Rating: scheduling.Again})
			return err
		}, []string{`"s":0.212,"d":6.413,"dr":0.9,"decay":0.154`, `"lrt":`}},
		{"never answered", true, func(tx *Txn, id int64) error {
			_, err := tx.SetDueDate("20!", id)
			return err
		}, []string{`"dr":0.9,"decay":0.154}`}},
		{"no entry in the log", true, func(tx *Txn, id int64) error {
			_, err := tx.h.exec(`UPDATE cards SET type = 2, queue = 2, due = 9, ivl = 5, factor = 2500, data = '{"s":10.5,"d":5.1,"dr":0.85}' WHERE id = ?`, id)
			return err
		}, nil},
		{"new", true, func(*Txn, int64) error { return nil }, nil},
		{"without FSRS", false, func(tx *Txn, id int64) error {
			_, err := tx.AnswerCard(Answer{CardID: id, Rating: scheduling.Again})
			return err
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser)
			r.edit(func(tx *Txn) error {
				if err := tx.SetConfig("fsrs", c.fsrs); err != nil {
					return err
				}
				return addTo("Basic")(tx)
			})
			r.edit(func(tx *Txn) error {
				ids, err := collect(tx.h, scanID, `SELECT id FROM cards`)
				if err != nil {
					return err
				}
				if err := c.before(tx, ids[0]); err != nil {
					return err
				}
				d, err := tx.CreateDeck("Other")
				if err != nil {
					return err
				}
				_, err = tx.MoveCards(d.ID, ids[0])
				return err
			})
			data := r.one(`SELECT data FROM cards`)
			for _, want := range c.want {
				if !strings.Contains(data, want) {
					t.Errorf("data %s, want %s", data, want)
				}
			}
			if c.want == nil && (strings.Contains(data, `"s"`) || strings.Contains(data, `"dr"`)) {
				t.Errorf("data %s", data)
			}
			r.checkCollection()
		})
	}
}
