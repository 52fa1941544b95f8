package scheduling

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/google/go-cmp/cmp"
)

// recordedButtons is [card, now, states, labels].
type recordedButtons struct {
	card   Card
	now    int64
	states [5]json.RawMessage
	labels [4]string
}

func (r *recordedButtons) UnmarshalJSON(raw []byte) error {
	var row [4]json.RawMessage
	if err := json.Unmarshal(raw, &row); err != nil {
		return err
	}
	var card []any
	dec := json.NewDecoder(bytes.NewReader(row[0]))
	dec.UseNumber()
	if err := dec.Decode(&card); err != nil {
		return err
	}
	r.card = recordedCard(card).card()
	for i, v := range []any{&r.now, &r.states, &r.labels} {
		if err := json.Unmarshal(row[i+1], v); err != nil {
			return err
		}
	}
	return nil
}

// recordedMemory is [card id, [stability, difficulty] or null, decay].
type recordedMemory struct {
	id     int64
	memory *[2]float32
	decay  float32
}

func (r *recordedMemory) UnmarshalJSON(raw []byte) error {
	return json.Unmarshal(raw, &[]any{&r.id, &r.memory, &r.decay})
}

type recordedLab struct {
	Timing  recordedTiming
	Options recordedOptions
	Decks   []recordedDeck
	Cards   []recordedButtons
	Revlog  [][8]int64
	Memory  []recordedMemory
}

// TestStates compares the buttons of many cards under random presets, with
// fuzz, and memory states computed from histories.
func TestStates(t *testing.T) {
	var golden []recordedLab
	readGolden(t, "states.json.gz", &golden)
	cases, known := 0, 0
	for i, lab := range golden {
		revlog := map[int64][]RevlogEntry{}
		for _, e := range lab.Revlog {
			revlog[e[1]] = append(revlog[e[1]], entryOf(e))
		}
		decks, kinds := map[int64]Deck{}, map[int64]schema.DeckKind{}
		for _, r := range lab.Decks {
			d, stored := r.deck(t)
			decks[r.ID], kinds[r.ID] = d, stored.Kind
		}
		cards := map[int64]Card{}
		for _, r := range lab.Cards {
			cases++
			cards[r.card.ID] = r.card
			t.Run(fmt.Sprintf("%d/%d", i, r.card.ID), func(t *testing.T) {
				home := r.card.HomeDeckID()
				checkButtons(t, r, revlog[r.card.ID], Context{
					Timing: lab.Timing.timing(), Config: *decks[home].Config, DesiredRetention: kinds[home].Normal.DesiredRetention,
					FSRS: lab.Options.FSRS, FSRSShortTermWithSteps: lab.Options.WithSteps,
				})
			})
		}
		for _, r := range lab.Memory {
			card, ok := cards[r.id]
			if !ok {
				continue
			}
			if r.memory != nil {
				known++
			}
			config := decks[card.DeckID].Config
			t.Run(fmt.Sprintf("%d/%d/memory", i, r.id), func(t *testing.T) {
				checkMemory(t, r, card, config, revlog[r.id], lab.Timing.timing())
			})
		}
	}
	if cases < 900 || known < 50 {
		t.Errorf("got %d cards and %d memory states, want 900 and 50", cases, known)
	}
}

func checkButtons(t *testing.T, r recordedButtons, revlog []RevlogEntry, ctx Context) {
	ctx.Timing.Now = r.now
	s, err := New(r.card, revlog, ctx)
	if err != nil {
		t.Fatal(err)
	}
	st := s.States()
	for i, got := range []State{st.Current, st.Again, st.Hard, st.Good, st.Easy} {
		if diff := cmp.Diff(parseState(t, r.states[i]), got); diff != "" {
			t.Errorf("card %+v\nstate %d (-want +got):\n%s", r.card, i, diff)
		}
	}
	if got := s.Labels(1200); got != r.labels {
		t.Errorf("labels: got %q, want %q", got, r.labels)
	}
}

func checkMemory(t *testing.T, r recordedMemory, card Card, config *Config, revlog []RevlogEntry, timing Timing) {
	f, err := NewFSRS(config.FSRSParams)
	if err != nil {
		t.Fatal(err)
	}
	// Clients give none here without a history that can be used.
	card.Interval = 0
	got, err := f.MemoryFromHistory(card, revlog, timing, config.HistoricalRetention, config.IgnoreRevlogsBefore)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case r.memory == nil && got == nil:
	case r.memory == nil || got == nil:
		t.Errorf("got %v, want %v", got, r.memory)
	case Memory{r.memory[0], r.memory[1]} != *got:
		t.Errorf("got %v, want %v", *got, *r.memory)
	}
	if d := decayOf(config.FSRSParams); d != r.decay {
		t.Errorf("decay: got %v, want %v", d, r.decay)
	}
}
