package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestCardComesAgain: a card that was given out and not answered comes again when
// the program stayed away, on a new day, and when it was changed meanwhile.
func TestCardComesAgain(t *testing.T) {
	const cards = 3
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	c := newClient(t, Options{Now: func() time.Time { return now }}, collection.Options{})
	for i := range cards {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	next := func() int64 {
		text := c.ok("next_card", "{}")
		if text == "" {
			return 0
		}
		return decodeTo[struct{ ID int64 }](t, text).ID
	}
	first := next()
	second := next()

	// Calls that come often enough keep the place, whatever they are.
	for range 5 {
		now = now.Add(silence)
		c.ok("list_tags", "{}")
	}
	third := next()
	if third == 0 || third == first || third == second || next() != 0 {
		t.Fatalf("cards %d, %d, %d, or more", first, second, third)
	}
	now = now.Add(silence + time.Second)
	if got := next(); got != first {
		t.Errorf("after a silence: %d, want %d", got, first)
	}

	// The second one is changed, and by then nothing is left but it.
	if a, b := next(), next(); a != second || b != third {
		t.Errorf("then %d, %d, want %d, %d", a, b, second, third)
	}
	now = now.Add(10 * time.Second)
	for _, call := range []string{"suspend_cards", "unsuspend_cards"} {
		c.ok(call, fmt.Sprintf(`{"ids":[%d]}`, second))
	}
	if got := next(); got != second {
		t.Errorf("after a change: %d, want %d", got, second)
	}
	if got := next(); got != 0 {
		t.Errorf("then %d", got)
	}

	// A day ends at four.
	for end := time.Date(2026, 11, 2, 4, 0, 0, 0, time.UTC); now.Before(end); now = now.Add(silence) {
		c.ok("set_language", `{"code":"en"}`)
	}
	if got := next(); got != first {
		t.Errorf("on the next day: %d, want %d", got, first)
	}
}
