package api

import (
	"context"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// statDays is the period of the reports: one month, as in the original.
const statDays = 31

// matureDays is the interval from which a card counts as mature.
const matureDays = 21

// Classes of reviews and of cards in the reports.
const (
	classLearn = iota
	classYoung
	classMature
	classRelearn
	classFiltered
	classes
)

// stats are the numbers behind the reports on a deck.
type stats struct {
	scope string
	now   time.Time // in the zone of the client that synced last

	today struct {
		cards, failed           int
		millis                  int64
		learn, rev, again, cram int
		mature, matureRight     int
	}
	due       [statDays][2]int // by day from today: young, mature
	reps      [statDays][classes]int
	millis    [statDays][classes]int64
	intervals map[int64]int // of cards, by days
	hours     [24][2]int    // reviews, and right ones
	buttons   [3][5]int     // learn, young, mature
	cards     [4]int        // mature, young and learning, unseen, suspended and buried
	notes     map[int64]bool
	eases     struct {
		n              int
		min, max, mean float64
	}
}

// collect reads the numbers of a deck and those below it in two passes.
func collect(ctx context.Context, t *collection.Txn, deck *schema.Deck, now time.Time) (*stats, error) {
	zone, err := t.Zone()
	if err != nil {
		return nil, err
	}
	s := &stats{scope: schema.HumanDeckName(deck.Name), now: now.In(zone), intervals: map[int64]int{}, notes: map[int64]bool{}}
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	decks := []int64{deck.ID}
	if err := t.EachCard(decks, func(c collection.Card) error {
		s.addCard(c, int64(day.Today))
		return ctx.Err()
	}); err != nil {
		return nil, err
	}
	since := (day.NextDayAt - statDays*86400) * 1000
	return s, t.EachReview(decks, since, func(r collection.RevlogEntry) error {
		s.addReview(r, day)
		return ctx.Err()
	})
}

func (s *stats) addCard(c collection.Card, today int64) {
	s.notes[c.NID] = true
	mature := c.Ivl >= matureDays
	switch {
	case c.Queue < 0:
		s.cards[3]++
	case c.Queue == int64(scheduling.QueueNew):
		s.cards[2]++
	case mature && c.Queue == int64(scheduling.QueueReview):
		s.cards[0]++
	default:
		s.cards[1]++
	}
	if q := scheduling.Queue(c.Queue); q == scheduling.QueueReview || q == scheduling.QueueDayLearning {
		if d := c.Due - today; d >= 0 && d < statDays {
			s.due[d][b2i(mature)]++
		}
	}
	if c.Type != int64(scheduling.TypeReview) {
		return
	}
	s.intervals[c.Ivl]++
	e := &s.eases
	ease := float64(c.Factor) / 10
	if e.n == 0 || ease < e.min {
		e.min = ease
	}
	e.max = math.Max(e.max, ease)
	e.n++
	e.mean += (ease - e.mean) / float64(e.n)
}

func (s *stats) addReview(r collection.RevlogEntry, day scheduling.Timing) {
	if r.Ease < 1 || r.Ease > 4 {
		return // no answer, but a change by hand
	}
	ago := (day.NextDayAt*1000 - 1 - r.ID) / 86_400_000
	if ago < 0 || ago >= statDays {
		return
	}
	class, right, mature := classFiltered, r.Ease > 1, r.LastIvl >= matureDays
	switch scheduling.RevlogKind(r.Type) {
	case scheduling.KindLearning:
		class = classLearn
	case scheduling.KindRelearning:
		class = classRelearn
	case scheduling.KindReview:
		class = classYoung + b2i(mature)
	}
	s.reps[ago][class]++
	s.millis[ago][class] += r.Time
	switch class {
	case classLearn, classRelearn:
		s.buttons[0][r.Ease]++
	case classYoung, classMature:
		s.buttons[class-classYoung+1][r.Ease]++
	}
	if class != classFiltered {
		h := time.UnixMilli(r.ID).In(s.now.Location()).Hour()
		s.hours[h][0]++
		s.hours[h][1] += b2i(right)
	}
	if ago == 0 {
		s.addToday(r, class, right)
	}
}

func (s *stats) addToday(r collection.RevlogEntry, class int, right bool) {
	d := &s.today
	d.cards++
	d.millis += r.Time
	d.failed += b2i(!right)
	switch class {
	case classLearn:
		d.learn++
	case classRelearn:
		d.again++
	case classFiltered:
		d.cram++
	default:
		d.rev++
	}
	if r.LastIvl >= matureDays {
		d.mature++
		d.matureRight += b2i(right)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// reports are the parts of a report, in the order of the original.
var reports = []string{"today", "due", "reps", "interval", "hourly", "ease", "card", "footer"}

// statCSS is what include_css puts before the report.
const statCSS = `<style>.anki-graph{font-family:sans-serif;margin:1em 0}.anki-graph h1{font-size:1.2em}.anki-graph svg{display:block}</style>`

// statsReport is a report on the current deck as HTML.
func statsReport(ctx context.Context, c *call) (any, error) {
	width, err := c.p.count("width", 600)
	if err != nil {
		return nil, err
	}
	height, err := c.p.count("height", 200)
	if err != nil {
		return nil, err
	}
	names, ok, err := c.p.texts("reports")
	if err != nil {
		return nil, err
	}
	if !ok {
		names = reports
	}
	for _, name := range names {
		if !slices.Contains(reports, name) {
			return nil, badRequest("Unknown report name: %s", printable(name))
		}
	}
	if len(names) > 100 {
		return nil, badRequest("too many reports")
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		deck, err := t.CurrentDeck()
		if err != nil {
			return nil, err
		}
		s, err := collect(ctx, t, deck, c.now())
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if c.p.truth("include_css", false) {
			b.WriteString(statCSS)
		}
		page := page{s: s, width: min(max(width, 100), 4000), height: min(max(height, 50), 4000)}
		for _, name := range names {
			fmt.Fprintf(&b, `<div class="anki-graph anki-graph-%s">%s</div>`, name, page.part(name))
		}
		return b.String(), nil
	})
}

// cardStats is a report on one card as HTML.
func cardStats(ctx context.Context, c *call) (any, error) {
	id, err := c.pathID()
	if err != nil {
		return nil, err
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		card, err := t.Card(id)
		if err != nil {
			return nil, unknown(err)
		}
		lines, err := c.cardLines(t, card)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		b.WriteString("<table width=100%>")
		for _, l := range lines {
			fmt.Fprintf(&b, "<tr><td align=left style='padding-right: 3px;'><b>%s</b></td><td>%s</td></tr>", l[0], html.EscapeString(l[1]))
		}
		b.WriteString("</table>")
		return b.String(), nil
	})
}

func (c *call) cardLines(t *collection.Txn, card collection.Card) (lines [][2]string, err error) {
	add := func(name, format string, args ...any) {
		lines = append(lines, [2]string{name, fmt.Sprintf(format, args...)})
	}
	zone, err := t.Zone()
	if err != nil {
		return nil, err
	}
	date := func(secs int64) string { return time.Unix(secs, 0).In(zone).Format("2006-01-02") }
	revs, err := t.CardRevlog(card.ID)
	if err != nil {
		return nil, err
	}
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	add("Added", "%s", date(card.ID/1000))
	var millis int64
	for _, r := range revs {
		millis += r.Time
	}
	if n := len(revs); n > 0 {
		add("First Review", "%s", date(revs[0].ID/1000))
		add("Latest Review", "%s", date(revs[n-1].ID/1000))
	}
	queue := scheduling.Queue(card.Queue)
	if card.Type != int64(scheduling.TypeNew) {
		if card.ODID == 0 && queue >= 0 {
			due := card.Due
			if queue == scheduling.QueueReview || queue == scheduling.QueueDayLearning {
				due = c.now().Unix() + (card.Due-int64(day.Today))*86400
			}
			add("Due", "%s", date(due))
		}
		if queue == scheduling.QueueReview {
			add("Interval", "%s", shortSpan(float64(card.Ivl)*86400))
		}
		add("Ease", "%d%%", card.Factor/10)
		add("Reviews", "%d", card.Reps)
		add("Lapses", "%d", card.Lapses)
		if n := len(revs); n > 0 {
			add("Average Time", "%s", duration(float64(millis)/1000/float64(n)))
			add("Total Time", "%s", duration(float64(millis)/1000))
		}
	} else if queue == scheduling.QueueNew {
		add("Position", "%d", card.Due)
	}
	template, model, deck, err := c.cardNames(t, card)
	if err != nil {
		return nil, err
	}
	add("Card Type", "%s", template)
	add("Note Type", "%s", model)
	add("Deck", "%s", deck)
	add("Note ID", "%d", card.NID)
	add("Card ID", "%d", card.ID)
	return lines, nil
}

// cardNames are the names of a card's template, notetype and deck.
func (c *call) cardNames(t *collection.Txn, card collection.Card) (template, model, deck string, err error) {
	n, err := t.Note(card.NID)
	if err != nil {
		return "", "", "", err
	}
	nt, err := t.Notetype(n.MID)
	if err != nil {
		return "", "", "", err
	}
	d, err := t.Deck(card.DID)
	if err != nil {
		return "", "", "", err
	}
	if len(nt.Templates) > 0 {
		ord := card.Ord
		if nt.Config.Kind == schema.KindCloze || ord < 0 || ord >= int64(len(nt.Templates)) {
			ord = 0
		}
		template = nt.Templates[ord].Name
	}
	return template, nt.Name, schema.HumanDeckName(d.Name), nil
}
