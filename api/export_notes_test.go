package api

import (
	"archive/zip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/rendering"
)

// packed fetches a package, and opens it.
func (c *client) packed(body string) (*apkg, string) {
	c.t.Helper()
	text := c.ok("export_file", body)
	p, err := openPackage(strings.NewReader(text), int64(len(text)), 1<<30)
	if err != nil {
		c.t.Fatal(err)
	}
	return p, text
}

func partNames(p *apkg) (out []string) {
	for _, f := range p.zip.File {
		out = append(out, f.Name)
	}
	return out
}

// importPackage imports a package into another collection.
func (c *client) importPackage(text string) {
	c.t.Helper()
	c.ok("import_file", `{"filetype":"apkg","data":"`+base64.StdEncoding.EncodeToString([]byte(text))+`"}`)
}

// formulaX is the name of the image of a formula.
func formulaX(t *testing.T) string {
	t.Helper()
	_, formulas, err := rendering.LaTeX("[$]x[/$]", false)
	if err != nil {
		t.Fatal(err)
	}
	return formulas[0].File
}

// exporting is a collection with decks, media and reviews.
func exporting(t *testing.T) *client {
	t.Helper()
	c := newMediaClient(t, Options{TempDir: t.TempDir()})
	for _, n := range []struct{ front, deck, tags string }{
		{`a <img src=\"a.png\">`, "A", "x leech"}, {`b [sound:b.mp3]`, "A::B", "marked"}, {`c [$]x[/$]`, "C", ""}, {`d <img src=\"https://example.org/x.png\">`, "C", "y"},
	} {
		c.ok("create_deck", `{"name":"`+n.deck+`"}`)
		c.ok("add_note", `{"model":"Basic","fields":{"Front":"`+n.front+`","Back":"b"},"tags":"`+n.tags+`","deck":"`+n.deck+`"}`)
	}
	for _, name := range []string{"a.png", "b.mp3", formulaX(t), "unused.png", "_used.ttf", "_unused.ttf"} {
		c.put(name, "content of "+name)
	}
	return c
}

// TestExportNotes: which notes and media files come along, and that they arrive.
func TestExportNotes(t *testing.T) {
	a := exporting(t)
	before := meta(t, a.s)
	for body, want := range map[string]struct{ fronts, files []string }{
		`{"filetype":"apkg"`:                              {[]string{"a", "b", "c", "d"}, []string{"a.png", "b.mp3", formulaX(t)}},
		`{"filetype":"apkg","deck":"A"`:                   {[]string{"a", "b"}, []string{"a.png", "b.mp3"}},
		`{"filetype":"apkg","deck":"a::b"`:                {[]string{"b"}, []string{"b.mp3"}},
		`{"filetype":"apkg","query":"tag:y"`:              {[]string{"d"}, nil},
		`{"filetype":"apkg","query":"tag:nothing"`:        {nil, nil},
		`{"filetype":"apkg","deck":"C","media":false`:     {[]string{"c", "d"}, nil},
		`{"filetype":"apkg","deck":"Default"`:             {nil, nil},
		`{"filetype":"apkg","query":"\"front:b *\""`:      {[]string{"b"}, []string{"b.mp3"}},
		`{"filetype":"apkg","deck":null,"query":"deck:A"`: {[]string{"a", "b"}, []string{"a.png", "b.mp3"}},
	} {
		forms := []string{`}`, `,"legacy":true}`, `,"scheduling":true,"deck_options":true}`, `,"legacy":true,"scheduling":true}`}
		if !strings.HasSuffix(body, `"A"`) {
			forms = forms[:1]
		}
		for _, keys := range forms {
			p, pkg := a.packed(body + keys)
			names, err := p.media()
			if err != nil {
				t.Fatal(err)
			}
			files := slices.Sorted(maps.Values(names))
			if diff := cmp.Diff(want.files, files); diff != "" {
				t.Errorf("%s%s: media (-want +got): %s", body, keys, diff)
			}
			b := newMediaClient(t, Options{TempDir: t.TempDir()})
			b.importPackage(pkg)
			var notes []struct{ Fields map[string]string }
			if err := json.Unmarshal([]byte(b.ok("find_notes", `{"query":"","preload":1}`)), &notes); err != nil {
				t.Fatal(err)
			}
			var fronts []string
			for _, n := range notes {
				fronts = append(fronts, n.Fields["Front"][:1])
			}
			slices.Sort(fronts)
			if diff := cmp.Diff(want.fronts, fronts); diff != "" {
				t.Errorf("%s%s: notes (-want +got): %s", body, keys, diff)
			}
			for _, name := range files {
				if got := text(t, b.file("GET", name, nil)); got != "content of "+name {
					t.Errorf("%s is %q", name, got)
				}
			}
		}
	}
	if meta(t, a.s) != before {
		t.Error("an export is a change")
	}
	if left, _ := os.ReadDir(a.h.o.TempDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if n := len(a.h.out); n != 0 {
		t.Errorf("%d places are taken", n)
	}
}

// TestExportStaticMedia: files of templates and styles come along, others of that kind do not.
func TestExportStaticMedia(t *testing.T) {
	c := exporting(t)
	if err := c.s.Edit(t.Context(), "alice", func(tx *collection.Txn) error {
		nt, err := tx.NotetypeByName("Basic")
		if err != nil {
			return err
		}
		css := `@font-face { src: url("_used.ttf") }`
		return tx.UpdateNotetype(nt.ID, collection.NotetypeChange{CSS: &css})
	}); err != nil {
		t.Fatal(err)
	}
	p, _ := c.packed(`{"filetype":"apkg","query":"tag:y"}`)
	if names, err := p.media(); err != nil || !maps.Equal(names, map[string]string{"0": "_used.ttf"}) {
		t.Errorf("media are %v, %v", names, err)
	}
}

// TestExportForms: the parts of a package by its form.
func TestExportForms(t *testing.T) {
	c := exporting(t)
	for keys, want := range map[string]struct {
		parts, meta string
		method      uint16
		latest      bool
	}{
		``:                                  {"meta collection.anki21b 0 media", "\x08\x03", zip.Store, true},
		`,"scheduling":1`:                   {"meta collection.anki21b 0 media", "\x08\x03", zip.Store, true},
		`,"legacy":true`:                    {"meta collection.anki2 0 media", "\x08\x01", zip.Deflate, false},
		`,"legacy":true,"scheduling":true`:  {"meta collection.anki21 0 media", "\x08\x02", zip.Deflate, false},
		`,"legacy":false,"scheduling":true`: {"meta collection.anki21b 0 media", "\x08\x03", zip.Store, true},
	} {
		p, _ := c.packed(`{"filetype":"apkg","deck":"A::B"` + keys + `}`)
		if got := strings.Join(partNames(p), " "); got != want.parts || p.latest != want.latest || p.zip.File[1].Method != want.method {
			t.Errorf("%s: %s, method %d", keys, got, p.zip.File[1].Method)
		}
		r, err := p.zip.File[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); string(got) != want.meta || err != nil {
			t.Errorf("%s: meta is %q, %v", keys, got, err)
		}
	}
}

// TestExportNotesRefuses what makes no sense, and holds nothing afterwards.
func TestExportNotesRefuses(t *testing.T) {
	c := exporting(t)
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		`"deck":"Nowhere"`: {404, "No deck with id or name: Nowhere"},
		`"deck":"A::"`:     {404, "No deck"},
		`"deck":"` + strings.Repeat("x", 1<<17) + `"`: {404, "No deck with id or name: xxx"},
		`"deck":"../../etc/passwd"`:                   {404, "No deck"},
		`"deck":"'; DROP TABLE notes; --"`:            {404, "No deck"},
		`"deck":["A"]`:                                {404, `No deck with id or name: ["A"]`},
		`"deck":{}`:                                   {404, "No deck"},
		`"deck":false`:                                {404, "No deck"},
		`"deck":99`:                                   {404, "No deck"},
		`"deck":""`:                                   {404, "No deck"},
		`"deck":"A","query":"x"`:                      {400, "either deck or query"},
		`"query":"(unclosed"`:                         {400, ""},
		`"query":7`:                                   {400, "query must be a text"},
	} {
		status, text := c.post("export_file", `{"filetype":"apkg",`+body+`}`)
		if status != want.status || !strings.Contains(text, want.says) || len(text) > 1000 {
			t.Errorf("%.60s: %d %.300s", body, status, text)
		}
	}
	c.h.maxExported = 1
	if status, text := c.post("export_file", `{"filetype":"apkg"}`); status != 400 || !strings.Contains(text, "more than 1 media files") {
		t.Errorf("too many files: %d %s", status, text)
	}
	c.ok("export_file", `{"filetype":"apkg","media":false}`)
	if left, _ := os.ReadDir(c.h.o.TempDir); len(left) > 0 || len(c.h.out) > 0 {
		t.Errorf("left behind: %v, %d places are taken", left, len(c.h.out))
	}
}

// TestExportNotesWaitsForSync: a device's sync is not ended by it.
func TestExportNotesWaitsForSync(t *testing.T) {
	c := newClient(t, Options{TempDir: t.TempDir()}, collection.Options{EditWait: 50 * time.Millisecond})
	c.ok("list_tags", "{}")
	if _, err := c.s.Start(t.Context(), "alice", collection.StartOptions{SKey: "k"}); err != nil {
		t.Fatal(err)
	}
	c.wants(409, "export_file", `{"filetype":"apkg"}`)
	if _, _, err := c.s.SanityCheck(t.Context(), "alice", "k", collection.Counts{}); errors.Is(err, collection.ErrConflict) {
		t.Errorf("the sync was ended: %v", err)
	}
	if left, _ := os.ReadDir(c.h.o.TempDir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestExportNotesBreaksOff: half a package does not pass for a whole one, whatever
// ends it, and nothing is left behind.
func TestExportNotesBreaksOff(t *testing.T) {
	files := media.Open(t.TempDir(), media.Options{})
	t.Cleanup(func() { _ = files.Close() })
	tmp := t.TempDir()
	c := newClient(t, Options{TempDir: tmp, Media: failingMedia{files, "b.png", media.ErrBusy}}, collection.Options{})
	for _, name := range []string{"a.png", "b.png", "c.png"} {
		c.put(name, "content of "+name)
		c.ok("add_note", `{"model":"Basic","fields":{"Front":"<img src='`+name+`'>"}}`)
	}
	srv := httptest.NewServer(c.h)
	t.Cleanup(srv.Close)
	for range maxExports + 1 { // the place of one that broke off is free again
		if pkg, err := fetched(t, srv.URL, `{"filetype":"apkg"}`); err == nil {
			t.Fatalf("%d bytes, and no error", len(pkg))
		}
	}
	// One whose caller is gone ends before anything is made of it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", "http://127.0.0.1:27702/collection/alice/export_file", strings.NewReader(`{"filetype":"apkg"}`))
	r.RemoteAddr = "127.0.0.1:4711"
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	if w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
	c.ok("export_file", `{"filetype":"apkg","media":false}`)
	srv.Close()
	if left, _ := filepath.Glob(tmp + "/.*"); len(left) > 0 || len(c.h.out) > 0 {
		t.Errorf("left behind: %v, %d places are taken", left, len(c.h.out))
	}
}

// TestExportTwice: packages of the same notes are alike, and one of them changes
// nothing where they are.
func TestExportTwice(t *testing.T) {
	c := exporting(t)
	_, text := c.packed(`{"filetype":"apkg","scheduling":true,"deck_options":true}`)
	before := meta(t, c.s)
	c.importPackage(text)
	if meta(t, c.s) != before {
		t.Error("a package that is there already changed something")
	}
}
