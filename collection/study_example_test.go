package collection_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/scheduling"
)

// Adds a note and studies its card, without a server: what every device of the
// user will get with its next sync.
func ExampleStore_Edit() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	now := time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)
	store := collection.New(dir, collection.Options{Now: func() time.Time { return now }})
	defer store.Close()
	ctx := context.Background()

	err = store.EditWith(ctx, "ann", collection.EditOptions{CreateIfMissing: true}, func(t *collection.Txn) error {
		nt, err := t.NotetypeByName("Basic")
		if err != nil {
			return err
		}
		deck, err := t.CreateDeck("French::Animals")
		if err != nil {
			return err
		}
		_, _, err = t.AddNote(collection.NewNote{
			NotetypeID: nt.ID, DeckID: deck.ID, Fields: []string{"le chien", "the dog"}, Tags: []string{"noun"},
		})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}

	err = store.Edit(ctx, "ann", func(t *collection.Txn) error {
		deck, err := t.DeckByName("french")
		if err != nil {
			return err
		}
		next, ok, err := t.NextCard(deck.ID)
		if err != nil || !ok {
			return err
		}
		shown, err := t.RenderCard(next.Card.ID, rendering.Options{})
		if err != nil {
			return err
		}
		fmt.Printf("%s, %+v\n", shown.Question, next.Counts)
		for _, b := range next.Buttons {
			fmt.Printf("%d: %s\n", b.Rating, b.Label)
		}
		card, err := t.AnswerCard(collection.Answer{CardID: next.Card.ID, Rating: scheduling.Good, Taken: 4 * time.Second})
		if err != nil {
			return err
		}
		fmt.Println("due in", time.Unix(card.Due, 0).Sub(now))
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// le chien, {New:1 Learning:0 Review:0}
	// 1: <1m
	// 2: <6m
	// 3: <10m
	// 4: 3d
	// due in 10m48s
}
