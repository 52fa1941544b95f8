package scheduling

import (
	"fmt"
	"testing"
)

// benchCards are the cards of a collection of n notes: one in five is new, one
// in ten of the others due.
func benchCards(n int, fsrs bool) ([]Deck, Cards) {
	c := DefaultConfig()
	decks := []Deck{{ID: 1, Name: "A", Config: &c}}
	for i := range 20 {
		decks = append(decks, Deck{ID: int64(i) + 2, Name: fmt.Sprintf("A\x1f%02d", i), Config: &c})
	}
	cards := make(Cards, n)
	for i := range cards {
		card := Card{ID: int64(i) + 1, NoteID: int64(i) + 1, DeckID: decks[i%len(decks)].ID, Mod: int64(i), Due: int64(i)}
		if i%5 != 0 {
			card.Type, card.Queue, card.Interval, card.Factor = TypeReview, QueueReview, int64(i%300)+1, 2500
			card.Due = int64(goldenTiming.Today) + int64(i%10) - 1
			card.Reps = 5
		}
		if fsrs && i%5 != 0 {
			last := goldenTiming.Now - card.Interval*secsPerDay
			card.Data = Data{Memory: &Memory{float32(card.Interval), 5}, LastReview: &last}.String()
		}
		cards[i] = card
	}
	return decks, cards
}

func BenchmarkStates(b *testing.B) {
	for _, fsrs := range []bool{false, true} {
		b.Run(fmt.Sprintf("fsrs=%v", fsrs), func(b *testing.B) {
			_, cards := benchCards(100, true)
			ctx := Context{Timing: goldenTiming, Config: DefaultConfig(), FSRS: fsrs}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New(cards[1], nil, ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	_, cards := benchCards(100, true)
	ctx := Context{Timing: goldenTiming, Config: DefaultConfig(), FSRS: true}
	b.ReportAllocs()
	for b.Loop() {
		s, err := New(cards[1], nil, ctx)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Answer(Good, goldenTiming.Now*1000, 5000); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuildQueue(b *testing.B) {
	for _, order := range []ReviewOrder{ReviewByDay, ReviewByRetrievabilityAscending} {
		b.Run(fmt.Sprintf("cards=50000/order=%d", order), func(b *testing.B) {
			decks, cards := benchCards(50_000, true)
			decks[0].Config.ReviewOrder = order
			b.ReportAllocs()
			for b.Loop() {
				if _, err := BuildQueue(decks, 1, cards, QueueOptions{Timing: goldenTiming, LearnAhead: 1200, FSRS: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseData(b *testing.B) {
	const text = `{"pos":5,"s":12.3457,"d":5.432,"dr":0.91,"decay":0.154,"lrt":1700000000}`
	b.ReportAllocs()
	for b.Loop() {
		ParseData(text)
	}
}
