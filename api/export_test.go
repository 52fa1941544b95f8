package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// TestExportAndImport: what was exported, imported elsewhere, is the same.
func TestExportAndImport(t *testing.T) {
	a, b := newMediaClient(t, Options{}), newMediaClient(t, Options{})
	a.ok("add_note", `{"model":"Basic","fields":{"Front":"<img src=\"ü.png\">","Back":"b"},"tags":"x"}`)
	a.put("ü.png", "pixels")
	a.put("a.mp3", strings.Repeat("sound ", 100_000))
	a.put("gone.mp3", "x")
	a.ok("media/gone.mp3/delete", "{}")
	state := func(c *client) (out []string) {
		for _, call := range []string{`find_cards {"preload":1,"load_note":1}`, `list_decks {}`, `list_models {}`} {
			name, body, _ := strings.Cut(call, " ")
			out = append(out, cutSCM(c.ok(name, body)))
		}
		return out
	}
	for _, keys := range []string{`,"media":false`, ``} {
		before := meta(t, a.s)
		pkg := a.ok("export_file", `{"filetype":"colpkg"`+keys+`}`)
		if meta(t, a.s) != before {
			t.Error("an export is a change")
		}
		b.ok("import_file", `{"filetype":"colpkg","data":"`+base64.StdEncoding.EncodeToString([]byte(pkg))+`"}`)
		if diff := cmp.Diff(state(a), state(b)); diff != "" {
			t.Errorf("%s: %s", keys, diff)
		}
		got := b.ok("list_media", "{}")
		for _, name := range []string{"ü.png", "a.mp3"} {
			if strings.Contains(got, name) != (keys == "") {
				t.Errorf("%s: media are %s", keys, got)
			}
		}
		if strings.Contains(got, "gone") {
			t.Errorf("a deleted file is in the package: %s", got)
		}
	}
	if got := text(t, b.file("GET", "a.mp3", nil)); got != strings.Repeat("sound ", 100_000) {
		t.Errorf("a.mp3 has %d bytes", len(got))
	}
}

// cutSCM leaves out the time of the schema of notes, which an import changes.
func cutSCM(s string) string {
	before, after, ok := strings.Cut(s, `"scm":`)
	if !ok {
		return s
	}
	_, after, _ = strings.Cut(after, ",")
	return before + cutSCM(after)
}

func TestExportRefuses(t *testing.T) {
	c := newMediaClient(t, Options{})
	for _, body := range []string{`{}`, `{"filetype":"anki2"}`, `{"filetype":1}`} {
		c.wants(400, "export_file", body)
	}
	c.put("a", "x")
	c.put("b", "x")
	c.h.maxExported = 1
	c.wants(400, "export_file", `{"filetype":"colpkg"}`)
	c.ok("export_file", `{"filetype":"colpkg","media":0}`)
	if n := len(c.h.out); n != 0 {
		t.Errorf("%d places are taken", n)
	}
}

// TestExportWaitsForSync: a device's sync is not ended by it.
func TestExportWaitsForSync(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{EditWait: 50 * time.Millisecond})
	c.ok("list_tags", "{}")
	if _, err := c.s.Start(t.Context(), "alice", collection.StartOptions{SKey: "k"}); err != nil {
		t.Fatal(err)
	}
	c.wants(409, "export_file", `{"filetype":"colpkg"}`)
	if _, _, err := c.s.SanityCheck(t.Context(), "alice", "k", collection.Counts{}); errors.Is(err, collection.ErrConflict) {
		t.Errorf("the sync was ended: %v", err)
	}
}

// TestExportNames: clients refuse a package with a name in it that they would change.
func TestExportNames(t *testing.T) {
	files := media.Open(t.TempDir(), media.Options{})
	t.Cleanup(func() { _ = files.Close() })
	a, b := newClient(t, Options{Media: files}, collection.Options{}), newMediaClient(t, Options{})
	a.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
	awkward := []string{"a:b.jpg", "a?b.jpg", "c:.jpg", `d"e`, "[x].jpg", "CON.txt", "end.", "x\ny", strings.Repeat("y", 130) + ".jpg", ":"}
	for _, name := range append(awkward, "ab.jpg", "plain.jpg") {
		if _, err := files.Put(t.Context(), "alice", name, strings.NewReader("content of "+name)); err != nil {
			t.Fatal(name, err)
		}
	}
	pkg := a.ok("export_file", `{"filetype":"colpkg"}`)
	b.ok("import_file", `{"filetype":"colpkg","data":"`+base64.StdEncoding.EncodeToString([]byte(pkg))+`"}`)
	list := decodeTo[struct{ Files []struct{ Name string } }](t, b.ok("list_media", "{}"))
	content := map[string]string{}
	for _, f := range list.Files {
		if why := media.CheckNewName(f.Name); why != "" {
			t.Errorf("%q %s", f.Name, why)
		}
		content[f.Name] = text(t, b.file("GET", f.Name, nil))
	}
	if len(content) != len(awkward)+2 {
		t.Errorf("%d files: %v", len(content), content)
	}
	for name, was := range map[string]string{"ab.jpg": "ab.jpg", "plain.jpg": "plain.jpg", "c.jpg": "c:.jpg", "de": `d"e`, "con_.txt": "CON.txt", "end._": "end."} {
		if content[name] != "content of "+was {
			t.Errorf("%s is %q", name, content[name])
		}
	}
}

// failingMedia cannot open files of a name.
type failingMedia struct {
	*media.Store
	name string
	err  error
}

func (m failingMedia) OpenFile(ctx context.Context, user, name string) (*media.File, error) {
	if name == m.name {
		return nil, m.err
	}
	return m.Store.OpenFile(ctx, user, name)
}

// TestExportBreaksOff: half a package does not pass for a whole one, but a file
// that went away meanwhile is just left out.
func TestExportBreaksOff(t *testing.T) {
	for _, b := range []struct {
		err   error
		whole bool
	}{{media.ErrBusy, false}, {media.ErrConflict, true}} {
		files := media.Open(t.TempDir(), media.Options{})
		t.Cleanup(func() { _ = files.Close() })
		c := newClient(t, Options{Media: failingMedia{files, "b.png", b.err}}, collection.Options{})
		for _, name := range []string{"a.png", "b.png", "c.png"} {
			c.put(name, "content of "+name)
		}
		srv := httptest.NewServer(c.h)
		t.Cleanup(srv.Close)
		for range maxExports + 1 { // the place of one that broke off is free again
			pkg, err := fetched(t, srv.URL, `{"filetype":"colpkg"}`)
			if (err == nil) != b.whole {
				t.Fatalf("%v: %d bytes, %v", b.err, len(pkg), err)
			}
			if !b.whole {
				continue
			}
			p, err := openPackage(bytes.NewReader(pkg), int64(len(pkg)), 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			names, err := p.media()
			if diff := cmp.Diff(map[string]string{"0": "a.png", "1": "c.png"}, names); diff != "" || err != nil {
				t.Error(diff, err)
			}
		}
	}
}

// fetched is a package as it comes over a connection; err is that of one that breaks
// off.
func fetched(t *testing.T, url, call string) (pkg []byte, err error) {
	t.Helper()
	resp, err := http.Post(url+"/collection/alice/export_file", "application/json", strings.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}
