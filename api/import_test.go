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
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// allMedia are the media files of alice, by name.
func allMedia(t testing.TB, files *media.Store) map[string]string {
	t.Helper()
	changes, err := files.Changes(t.Context(), "alice", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, change := range changes {
		f, err := files.OpenFile(t.Context(), "alice", change.Name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		out[change.Name] = string(text)
	}
	return out
}

// TestImportPackageStatic: images of formulas and files of templates (`_`) come
// without a tag that names them; where the name is taken the file that is there
// stays, and so does the note. What one field leaves open ends with it.
func TestImportPackageStatic(t *testing.T) {
	from := newClient(t, Options{}, collection.Options{})
	front, back := `[latex]x^2[/latex] [latex]y[/latex] <img src="_a.png"> <img alt="5" 6" src="one.png"> [sound:`, `[sound:two.mp3] <img src="_b.png">`
	from.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":%q,"Back":%q}}`, front, back))
	d, err := from.s.Download(t.Context(), "alice", collection.DownloadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	col, err := io.ReadAll(d)
	if err != nil || d.Close() != nil {
		t.Fatal(err)
	}
	const formula, taken = "latex-7046d961a8144b7b2c2da6066849a9f889ff2ac9.png", "latex-95cb0bfd2977c761298d9624e4b4d4c72a39974a.png"
	files := media.Open(t.TempDir(), media.Options{})
	t.Cleanup(func() { _ = files.Close() })
	want := map[string]string{taken: "ours", "_a.png": "ours", formula: "theirs", "_b.png": "theirs", "_c.js": "theirs", "one.png": "theirs", "two.mp3": "theirs"}
	names := slices.Sorted(maps.Keys(want))
	parts := []file{{"collection.anki21b", compress(t, col)}, {"media", compress(t, mediaList(append(names, "unused.png")...))}}
	for i := range len(names) + 1 {
		parts = append(parts, file{strconv.Itoa(i), compress(t, []byte("theirs"))})
	}
	for name, text := range want {
		if text == "ours" {
			if _, err := files.Put(t.Context(), "alice", name, strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := newClient(t, Options{Media: files, TempDir: t.TempDir()}, collection.Options{})
	c.ok("import_file", importOf("apkg", pack(t, parts...)))
	if diff := cmp.Diff(want, allMedia(t, files)); diff != "" {
		t.Errorf("media files (-want +got):\n%s", diff)
	}
	type note struct{ Fields map[string]string }
	if diff := cmp.Diff([]note{{map[string]string{"Front": front, "Back": back}}}, decodeTo[[]note](t, c.ok("find_notes", `{"preload":1}`))); diff != "" {
		t.Error(diff)
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
			status, text := c.post("import_file", importOf("colpkg", pack(t, b.parts...)))
			if status != b.status || strings.Contains(text, "body") {
				t.Errorf("status %d, want %d: %s", status, b.status, text)
			}
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
			if diff := cmp.Diff(want, allMedia(t, files)); diff != "" {
				t.Errorf("media files (-want +got):\n%s", diff)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestImportCollectionOfItself: a device that synced with the stored collection
// does not go on with an imported one, which may be an earlier state of it.
func TestImportCollectionOfItself(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"exported"}}`)
	d, err := c.s.Download(t.Context(), "alice", collection.DownloadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(d)
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"later"}}`)
	before, err := c.s.Meta(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	c.ok("import_file", importOf("colpkg", pack(t, file{"collection.anki21b", compress(t, text)})))
	after, err := c.s.Meta(t.Context(), "alice")
	if err != nil || after.SCM <= before.SCM || after.Mod <= before.Mod || after.USN <= before.USN {
		t.Errorf("imported %+v over %+v, %v", after, before, err)
	}
	if got := decodeTo[[]any](t, c.ok("find_notes", "{}")); len(got) != 1 {
		t.Errorf("%d notes, want 1", len(got))
	}
}

// TestImportCollectionMediaAway: while media files cannot be stored, a collection
// that needs them is not replaced.
func TestImportCollectionMediaAway(t *testing.T) {
	old, _ := source(t)
	root := t.TempDir()
	files := media.Open(root, media.Options{})
	t.Cleanup(func() { _ = files.Close() })
	for i := range media.MaxRows + 1 {
		if _, err := files.Put(t.Context(), "alice", fmt.Sprintf("%d.png", i), strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Evict("alice"); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "alice", "collection.media")
	if err := os.Rename(folder, folder+".disk"); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, Options{Media: files}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"stays"}}`)
	body := importOf("colpkg", pack(t, file{"collection.anki2", old}, file{"media", []byte(`{"0":"one.png"}`)}, file{"0", []byte("picture")}))
	c.wants(503, "import_file", body)
	if got := decodeTo[[]any](t, c.ok("find_notes", "{}")); len(got) != 1 {
		t.Errorf("%d notes, want 1", len(got))
	}
	c.ok("import_file", importOf("colpkg", pack(t, file{"collection.anki2", old}))) // needs none
	if err := os.Rename(folder+".disk", folder); err != nil {
		t.Fatal(err)
	}
	c.ok("import_file", body)
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
		{"text that names an unknown model", importOf("text", "#notetype:None\na\tb"), 404},
		{"row of an unknown model", importOf("text", "#notetype column:1\nBasic\tx\ty\nNone\ta\tb"), 404},
		{"unknown column", importOf("text", "#flags column:1\na\tb"), 400},
		{"column without a number", importOf("text", "#guid column:x\na\tb"), 400},
		{"column before the first", importOf("text", "#deck column:0\na\tb"), 400},
		{"unknown rule for what is there", importOf("text", "#if matches:other\na\tb"), 400},
		{"unknown scope", importOf("text", "#match scope:other\na\tb"), 400},
	} {
		if status, text := c.post("import_file", b.body); status != b.status {
			t.Errorf("%s: status %d, want %d: %s", b.what, status, b.status, text)
		}
	}
	if got := decodeTo[[]any](t, c.ok("find_notes", `{"query":"stays"}`)); len(got) != 1 {
		t.Errorf("the note is gone")
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
