package scheduling

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// anyCard draws rows that no client would write, among ones that it would.
func anyCard(t *rapid.T) Card {
	number := rapid.OneOf(rapid.Int64Range(0, 40), rapid.Int64Range(-5, 5000), rapid.Int64())
	due := rapid.OneOf(rapid.Int64Range(600, 800), rapid.Int64Range(goldenTiming.Now-5000, goldenTiming.Now+5000), rapid.Int64())
	data := rapid.OneOf(
		rapid.Just(""), rapid.Just("{}"),
		rapid.Just(`{"s":1e38,"d":-4,"lrt":9223372036854775807,"decay":0}`),
		rapid.Just(`{"s":0.0,"d":5.5,"dr":0.0,"lrt":-1}`),
		rapid.Custom(func(t *rapid.T) string {
			m := Memory{rapid.Float32Range(0.001, 36500).Draw(t, "s"), rapid.Float32Range(1, 10).Draw(t, "d")}
			last := goldenTiming.Now - rapid.Int64Range(0, 1e8).Draw(t, "ago")
			return Data{Memory: &m, LastReview: &last}.String()
		}),
	)
	return Card{
		ID: number.Draw(t, "id"), NoteID: 1, DeckID: 1, OriginalDeckID: rapid.SampledFrom([]int64{0, 0, 2, -3}).Draw(t, "odid"),
		Type: CardType(rapid.Int8Range(-1, 4).Draw(t, "type")), Queue: Queue(rapid.Int8Range(-4, 5).Draw(t, "queue")),
		Due: due.Draw(t, "due"), OriginalDue: due.Draw(t, "odue"),
		Interval: number.Draw(t, "ivl"), Factor: rapid.OneOf(rapid.Int64Range(1300, 4000), rapid.Int64()).Draw(t, "factor"),
		Reps: number.Draw(t, "reps"), Lapses: number.Draw(t, "lapses"), Left: number.Draw(t, "left"),
		Flags: number.Draw(t, "flags"), Data: data.Draw(t, "data"),
	}
}

func anyConfig(t *rapid.T) Config {
	c := DefaultConfig()
	step := rapid.OneOf(rapid.Float32Range(0, 10000), rapid.Float32(), rapid.Just(float32(math.NaN())))
	c.LearnSteps = rapid.SliceOfN(step, 0, 4).Draw(t, "learn steps")
	c.RelearnSteps = rapid.SliceOfN(step, 0, 4).Draw(t, "relearn steps")
	multiplier := rapid.Float32Range(0.5, 5)
	c.HardMultiplier = rapid.Float32Range(0.5, 1.3).Draw(t, "hard")
	c.EasyMultiplier = rapid.Float32Range(1, 5).Draw(t, "easy")
	c.IntervalMultiplier = multiplier.Draw(t, "interval")
	c.LapseMultiplier = rapid.Float32Range(0, 1).Draw(t, "lapse")
	days := rapid.OneOf(rapid.Uint32Range(0, 40), rapid.Uint32Range(1, 36500), rapid.Uint32())
	c.MaximumReviewInterval = days.Draw(t, "maximum")
	c.MinimumLapseInterval = days.Draw(t, "minimum lapse")
	c.GraduatingIntervalGood = days.Draw(t, "good")
	c.GraduatingIntervalEasy = days.Draw(t, "easy days")
	c.LeechThreshold = days.Draw(t, "leech")
	c.LeechSuspend = rapid.Bool().Draw(t, "suspend")
	if n := rapid.SampledFrom([]int{0, 17, 19, 21}).Draw(t, "params"); n > 0 {
		c.FSRSParams = rapid.SliceOfN(rapid.Float32Range(-1, 12), n, n).Draw(t, "w")
	}
	c.DesiredRetention = rapid.OneOf(rapid.Float32Range(0.7, 0.99), rapid.Float32()).Draw(t, "retention")
	return c
}

func anyContext(t *rapid.T) Context {
	ctx := Context{
		Timing: goldenTiming, Config: anyConfig(t), FSRS: rapid.Bool().Draw(t, "fsrs"),
		FSRSShortTermWithSteps: rapid.Bool().Draw(t, "with steps"), NoFuzz: rapid.Bool().Draw(t, "no fuzz"),
	}
	if rapid.Bool().Draw(t, "filtered") {
		secs := rapid.OneOf(rapid.Uint32Range(0, 1000), rapid.Uint32())
		ctx.Filtered = &Filtered{rapid.Bool().Draw(t, "reschedule"), secs.Draw(t, "a"), secs.Draw(t, "h"), secs.Draw(t, "g")}
	}
	return ctx
}

// TestAnswerAnything answers any card under any settings: whatever goes in,
// what comes out is a row that clients can read.
func TestAnswerAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card, ctx := anyCard(t), anyContext(t)
		rating := Rating(rapid.Uint8Range(1, 4).Draw(t, "rating"))
		taken := rapid.Uint32().Draw(t, "taken")
		s, err := New(card, nil, ctx)
		if err != nil {
			return // parameters with which nothing can be computed
		}
		for _, label := range s.Labels(1200) {
			if label == "" {
				t.Fatal("empty label")
			}
		}
		res, err := s.Answer(rating, goldenTiming.Now*1000, taken)
		if err != nil {
			if ctx.Filtered == nil {
				t.Fatalf("error for a card in a normal deck: %v", err)
			}
			return
		}
		checkRow(t, res.Card)
		if res.Card.Type == TypeNew && ctx.Filtered == nil {
			t.Fatalf("still new: %+v", res.Card)
		}
		if res.Revlog.TakenMillis > int64(ctx.Config.CapAnswerTimeToSecs)*1000 {
			t.Fatalf("took %d ms", res.Revlog.TakenMillis)
		}
		// A state that the answer computed is within the model's bounds.
		if m := ParseData(res.Card.Data).Memory; m != nil && ctx.FSRS && s.states.Current.Kind != StatePreview &&
			!(m.Stability >= 0.001 && m.Stability <= 36500 && m.Difficulty >= 1 && m.Difficulty <= 10) {
			t.Fatalf("memory out of range: %+v", *m)
		}
		if v := res.Revlog.Interval; v > math.MaxInt32 || v < -math.MaxInt32 {
			t.Fatalf("logged interval %d", v)
		}
	})
}

// checkRow fails unless the row is one that clients can read.
func checkRow(t *rapid.T, c Card) {
	if c != c.clean() {
		t.Fatalf("out of range: %+v", c)
	}
	if !json.Valid([]byte(c.Data)) {
		t.Fatalf("invalid data: %s", c.Data)
	}
	switch c.Queue {
	case QueueReview:
		if c.OriginalDeckID == 0 && c.Type != TypeReview {
			t.Fatalf("type %d in the review queue", c.Type)
		}
	case QueueLearning, QueueDayLearning:
		if c.Type != TypeLearning && c.Type != TypeRelearning {
			t.Fatalf("type %d in a learning queue", c.Type)
		}
	}
}

// TestButtonsAreOrdered holds that a better answer never means an earlier
// review, for cards that are due and presets that clients allow.
func TestButtonsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := DefaultConfig()
		c.HardMultiplier = rapid.Float32Range(1.01, 1.3).Draw(t, "hard")
		c.EasyMultiplier = rapid.Float32Range(1, 5).Draw(t, "easy")
		c.IntervalMultiplier = rapid.Float32Range(0.5, 2).Draw(t, "interval")
		c.MaximumReviewInterval = rapid.Uint32Range(1, 36500).Draw(t, "maximum")
		card := Card{
			ID: rapid.Int64().Draw(t, "id"), NoteID: 1, DeckID: 1, Type: TypeReview, Queue: QueueReview,
			Due: int64(goldenTiming.Today) - rapid.Int64Range(0, 400).Draw(t, "late"), Interval: rapid.Int64Range(0, 36500).Draw(t, "ivl"),
			Factor: rapid.Int64Range(1300, 5000).Draw(t, "factor"), Reps: rapid.Int64Range(1, 100).Draw(t, "reps"),
		}
		fsrs := rapid.Bool().Draw(t, "fsrs")
		if fsrs {
			m := Memory{rapid.Float32Range(0.01, 36500).Draw(t, "s"), rapid.Float32Range(1, 10).Draw(t, "d")}
			last := goldenTiming.Now - rapid.Int64Range(0, 1e8).Draw(t, "ago")
			card.Data = Data{Memory: &m, LastReview: &last}.String()
		}
		s, err := New(card, nil, Context{Timing: goldenTiming, Config: c, FSRS: fsrs, NoFuzz: rapid.Bool().Draw(t, "no fuzz")})
		if err != nil {
			t.Fatal(err)
		}
		st := s.States()
		h, g, e := st.Hard.Review.ScheduledDays, st.Good.Review.ScheduledDays, st.Easy.Review.ScheduledDays
		limit := c.MaximumReviewInterval
		if h < 1 || h > limit || g > limit || e > limit {
			t.Fatalf("not within 1 and %d: %d %d %d", limit, h, g, e)
		}
		if (g <= h && g < limit) || (e <= g && e < limit) {
			t.Fatalf("not in order: %d %d %d of at most %d", h, g, e, limit)
		}
	})
}

// TestFuzzStaysInBounds compares fuzzed intervals to their bounds.
func TestFuzzStaysInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := rapid.OneOf(rapid.Float32Range(0, 500), rapid.Float32()).Draw(t, "interval")
		lo, hi := rapid.Uint32().Draw(t, "min"), rapid.Uint32().Draw(t, "max")
		f := fuzz{on: rapid.Bool().Draw(t, "on"), seed: rapid.Uint64().Draw(t, "seed")}
		got := f.days(interval, lo, hi)
		if got < min(lo, hi) || got > hi {
			t.Fatalf("%v in [%d, %d]: got %d", interval, lo, hi, got)
		}
		secs := rapid.Uint32().Draw(t, "secs")
		if l := f.learning(secs); l < secs || l-secs > 300 {
			t.Fatalf("%d s: got %d", secs, l)
		}
	})
}

// TestActionsOnAnything holds that changes without an answer leave rows that
// clients can read, and that setting aside and restoring are inverse.
func TestActionsOnAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card := anyCard(t)
		out, _, _ := Forget(card, rapid.Uint32().Draw(t, "position"), ForgetOptions{RestorePosition: rapid.Bool().Draw(t, "restore")})
		checkRow(t, out)
		if out.Type != TypeNew || out.Queue != QueueNew {
			t.Fatalf("not new: %+v", out)
		}
		out, _ = SetDueDate(card, DueOptions{
			Timing: goldenTiming, Days: rapid.Uint32().Draw(t, "days"), Reset: rapid.Bool().Draw(t, "reset"),
			InitialEase: rapid.Float32().Draw(t, "ease"), FSRS: rapid.Bool().Draw(t, "fsrs"),
		})
		checkRow(t, out)
		c := card.clean()
		Restore(&c)
		was := c
		if c.Queue != QueuePreview && !(c.Queue == QueueReview && c.OriginalDeckID != 0) {
			if Suspend(&c); c.Queue != QueueSuspended || BuryByUser(&c) {
				t.Fatal("a suspended card was buried")
			}
			c2 := was
			c2.restoreQueueFromType()
			if Restore(&c); c != c2 {
				t.Fatalf("restored %+v, want %+v", c, c2)
			}
		}
	})
}

// TestTimingAnything holds what days are, for any clock.
func TestTimingAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Clock{
			Created: rapid.OneOf(rapid.Int64Range(0, 2e9), rapid.Int64()).Draw(t, "crt"), V1: rapid.Bool().Draw(t, "v1"),
			LocalOffset: rapid.Int32().Draw(t, "local"), Rollover: rapid.Uint8().Draw(t, "rollover"),
		}
		if rapid.Bool().Draw(t, "new") {
			offset := rapid.Int32().Draw(t, "creation")
			c.CreationOffset = &offset
		}
		now := rapid.Int64Range(1e9, 4e9).Draw(t, "now")
		got := TimingFor(c, now)
		if left := got.NextDayAt - now; !c.V1 && (left < 0 || left > secsPerDay) {
			t.Fatalf("%d s to the next day", left)
		}
		if next := TimingFor(c, now+secsPerDay); next.Today < got.Today || next.Today > got.Today+1 {
			t.Fatalf("day %d, then %d", got.Today, next.Today)
		}
	})
}
