package api

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

// studied is a collection with reviews of several days.
func studied(t *testing.T) *client {
	t.Helper()
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	c := newClient(t, Options{Now: func() time.Time { return now }}, collection.Options{})
	c.ok("extend_scheduler_limits", `{"new_cards":1000}`)
	for i := range 30 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	for day := range 5 {
		now = time.Date(2026, 11, 1+5*day, 10+day, 0, 0, 0, time.UTC)
		c.ok("reset_scheduler", "{}")
		for i := range 8 {
			text := c.ok("next_card", `{"buttons":4}`)
			if text == "" {
				break
			}
			id := decodeTo[struct{ ID int64 }](t, text).ID
			c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":%d,"buttons":4,"timerStarted":%d}`, id, i%4+1, now.Unix()-5))
			now = now.Add(10 * time.Second)
		}
	}
	c.ok("suspend_cards", fmt.Sprintf(`{"ids":[%d]}`, decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", `{"query":"is:new"}`))[0].ID))
	return c
}

func TestStatsReport(t *testing.T) {
	c := studied(t)
	report := decodeTo[string](t, c.ok("stats_report", `{"include_css":1}`))
	if name := os.Getenv("ANKISYNCD_STATS_PAGE"); name != "" {
		if err := os.WriteFile(name, []byte(report), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := 0
	for _, name := range reports {
		mark := `<div class="anki-graph anki-graph-` + name + `">`
		i := strings.Index(report[at:], mark)
		if i < 0 {
			t.Fatalf("report %s is missing or not in order", name)
		}
		at += i
	}
	for _, want := range []string{
		"<b><!--studied-->8 cards</b> in <b>40 seconds</b> today.", "<br>Again count: <b>2</b> <b>(75.0% correct)</b>",
		"<td>Days studied:</td>", "Suspended+Buried: 1", "Scope: Default", "Total notes:</td><td><b>30</b>", "5 of 31",
	} {
		want = strings.Replace(want, "<td>Days", "<td width=200 align=right>Days", 1)
		if !strings.Contains(report, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if strings.Contains(report, "<script") {
		t.Error("the report has scripts")
	}
	// Every answer is in the graph of reviews, and only there.
	reviews := regexp.MustCompile(`(?s)anki-graph-reps">.*?</svg>`).FindString(report)
	sum := 0
	for _, m := range regexp.MustCompile(`<title>-?\d+d \w+: (\d+)</title>`).FindAllStringSubmatch(reviews, -1) {
		var n int
		_, _ = fmt.Sscan(m[1], &n)
		sum += n
	}
	if logged := decodeTo[[]any](t, c.ok("latest_revlog", `{"limit":1000}`)); sum != len(logged) || sum < 30 {
		t.Errorf("the graph shows %d reviews, the log has %d", sum, len(logged))
	}
	svgs := svgAny.FindAllString(report, -1)
	if len(svgs) != 6 {
		t.Errorf("%d graphs, want 6: there are too few reviews for those of the hours", len(svgs))
	}
	for _, svg := range svgs {
		wellFormed(t, svg)
	}
}

var svgAny = regexp.MustCompile(`(?s)<svg .*?</svg>`)

func wellFormed(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%v in %s", err, text)
			return
		}
	}
}

// TestStatsZone: hours and dates are those of the client that synced last, ten hours
// before Greenwich's, whatever the server's are. Hours with few reviews are not
// shown, and answers in a deck that does not reschedule do not count.
func TestStatsZone(t *testing.T) {
	now := time.Date(2026, 11, 1, 15, 0, 0, 0, time.FixedZone("", -5*3600)) // 20:00 UTC, 06:00 on the second there
	c := newClient(t, Options{Now: func() time.Time { return now }}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
	if err := c.s.Edit(t.Context(), "alice", func(x *collection.Txn) error { return x.SetConfig("localOffset", -600) }); err != nil {
		t.Fatal(err)
	}
	id := decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", "{}"))[0].ID
	answer := func(times int) {
		for range times {
			c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1}`, id))
			now = now.Add(time.Second)
		}
		now = now.Truncate(time.Hour).Add(time.Hour)
	}
	for range 3 {
		answer(31) // 6:00, 7:00, 8:00
	}
	report := func() string { return decodeTo[string](t, c.ok("stats_report", `{"reports":["hourly","footer"]}`)) }
	if text := report(); !strings.Contains(text, `anki-graph-hourly"></div>`) {
		t.Errorf("three hours are enough for %.200s", text)
	}
	answer(30) // 9:00
	answer(32) // 10:00
	c.ok("create_dynamic_deck", "{}")
	answer(31) // 11:00
	c.ok("select_deck", `{"deck":1}`)
	text := report()
	for _, want := range []string{
		"<title>6:00 Reviews: 31</title>", "<title>8:00 Reviews: 31</title>", "<title>10:00 Reviews: 32</title>",
		"Generated on Mon Nov 02 12:00:00 2026",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	for _, not := range []string{"<title>9:00", "<title>11:00", "<title>20:00"} {
		if strings.Contains(text, not) {
			t.Errorf("the report says %q", not)
		}
	}
	card := decodeTo[string](t, c.ok(fmt.Sprintf("card/%d/stats_report", id), "{}"))
	if !strings.Contains(card, "<b>Added</b></td><td>2026-11-02</td>") {
		t.Errorf("the card was added on another day: %s", card)
	}
}

// TestStatsNames does not let names into the HTML.
func TestStatsNames(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("import_file", `{"filetype":"text","data":"a\tb","model":"Basic","deck":"<script>x</script>"}`)
	c.ok("select_deck", `{"deck":"<script>x</script>"}`)
	id := decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", "{}"))[0].ID
	for _, path := range []string{"stats_report", fmt.Sprintf("card/%d/stats_report", id)} {
		text := decodeTo[string](t, c.ok(path, "{}"))
		if strings.Contains(text, "<script>") || !strings.Contains(text, "&lt;script&gt;") {
			t.Errorf("%s: the name of the deck is not escaped", path)
		}
	}
}

// TestStatsOfNothing is on a deck without cards.
func TestStatsOfNothing(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	report := decodeTo[string](t, c.ok("stats_report", `{"width":1,"height":1}`))
	for _, svg := range svgAny.FindAllString(report, -1) {
		wellFormed(t, svg)
	}
	if strings.Contains(report, "NaN") || strings.Contains(report, "Inf") {
		t.Error("the report has numbers that are none")
	}
}
