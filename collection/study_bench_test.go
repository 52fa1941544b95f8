package collection

import (
	"fmt"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// bigRig is a collection of notes, a fifth of them new and a tenth due, in ten
// decks below one.
func bigRig(b *testing.B, notes int) (r *rig, deck int64) {
	b.Helper()
	r = newRig(b, Options{})
	r.seed(testUser)
	r.edit(func(t *Txn) error {
		var decks []int64
		for i := range 10 {
			d, err := t.CreateDeck(fmt.Sprintf("Big::%d", i))
			if err != nil {
				return err
			}
			decks = append(decks, d.ID)
		}
		d, err := t.DeckByName("Big")
		if err != nil {
			return err
		}
		deck = d.ID
		nt, err := t.NotetypeByName("Basic")
		if err != nil {
			return err
		}
		for i := range notes {
			_, cards, err := t.AddNote(NewNote{
				NotetypeID: nt.ID, DeckID: decks[i%10], Fields: []string{fmt.Sprint("front ", i), fmt.Sprint("back ", i)},
			})
			if err != nil {
				return err
			}
			if i%5 == 0 {
				continue
			}
			if _, err := t.h.exec(`UPDATE cards SET type = 2, queue = 2, due = ?, ivl = 30, factor = 2500 WHERE id = ?`, i%100-10, cards[0]); err != nil {
				return err
			}
		}
		t.stale = true
		c, err := t.DeckConfig(1)
		if err != nil {
			return err
		}
		c.Config.NewPerDay, c.Config.ReviewsPerDay = 9999, 9999
		return t.saveDeckConfig(c)
	})
	r.clock.add(time.Minute)
	return r, deck
}

// BenchmarkStudy is a learner's step on 50,000 notes: the next card, and the
// answer to it.
func BenchmarkStudy(b *testing.B) {
	r, deck := bigRig(b, 50_000)
	b.ReportAllocs()
	for b.Loop() {
		var c StudyCard
		r.view(func(t *Txn) (err error) { c, _, err = t.NextCard(deck); return err })
		r.edit(func(t *Txn) error {
			_, err := t.AnswerCard(Answer{CardID: c.Card.ID, Rating: scheduling.Easy, Taken: time.Second})
			return err
		})
	}
}

// BenchmarkBuildQueue is the first card of a day, with the limits of a client.
func BenchmarkBuildQueue(b *testing.B) {
	r, deck := bigRig(b, 50_000)
	r.edit(func(t *Txn) error {
		c, err := t.DeckConfig(1)
		if err != nil {
			return err
		}
		c.Config.NewPerDay, c.Config.ReviewsPerDay = 20, 200
		return t.saveDeckConfig(c)
	})
	b.ReportAllocs()
	for b.Loop() {
		r.view(func(t *Txn) error {
			t.stale = true
			_, _, err := t.NextCard(deck)
			return err
		})
	}
}

// BenchmarkAddNote is one note in a transaction of its own.
func BenchmarkAddNote(b *testing.B) {
	r, deck := bigRig(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		r.edit(func(t *Txn) error {
			nt, err := t.NotetypeByName("Basic")
			if err != nil {
				return err
			}
			_, _, err = t.AddNote(NewNote{NotetypeID: nt.ID, DeckID: deck, Fields: []string{"a", "b"}, Tags: []string{"x"}})
			return err
		})
	}
}
