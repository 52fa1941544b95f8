package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
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

// FuzzImportPackage imports whole packages: of each form, with a damaged
// collection, list of media and zip. None is a failure of ours, one that is
// refused changes nothing, and nothing stays of any but what it brought.
func FuzzImportPackage(f *testing.F) {
	old, current := source(f)
	lists := [][]byte{[]byte(`{"0":"one.png","1":"two.mp3"}`), mediaList("one.png", "two.mp3")}
	for form := range uint(4) {
		f.Add(form, uint(0), []byte{}, lists[form%2], uint(0), []byte{})
		f.Add(form, uint(5000), []byte("\xff\x00"), lists[form%2], uint(0), []byte{})
		f.Add(form, uint(0), []byte{}, lists[1-form%2], uint(0), []byte{})
		f.Add(form, uint(0), []byte{}, lists[form%2], uint(20), []byte("\xff\xff\xff"))
	}
	f.Add(uint(0), uint(0), []byte{}, []byte(`{"0":"../x","1":"one.png","a":1}`), uint(0), []byte{})
	tmp, files := f.TempDir(), media.Open(f.TempDir(), media.Options{})
	f.Cleanup(func() { _ = files.Close() })
	c := newClient(f, Options{Media: files, TempDir: tmp, MaxImportBytes: 1 << 22}, collection.Options{Snapshots: collection.Retention{Keep: -1}})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"previous"}}`)
	// its second bit makes the package a whole collection
	f.Fuzz(func(t *testing.T, form, at uint, patch, list []byte, zipAt uint, zipPatch []byte) {
		c.t = t
		part := func(name string, text []byte) file { return file{name, text} }
		col, kind := file{"collection.anki2", bytes.Clone(old)}, "apkg"
		if form&1 != 0 {
			part = func(name string, text []byte) file { return file{name, compress(t, text)} }
			col = file{"collection.anki21b", bytes.Clone(current)}
		}
		copy(col.text[at%uint(len(col.text)):], patch)
		if form&2 != 0 {
			kind = "colpkg"
		}
		raw := packed(t, part(col.name, col.text), part("media", list), part("0", []byte("picture")), part("1", []byte("sound")))
		copy(raw[zipAt%uint(len(raw)):], zipPatch)

		state := func() string {
			m, err := c.s.Meta(t.Context(), "alice")
			usn, err2 := files.LastUSN(t.Context(), "alice")
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			return fmt.Sprint(m, usn)
		}
		before := state()
		status, text := c.post("import_file", importOf(kind, base64.StdEncoding.EncodeToString(raw)))
		switch {
		case status >= 500:
			t.Errorf("status %d: %s", status, text)
		case status != 200 && state() != before:
			t.Errorf("status %d: %s: refused, and yet something changed", status, text)
		case status == 200:
			for _, o := range []collection.DownloadOptions{{}, {Schema11: true}} {
				d, err := c.s.Download(t.Context(), "alice", o)
				if err != nil {
					t.Fatalf("taken, but %v", err)
				}
				_ = d.Close()
			}
			c.ok("find_cards", `{"query":"","preload":1}`)
		}
		for _, pattern := range []string{"*", ".*"} {
			if left, _ := filepath.Glob(filepath.Join(tmp, pattern)); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		}
	})
}
