package scheduling

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readGolden decodes a compressed JSON file of testdata.
func readGolden(t testing.TB, name string, v any) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(z)
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		t.Fatal(err)
	}
}

type goldenCard struct {
	Type, Queue, Ivl, Factor, Reps, Lapses, Left, Flags int64
	Data                                                map[string]json.Number
	DueRel                                              [2]any `json:"due_rel"`
	InFiltered                                          bool   `json:"in_filtered"`
	OdueRel                                             int64  `json:"odue_rel"`
}

type goldenStep struct {
	Rating     Rating
	Before     goldenCard
	NextStates map[string]json.RawMessage `json:"next_states"`
	Labels     [4]string                  `json:"button_labels"`
	FuzzDelta  int64                      `json:"fuzz_delta_36000"`
	After      goldenCard
	Revlog     struct{ Ease, Ivl, LastIvl, Factor, Time, Type int64 }
	NoteTags   string `json:"note_tags"`
}

type goldenScenario struct {
	ID       string
	Conf     json.RawMessage `json:"conf_overrides"`
	Config   struct{ FSRS, FSRSShortTermWithStepsEnabled bool }
	CardID   int64 `json:"card_id"`
	Filtered *struct {
		Reschedule   bool
		PreviewAgain uint32 `json:"preview_again_secs"`
		PreviewHard  uint32 `json:"preview_hard_secs"`
		PreviewGood  uint32 `json:"preview_good_secs"`
	}
	Steps []goldenStep
}

// goldenTiming is of the night the files were recorded in: short-term intervals
// above three hours reached into the next day.
var goldenTiming = Timing{Now: 1795394380, Today: 700, NextDayAt: 1795394380 + 11500}

const (
	goldenHome     = 1
	goldenFiltered = 2
)

func (g goldenCard) card(id int64) Card {
	rel := func(v any) int64 { n, _ := v.(json.Number).Int64(); return n }
	c := Card{
		ID: id, NoteID: 1, DeckID: goldenHome, Type: CardType(g.Type), Queue: Queue(g.Queue),
		Interval: g.Ivl, Factor: g.Factor, Reps: g.Reps, Lapses: g.Lapses, Left: g.Left, Flags: g.Flags,
	}
	switch c.Due = rel(g.DueRel[1]); g.DueRel[0] {
	case "days":
		c.Due += int64(goldenTiming.Today)
	case "secs":
		c.Due += goldenTiming.Now
	}
	if g.InFiltered {
		c.DeckID, c.OriginalDeckID = goldenFiltered, goldenHome
		switch {
		case g.OdueRel > 1e9:
			c.OriginalDue = c.Due
		case c.Type == TypeNew:
			c.OriginalDue = g.OdueRel
		default:
			c.OriginalDue = g.OdueRel + int64(goldenTiming.Today)
		}
	}
	data := map[string]json.Number{}
	for k, v := range g.Data {
		if k == "lrt_rel" {
			n, _ := v.Int64()
			k, v = "lrt", json.Number(fmt.Sprint(n+goldenTiming.Now))
		}
		data[k] = v
	}
	text, _ := json.Marshal(data)
	c.Data = string(text)
	return c
}

// config applies overrides in the terms of the old JSON presets.
func (g goldenScenario) config(t *testing.T) Config {
	t.Helper()
	c := DefaultConfig()
	var o struct {
		New struct {
			Delays *[]float32
			Ints   []uint32
		}
		Rev struct {
			MaxIvl                    *uint32
			IvlFct, HardFactor, Ease4 *float32
		}
		Lapse struct {
			Delays                          *[]float32
			Mult                            *float32
			MinInt, LeechFails, LeechAction *uint32
		}
		FSRSWeights, FSRSParams5, FSRSParams6 []float32
		DesiredRetention                      *float32
	}
	if err := json.Unmarshal(g.Conf, &o); err != nil {
		t.Fatal(err)
	}
	set(&c.LearnSteps, o.New.Delays)
	if len(o.New.Ints) > 1 {
		c.GraduatingIntervalGood, c.GraduatingIntervalEasy = o.New.Ints[0], o.New.Ints[1]
	}
	set(&c.MaximumReviewInterval, o.Rev.MaxIvl)
	set(&c.IntervalMultiplier, o.Rev.IvlFct)
	set(&c.HardMultiplier, o.Rev.HardFactor)
	set(&c.EasyMultiplier, o.Rev.Ease4)
	set(&c.RelearnSteps, o.Lapse.Delays)
	set(&c.LapseMultiplier, o.Lapse.Mult)
	set(&c.MinimumLapseInterval, o.Lapse.MinInt)
	set(&c.LeechThreshold, o.Lapse.LeechFails)
	if a := o.Lapse.LeechAction; a != nil {
		c.LeechSuspend = *a == 0
	}
	set(&c.DesiredRetention, o.DesiredRetention)
	for _, p := range [][]float32{o.FSRSParams6, o.FSRSParams5, o.FSRSWeights} {
		if len(c.FSRSParams) == 0 {
			c.FSRSParams = p
		}
	}
	return c
}

func set[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}

type goldenMemory struct{ Stability, Difficulty float32 }

type goldenLearning struct {
	Remaining uint32        `json:"remaining_steps"`
	Secs      uint32        `json:"scheduled_secs"`
	Elapsed   uint32        `json:"elapsed_secs"`
	Memory    *goldenMemory `json:"memory_state"`
}

type goldenReview struct {
	Days    uint32        `json:"scheduled_days"`
	Elapsed uint32        `json:"elapsed_days"`
	Ease    float32       `json:"ease_factor"`
	Lapses  uint32        `json:"lapses"`
	Leeched bool          `json:"leeched"`
	Memory  *goldenMemory `json:"memory_state"`
}

type goldenNormal struct {
	New        *struct{ Position uint32 }
	Learning   *goldenLearning
	Review     *goldenReview
	Relearning *struct {
		Learning goldenLearning
		Review   goldenReview
	}
}

// parseState reads a state as clients show it to add-ons.
func parseState(t *testing.T, raw json.RawMessage) State {
	t.Helper()
	var g struct {
		Normal   *goldenNormal
		Filtered *struct {
			Preview *struct {
				Secs     uint32 `json:"scheduled_secs"`
				Finished bool
			}
			Rescheduling *struct {
				Original goldenNormal `json:"original_state"`
			}
		}
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	if f := g.Filtered; f != nil {
		if f.Preview != nil {
			return State{Kind: StatePreview, Preview: PreviewState{f.Preview.Secs, f.Preview.Finished}}
		}
		s := f.Rescheduling.Original.state()
		s.Filtered = true
		return s
	}
	return g.Normal.state()
}

func (g *goldenNormal) state() State {
	learning := func(l goldenLearning) LearningState {
		return LearningState{l.Remaining, l.Secs, l.Elapsed, (*Memory)(l.Memory)}
	}
	review := func(r goldenReview) ReviewState {
		return ReviewState{r.Days, r.Elapsed, r.Ease, r.Lapses, r.Leeched, (*Memory)(r.Memory)}
	}
	switch {
	case g.New != nil:
		return State{Kind: StateNew, Position: g.New.Position}
	case g.Learning != nil:
		return State{Kind: StateLearning, Learning: learning(*g.Learning)}
	case g.Review != nil:
		return State{Kind: StateReview, Review: review(*g.Review)}
	}
	return State{Kind: StateRelearning, Learning: learning(g.Relearning.Learning), Review: review(g.Relearning.Review)}
}

func TestGolden(t *testing.T) {
	for _, file := range []struct {
		name string
		fuzz bool
	}{{"scheduling.json.gz", false}, {"scheduling-fuzzed.json.gz", true}} {
		t.Run(file.name, func(t *testing.T) {
			var golden struct{ Scenarios []goldenScenario }
			readGolden(t, file.name, &golden)
			if len(golden.Scenarios) != 60 {
				t.Fatalf("got %d scenarios, want 60", len(golden.Scenarios))
			}
			for i, s := range golden.Scenarios {
				for j := range s.Steps {
					t.Run(fmt.Sprintf("%02d/%s/%d", i, s.ID, j), func(t *testing.T) { checkStep(t, s, &s.Steps[j], file.fuzz) })
				}
			}
		})
	}
}

func checkStep(t *testing.T, g goldenScenario, step *goldenStep, fuzzed bool) {
	ctx := Context{
		Timing: goldenTiming, Config: g.config(t), NoFuzz: !fuzzed,
		FSRS: g.Config.FSRS, FSRSShortTermWithSteps: g.Config.FSRSShortTermWithStepsEnabled,
	}
	before := step.Before.card(g.CardID)
	if g.Filtered != nil && step.Before.InFiltered {
		ctx.Filtered = &Filtered{g.Filtered.Reschedule, g.Filtered.PreviewAgain, g.Filtered.PreviewHard, g.Filtered.PreviewGood}
	}
	s, err := New(before, nil, ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := States{
		parseState(t, step.NextStates["current"]), parseState(t, step.NextStates["again"]),
		parseState(t, step.NextStates["hard"]), parseState(t, step.NextStates["good"]), parseState(t, step.NextStates["easy"]),
	}
	if diff := cmp.Diff(want, s.States()); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if got := s.Labels(1200); got != step.Labels {
		t.Errorf("labels: got %q, want %q", got, step.Labels)
	}
	delta := int64(cardFuzz(fuzzed, g.CardID, max(before.Reps-1, 0)).days(36000, 1, ctx.Config.MaximumReviewInterval)) - 36000
	if delta != step.FuzzDelta {
		t.Errorf("fuzz of 36000 days: got %d, want %d", delta, step.FuzzDelta)
	}
	res, err := s.Answer(step.Rating, goldenTiming.Now*1000+7, 1234)
	if err != nil {
		t.Fatal(err)
	}
	after := step.After.card(g.CardID)
	after.Mod = goldenTiming.Now
	if step.After.DueRel[0] == "abs" && isTimestamp(after.Due) {
		// Suspended while learning: the file has the time of the recording.
		if off := after.Due - res.Card.Due; off < -30 || off > 30 {
			t.Errorf("due: got %d, want %d", res.Card.Due, after.Due)
		}
		after.Due = res.Card.Due
	}
	compareCards(t, after, res.Card)
	r := step.Revlog
	entry := RevlogEntry{goldenTiming.Now*1000 + 7, g.CardID, r.Ease, r.Ivl, r.LastIvl, r.Factor, r.Time, RevlogKind(r.Type)}
	if diff := cmp.Diff(entry, res.Revlog); diff != "" {
		t.Errorf("revlog (-want +got):\n%s", diff)
	}
	if want := step.NoteTags != ""; res.Leech != want {
		t.Errorf("leech: got %v, want %v", res.Leech, want)
	}
	if diff := cmp.Diff(before, res.Undo.Card); diff != "" {
		t.Errorf("undo (-want +got):\n%s", diff)
	}
}

// compareCards compares data columns by what they mean.
func compareCards(t *testing.T, want, got Card) {
	t.Helper()
	data := func(c *Card) map[string]any {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(c.Data), &m); c.Data != "" && err != nil {
			t.Fatal(err)
		}
		c.Data = ""
		return m
	}
	if diff := cmp.Diff(data(&want), data(&got)); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("card (-want +got):\n%s", diff)
	}
}
