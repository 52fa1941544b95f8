package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

// FuzzCalls sends any body to any path of a collection with some notes in it.
// Nothing may panic, every answer can be encoded, and a status of 500 is one that
// the original gave for bad input: never a failure of ours.
func FuzzCalls(f *testing.F) {
	text, err := os.ReadFile("testdata/rest-golden.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	n := 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var r recorded
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			f.Fatal(err)
		}
		if path, ok := strings.CutPrefix(r.Path, "/collection/alice/"); ok && r.Method == "POST" {
			f.Add(path, r.body())
			n++
		}
	}
	if n < 100 {
		f.Fatalf("only %d seeds", n)
	}
	for _, seed := range [][2]string{
		{"find_cards", `{"query":"prop:ivl>1 or re:(a|b) -is:due","order":"c.ivl desc, n.sfld collate nocase","limit":1,"preload":1}`},
		{"import_file", `{"filetype":"text","data":"#separator:,\na,b,c\n","model":"Basic","deck":"X::Y"}`},
		{"import_file", `{"filetype":"apkg","data":"UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="}`},
		{"deck/1/set_update_conf", `{"id":1,"new":{"delays":[1,"x"],"perDay":-5},"rev":null,"name":"","fsrsParams6":[1e308]}`},
		{"stats_report", `{"width":0,"height":-1,"reports":["due","due"]}`},
		{"extend_scheduler_limits", `{"new_cards":-1000000,"review_cards":"7"}`},
		{"answer_card", `{"id":1795428000000,"ease":1,"timerStarted":-1e300}`},
	} {
		f.Add(seed[0], seed[1])
	}
	c := newClient(f, Options{MaxImportBytes: 1 << 20}, collection.Options{Snapshots: collection.Retention{Keep: -1}})
	for i := range 5 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d","Back":"[sound:a.mp3] [$]x[/$]"},"tags":"t"}`, i))
	}
	c.ok("add_note", `{"model":"Cloze","fields":{"Text":"{{c1::a}} {{c2::b::hint}}"}}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		r := httptest.NewRequest("POST", "http://127.0.0.1/", strings.NewReader(body))
		r.URL.Path, r.RemoteAddr = "/collection/alice/"+path, "127.0.0.1:1"
		v, err := c.h.serve(httptest.NewRecorder(), r)
		if err == nil {
			if _, err := json.Marshal(v); err != nil {
				t.Errorf("%s %s: %v", path, body, err)
			}
			return
		}
		var own *httpError
		if asHTTP(err).status >= 500 && (!errors.As(err, &own) || own == errInternal) {
			t.Errorf("%s %s: %v", path, body, err)
		}
	})
}

// FuzzParams reads numbers and flags of any kind.
func FuzzParams(f *testing.F) {
	for _, s := range []string{`1`, `-1.5`, `"7"`, `1e400`, `true`, `null`, `[1,"2",3.9]`, `{"a":"b"}`, `" 12 "`, `9223372036854775808`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseParams([]byte(`{"k":` + s + `}`))
		if err != nil {
			return
		}
		if n, err := p.count("k", 0); err == nil && (n < 0 || n > math.MaxInt32) {
			t.Errorf("%s: count %d", s, n)
		}
		if ids, ok, err := p.ids("k"); err != nil && (len(ids) > 0 || !ok) {
			t.Errorf("%s: ids %v with %v", s, ids, err)
		}
		if x, ok := asFloat(p["k"]); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
			t.Errorf("%s: float %v", s, x)
		}
		p.truth("k", false)
		if _, err := p.fields("k"); err != nil && asHTTP(err).status != 400 && p["k"] != nil {
			t.Errorf("%s: %v", s, err)
		}
	})
}
