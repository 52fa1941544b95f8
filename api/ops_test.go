package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
)

// client calls an API on the collection of alice.
type client struct {
	t testing.TB
	h *API
	s *collection.Store
}

func newClient(t testing.TB, o Options, so collection.Options) *client {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return time.Unix(1795428000, 0).UTC() }
	}
	so.Now = o.Now
	s := collection.New(t.TempDir(), so)
	t.Cleanup(func() { _ = s.Close() })
	o.Collections, o.Users = s, accounts{"alice": true}
	return &client{t: t, h: New(o), s: s}
}

// post sends a call and returns the status and the answer.
func (c *client) post(path, body string) (int, string) {
	c.t.Helper()
	r := httptest.NewRequest("POST", "http://127.0.0.1:27702/", strings.NewReader(body))
	r.URL.Path = "/collection/alice/" + path
	r.RemoteAddr = "127.0.0.1:4711"
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// ok sends a call that must be answered with 200.
func (c *client) ok(path, body string) string {
	c.t.Helper()
	status, text := c.post(path, body)
	if status != 200 {
		c.t.Fatalf("%s %s: status %d: %s", path, body, status, text)
	}
	return text
}

// wants sends a call and compares the status.
func (c *client) wants(status int, path, body string) {
	c.t.Helper()
	if got, text := c.post(path, body); got != status {
		c.t.Errorf("%s %.100s: status %d, want %d: %.200s", path, body, got, status, text)
	}
}

func decodeTo[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// shared are accounts of which all are kept out.
type shared struct{ accounts }

func (s shared) KeptOut(ctx context.Context, name string) (bool, error) { return s.HasUser(ctx, name) }

// TestKeptOut: whom the users' store keeps out is unknown here, also with a
// collection.
func TestKeptOut(t *testing.T) {
	c := newMediaClient(t, Options{})
	c.h.o.Users = shared{accounts{"alice": true}}
	c.wants(404, "list_tags", "{}")
	c.h.o.Users = accounts{"alice": true}
	c.ok("list_tags", "{}")
	if got := c.put("a.png", "x"); got != 200 {
		t.Fatalf("PUT: %d", got)
	}
	c.h.o.Users = shared{accounts{"alice": true}}
	c.wants(404, "list_tags", "{}")
	for _, method := range []string{"GET", "HEAD", "PUT"} {
		if got := c.file(method, "a.png", strings.NewReader("y")).StatusCode; got != 404 {
			t.Errorf("%s of a media file: %d", method, got)
		}
	}
	c.h.o.Users = shared{} // no account, but a collection
	c.ok("list_tags", "{}")
}

// TestOriginalExpectations are the values that the original's own tests expect
// (docs/compat.md §6.3).
func TestOriginalExpectations(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	type named struct{ Name string }
	decks := decodeTo[[]named](t, c.ok("list_decks", "{}"))
	if len(decks) != 1 || decks[0].Name != "Default" {
		t.Errorf("decks of a fresh collection: %v", decks)
	}
	names := map[string]bool{}
	for _, m := range decodeTo[[]named](t, c.ok("list_models", "{}")) {
		names[m.Name] = true
	}
	for _, want := range []string{"Basic", "Basic (and reversed card)", "Basic (optional reversed card)", "Cloze"} {
		if !names[want] {
			t.Errorf("a fresh collection has no model %s", want)
		}
	}
	for i := range 3 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"The front %d","Back":"The back"}}`, i))
	}
	if got := c.ok("reset_scheduler", `{"deck":"Default"}`); got != `{"learning_cards":0,"new_cards":3,"review_cards":0}` {
		t.Errorf("reset_scheduler: %s", got)
	}
	c.ok("set_language", `{"code":"pl"}`)
	type button struct {
		Ease           int
		Label          string
		StringLabel    string `json:"string_label"`
		Interval       int
		StringInterval string `json:"string_interval"`
	}
	type card struct {
		CSS, Question, Answer string
		Buttons               []button `json:"answer_buttons"`
	}
	got := decodeTo[card](t, c.ok("next_card", "{}"))
	if !strings.HasPrefix(got.CSS, "<style>.card {") || !strings.HasSuffix(got.CSS, "}\n</style>") {
		t.Errorf("css %q", got.CSS)
	}
	if want := "The front 0\n\n<hr id=answer>\n\nThe back"; got.Question != "The front 0" || got.Answer != want {
		t.Errorf("question %q, answer %q", got.Question, got.Answer)
	}
	got.Buttons[2].Interval, got.Buttons[2].StringInterval = 345600, "4 dni" // by chance 3, 4 or 5 days
	if diff := cmp.Diff([]button{
		{1, "Again", "Znowu", 60, "<1 minuta"},
		{2, "Good", "Dobra", 600, "<10 minut"},
		{3, "Easy", "Łatwa", 345600, "4 dni"},
	}, got.Buttons); diff != "" {
		t.Error(diff)
	}
}

// TestButtons answers cards by the three buttons of old and by all four.
func TestButtons(t *testing.T) {
	for _, b := range []struct {
		body  string
		logAs int // button in the log, 0: refused
	}{
		{`"ease":1`, 1}, {`"ease":2`, 3}, {`"ease":3`, 4}, {`"ease":4`, 0}, {`"ease":0`, 0}, {`"ease":-1`, 0},
		{`"ease":2,"buttons":4`, 2}, {`"ease":4,"buttons":4`, 4}, {`"ease":5,"buttons":4`, 0}, {`"ease":"2"`, 3},
	} {
		c := newClient(t, Options{}, collection.Options{})
		c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
		id := decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", "{}"))[0].ID
		c.ok("answer_card", fmt.Sprintf(`{"id":%d,%s}`, id, b.body))
		log := decodeTo[[]struct{ Ease int }](t, c.ok("latest_revlog", "{}"))
		switch {
		case b.logAs == 0 && len(log) > 0:
			t.Errorf("%s: logged %v", b.body, log)
		case b.logAs > 0 && (len(log) != 1 || log[0].Ease != b.logAs):
			t.Errorf("%s: logged %v, want %d", b.body, log, b.logAs)
		}
	}
}

// TestNextCardGoesOn fetches ahead: a card is given out once until the queue is
// reset, or it was answered and is due again.
func TestNextCardGoesOn(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	for i := range 3 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	next := func() int64 {
		text := c.ok("next_card", "{}")
		if text == "" {
			return 0
		}
		return decodeTo[struct{ ID int64 }](t, text).ID
	}
	first, second, third := next(), next(), next()
	if first == second || second == third || first == third || third == 0 {
		t.Errorf("cards %d, %d, %d", first, second, third)
	}
	if more := next(); more != 0 {
		t.Errorf("a fourth card: %d", more)
	}
	c.ok("reset_scheduler", "{}")
	if again := next(); again != first {
		t.Errorf("after the reset %d, want %d", again, first)
	}
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1}`, first))
	if got := next(); got != second {
		t.Errorf("after an answer %d, want %d", got, second)
	}
	if got := next(); got != third {
		t.Errorf("then %d, want %d", got, third)
	}
	if got := next(); got != first {
		t.Errorf("then, within reach, the one that was failed: %d, want %d", got, first)
	}
}

// TestCardIsGivenInside: a card counts as given out while nobody else can ask, and
// not if the call fails.
func TestCardIsGivenInside(t *testing.T) {
	for _, b := range []struct {
		name   string
		o      Options
		panics bool
		status int
		given  int // afterwards
	}{
		{"is given", Options{}, false, 200, 1},
		{"is too large", Options{MaxAnswerBytes: 100}, false, 400, 0},
		{"panics", Options{}, true, 0, 0},
	} {
		t.Run(b.name, func(t *testing.T) {
			c := newClient(t, b.o, collection.Options{})
			c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
			given := func() int {
				c.h.mu.Lock()
				defer c.h.mu.Unlock()
				if s := c.h.state["alice"]; s != nil {
					return len(s.handed)
				}
				return 0
			}
			now, asked := c.h.o.Now, 0
			c.h.o.Now = func() time.Time { // asked when the call comes, then inside, for timerStarted
				if asked++; asked == 1 {
					return now()
				}
				if got := given(); got != 1 {
					t.Errorf("inside, %d cards are given out, want 1", got)
				}
				if b.panics {
					panic("test")
				}
				return now()
			}
			func() {
				defer func() {
					if p := recover(); (p != nil) != b.panics {
						t.Errorf("panic: %v", p)
					}
				}()
				c.wants(b.status, "next_card", "{}")
			}()
			if got := given(); got != b.given {
				t.Errorf("afterwards, %d cards are given out, want %d", got, b.given)
			}
			// And the next call is given the card that the failed one was not.
			c.h.o.Now, c.h.o.MaxAnswerBytes = now, DefaultMaxAnswerBytes
			if got := c.ok("next_card", "{}") != ""; got == (b.given == 1) {
				t.Errorf("the next call is given a card: %v", got)
			}
		})
	}
}

// TestManyFetchAtOnce: each call is given another card.
func TestManyFetchAtOnce(t *testing.T) {
	const cards = 20
	c := newClient(t, Options{}, collection.Options{})
	for i := range cards {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	answers := make(chan string, cards)
	for range cards {
		go func() {
			_, text := c.post("next_card", "{}")
			answers <- text
		}()
	}
	seen := map[int64]bool{}
	for range cards {
		seen[decodeTo[struct{ ID int64 }](t, <-answers).ID] = true
	}
	if len(seen) != cards {
		t.Errorf("%d cards were given to %d calls", len(seen), cards)
	}
}

func TestOldSchedulerIsOnlyLookedAt(t *testing.T) {
	s := openFixture(t, func() time.Time { return goldenTime })
	c := &client{t: t, s: s, h: New(Options{Collections: s, Now: func() time.Time { return goldenTime }})}
	for _, path := range []string{"next_card", "reset_scheduler", "deck/1/next_card"} {
		c.wants(409, path, "{}")
	}
	before := c.ok("card/1795393732150", "{}")
	if status, _ := c.post("answer_card", `{"id":1795393732150,"ease":1}`); status != 409 {
		t.Errorf("answer_card: %d, want 409", status)
	}
	if after := c.ok("card/1795393732150", "{}"); after != before {
		t.Errorf("the card changed: %s", after)
	}
	c.ok("find_cards", `{"preload":1}`)
	c.ok("stats_report", "{}")
}

func TestConflictWhileSyncing(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{EditWait: 50 * time.Millisecond})
	c.ok("list_tags", "{}")
	if _, err := c.s.Start(t.Context(), "alice", collection.StartOptions{SKey: "k"}); err != nil {
		t.Fatal(err)
	}
	c.wants(409, "list_tags", "{}")
	c.wants(409, "add_note", `{"model":"Basic","fields":{"Front":"f"}}`) // though void: nothing was done
	c.ok("set_language", `{"code":"pl"}`)
	if err := c.s.AbortSync(t.Context(), "alice", "k"); err != nil {
		t.Fatal(err)
	}
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
}

func TestUnknownUser(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	for path, want := range map[string]int{
		"/collection/nobody/list_tags": 404, "/collection/../list_tags": 400, "/collection/./list_tags": 400,
		"/collection/a\x00b/list_tags": 400, "/collection/alice/list_tags": 200, "/list_collections": 200,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader("{}"))
		r.URL.Path, r.RemoteAddr, r.Host = path, "127.0.0.1:1", "localhost"
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d: %s", path, w.Code, want, w.Body)
		}
	}
	if got := c.ok("list_tags", "{}"); got != "[]" {
		t.Errorf("list_tags: %s", got)
	}
}

func TestLimits(t *testing.T) {
	c := newClient(t, Options{MaxBodyBytes: 1000, MaxImportBytes: 2000}, collection.Options{})
	long := func(n int) string { return `{"x":"` + strings.Repeat("a", n) + `"}` }
	c.wants(200, "list_tags", long(900))
	c.wants(413, "list_tags", long(1000))
	c.wants(413, "import_file", long(2000))
	c.wants(400, "import_file", long(1900))
	c.wants(400, "latest_revlog", `{"limit":100001}`)
	c.wants(400, "latest_revlog", `{"limit":-1}`)
	c.wants(400, "find_cards", `{"limit":"many"}`)
	c.wants(400, "find_cards", `{"limit":1e300}`)
	c.wants(400, "latest_notes", `{"updated_since":1e300}`)
	c.wants(400, "extend_scheduler_limits", `{"new_cards":9999999999}`)
	c.wants(400, "create_dynamic_deck", `{"count":-5}`)
	c.wants(200, "stats_report", `{"width":2000000000,"height":2000000000}`)
	c.wants(400, "find_notes", `{"query":5}`)
	c.wants(400, "list_tags", `{} {}`)
	c.wants(500, "list_tags", `"text"`)
	c.wants(500, "list_tags", `null`)
}

func TestPreloadIsBounded(t *testing.T) {
	c := &call{p: params{"preload": true}}
	if _, err := c.idList(t.Context(), make([]int64, MaxPreload+1), nil); asHTTP(err).status != 400 {
		t.Errorf("error %v, want 400", err)
	}
}

// TestAnswerIsBounded: five cards of 40 kB each, of which an answer of 100 kB
// holds two; and one that alone is too large.
func TestAnswerIsBounded(t *testing.T) {
	c := newClient(t, Options{MaxAnswerBytes: 100_000}, collection.Options{})
	add := func(front string) {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"%s"}}`, front))
	}
	for i := range 5 {
		add(fmt.Sprint(i) + strings.Repeat("x", 20_000))
	}
	ids := decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", "{}"))
	for _, b := range []struct {
		path, body string
		status     int
	}{
		{"find_cards", `{}`, 200},
		{"find_cards", `{"preload":1,"limit":2}`, 200},
		{"find_cards", `{"preload":1,"limit":3}`, 400},
		{"find_cards", `{"preload":1}`, 400},
		{"latest_cards", `{"preload":1,"limit":2}`, 200},
		{"latest_cards", `{"preload":1}`, 400},
		{"latest_cards", `{"preload":1,"limit":2,"load_note":1}`, 400},
		{"latest_notes", `{"preload":1,"limit":4}`, 200},
		{"latest_notes", `{"preload":1}`, 400},
		{"find_notes", `{"preload":1}`, 400},
		{fmt.Sprintf("card/%d", ids[0].ID), `{}`, 200},
		{"next_card", `{}`, 200},
	} {
		c.wants(b.status, b.path, b.body)
	}
	add("large " + strings.Repeat(`\"`, 30_000)) // two bytes each in an answer, twice
	large := decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", `{"query":"large*"}`))
	c.ok("suspend_cards", fmt.Sprintf(`{"ids":[%d,%d,%d,%d,%d]}`, ids[0].ID, ids[1].ID, ids[2].ID, ids[3].ID, ids[4].ID))
	for path, query := range map[string]string{
		fmt.Sprintf("card/%d", large[0].ID): `{}`, "next_card": `{}`, "find_cards": `{"query":"large*","preload":1}`,
	} {
		c.wants(400, path, query)
	}
}

// TestFormulasAreBounded: a formula, whose image is much longer than itself.
func TestFormulasAreBounded(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"[$]`+strings.Repeat("-", 12_000_000)+`[/$]"}}`)
	c.wants(400, "find_cards", `{"preload":1}`)
}

// TestAddNote covers what the record does not.
func TestAddNote(t *testing.T) {
	for _, b := range []struct {
		body string
		want int // notes
	}{
		{`{"model":"Basic","fields":{"Front":"f"}}`, 1},
		{`{"model":1795428000000,"fields":{"Front":"f"}}`, 1},
		{`{"model":"1795428000000","fields":{"Front":"f"}}`, 0},
		{`{"model":"Basic","fields":{"Front":"f"},"tags":["a","b"]}`, 1},
		{`{"model":"Basic","fields":{"Front":"f"},"deck":"Default"}`, 1},
		{`{"model":"Basic","fields":{"Front":"f"},"deck":"Nowhere"}`, 0},
		{`{"model":"Basic","fields":{"Front":""}}`, 0},
		{`{"model":"Basic","fields":{"Front":5}}`, 0},
		{`{"model":"Basic","fields":[]}`, 0},
		{`{"model":{},"fields":{"Front":"f"}}`, 0},
		{`{"model":"Cloze","fields":{"Text":"{{c1::a}} {{c2::b}}"}}`, 1},
		{`{"model":"Cloze","fields":{"Text":"no cloze"}}`, 0},
	} {
		c := newClient(t, Options{}, collection.Options{})
		if text := c.ok("add_note", b.body); text != "" {
			t.Errorf("%s: answer %q", b.body, text)
		}
		if got := decodeTo[[]any](t, c.ok("find_notes", "{}")); len(got) != b.want {
			t.Errorf("%s: %d notes, want %d", b.body, len(got), b.want)
		}
	}
}

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		lang    string
		seconds float64
		want    string
	}{
		{"en", 60, "<1 minute"}, {"en", 600, "<10 minutes"}, {"en", 86400, "1 day"}, {"en", 345600, "4 days"},
		{"en", 1200, "20 minutes"}, {"en", 45 * 86400, "1.5 months"}, {"en", 2 * 365 * 86400, "2.0 years"}, {"en", 0, "(end)"},
		{"pl", 60, "<1 minuta"}, {"pl", 600, "<10 minut"}, {"pl", 180, "<3 minuty"}, {"pl", 345600, "4 dni"}, {"pl", 22 * 60, "22 minuty"},
		{"pl", 45 * 86400, "1,5 miesiące"}, {"de", 86400, "1 Tag"}, {"xx", 60, "<1 minute"}, {"pl_PL", 86400, "1 dzień"},
	} {
		if got := languageFor(c.lang).interval(c.seconds, 1200); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.lang, c.seconds, got, c.want)
		}
	}
	for seconds, want := range map[float64]string{0: "0.0s", 7.46: "7.5s", 60: "1m", 125: "2m5s", 3600: "60m"} {
		if got := duration(seconds); got != want {
			t.Errorf("duration %v: %q, want %q", seconds, got, want)
		}
	}
}

// A search that SQLite could not run is the caller's fault. That of find_notes
// finds nothing, as all do there that cannot be understood.
func TestTooComplexSearch(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	params := `{"query":"nc:` + strings.Repeat("ﷺ", 5000) + `"}`
	c.wants(400, "create_dynamic_deck", params)
	c.ok("find_notes", params)
	c.ok("find_cards", params)
}

// TestFetchAheadFiltered fetches several cards of a filtered deck at once.
func TestFetchAheadFiltered(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	for i := range 3 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	c.ok("create_dynamic_deck", `{"name":"D","mode":"added"}`)
	seen := map[int64]bool{}
	for range 3 {
		seen[decodeTo[struct{ ID int64 }](t, c.ok("next_card", `{"deck":"D"}`)).ID] = true
	}
	if len(seen) != 3 || c.ok("next_card", `{"deck":"D"}`) != "" {
		t.Errorf("three cards of a filtered deck: %v, then more", seen)
	}
}

// TestSounds: sounds stand in a side as they are written, those of the question
// not in the answer, and what looks like a place to play is text.
func TestSounds(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	places := strings.Repeat("[anki:play:q:0]", 200)
	for _, b := range []struct{ name, front, back, question, answer string }{
		{"question", "f [sound:f.mp3]", "b", "f [sound:f.mp3]", "f |b"},
		{"answer", "f", "b [sound:b.mp3]", "f", "f|b [sound:b.mp3]"},
		{"both", "f[sound:f.mp3]", "b[sound:b.mp3]", "f[sound:f.mp3]", "f|b[sound:b.mp3]"},
		{"two", "[sound:1.mp3]f[sound:2.mp3]", "b", "[sound:1.mp3]f[sound:2.mp3]", "f|b"},
		{"entity", "f[sound:a&amp;b.mp3]", "b", "f[sound:a&amp;b.mp3]", "f|b"},
		{"speech", "f[anki:tts lang=en_US]hello[/anki:tts]", "b", "f[anki:tts lang=en_US]hello[/anki:tts]", "f|b"},
		{"place without a sound", "f[anki:play:q:0]", "[anki:play:a:7]b", "f[anki:play:q:0]", "f[anki:play:q:0]|[anki:play:a:7]b"},
		{"place and sound", "[anki:play:q:0]f[sound:f.mp3]", "b[anki:play:q:0][sound:b.mp3]", "[anki:play:q:0]f[sound:f.mp3]",
			"[anki:play:q:0]f|b[anki:play:q:0][sound:b.mp3]"},
		{"many places", "[sound:" + long + "]" + places, "b", "[sound:" + long + "]" + places, places + "|b"},
	} {
		t.Run(b.name, func(t *testing.T) {
			c := newClient(t, Options{}, collection.Options{})
			body, _ := json.Marshal(map[string]any{"model": "Basic", "fields": map[string]string{"Front": b.front, "Back": b.back}})
			c.ok("add_note", string(body))
			cards := decodeTo[[]struct{ Question, Answer string }](t, c.ok("find_cards", `{"preload":1}`))
			if len(cards) != 1 {
				t.Fatalf("%d cards", len(cards))
			}
			answer := strings.Replace(cards[0].Answer, "\n\n<hr id=answer>\n\n", "|", 1)
			if cards[0].Question != b.question {
				t.Errorf("question of %d bytes, want %d: %.200q", len(cards[0].Question), len(b.question), cards[0].Question)
			}
			if answer != b.answer {
				t.Errorf("answer of %d bytes, want %d: %.200q", len(answer), len(b.answer), answer)
			}
		})
	}
}
