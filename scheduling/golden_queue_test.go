package scheduling

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/google/go-cmp/cmp"
)

type recordedTiming struct {
	Now, Today int64
	NextDayAt  int64 `json:"next_day_at"`
}

func (r recordedTiming) timing() Timing {
	return Timing{Now: r.Now, Today: uint32(r.Today), NextDayAt: r.NextDayAt}
}

type recordedOptions struct {
	FSRS, WithSteps, Ignore, Parents bool
	Ahead                            uint32
}

type recordedDeck struct {
	ID           int64
	Name         string
	Common, Kind []byte
	Config       *string
}

func (r recordedDeck) deck(t testing.TB) (Deck, schema.Deck) {
	t.Helper()
	common, err := schema.DecodeDeckCommon(r.Common)
	if err != nil {
		t.Fatal(err)
	}
	kind, err := schema.DecodeDeckKind(r.Kind)
	if err != nil {
		t.Fatal(err)
	}
	d := schema.Deck{ID: r.ID, Name: r.Name, Common: common, Kind: kind}
	if r.Config == nil {
		return DeckFrom(d, nil), d
	}
	raw, err := base64.StdEncoding.DecodeString(*r.Config)
	if err != nil {
		t.Fatal(err)
	}
	preset, err := schema.DecodeDeckConfigInner(raw)
	if err != nil {
		t.Fatal(err)
	}
	return DeckFrom(d, &preset), d
}

func decksOf(t testing.TB, recorded []recordedDeck) []Deck {
	t.Helper()
	var out []Deck
	for _, r := range recorded {
		d, _ := r.deck(t)
		out = append(out, d)
	}
	return out
}

// recordedCard is a row: id, nid, did, ord, mod, type, queue, due, ivl, factor,
// reps, lapses, left, odue, odid, flags, data.
type recordedCard []any

func (r recordedCard) card() Card {
	n := func(i int) int64 { v, _ := r[i].(json.Number).Int64(); return v }
	data, _ := r[16].(string)
	return Card{
		ID: n(0), NoteID: n(1), DeckID: n(2), Ord: n(3), Mod: n(4), Type: CardType(n(5)), Queue: Queue(n(6)), Due: n(7),
		Interval: n(8), Factor: n(9), Reps: n(10), Lapses: n(11), Left: n(12), OriginalDue: n(13), OriginalDeckID: n(14),
		Flags: n(15), Data: data,
	}
}

func cardsOf(rows []recordedCard) Cards {
	out := make(Cards, len(rows))
	for i, r := range rows {
		out[i] = r.card()
	}
	return out
}

type recordedQueue struct {
	Label   string
	Root    int64
	Timing  recordedTiming
	Options recordedOptions
	Decks   []recordedDeck
	Want    [][2]int64
	Counts  [3]int
	Tree    map[string][3]int
	Cards   []recordedCard
}

func (r *recordedQueue) options() QueueOptions {
	return QueueOptions{
		Timing: r.Timing.timing(), LearnAhead: r.Options.Ahead, FSRS: r.Options.FSRS,
		IgnoreReview: r.Options.Ignore, AllParents: r.Options.Parents,
	}
}

// TestQueues builds the recorded queues and the counts of the deck list.
func TestQueues(t *testing.T) {
	var golden []struct {
		Cards []recordedCard
		Cases []recordedQueue
	}
	readGolden(t, "queues.json.gz", &golden)
	n := 0
	for i, g := range golden {
		shared := cardsOf(g.Cards)
		for _, c := range g.Cases {
			n++
			t.Run(fmt.Sprintf("%d/%s", i, c.Label), func(t *testing.T) {
				cards := shared
				if c.Cards != nil {
					cards = cardsOf(c.Cards)
				}
				checkQueue(t, c, cards)
			})
		}
	}
	if n < 80 {
		t.Errorf("got %d cases, want 80 or more", n)
	}
}

func checkQueue(t *testing.T, r recordedQueue, cards Cards) {
	decks := decksOf(t, r.Decks)
	o := r.options()
	q, err := BuildQueue(decks, r.Root, cards, o)
	if err != nil {
		t.Fatal(err)
	}
	counts := q.Counts(o.Timing.Now)
	if got := [3]int{counts.New, counts.Learning, counts.Review}; got != r.Counts {
		t.Errorf("counts: got %v, want %v", got, r.Counts)
	}
	var got [][2]int64
	for _, e := range q.Next(10000) {
		got = append(got, [2]int64{e.CardID, int64(e.Kind)})
	}
	if diff := cmp.Diff(r.Want, got); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
	checkTree(t, r, decks, cards)
}

func checkTree(t *testing.T, r recordedQueue, decks []Deck, cards Cards) {
	o := r.options()
	due := map[int64]DeckCounts{}
	for _, c := range cards {
		n := due[c.DeckID]
		cutoff := o.Timing.Now + int64(o.LearnAhead)
		switch today := int64(o.Timing.Today); {
		case c.Queue == QueueNew:
			n.New++
		case c.Queue == QueueReview && c.Due <= today:
			n.Review++
		case c.Queue == QueueDayLearning && c.Due <= today:
			n.InterdayLearning++
		case c.Queue == QueueLearning && c.Due < cutoff, c.Queue == QueuePreview && c.Due <= cutoff:
			n.IntradayLearning++
		}
		due[c.DeckID] = n
	}
	got := map[string][3]int{}
	for id, n := range CountDecks(decks, due, CountOptions{o.Timing.Today, o.IgnoreReview, o.AllParents}) {
		got[strconv.FormatInt(id, 10)] = [3]int{n.New, n.Learning, n.Review}
	}
	delete(got, "1") // the empty default deck is not shown
	want := r.Tree
	delete(want, "1")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deck list (-want +got):\n%s", diff)
	}
}

type recordedSession struct {
	Root    int64
	Timing  recordedTiming
	Options recordedOptions
	Decks   []recordedDeck
	Cards   []recordedCard
	Revlog  [][8]int64
	Steps   []struct {
		Now, Card, Kind int64
		Counts          [3]int
		Labels          [4]string
		Rating          Rating
		Answered        int64
		Taken           uint32
		After           recordedCard
		Revlog          [8]int64
	}
	Final      []recordedCard
	FinalDecks []recordedDeck
	Leeches    []int64
}

// learner replays a session: it is the store around the package.
type learner struct {
	t       *testing.T
	cards   map[int64]*Card
	decks   []Deck
	kinds   map[int64]schema.DeckKind
	revlog  map[int64][]RevlogEntry
	leeches map[int64]bool
	options recordedOptions
	fuzz    bool
}

func (l *learner) deck(id int64) *Deck {
	i := slices.IndexFunc(l.decks, func(d Deck) bool { return d.ID == id })
	return &l.decks[i]
}

func (l *learner) open(id int64, timing Timing) *Session {
	l.t.Helper()
	card := *l.cards[id]
	home := card.HomeDeckID()
	ctx := Context{
		Timing: timing, Config: *l.deck(home).Config, Filtered: FilteredFrom(l.kinds[card.DeckID]),
		DesiredRetention: l.kinds[home].Normal.DesiredRetention,
		FSRS:             l.options.FSRS, FSRSShortTermWithSteps: l.options.WithSteps, NoFuzz: !l.fuzz,
	}
	var history []RevlogEntry
	if NeedsHistory(card, ctx.FSRS) {
		history = l.revlog[id]
	}
	s, err := New(card, history, ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// write stores a result as the collection does.
func (l *learner) write(res Result, today uint32) {
	*l.cards[res.Card.ID] = res.Card
	l.revlog[res.Card.ID] = append(l.revlog[res.Card.ID], res.Revlog)
	d := l.deck(res.Deck.DeckID)
	for _, up := range append(ancestors(l.decks, d), d) {
		up.Counters = up.Counters.Add(today, res.Deck)
	}
	for _, c := range l.cards {
		if c.NoteID == res.Card.NoteID && c.ID != res.Card.ID && res.Bury.Includes(c.Queue) {
			BuryBySched(c)
			c.Mod = res.Card.Mod
		}
	}
	if res.Leech {
		l.leeches[res.Card.NoteID] = true
	}
}

func TestSessions(t *testing.T) {
	var golden struct{ Exact, Fuzzed []recordedSession }
	readGolden(t, "sessions.json.gz", &golden)
	if len(golden.Exact) < 2 || len(golden.Fuzzed) < 2 {
		t.Fatalf("got %d and %d sessions, want 2 and 2", len(golden.Exact), len(golden.Fuzzed))
	}
	for i, r := range golden.Exact {
		t.Run(fmt.Sprintf("exact/%d", i), func(t *testing.T) { replay(t, r, false) })
	}
	for i, r := range golden.Fuzzed {
		t.Run(fmt.Sprintf("fuzzed/%d", i), func(t *testing.T) { replay(t, r, true) })
	}
}

func entryOf(r [8]int64) RevlogEntry {
	return RevlogEntry{r[0], r[1], r[2], r[3], r[4], r[5], r[6], RevlogKind(r[7])}
}

func replay(t *testing.T, r recordedSession, fuzz bool) {
	l := &learner{
		t: t, cards: map[int64]*Card{}, kinds: map[int64]schema.DeckKind{}, revlog: map[int64][]RevlogEntry{},
		leeches: map[int64]bool{}, options: r.Options, fuzz: fuzz,
	}
	cards := cardsOf(r.Cards)
	for i := range cards {
		l.cards[cards[i].ID] = &cards[i]
	}
	for _, d := range r.Decks {
		deck, stored := d.deck(t)
		l.decks = append(l.decks, deck)
		l.kinds[d.ID] = stored.Kind
	}
	for _, e := range r.Revlog {
		l.revlog[e[1]] = append(l.revlog[e[1]], entryOf(e))
	}
	if len(r.Steps) < 200 {
		t.Errorf("got %d answers, want 200", len(r.Steps))
	}
	timing := r.Timing.timing()
	q, err := BuildQueue(l.decks, r.Root, cards, QueueOptions{Timing: timing, LearnAhead: r.Options.Ahead, FSRS: r.Options.FSRS})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range r.Steps {
		counts := q.Counts(step.Now)
		if got := [3]int{counts.New, counts.Learning, counts.Review}; got != step.Counts {
			t.Fatalf("answer %d: counts: got %v, want %v", i, got, step.Counts)
		}
		next := q.Next(1)
		if len(next) == 0 || next[0].CardID != step.Card || int64(next[0].Kind) != step.Kind {
			t.Fatalf("answer %d: next card: got %+v, want %d of kind %d", i, next, step.Card, step.Kind)
		}
		want := step.After.card()
		now := timing
		now.Now = want.Mod
		s := l.open(step.Card, now)
		if got := s.Labels(r.Options.Ahead); got != step.Labels {
			t.Errorf("answer %d: labels: got %q, want %q", i, got, step.Labels)
		}
		res, err := s.Answer(step.Rating, step.Answered, step.Taken)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, res.Card); diff != "" {
			t.Fatalf("answer %d: card (-want +got):\n%s", i, diff)
		}
		res.Revlog.ID = step.Revlog[0] // the id may have been taken
		if diff := cmp.Diff(entryOf(step.Revlog), res.Revlog); diff != "" {
			t.Errorf("answer %d: revlog (-want +got):\n%s", i, diff)
		}
		l.write(res, timing.Today)
		if _, err := q.Answered(res.Card, want.Mod, res.Finished); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	for _, row := range r.Final {
		want := row.card()
		got := *l.cards[want.ID]
		got.Mod = want.Mod // siblings are buried at the second of the answer
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("card in the end (-want +got):\n%s", diff)
		}
	}
	for _, d := range decksOf(t, r.FinalDecks) {
		if got := l.deck(d.ID).Counters; got != d.Counters {
			t.Errorf("counters of %q: got %+v, want %+v", d.Name, got, d.Counters)
		}
	}
	var leeches []int64
	for id := range l.leeches {
		leeches = append(leeches, id)
	}
	slices.Sort(leeches)
	if !slices.Equal(leeches, r.Leeches) {
		t.Errorf("leeches: got %v, want %v", leeches, r.Leeches)
	}
	if _, err := q.Answered(Card{ID: -1}, timing.Now, false); !errors.Is(err, ErrNotNext) {
		t.Errorf("answer to a card that is not queued: got %v, want ErrNotNext", err)
	}
}
