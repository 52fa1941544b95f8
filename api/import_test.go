package api

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// file is a part of a package.
type file struct {
	name string
	text []byte
}

// pack is a package as base64.
func pack(t testing.TB, files ...file) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(packed(t, files...))
}

func packed(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// importOf is the body of a call.
func importOf(kind, data string, more ...string) string {
	m := map[string]string{"filetype": kind, "data": data}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	text, _ := json.Marshal(m)
	return string(text)
}

// source makes a collection as another person would pack it: schema 11 as a
// single file, and schema 18.
func source(t testing.TB) (old, current []byte) {
	t.Helper()
	c := newClient(t, Options{Now: func() time.Time { return time.Unix(1700000000, 0) }}, collection.Options{})
	for _, deck := range []string{"Lang::A", "Lang::B"} {
		if err := c.s.EditWith(t.Context(), "alice", collection.EditOptions{CreateIfMissing: true}, func(x *collection.Txn) error {
			_, err := x.CreateDeck(deck)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	c.ok("add_note", `{"model":"Basic","deck":"Lang::A","fields":{"Front":"front <img src=\"one.png\">","Back":"[sound:two.mp3]"},"tags":"t1"}`)
	c.ok("add_note", `{"model":"Basic (and reversed card)","deck":"Lang::B","fields":{"Front":"a","Back":"b"}}`)
	for i, o := range []collection.DownloadOptions{{Schema11: true}, {}} {
		d, err := c.s.Download(t.Context(), "alice", o)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(d)
		if err != nil || d.Close() != nil {
			t.Fatal(err)
		}
		if i == 0 {
			old = text
		} else {
			current = text
		}
	}
	return old, current
}

func compress(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

// mediaList is the list of the form of 2022.
func mediaList(names ...string) (out []byte) {
	for _, name := range names {
		entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
		entry = protowire.AppendVarint(protowire.AppendTag(entry, 2, protowire.VarintType), 7)
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), entry)
	}
	return out
}

func TestImportPackage(t *testing.T) {
	old, current := source(t)
	dummy := file{"collection.anki2", old[:512]}
	list := file{"media", []byte(`{"0":"one.png","1":"two.mp3","2":"unused.png"}`)}
	parts := []file{{"0", []byte("picture")}, {"1", []byte("sound")}, {"2", []byte("unused")}}
	for name, data := range map[string]string{
		"2012": pack(t, append([]file{{"collection.anki2", old}, list}, parts...)...),
		"2018": pack(t, append([]file{dummy, {"collection.anki21", old}, list}, parts...)...),
		"2022": pack(t, file{"meta", []byte{8, 3}}, dummy, file{"collection.anki21b", compress(t, current)},
			file{"media", compress(t, mediaList("one.png", "two.mp3", "unused.png"))},
			file{"0", compress(t, parts[0].text)}, file{"1", compress(t, parts[1].text)}, file{"2", compress(t, parts[2].text)}),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			files := media.Open(root, media.Options{})
			t.Cleanup(func() { _ = files.Close() })
			if _, err := files.Put(t.Context(), "alice", "one.png", strings.NewReader("another picture")); err != nil {
				t.Fatal(err)
			}
			tmp := t.TempDir()
			c := newClient(t, Options{Media: files, TempDir: tmp}, collection.Options{})
			for range 2 { // the second time nothing is added
				c.ok("import_file", importOf("apkg", data))
			}
			type note struct {
				Fields map[string]string
				Tags   []string
			}
			const renamed = "one-8f46c0f4f0e2eb7e6b6fb3e9f4b1e4b7c4ab5cf9.png"
			notes := decodeTo[[]note](t, c.ok("find_notes", `{"preload":1}`))
			var image string
			for i := range notes {
				if f := notes[i].Fields["Front"]; strings.Contains(f, "one-") {
					image = strings.TrimSuffix(strings.TrimPrefix(f, `front <img src="`), `">`)
					notes[i].Fields["Front"] = strings.Replace(f, image, renamed, 1)
				}
			}
			if diff := cmp.Diff([]note{
				{map[string]string{"Front": `front <img src="` + renamed + `">`, "Back": "[sound:two.mp3]"}, []string{"t1"}},
				{map[string]string{"Front": "a", "Back": "b"}, []string{}},
			}, notes); diff != "" {
				t.Error(diff)
			}
			for query, want := range map[string]int{"deck:Lang::A": 1, "deck:Lang::B": 2, "is:new": 3, "": 3} {
				got := decodeTo[[]any](t, c.ok("find_cards", fmt.Sprintf(`{"query":%q}`, query)))
				if len(got) != want {
					t.Errorf("%q: %d cards, want %d", query, len(got), want)
				}
			}
			for name, want := range map[string]string{"one.png": "another picture", image: "picture", "two.mp3": "sound"} {
				f, err := files.OpenFile(t.Context(), "alice", name)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if text, err := io.ReadAll(f); err != nil || string(text) != want || f.Close() != nil {
					t.Errorf("%s: %q, %v, want %q", name, text, err, want)
				}
			}
			if _, err := files.OpenFile(t.Context(), "alice", "unused.png"); err == nil {
				t.Error("a file that no note refers to was added")
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, ".*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			snaps, err := c.s.Snapshots("alice")
			if err != nil || len(snaps) == 0 {
				t.Errorf("snapshots: %v, %v", snaps, err)
			}
		})
	}
}

// TestImportCollection replaces a collection, and keeps the previous one.
func TestImportCollection(t *testing.T) {
	_, current := source(t)
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"previous"}}`)
	c.ok("import_file", importOf("colpkg", pack(t, file{"collection.anki21b", compress(t, current)})))
	if got := decodeTo[[]any](t, c.ok("find_notes", "{}")); len(got) != 2 {
		t.Errorf("%d notes, want 2", len(got))
	}
	if snaps, err := c.s.Snapshots("alice"); err != nil || len(snaps) == 0 {
		t.Errorf("snapshots: %v, %v", snaps, err)
	}
}

// TestImportCollectionMedia: a collection that replaces another brings its media
// files under their names; a package with a fault anywhere changes nothing.
func TestImportCollectionMedia(t *testing.T) {
	old, current := source(t)
	list := file{"media", []byte(`{"0":"one.png","1":"two.mp3"}`)}
	latest := file{"media", compress(t, mediaList("one.png", "two.mp3"))}
	col, col22 := file{"collection.anki2", old}, file{"collection.anki21b", compress(t, current)}
	zst := func(name, text string) file { return file{name, compress(t, []byte(text))} }
	for _, b := range []struct {
		name   string
		parts  []file
		status int
	}{
		{"2012", []file{col, list, {"0", []byte("picture")}, {"1", []byte("sound")}}, 200},
		{"2022", []file{col22, latest, zst("0", "picture"), zst("1", "sound")}, 200},
		{"empty file", []file{col, {"media", []byte(`{"0":"one.png","1":"two.mp3","2":"empty.png"}`)}, {"0", []byte("picture")}, {"1", []byte("sound")}, {"2", nil}}, 200},
		{"name of a folder", []file{col, {"media", []byte(`{"0":"one.png","1":"two.mp3","2":"../x"}`)},
			{"0", []byte("picture")}, {"1", []byte("sound")}, {"2", []byte("x")}}, 200},
		{"damaged list", []file{col, {"media", []byte("{")}, {"0", []byte("picture")}}, 400},
		{"damaged list of 2022", []file{col22, zst("media", "\xff"), zst("0", "picture")}, 400},
		{"damaged file", []file{col22, latest, zst("0", "picture"), {"1", []byte("not compressed")}}, 400},
		{"damaged collection", []file{{"collection.anki2", []byte("text")}, list, {"0", []byte("picture")}}, 400},
		{"large file", []file{col22, latest, zst("0", "picture"), {"1", compress(t, make([]byte, 4<<20))}}, 413},
	} {
		t.Run(b.name, func(t *testing.T) {
			files := media.Open(t.TempDir(), media.Options{})
			t.Cleanup(func() { _ = files.Close() })
			for name, text := range map[string]string{"one.png": "another picture", "three.png": "third"} {
				if _, err := files.Put(t.Context(), "alice", name, strings.NewReader(text)); err != nil {
					t.Fatal(err)
				}
			}
			tmp := t.TempDir()
			c := newClient(t, Options{Media: files, MaxImportBytes: 1 << 20, TempDir: tmp}, collection.Options{})
			c.ok("add_note", `{"model":"Basic","fields":{"Front":"previous"}}`)
			c.wants(b.status, "import_file", importOf("colpkg", pack(t, b.parts...)))
			notes, want := 2, map[string]string{"one.png": "picture", "two.mp3": "sound", "three.png": "third"}
			if b.status != 200 {
				notes, want = 1, map[string]string{"one.png": "another picture", "three.png": "third"}
			}
			if got := decodeTo[[]any](t, c.ok("find_notes", "{}")); len(got) != notes {
				t.Errorf("%d notes, want %d", len(got), notes)
			}
			if snaps, err := c.s.Snapshots("alice"); err != nil || len(snaps) != notes-1 {
				t.Errorf("snapshots: %v, %v", snaps, err)
			}
			got := map[string]string{}
			changes, err := files.Changes(t.Context(), "alice", 0, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range changes {
				f, err := files.OpenFile(t.Context(), "alice", change.Name)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(f)
				if err := errors.Join(err, f.Close()); err != nil {
					t.Fatal(err)
				}
				got[change.Name] = string(text)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("media files (-want +got):\n%s", diff)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestImportRefuses(t *testing.T) {
	old, current := source(t)
	c := newClient(t, Options{MaxImportBytes: 1 << 20}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"stays"}}`)
	broken := bytes.Clone(old)
	for i := 4096; i < len(broken); i++ {
		broken[i] ^= 0x5a
	}
	bomb := compress(t, make([]byte, 4<<20))
	for _, b := range []struct {
		what, body string
		status     int
	}{
		{"unknown type", importOf("exe", ""), 400},
		{"no type", `{"data":"x"}`, 400},
		{"old type", importOf("mnemosyne", ""), 400},
		{"no data", `{"filetype":"text"}`, 400},
		{"url", `{"filetype":"apkg","url":"file:///etc/passwd"}`, 400},
		{"no base64", importOf("apkg", "###"), 400},
		{"no zip", importOf("apkg", base64.StdEncoding.EncodeToString([]byte("text"))), 400},
		{"empty zip", importOf("apkg", pack(t)), 400},
		{"no collection", importOf("apkg", pack(t, file{"media", nil})), 400},
		{"empty collection", importOf("apkg", pack(t, file{"collection.anki2", nil})), 400},
		{"text as collection", importOf("apkg", pack(t, file{"collection.anki2", []byte("text")})), 400},
		{"broken collection", importOf("apkg", pack(t, file{"collection.anki2", broken})), 400},
		{"broken collection package", importOf("colpkg", pack(t, file{"collection.anki2", broken})), 400},
		{"no zstd", importOf("apkg", pack(t, file{"collection.anki21b", current})), 400},
		{"bomb", importOf("apkg", pack(t, file{"collection.anki21b", bomb})), 413},
		{"text of an unknown model", importOf("text", "a\tb", "model", "None"), 404},
		{"text with a broken quote", importOf("text", "a\tb\n\"c", "model", "Basic"), 200},
	} {
		if status, text := c.post("import_file", b.body); status != b.status {
			t.Errorf("%s: status %d, want %d: %s", b.what, status, b.status, text)
		}
	}
	if got := decodeTo[[]any](t, c.ok("find_notes", `{"query":"stays"}`)); len(got) != 1 {
		t.Errorf("the note is gone")
	}
}

func TestImportText(t *testing.T) {
	for name, b := range map[string]struct {
		text string
		more []string
		want []string // front|back|tags
	}{
		"tabs":        {"a\tb\nc\td\r\n", nil, []string{"a|b|", "c|d|"}},
		"semicolons":  {"a;b\n", nil, []string{"a|b|"}},
		"commas":      {"a,\"b, \"\"c\"\"\"\n", nil, []string{"a|b, &quot;c&quot;|"}},
		"tags":        {"tags: x y\na\tb\tz\n", nil, []string{"a|b|x y z"}},
		"HTML":        {"a\t<b>\n", []string{"allow_html", "1"}, []string{"a|<b>|"}},
		"text":        {"a\t<b>\n", nil, []string{"a|&lt;b&gt;|"}},
		"headers":     {"\ufeff#separator:Pipe\n#html:true\n#tags:x\n#notetype:Basic\n#other:1\na|<i>\n", nil, []string{"a|<i>|x"}},
		"tags column": {"#tags column:2\na\tt1 t2\tb\n", nil, []string{"a|b|t1 t2"}},
		"empty":       {"", nil, []string{}},
		"no first":    {"\tb\n", nil, []string{}},
		"twice":       {"a\tb\na\tc\n", nil, []string{"a|c|"}},
		"keeps":       {"a\tb\na\t\tt\n", nil, []string{"a|b|t"}},
		"line break":  {"a\t\"b\nc\"\n", nil, []string{"a|b<br>c|"}},
		"too many":    {"a\tb\tt\tx\n", nil, []string{"a|b|t"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{}, collection.Options{})
			c.ok("import_file", importOf("text", b.text, append([]string{"model", "Basic"}, b.more...)...))
			got := []string{}
			for _, n := range decodeTo[[]struct {
				Fields map[string]string
				Tags   []string
			}](t, c.ok("find_notes", `{"preload":1}`)) {
				got = append(got, n.Fields["Front"]+"|"+n.Fields["Back"]+"|"+strings.Join(n.Tags, " "))
			}
			if diff := cmp.Diff(b.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTextsAsTheClient imports texts that the newest client's library imported: the
// same notes are there afterwards (e2e/golden/texts.py).
func TestTextsAsTheClient(t *testing.T) {
	raw, err := os.ReadFile("testdata/texts.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups map[string][]struct {
		Text  string
		Notes [][4]any
	}
	if err := json.Unmarshal(raw, &groups); err != nil {
		t.Fatal(err)
	}
	if len(groups) < 5 {
		t.Errorf("only %d groups", len(groups))
	}
	for name, group := range groups {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{}, collection.Options{})
			for _, step := range group {
				var more []string
				if !strings.Contains(step.Text, "#notetype:") {
					more = []string{"model", "Basic"}
				}
				c.ok("import_file", importOf("text", step.Text, more...))
				var want, got []string
				for _, n := range step.Notes {
					want = append(want, fmt.Sprint(n[0], n[1], n[2], n[3]))
				}
				for _, l := range learnedBy(t, c.s) {
					slices.Sort(l.Tags)
					slices.Sort(l.Decks)
					fields := make([]any, len(l.Fields))
					for i, f := range l.Fields {
						fields[i] = f
					}
					got = append(got, fmt.Sprint(l.Model, fields, l.Tags, slices.Compact(l.Decks)))
				}
				slices.Sort(want)
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%q (-want +got):\n%s", step.Text, diff)
				}
			}
		})
	}
}

func FuzzParseMediaList(f *testing.F) {
	f.Add(mediaList("a.png", "ü.jpg"), true)
	f.Add([]byte(`{"0":"a.png"}`), false)
	f.Add([]byte{0x0a, 0x05, 0xf8, 0x0f, 0x03, 0x0a, 0x00}, true)
	f.Fuzz(func(t *testing.T, b []byte, latest bool) {
		names, err := parseMediaList(b, latest)
		if err != nil && names != nil {
			t.Errorf("names %v with error %v", names, err)
		}
		if len(names) > len(b) {
			t.Errorf("%d names from %d bytes", len(names), len(b))
		}
	})
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{"a\tb", "#separator:,\n#html:true\na,b", "tags: x\n", "#", "\ufeff#tags column:9\na"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := parseText(s)
		if !strings.HasSuffix(s, p.body) || p.separator == 0 && p.body != "" {
			t.Errorf("%q: %+v", s, p)
		}
		fields, _ := p.note(strings.Split(p.body, "\t"), 3)
		if len(fields) != 3 {
			t.Errorf("%d fields", len(fields))
		}
	})
}

// TestTemporaryNames: what a killed import leaves in the data root is no user's,
// whatever users are called.
func TestTemporaryNames(t *testing.T) {
	var log strings.Builder
	o := Options{TempDir: filepath.Join(t.TempDir(), "file"), Log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := os.WriteFile(o.TempDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, o, collection.Options{})
	c.wants(500, "import_file", importOf("apkg", "eA=="))
	_, name, _ := strings.Cut(log.String(), o.TempDir+"/")
	name, _, _ = strings.Cut(name, ":")
	if name == "" || auth.ValidUserName(name) == nil {
		t.Errorf("%q may be a user's name:\n%s", name, &log)
	}
}
