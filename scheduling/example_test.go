package scheduling_test

import (
	"fmt"
	"log"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// Studies the only card of a deck: what the buttons say, and what pressing
// "good" changes.
func Example() {
	creationOffset := int32(0)
	timing := scheduling.TimingFor(scheduling.Clock{
		Created: 1_700_000_000, CreationOffset: &creationOffset, Rollover: 4,
	}, 1_710_000_000)
	preset := scheduling.DefaultConfig()
	decks := []scheduling.Deck{{ID: 1, Name: "Default", Config: &preset}}
	cards := scheduling.Cards{{ID: 100, NoteID: 10, DeckID: 1, Due: 1}}

	queue, err := scheduling.BuildQueue(decks, 1, cards, scheduling.QueueOptions{Timing: timing, LearnAhead: 1200})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", queue.Counts(timing.Now))
	next := queue.Next(1)[0]

	session, err := scheduling.New(cards[0], nil, scheduling.Context{Timing: timing, Config: preset, NoFuzz: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(next.CardID, session.Labels(1200))

	result, err := session.Answer(scheduling.Good, timing.Now*1000, 4200)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := queue.Answered(result.Card, timing.Now, result.Finished); err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Card.Due-timing.Now, result.Card.Data)
	fmt.Printf("%+v\n", result.Deck)
	fmt.Printf("%+v\n", queue.Counts(timing.Now))
	// Output:
	// {New:1 Learning:0 Review:0}
	// 100 [<1m <6m <10m 4d]
	// 600 {"pos":1,"lrt":1710000000}
	// {DeckID:1 New:1 Reviews:0 Millis:4200}
	// {New:0 Learning:1 Review:0}
}
