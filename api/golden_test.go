package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

// recorded is one call of the golden record: what the original was asked, and
// what it answered (docs/compat.md §6).
type recorded struct {
	Method       string            `json:"method"`
	Path         string            `json:"path"`
	Request      json.RawMessage   `json:"request"`
	Headers      map[string]string `json:"headers"`
	Status       int               `json:"status"`
	ContentType  string            `json:"content_type"`
	Allow        string            `json:"allow"`
	Response     json.RawMessage   `json:"response"`
	ResponseText *string           `json:"response_text"`
	line         int
}

// body is what was sent.
func (r *recorded) body() string {
	var raw struct {
		Raw *string `json:"_raw"`
	}
	if json.Unmarshal(r.Request, &raw) == nil && raw.Raw != nil {
		return *raw.Raw
	}
	if string(r.Request) == "null" {
		return ""
	}
	return string(r.Request)
}

func readRecord(t *testing.T) []recorded {
	t.Helper()
	text, err := os.ReadFile("testdata/rest-golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var calls []recorded
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		r := recorded{line: i + 1}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, r)
	}
	if len(calls) != 132 {
		t.Fatalf("the record has %d calls, want 132", len(calls))
	}
	return calls
}

// goldenTime is when the record was made.
var goldenTime = time.UnixMilli(1795393795354).UTC()

// openFixture copies the original's data directory and opens it in place.
func openFixture(t testing.TB, now func() time.Time) *collection.Store {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/dsnopek")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice", "bob@example.com"} {
		files, _ := filepath.Glob(filepath.Join(root, name, "*"))
		for _, f := range files {
			if err := os.Chmod(f, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := collection.New(root, collection.Options{Now: now})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// accounts is a set of users.
type accounts map[string]bool

func (a accounts) HasUser(_ context.Context, name string) (bool, error) { return a[name], nil }

func (accounts) KeptOut(context.Context, string) (bool, error) { return false, nil }

// believing takes the header's word, as behind a proxy that is trusted.
func believing(r *http.Request) netip.Addr {
	if a, err := netip.ParseAddr(r.Header.Get("X-Forwarded-For")); err == nil {
		return a
	}
	return peerAddr(r)
}

func TestGoldenRecord(t *testing.T) {
	s := openFixture(t, func() time.Time { return goldenTime })
	h := New(Options{
		Collections: s, Users: accounts{"alice": true, "nobody_new": true}, AllowedHosts: []string{"127.0.0.1"},
		ClientAddr: believing, Now: func() time.Time { return goldenTime },
	})
	c := &client{t: t, h: h, s: s}
	c.wants(409, "next_card", `{}`) // the scheduler of 2006
	if got := c.ok("upgrade_scheduler", `{}`); got != `{"upgraded":true}` {
		t.Fatalf("upgrade: %s", got)
	}
	used := make([]int, len(deviations))
	equal := 0
	b := &binding{to: map[string]string{}}
	for _, rec := range readRecord(t) {
		diffs := replay(t, h, &rec, b)
		if len(diffs) == 0 {
			equal++
		}
		for _, d := range diffs {
			i := excuse(&rec, d)
			if i < 0 {
				t.Errorf("line %d, %s %s %s: at %q: recorded %s, got %s", rec.line, rec.Method, rec.Path, rec.body(), d.at, d.want, d.got)
				continue
			}
			used[i]++
		}
	}
	t.Logf("%d of 132 calls are equal; the others deviate as listed", equal)
	for i, d := range deviations {
		if used[i] == 0 {
			t.Errorf("deviation %+v is listed, but was not seen", d)
		}
	}
}

// replay sends a recorded call and returns how the answer differs.
func replay(t *testing.T, h http.Handler, rec *recorded, b *binding) []diff {
	t.Helper()
	req := httptest.NewRequest(rec.Method, "http://127.0.0.1:27701/", strings.NewReader(b.ours(rec.body())))
	u, err := req.URL.Parse("http://127.0.0.1:27701" + b.ours(rec.Path))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(rec.Path, "..") { // Parse cleans
		u.Path = strings.ReplaceAll(rec.Path, "%2f", "/")
	}
	req.URL = u
	req.RemoteAddr = "127.0.0.1:4711"
	for k, v := range rec.Headers {
		req.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	res := w.Result()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	c := &comparison{b: b}
	c.compare("status", rec.Status, res.StatusCode)
	c.compare("type", rec.ContentType, res.Header.Get("Content-Type"))
	c.compare("allow", rec.Allow, res.Header.Get("Allow"))
	switch {
	case rec.ResponseText != nil:
		c.compare("text", *rec.ResponseText, string(got))
	case res.StatusCode == http.StatusOK:
		want, got := decode(t, rec.Response), decode(t, got)
		if strings.HasSuffix(rec.Path, "/list_tags") || rec.Path == "/list_collections" {
			want, got = sorted(want), sorted(got) // no order was promised
		}
		c.compareAny("", want, got)
	default:
		c.compare("text", string(rec.Response), string(got))
	}
	return c.diffs
}

// sorted sorts a list of texts.
func sorted(v any) any {
	if l, ok := v.([]any); ok {
		slices.SortFunc(l, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return v
}

func decode(t *testing.T, text []byte) any {
	t.Helper()
	if len(text) == 0 {
		return "(empty)"
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// binding says what the ids that were made during the record are here.
type binding struct{ to map[string]string }

// madeThen are the values of the record that depend on the moment or on chance:
// a note with its guid and card, two decks, a review and two times.
var madeThen = []string{
	"1795393795354", "1795393795355", "k(]sO=N#)f", "1795393795592", "1795393795614", "1795393795490",
	"1795393795.472968", "1795393795.477403",
}

// ours translates what is sent.
func (b *binding) ours(text string) string {
	for from, to := range b.to {
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

// bound tells whether a recorded value is one that was made then, and if so,
// whether ours always stands in its place.
func (b *binding) bound(want, got any) (volatile, same bool) {
	w, g := fmt.Sprint(want), fmt.Sprint(got)
	if !slices.Contains(madeThen, w) {
		return false, false
	}
	if to, ok := b.to[w]; ok {
		return true, to == g
	}
	b.to[w] = g
	return true, g != "" && g != "<nil>"
}

type diff struct{ at, want, got string }

type comparison struct {
	b     *binding
	diffs []diff
}

func (c *comparison) add(at string, want, got any) {
	w, _ := json.Marshal(want)
	g, _ := json.Marshal(got)
	c.diffs = append(c.diffs, diff{at: at, want: string(w), got: string(g)})
}

func (c *comparison) compare(at string, want, got any) {
	if want != got {
		c.add(at, want, got)
	}
}

func (c *comparison) compareAny(at string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			c.add(at, want, got)
			return
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				c.add(at+"."+k, w[k], "(missing)")
				continue
			}
			c.compareAny(at+"."+k, w[k], g[k])
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				c.add(at+"."+k, "(missing)", g[k])
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(w) != len(g) {
			c.add(at, want, got)
			return
		}
		for i := range w {
			c.compareAny(fmt.Sprintf("%s[%d]", at, i), w[i], g[i])
		}
	case string:
		g, ok := got.(string)
		if volatile, same := c.b.bound(want, got); volatile && same {
			return
		}
		if !ok || stable(w) != stable(g) {
			c.add(at, want, got)
		}
	case json.Number:
		volatile, same := c.b.bound(want, got)
		if volatile && !same || !volatile && !sameNumber(w, got) {
			c.add(at, want, got)
		}
	default:
		volatile, same := c.b.bound(want, got)
		if volatile && !same || !volatile && want != got {
			c.add(at, want, got)
		}
	}
}

// sameNumber takes 1 and 1.0 for the same.
func sameNumber(want json.Number, got any) bool {
	g, ok := got.(json.Number)
	if !ok {
		return false
	}
	a, err1 := want.Float64()
	b, err2 := g.Float64()
	return err1 == nil && err2 == nil && a == b
}

var (
	flotGraph = regexp.MustCompile(`(?s)\n<table cellpadding=0 cellspacing=10>.*?</script>`)
	svgGraph  = regexp.MustCompile(`(?s)\n<svg .*?</svg>\n?`)
)

// stable replaces graphs, which are scripts in the one and SVG in the other.
func stable(s string) string {
	return svgGraph.ReplaceAllString(flotGraph.ReplaceAllString(s, "GRAPH"), "GRAPH")
}

// deviation is a difference that is meant; docs/rest-api.md says why, under the
// same name.
type deviation struct {
	id            string
	call          string // regular expressions over the path,
	at, want, got string // the place in the answer, and both values as JSON
}

const (
	oneCard   = `/collection/alice/card/\d+`
	nextCalls = `/collection/alice/next_card`
)

var deviations = []deviation{
	{"usn", `.*/(find_notes|latest_notes|note/\d+|find_cards|latest_cards|card/\d+|latest_revlog|create_dynamic_deck|next_card)`, `.*\.usn`, `-1`, `3`},
	{"third-interval", `.*/get_conf`, `\.new\.ints\[2\]`, `7`, `0`},
	{"config-synced", `.*/get_conf`, `\.usn`, `0`, `3`},
	{"config-synced", `.*/get_conf`, `\.mod`, `0`, `1795393795`},
	{"review-count", `.*/reset_scheduler`, `\.review_cards`, `[12]`, `0`},
	{"fuzz", nextCalls, `\.answer_buttons\[2\]\.string_interval`, `"4 days"`, `"3 days"`},
	{"fuzz", nextCalls, `\.answer_buttons\[2\]\.interval`, `345600`, `259200`},
	{"fuzz", oneCard, `\.due`, `1795394499`, `17953944\d\d`},
	{"left", oneCard, `\.left`, `1001`, `1`},
	{"four-buttons", `.*/(card/\d+|card/\d+/latest_revlog|cards_recent_ease|latest_revlog)`, `.*\.ease`, `2`, `3`},
	{"four-buttons", nextCalls, `\.latest_revlog\.ease`, `2`, `3`},
	{"upgraded", `.*/(find_notes|latest_notes|note/\d+|find_cards|card/\d+|next_card)`, `.*\.scm`, `1795393725425`, `1795393795354`},
	{"last-interval", `.*/latest_revlog`, `\[0\]\.last_interval`, `-60`, `0`},
	{"card-tags", oneCard, `\.note\.mod`, `1795393732`, `1795393795`},
	{"card-tags", oneCard, `\.note\.usn`, `1`, `3`},
	{"suspend", oneCard, `\.type`, `0`, `1`},
	{"suspend", oneCard, `\.queue`, `0`, `1`},
	{"suspend", oneCard, `\.factor`, `2500`, `0`},
	{"suspend", oneCard, `\.due`, `6`, `17953944\d\d`},
	{"recent-ease", `.*/cards_recent_ease`, `status`, `500`, `200`},
	{"recent-ease", `.*/cards_recent_ease`, `type`, `.*`, `"application/json"`},
	{"recent-ease", `.*/cards_recent_ease`, `text`, `"500 .*`, `"\[{\\"ease\\":3,\\"id\\":1795393732150,\\"timestamp\\":1795393795}\]"`},
	{"import", `.*/import_file`, `status`, `404`, `200`},
	{"import", `.*/import_file`, `text`, `"404 .*`, `""`},
}

// excuse finds the deviation that a difference is, −1 if none.
func excuse(rec *recorded, d diff) int {
	match := func(re, s string) bool { return re == "" || regexp.MustCompile("^(?:"+re+")$").MatchString(s) }
	for i, dev := range deviations {
		if match(dev.call, rec.Path) && match(dev.at, d.at) && match(dev.want, d.want) && match(dev.got, d.got) {
			return i
		}
	}
	return -1
}
