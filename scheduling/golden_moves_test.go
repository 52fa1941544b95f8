package scheduling

import (
	"encoding/json"
	"testing"
)

// TestMovedSteps compares the steps that are left of learning cards in another deck
// to recorded ones.
func TestMovedSteps(t *testing.T) {
	var golden [][5]json.RawMessage
	readGolden(t, "moves.json.gz", &golden)
	if len(golden) == 0 {
		t.Fatal("no recorded moves")
	}
	for _, g := range golden {
		c := Card{DeckID: 1}
		var from, to []float32
		var want int64
		for i, into := range []any{&c.Type, &from, &to, &c.Left, &want} {
			if err := json.Unmarshal(g[i], into); err != nil {
				t.Fatal(err)
			}
		}
		here, there := &Config{LearnSteps: from}, &Config{LearnSteps: to}
		if c.Type == TypeRelearning {
			here, there = &Config{RelearnSteps: from}, &Config{RelearnSteps: to}
		}
		if MoveTo(&c, 2, here, there); c.DeckID != 2 || c.Left != want {
			t.Errorf("type %d from %v to %v: %s left became %d, want %d", c.Type, from, to, g[3], c.Left, want)
		}
	}
}
