package api

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestBodyIsText: what is not characters would be stored as U+FFFD.
func TestBodyIsText(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f","Back":"b"}}`)
	note := fmt.Sprintf("note/%d", decodeTo[[]struct{ ID int64 }](t, c.ok("find_notes", "{}"))[0].ID)
	before := c.ok(note, "{}")
	for _, text := range []string{
		"caf\xe9", "\xed\xa0\x80", `\ud800`, `\udc00`, `\ud800\ud800`, `\ud83dx`, `\\\ud83d\n`, `\ud83d\u0041`, `\uDFFF`,
	} {
		status, answer := c.post(note+"/update", `{"tags":[],"fields":{"Front":"`+text+`"}}`)
		if status != 400 || !strings.Contains(answer, "UTF-8") {
			t.Errorf("%q: %d %s", text, status, answer)
		}
		if after := c.ok(note, "{}"); after != before {
			t.Errorf("%q: the note changed: %s", text, after)
		}
	}
	for text, want := range map[string]string{
		"caf\u00e9": "caf\u00e9", `caf\u00e9`: "caf\u00e9", `\ud83d\ude00`: "\U0001F600", `\\ud83d`: `\ud83d`, `\\\u0041\\`: `\A\`, `\"[{,`: `"[{,`,
	} {
		c.ok(note+"/update", `{"tags":[],"fields":{"Front":"`+text+`"}}`)
		if got := decodeTo[struct{ Fields map[string]string }](t, c.ok(note, "{}")).Fields["Front"]; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestParams reads bodies of all kinds and shapes.
func TestParams(t *testing.T) {
	p, err := parseParams([]byte("\n{ \"a\" :1 ,\"b\": [ 1 , \"2\",3.9,true ] , \"\\u0063\":{\"x\": \"}\" , \"y\":\"\\\"\"}, \"d\":[ ],\"e\":{\t}, " +
		"\"f\":null,\"g\":\"t\",\"a\":2,\"h\":[\"]\",\"\"],\"i\":false}\t"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.num("a", 0); n != 2 || err != nil {
		t.Errorf("a: %d, %v", n, err)
	}
	if ids, ok, err := p.ids("b"); fmt.Sprint(ids) != "[1 2 3 1]" || !ok || err != nil {
		t.Errorf("b: %v, %v, %v", ids, ok, err)
	}
	if fields, err := p.fields("c"); fmt.Sprint(fields) != `map[x:} y:"]` || err != nil {
		t.Errorf("c: %v, %v", fields, err)
	}
	if texts, ok, err := p.texts("h"); fmt.Sprintf("%q", texts) != `["]" ""]` || !ok || err != nil {
		t.Errorf("h: %q, %v, %v", texts, ok, err)
	}
	for key, want := range map[string]bool{"a": true, "b": true, "c": true, "d": false, "e": false, "f": false, "g": true, "h": true, "i": false} {
		if got := p.truth(key, !want); got != want {
			t.Errorf("%s is %v", key, got)
		}
	}
	for body, status := range map[string]int{
		`[]`: 0, ` [ ] `: 0, `[1]`: 500, `1`: 500, ``: 400, `{`: 400, `{}x`: 400, `{"a":1,}`: 400, `{"a" 1}`: 400, `[,]`: 400,
		`{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`: 400,
	} {
		if _, err := parseParams([]byte(body)); err != nil && asHTTP(err).status != status || err == nil && status != 0 {
			t.Errorf("%.40s: %v, want %d", body, err, status)
		}
	}
}

// TestLargeBody: a list that nobody asks for takes nothing beside the body, and one
// of ids no more than ids take; and there are limits.
func TestLargeBody(t *testing.T) {
	body := []byte(`{"x":[` + strings.Repeat("0,", 1_000_000) + `0]}`)
	allocated := func(f func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	var p params
	if n := allocated(func() { p, _ = parseParams(body) }); n > uint64(len(body)) {
		t.Errorf("a body of %d bytes: %d bytes were allocated", len(body), n)
	}
	if !p.truth("x", false) {
		t.Error("the list is false")
	}
	if ids, _, err := p.ids("x"); len(ids) != 1_000_001 || err != nil {
		t.Errorf("%d ids, %v", len(ids), err)
	}
	c := newClient(t, Options{}, collection.Options{})
	c.wants(400, "cards_recent_ease", `{"ids":[`+strings.Repeat("0,", maxElements)+`0]}`)
	var keys strings.Builder
	for i := range maxKeys {
		fmt.Fprintf(&keys, `"%d":0,`, i)
	}
	c.wants(400, "list_tags", `{`+keys.String()+`"x":0}`)
	c.wants(200, "list_tags", `{`+strings.TrimSuffix(keys.String(), ",")+`}`)
}

// TestFewLargeBodiesAtOnce: calls with large bodies wait for each other, the others
// do not.
func TestFewLargeBodiesAtOnce(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	large, huge := `{"x":"`+strings.Repeat("a", hugeBody-8)+`"}`, `{"x":"`+strings.Repeat("a", hugeBody)+`"}`
	for name, tt := range map[string]struct {
		places      gate
		body, other string
	}{
		"large": {c.h.large, large, huge},
		"huge":  {c.h.huge, huge, large},
	} {
		c.ok("list_tags", tt.body)
		for range cap(tt.places) {
			tt.places <- struct{}{}
		}
		c.ok("list_tags", "{}")
		c.ok("list_tags", tt.other)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := httptest.NewRequestWithContext(ctx, "POST", "http://127.0.0.1/", strings.NewReader(tt.body))
		r.URL.Path, r.RemoteAddr = "/collection/alice/list_tags", "127.0.0.1:1"
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, r)
		if w.Code != 503 {
			t.Errorf("%s: status %d, want 503: %s", name, w.Code, w.Body)
		}
		<-tt.places
		for range 3 { // the place is given back
			c.ok("list_tags", tt.body)
			c.wants(500, "list_tags", tt.body[5:len(tt.body)-1])
			c.wants(413, "list_tags", tt.body+strings.Repeat(" ", DefaultMaxBodyBytes))
		}
		if n := len(tt.places); n != cap(tt.places)-1 {
			t.Errorf("%s: %d places are taken, want %d", name, n, cap(tt.places)-1)
		}
		for len(tt.places) > 0 {
			<-tt.places
		}
	}
}

// TestSlowSenders: who sends a large body slowly keeps nobody else away, and what
// has come of it goes with the call.
func TestSlowSenders(t *testing.T) {
	tmp := t.TempDir()
	c := newClient(t, Options{TempDir: tmp}, collection.Options{})
	begin := `{"x":"` + strings.Repeat("a", hugeBody+100)
	var senders []*io.PipeWriter
	codes := make(chan int)
	for range maxHuge {
		body, sender := io.Pipe()
		senders = append(senders, sender)
		r := httptest.NewRequest("POST", "http://127.0.0.1/", body)
		r.URL.Path, r.RemoteAddr = "/collection/alice/list_tags", "127.0.0.1:1"
		go func() {
			w := httptest.NewRecorder()
			c.h.ServeHTTP(w, r)
			codes <- w.Code
		}()
		if _, err := io.WriteString(sender, begin); err != nil { // all of it was read
			t.Fatal(err)
		}
	}
	c.wants(200, "list_tags", begin+`"}`)
	for i, want := range []int{200, 400} {
		if i == 0 {
			_, _ = io.WriteString(senders[i], `"}`)
			_ = senders[i].Close()
		} else {
			_ = senders[i].CloseWithError(io.ErrUnexpectedEOF)
		}
		if got := <-codes; got != want {
			t.Errorf("sender %d: %d, want %d", i, got, want)
		}
	}
	if left, err := os.ReadDir(tmp); len(left) > 0 || err != nil || len(c.h.huge) > 0 {
		t.Errorf("left: %v, %v, %d places", left, err, len(c.h.huge))
	}
	if err := os.Remove(tmp); err != nil {
		t.Fatal(err)
	}
	c.wants(500, "list_tags", begin+`"}`)
}

// TestRecentEaseIsBounded: more reviews than an answer holds are refused, not cut.
func TestRecentEaseIsBounded(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	for i := range 3 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	for _, card := range decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", "{}")) {
		for ease := range 2 {
			c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":%d}`, card.ID, ease+1))
		}
	}
	all := decodeTo[[]struct{ ID, Ease int64 }](t, c.ok("cards_recent_ease", "{}"))
	if len(all) != 3 || all[0].Ease != 3 || all[0].ID >= all[1].ID {
		t.Errorf("%v", all)
	}
	c.h.maxReviews = 2
	c.wants(400, "cards_recent_ease", "{}")
	c.wants(400, "cards_recent_ease", fmt.Sprintf(`{"ids":[%d,%d,%d]}`, all[0].ID, all[1].ID, all[2].ID))
	c.wants(200, "cards_recent_ease", fmt.Sprintf(`{"ids":[%d,%d]}`, all[0].ID, all[1].ID))
}

func TestPrintable(t *testing.T) {
	long := strings.Repeat("a", 199) + "\u00e9"
	if got := printable(long); got != long[:199] {
		t.Errorf("%q", got)
	}
	if got := printable("caf\u00e9"); got != "caf\u00e9" {
		t.Errorf("%q", got)
	}
}
