package scheduling

import (
	"errors"
	"iter"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func ptr[T any](v T) *T { return &v }

func TestCheckVersion(t *testing.T) {
	if err := CheckVersion(2); err != nil {
		t.Errorf("version 2: %v", err)
	}
	for _, v := range []int{-1, 0, 1, 3} {
		if err := CheckVersion(v); !errors.Is(err, ErrOldScheduler) {
			t.Errorf("version %d: got %v, want ErrOldScheduler", v, err)
		}
	}
}

// TestTimingV1 has the days of the first scheduler, which know no time zones.
func TestTimingV1(t *testing.T) {
	for _, tt := range []struct {
		name      string
		crt, now  int64
		today     uint32
		nextDayAt int64
	}{
		{"created just now", 1000, 1000, 0, 1000 + 86400},
		{"a second before the day ends", 1000, 1000 + 86399, 0, 1000 + 86400},
		{"the day ends", 1000, 1000 + 86400, 1, 1000 + 2*86400},
		{"later", 1000, 1000 + 86400*77 + 5, 77, 1000 + 78*86400},
		{"created in the future", 86400 * 3, 0, 0, 86400},
	} {
		got := TimingFor(Clock{Created: tt.crt, V1: true, LocalOffset: -600, Rollover: 4}, tt.now)
		if want := (Timing{tt.now, tt.today, tt.nextDayAt}); got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, want)
		}
	}
}

func TestElapsedDays(t *testing.T) {
	timing := Timing{Now: 1000000, Today: 10, NextDayAt: 1000000 + 3600}
	for since, want := range map[int64]uint32{
		1000000: 0, 1000000 + 3600: 0, 1000000 + 99999: 0, 1000000 + 3600 - 86400: 1, 1000000 + 3600 - 86399: 0,
		math.MinInt64: math.MaxUint32, math.MaxInt64: 0,
	} {
		if got := timing.ElapsedDays(since); got != want {
			t.Errorf("since %d: got %d, want %d", since, got, want)
		}
	}
}

func TestButtonLabel(t *testing.T) {
	for _, tt := range []struct {
		secs uint32
		want string
	}{
		{0, "(end)"}, {1, "<1s"}, {59, "<59s"}, {60, "<1m"}, {330, "<6m"}, {1199, "<20m"}, {1200, "20m"}, {3600, "1h"},
		{5400, "1.5h"}, {86399, "24h"}, {86400, "1d"}, {30 * 86400, "30d"}, {31 * 86400, "1mo"}, {37 * 86400, "1.2mo"},
		{364 * 86400, "12mo"}, {365 * 86400, "1y"}, {402 * 86400, "1.1y"}, {36500 * 86400, "100y"}, {math.MaxUint32, "136.2y"},
	} {
		if got := ButtonLabel(tt.secs, 1200); got != tt.want {
			t.Errorf("%d s: got %q, want %q", tt.secs, got, tt.want)
		}
	}
}

func TestParseDueDate(t *testing.T) {
	for text, want := range map[string]DueDate{
		"0": {}, "3": {3, 3, false}, "3!": {3, 3, true}, "1-3": {1, 3, false}, "7-2!": {2, 7, true},
		"4294967295": {math.MaxUint32, math.MaxUint32, false},
	} {
		got, err := ParseDueDate(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "!", "-1", "1-", "-", "1 ", "+1", "1!!", "1-2-3", "x", "4294967296", "1.5", "0x1"} {
		if got, err := ParseDueDate(text); !errors.Is(err, ErrDueDate) {
			t.Errorf("%q: got %+v, %v, want ErrDueDate", text, got, err)
		}
	}
	all := map[uint32]bool{}
	for i := range uint64(20) {
		all[DueDate{Min: 1, Max: 3}.Pick(i)] = true
	}
	if len(all) != 3 || !all[1] || !all[3] {
		t.Errorf("picked %v of 1 to 3", all)
	}
}

func TestParameters(t *testing.T) {
	for _, n := range []int{0, 17, 19, 21} {
		if _, err := NewFSRS(make([]float32, n)); err != nil {
			t.Errorf("%d parameters: %v", n, err)
		}
	}
	for _, p := range [][]float32{make([]float32, 1), make([]float32, 18), make([]float32, 22), append(make([]float32, 20), float32(math.NaN()))} {
		if _, err := NewFSRS(p); !errors.Is(err, ErrParameters) {
			t.Errorf("%v: got %v, want ErrParameters", p, err)
		}
		_, err := New(Card{}, nil, Context{Timing: goldenTiming, Config: Config{FSRSParams: p}, FSRS: true})
		if !errors.Is(err, ErrParameters) {
			t.Errorf("card with %v: got %v, want ErrParameters", p, err)
		}
	}
}

func TestAnswerErrors(t *testing.T) {
	s, err := New(Card{ID: 1}, nil, Context{Timing: goldenTiming, Config: DefaultConfig()})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Rating{0, 5, 255} {
		if _, err := s.Answer(r, 0, 0); !errors.Is(err, ErrRating) {
			t.Errorf("rating %d: got %v, want ErrRating", r, err)
		}
	}
	if _, err := s.AnswerCustom(Good, 0, 0, ptr("[]")); !errors.Is(err, ErrCustomData) {
		t.Errorf("custom data: got %v, want ErrCustomData", err)
	}
	res, err := s.AnswerCustom(Good, 0, 0, ptr(`{"a":1}`))
	if got := ParseData(res.Card.Data).Custom; err != nil || got != `{"a":1}` {
		t.Errorf("custom data: got %q, %v", got, err)
	}
	for _, reschedule := range []bool{true, false} {
		s, err = New(Card{ID: 1}, nil, Context{Timing: goldenTiming, Config: DefaultConfig(), Filtered: &Filtered{Reschedule: reschedule}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Answer(Again, 0, 0); !errors.Is(err, ErrNotFiltered) {
			t.Errorf("no home deck: got %v, want ErrNotFiltered", err)
		}
	}
}

func TestCounters(t *testing.T) {
	c := Counters{Day: 5, New: 1, Reviews: 2, Learning: 3, Millis: 4}
	d := DeckDelta{New: 1, Reviews: 1, Millis: 100}
	if got, want := c.Add(5, d), (Counters{5, 2, 3, 3, 104}); got != want {
		t.Errorf("same day: got %+v, want %+v", got, want)
	}
	if got, want := c.Add(6, d), (Counters{6, 1, 1, 0, 100}); got != want {
		t.Errorf("next day: got %+v, want %+v", got, want)
	}
	if got, want := c.Extend(5, 10, 20), (Counters{5, -9, -18, 3, 4}); got != want {
		t.Errorf("extended: got %+v, want %+v", got, want)
	}
	full := Counters{Day: 5, Millis: math.MaxInt32}
	if got := full.Add(5, d).Millis; got != math.MaxInt32 {
		t.Errorf("overflow: got %d", got)
	}
	if got := c.Extend(5, math.MinInt32, 0).New; got != math.MaxInt32 {
		t.Errorf("overflow: got %d", got)
	}
}

func TestNeedsUnburying(t *testing.T) {
	for _, tt := range []struct {
		last, today uint32
		want        bool
	}{{5, 5, false}, {4, 5, true}, {6, 5, false}, {12, 5, false}, {13, 5, true}, {math.MaxUint32, math.MaxUint32, false}} {
		if got := NeedsUnburying(tt.last, tt.today); got != tt.want {
			t.Errorf("%d, %d: got %v", tt.last, tt.today, got)
		}
	}
}

func TestPositions(t *testing.T) {
	cards := []Card{{ID: 1, NoteID: 30}, {ID: 2, NoteID: 10}, {ID: 3, NoteID: 30}, {ID: 4, NoteID: 20}}
	flip := func(n int, swap func(i, j int)) { swap(0, n-1) }
	for _, tt := range []struct {
		order NewOrder
		want  map[int64]uint32
	}{
		{OrderPreserved, map[int64]uint32{30: 5, 10: 7, 20: 9}},
		{OrderByNote, map[int64]uint32{10: 5, 20: 7, 30: 9}},
		{OrderRandom, map[int64]uint32{30: 5, 20: 7, 10: 9}},
	} {
		if got := Positions(cards, 5, 2, tt.order, flip); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("order %d: got %v, want %v", tt.order, got, tt.want)
		}
	}
	c := Card{Due: 7}
	if !Shift(&c, 7, 3) || c.Due != 10 || Shift(&c, 11, 3) {
		t.Errorf("shifted to %d", c.Due)
	}
}

func TestQueueErrors(t *testing.T) {
	if _, err := BuildQueue(nil, 1, Cards{}, QueueOptions{}); !errors.Is(err, ErrNoDeck) {
		t.Errorf("got %v, want ErrNoDeck", err)
	}
	c := DefaultConfig()
	decks := []Deck{{ID: 1, Name: "A", Config: &c}}
	for i := range 4 {
		src := &failing{left: i}
		if _, err := BuildQueue(decks, 1, src, QueueOptions{}); !errors.Is(err, errSource) {
			t.Errorf("source that fails at call %d: got %v", i, err)
		}
	}
}

var errSource = errors.New("source failed")

// failing is a source that fails after some calls.
type failing struct{ left int }

func (f *failing) seq() iter.Seq2[*Card, error] {
	f.left--
	return func(yield func(*Card, error) bool) {
		if f.left < 0 {
			yield(nil, errSource)
		}
	}
}

func (f *failing) Intraday([]int64, int64) iter.Seq2[*Card, error] { return f.seq() }
func (f *failing) Due(Queue, []int64, ReviewOrder, Timing, bool) iter.Seq2[*Card, error] {
	return f.seq()
}
func (f *failing) New([]int64, NewCardOrder, int64) iter.Seq2[*Card, error] { return f.seq() }

// TestMissingParents holds that decks without a parent are passed over, and
// that very deep ones do no harm.
func TestMissingParents(t *testing.T) {
	c := DefaultConfig()
	deep := strings.Repeat("x\x1f", 5000) + "x"
	decks := []Deck{
		{ID: 9, Name: "0\x1fgone\x1fY", Config: &c}, {ID: 1, Name: "A", Config: &c}, {ID: 2, Name: "A\x1fB\x1fC", Config: &c},
		{ID: 3, Name: "A\x1fD", Config: &c}, {ID: 4, Name: deep, Config: &c},
	}
	cards := Cards{{ID: 1, DeckID: 1}, {ID: 2, DeckID: 2}, {ID: 3, DeckID: 3}, {ID: 4, DeckID: 4}, {ID: 9, DeckID: 9}}
	for i := range cards {
		cards[i].NoteID = cards[i].ID
	}
	q, err := BuildQueue(decks, 1, cards, QueueOptions{AllParents: true})
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, e := range q.Next(10) {
		ids = append(ids, e.CardID)
	}
	if want := []int64{1, 3}; !slices.Equal(ids, want) {
		t.Errorf("queue: got %v, want %v", ids, want)
	}
	due := map[int64]DeckCounts{1: {New: 1}, 2: {New: 1}, 3: {New: 1}, 4: {New: 1}, 9: {New: 1}}
	got := CountDecks(decks, due, CountOptions{})
	if want := map[int64]Counts{1: {New: 2}, 3: {New: 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("counts: got %v, want %v", got, want)
	}
}

// TestNextAfterDay holds that a queue knows its day.
func TestNextAfterDay(t *testing.T) {
	q := &StudyQueue{timing: Timing{Today: 5, NextDayAt: 1000}}
	if q.Stale(Timing{Now: 999, Today: 5, NextDayAt: 1000}) || !q.Stale(Timing{Now: 1000, Today: 6, NextDayAt: 2000}) {
		t.Error("a queue of day 5 is stale on day 6 only")
	}
	if !q.Stale(Timing{Now: 1000, Today: 5, NextDayAt: 2000}) {
		t.Error("the day before a collection's first one and that are both day 0")
	}
	if got := q.Next(0); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if got := q.Next(-1); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// TestBuryRule holds that cards gathered before the answered one stay.
func TestBuryRule(t *testing.T) {
	c := DefaultConfig()
	c.Bury = SiblingBury{New: true, Reviews: true, InterdayLearning: true}
	for q, want := range map[Queue]SiblingBury{
		QueueLearning:    {true, true, true},
		QueuePreview:     {true, true, true},
		QueueDayLearning: {true, true, true},
		QueueReview:      {true, true, false},
		QueueNew:         {true, false, false},
		QueueSuspended:   {true, false, false},
	} {
		s, err := New(Card{ID: 1, Queue: q}, nil, Context{Timing: goldenTiming, Config: c})
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Answer(Good, 0, 0)
		if err != nil || res.Bury != want {
			t.Errorf("queue %d: got %+v, %v, want %+v", q, res.Bury, err, want)
		}
	}
	all := SiblingBury{true, true, true}
	for q := QueueUserBuried; q <= QueuePreview; q++ {
		want := q == QueueNew || q == QueueReview || q == QueueDayLearning
		if got := all.Includes(q); got != want {
			t.Errorf("queue %d: got %v, want %v", q, got, want)
		}
	}
}

// TestRolloverInstant has the second at which the day changes. Without a
// creation offset the next day then begins now.
func TestRolloverInstant(t *testing.T) {
	const four = 1_700_006_400 // 00:00 UTC, 4 am at four hours east
	c := Clock{Created: four - 10*secsPerDay, LocalOffset: -240, Rollover: 4}
	for _, tt := range []struct {
		now       int64
		today     uint32
		nextDayAt int64
	}{{four - 1, 9, four}, {four, 10, four}, {four + 1, 10, four + secsPerDay}} {
		got := TimingFor(c, tt.now)
		if want := (Timing{tt.now, tt.today, tt.nextDayAt}); got != want {
			t.Errorf("without creation offset: got %+v, want %+v", got, want)
		}
	}
	c.CreationOffset = ptr[int32](-240)
	for _, tt := range []struct {
		now       int64
		today     uint32
		nextDayAt int64
	}{{four - 1, 9, four}, {four, 10, four + secsPerDay}} {
		got := TimingFor(c, tt.now)
		if want := (Timing{tt.now, tt.today, tt.nextDayAt}); got != want {
			t.Errorf("with creation offset: got %+v, want %+v", got, want)
		}
	}
}

// TestSetDueDateOfLearning has a card whose due is a time while FSRS is on: the
// interval moves by the days between the two.
func TestSetDueDateOfLearning(t *testing.T) {
	card := Card{ID: 1, Type: TypeRelearning, Queue: QueueLearning, Interval: 20, Factor: 2500, Due: goldenTiming.NextDayAt - 3*secsPerDay - 5}
	got, entry := SetDueDate(card, DueOptions{Timing: goldenTiming, Days: 4, FSRS: true})
	if got.Interval != 27 || got.Due != int64(goldenTiming.Today)+4 || entry.Interval != 27 || entry.LastInterval != 20 {
		t.Errorf("got %+v, %+v", got, entry)
	}
}

// TestGenerator holds that draws stay in their ranges, also those that need a
// second number.
func TestGenerator(t *testing.T) {
	g := newGenerator(1)
	for range 10_000 {
		if f := g.float32(); f < 0 || f >= 1 {
			t.Fatalf("got %v", f)
		}
	}
	for seed := range uint64(2000) {
		if v := newGenerator(seed).between(7, 1<<31+9); v < 7 || v >= 1<<31+9 {
			t.Fatalf("seed %d: got %d", seed, v)
		}
	}
}
