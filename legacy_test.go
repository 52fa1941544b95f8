package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha1" //nolint:gosec // the protocol's checksum
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/config"
)

// legacyUser is what the directory is known to hold of a user.
type legacyUser struct {
	password     string
	keys         []string // host keys that devices hold
	counts       collection.Counts
	usn          int32
	musn         int32
	files        map[string]string // name -> SHA-1
	deleted      []string
	noCollection bool
}

// legacyDir is a data directory of another server, in its archive.
type legacyDir struct {
	archive, sub string
	env          []string
	conf         string // "" is whatever is found in the directory
	root         string // data root
	users        map[string]legacyUser
	schema       int // of the collections as stored
}

const (
	onePNG  = "752b255414f407588018dac538926cea528ab8c7"
	cafe    = "3cf93d6e37822486d041148b873e6345c3847ba1"
	fontCSS = "fa8b41763ec9333608a62073f52f14b84bb8ee7f"
	bobTXT  = "48181acd22b3edaebc8a447868a7df7ce629920a"
)

func counts(notes, cards, revlog, graves int64) collection.Counts {
	return collection.Counts{Notes: notes, Cards: cards, Revlog: revlog, Graves: graves}
}

// legacyDirs are the table of testdata/legacy/README.md, with what was
// recorded when they were made.
func legacyDirs() []legacyDir {
	three := map[string]string{"_font.css": fontCSS, "café 日本.txt": cafe, "one.png": onePNG}
	two := map[string]string{"café 日本.txt": cafe, "one.png": onePNG}
	bobs := map[string]string{"bob.txt": bobTXT}
	gone := []string{"gone.txt"}
	c24 := map[string]legacyUser{
		"alice":           {"alice-pw", []string{"6fd7d62734fe1531bafe62fe4f4bceba"}, counts(3, 3, 1, 3), 6, 5, three, gone, false},
		"bob@example.com": {"пароль 1", []string{"f55c9ec5950014ce9c9a1fd4643b0051"}, counts(1, 1, 0, 0), 1, 1, bobs, nil, false},
		"carol":           {"carol-pw", nil, counts(0, 0, 0, 0), 0, 0, nil, nil, true},
	}
	older := func(usn int32, alice, bob []string) map[string]legacyUser {
		return map[string]legacyUser{
			"alice":           {"alice-pw", alice, counts(3, 3, 1, 2), usn, 4, two, gone, false},
			"bob@example.com": {"bobpw", bob, counts(3, 3, 1, 0), 1, 0, nil, nil, false},
		}
	}
	official := func(alice, bob string) map[string]legacyUser {
		return map[string]legacyUser{
			"alice":           {"alice-pw", []string{alice}, counts(3, 3, 1, 3), 5, 5, three, gone, false},
			"bob@example.com": {"bobpw", []string{bob}, counts(1, 1, 0, 0), 1, 1, bobs, nil, false},
		}
	}
	offEnv := []string{"SYNC_BASE=.", "SYNC_USER1=alice:alice-pw", "SYNC_USER2=bob@example.com:bobpw"}
	off := official("4902026c610fdef51de057dfb1748b67cff55ed2", "e903bf1c4fa276a746006582d0cdd74a102c85cf")
	return []legacyDir{
		{"ankisyncd-2.4.0", "stopped", nil, "", "collections", c24, 18},
		{"ankisyncd-2.4.0", "running-snapshot", nil, "", "collections", c24, 18},
		{"ankisyncd-2.3.0", "", nil, "", "collections", older(3, []string{
			"397b87a53bd918149fbdbef91f3390f3", "ca27139b8e1f6593cc2e2d77e7159ac4", "ac9c694644f8d7ce2aa0f224d6de143c", "d231f5aced1304fcb08b14a33816da51",
		}, []string{"f76cfe05a5f952002835534d00f35aca"}), 16},
		{"ankisyncd-tsudoko", "", nil, "", "collections", older(4, []string{
			"24572eff0fc981e19426a4c67f255237", "80be7d6ed70216389b12e9fade651c52",
		}, []string{"e0cb56b91978c2c3588183405d4b2fd1"}), 11},
		{"ankiserver-dsnopek-2.0.6", "", nil, "example.ini", "collections", older(3, []string{
			"9efb6c5fb690c2cc99e9dd18f2412e52", "53d51184ddf4f4c8998299b60a19830b",
		}, []string{"a87d225ec85a6c785c56a128bf6c9a4b"}), 11},
		{"anki-syncserver", "settled", offEnv, "", ".", off, 18},
		{"anki-syncserver", "killed", offEnv, "", ".", off, 18},
		{"ankisyncd-rs", "", nil, "", "collections", official(
			"9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa",
			"c37cee041fbb9f925e9c63559c0aea680bf18f4707bb2efaa8db326d68f30cbcdeadbeefcafe0123"), 18},
	}
}

func (d legacyDir) name() string { return strings.TrimSuffix(d.archive+" "+d.sub, " ") }

// unpack unpacks the directory, goes there, and returns where that is.
func (d legacyDir) unpack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open(filepath.Join("testdata", "legacy", d.archive+"-data.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(z)
	n := 0
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Clean(h.Name)
		if d.sub != "" {
			var in bool
			if name, in = strings.CutPrefix(filepath.ToSlash(name), d.sub+"/"); !in {
				continue
			}
		}
		path := filepath.Join(dir, name)
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var b []byte
			if b, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, b, h.FileInfo().Mode().Perm())
			}
			n++
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 5 {
		t.Fatalf("%d files in the archive", n)
	}
	return dir
}

// load is the configuration as the program finds it in the working directory.
func (d legacyDir) load(t *testing.T, conf string, env []string) *config.Config {
	t.Helper()
	cfg, err := config.Load(config.LoadOptions{Path: conf, Environ: env, ExeDir: t.TempDir(), Home: t.TempDir()})
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// legacyServer serves the working directory until stop is called.
func legacyServer(t *testing.T, cfg *config.Config) (url string, stop func()) {
	t.Helper()
	h, closeStores, err := buildHandlers(t.Context(), cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h.sync)
	return s.URL, func() {
		t.Helper()
		s.Close()
		if err := closeStores(); err != nil {
			t.Error(err)
		}
	}
}

// oldClient posts a step as clients of protocol 10 do.
func oldClient(t *testing.T, url, step string, fields map[string]string, msg any) (int, []byte) {
	t.Helper()
	raw, err := json.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for k, v := range fields {
		_ = w.WriteField(k, v)
	}
	_ = w.WriteField("c", "0")
	p, _ := w.CreateFormFile("data", "data")
	_, _ = p.Write(raw)
	_ = w.Close()
	res, err := http.Post(url+"/"+step, w.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, b
}

// ask is oldClient for steps that must succeed and answer in JSON.
func ask(t *testing.T, url, step string, fields map[string]string, msg, out any) {
	t.Helper()
	status, b := oldClient(t, url, step, fields, msg)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", step, status, b)
	}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%s: %v in %.100q", step, err, b)
	}
}

const oldVersion = "ankidesktop,2.1.49 (x),lin:arch"

var metaMessage = map[string]any{"v": 10, "cv": oldVersion}

type legacyMeta struct {
	Mod, SCM  int64
	USN, MUSN int32
	Cont      bool
	UName     string
}

// TestLegacyDirectories starts on each server's directory in place, twice.
func TestLegacyDirectories(t *testing.T) {
	for _, d := range legacyDirs() {
		t.Run(d.name(), func(t *testing.T) {
			dir := d.unpack(t)
			t.Chdir(dir)
			cfg := d.load(t, d.conf, d.env)
			if want := resolved(filepath.Join(dir, d.root)); resolved(config.Abs(cfg.DataRoot)) != want {
				t.Fatalf("data root %s, want %s", config.Abs(cfg.DataRoot), want)
			}
			stored := d.inspect(t, filepath.Join(dir, d.root))
			for range 2 { // the second time on what the first has left
				url, stop := legacyServer(t, cfg)
				for name, u := range d.users {
					u.check(t, url, name, stored[name])
				}
				stop()
			}
			for name := range d.users { // nothing of it moved
				after, err := collection.Inspect(t.Context(), filepath.Join(dir, d.root, name, collection.FileName), "", collection.CheckFull)
				if errors.Is(err, collection.ErrNotFound) && stored[name] == nil {
					continue
				}
				if err != nil || after.Schema != 18 || after.USN != stored[name].USN || after.Mod != stored[name].Mod || len(after.Problems) > 0 {
					t.Errorf("%s afterwards: %+v %v", name, after, err)
				}
			}
		})
	}
}

// inspect reads what is stored, past the server.
func (d legacyDir) inspect(t *testing.T, root string) map[string]*collection.Info {
	t.Helper()
	all := map[string]*collection.Info{}
	for name, u := range d.users {
		info, err := collection.Inspect(t.Context(), filepath.Join(root, name, collection.FileName), "", collection.CheckFull)
		if u.noCollection && errors.Is(err, collection.ErrNotFound) {
			continue
		}
		if err != nil || len(info.Problems) > 0 {
			t.Fatal(name, err, info.Problems)
		}
		got := counts(info.Counts.Notes, info.Counts.Cards, info.Counts.Revlog, info.Counts.Graves)
		if got != u.counts || int32(info.USN) != u.usn || info.Schema != d.schema {
			t.Errorf("%s: stored %+v", name, info)
		}
		all[name] = &info
	}
	return all
}

// check looks at everything of a user through the protocol.
func (u legacyUser) check(t *testing.T, url, name string, stored *collection.Info) {
	t.Helper()
	var login struct{ Key string }
	ask(t, url, "sync/hostKey", nil, map[string]string{"u": name, "p": u.password}, &login)
	if status, _ := oldClient(t, url, "sync/hostKey", nil, map[string]string{"u": name, "p": u.password + "x"}); status != http.StatusForbidden {
		t.Errorf("%s: a wrong password gets %d", name, status)
	}
	for _, key := range append([]string{login.Key}, u.keys...) {
		var m legacyMeta
		ask(t, url, "sync/meta", map[string]string{"k": key, "s": "sess"}, metaMessage, &m)
		want := legacyMeta{USN: u.usn, MUSN: u.musn, Cont: true, UName: name, Mod: m.Mod, SCM: m.SCM}
		if stored != nil {
			want.Mod, want.SCM = stored.Mod, stored.SCM
		}
		if m != want {
			t.Errorf("%s: meta %+v, want %+v", name, m, want)
		}
	}
	if stored == nil {
		return
	}
	fields := map[string]string{"k": login.Key, "s": "sess-" + name}
	u.nothingNew(t, url, fields)
	u.download(t, url, fields)
	u.media(t, url, login.Key)
}

// nothingNew begins the sync of a device that is up to date: nothing comes.
func (u legacyUser) nothingNew(t *testing.T, url string, fields map[string]string) {
	t.Helper()
	var graves struct{ Cards, Notes, Decks []int64 }
	ask(t, url, "sync/start", fields, map[string]any{"minUsn": u.usn, "lnewer": false}, &graves)
	if len(graves.Cards)+len(graves.Notes)+len(graves.Decks) > 0 {
		t.Errorf("graves %+v", graves)
	}
	var changes struct {
		Models, Tags []any
		Decks        [][]any
	}
	ask(t, url, "sync/applyChanges", fields, map[string]any{"changes": map[string]any{"models": []any{}, "decks": [][]any{{}, {}}, "tags": []any{}}}, &changes)
	if len(changes.Models) > 0 || len(changes.Tags) > 0 || len(changes.Decks) != 2 || len(changes.Decks[0])+len(changes.Decks[1]) > 0 {
		t.Errorf("changes %+v", changes)
	}
	var chunk struct {
		Done                 bool
		Revlog, Cards, Notes []any
	}
	ask(t, url, "sync/chunk", fields, map[string]any{}, &chunk)
	if !chunk.Done || len(chunk.Revlog)+len(chunk.Cards)+len(chunk.Notes) > 0 {
		t.Errorf("chunk %+v", chunk)
	}
	if status, b := oldClient(t, url, "sync/abort", fields, map[string]any{}); status != http.StatusOK {
		t.Errorf("abort: %d %s", status, b)
	}
}

func (u legacyUser) download(t *testing.T, url string, fields map[string]string) {
	t.Helper()
	status, b := oldClient(t, url, "sync/download", fields, map[string]any{})
	if status != http.StatusOK {
		t.Fatalf("download: %d %s", status, b)
	}
	path := filepath.Join(t.TempDir(), "c.anki2")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := collection.Inspect(t.Context(), path, "", collection.CheckFull)
	got := counts(info.Counts.Notes, info.Counts.Cards, info.Counts.Revlog, info.Counts.Graves)
	want := u.counts
	want.Graves = got.Graves // a device that begins anew has nothing to delete
	if err != nil || info.Schema != 11 || got != want || int32(info.USN) != u.usn || len(info.Problems) > 0 {
		t.Errorf("downloaded %+v, %v; want %+v", info, err, u.counts)
	}
}

func (u legacyUser) media(t *testing.T, url, key string) {
	t.Helper()
	var begin struct{ Data struct{ USN int32 } }
	ask(t, url, "msync/begin", map[string]string{"k": key, "v": oldVersion}, map[string]string{}, &begin)
	fields := map[string]string{"k": key, "sk": key}
	var changes struct{ Data [][]any }
	ask(t, url, "msync/mediaChanges", fields, map[string]any{"lastUsn": 0}, &changes)
	got, deleted := map[string]string{}, []string(nil)
	for _, row := range changes.Data {
		if sum, _ := row[2].(string); sum != "" {
			got[row[0].(string)] = sum
		} else {
			deleted = append(deleted, row[0].(string))
		}
	}
	want := u.files
	if want == nil {
		want = map[string]string{}
	}
	if d := cmp.Diff(want, got); d != "" || !slices.Equal(deleted, u.deleted) || begin.Data.USN != u.musn {
		t.Errorf("usn %d, deleted %q: %s", begin.Data.USN, deleted, d)
	}
	names := []string{}
	for name := range got {
		names = append(names, name)
	}
	if len(names) == 0 {
		return
	}
	status, b := oldClient(t, url, "msync/downloadFiles", fields, map[string]any{"files": names})
	if status != http.StatusOK {
		t.Fatalf("downloadFiles: %d", status)
	}
	if d := cmp.Diff(want, unzipSums(t, b)); d != "" {
		t.Errorf("contents: %s", d)
	}
	var sanity struct{ Data string }
	ask(t, url, "msync/mediaSanity", fields, map[string]any{"local": len(want)}, &sanity)
	if sanity.Data != "OK" {
		t.Errorf("mediaSanity %q", sanity.Data)
	}
}

// unzipSums returns the SHA-1 of each file that a zip of media holds.
func unzipSums(t *testing.T, b []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	sums, names := map[string]string{}, map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == "_meta" {
			if err := json.Unmarshal(data, &names); err != nil {
				t.Fatal(err)
			}
			continue
		}
		sum := sha1.Sum(data) //nolint:gosec // as above
		sums[f.Name] = hex.EncodeToString(sum[:])
	}
	out := map[string]string{}
	for member, name := range names {
		out[name] = sums[member]
	}
	return out
}

// TestLegacyLsuser: the commands print what the originals' printed.
func TestLegacyLsuser(t *testing.T) {
	for _, d := range legacyDirs() {
		t.Run(d.name(), func(t *testing.T) {
			t.Chdir(d.unpack(t))
			for _, e := range d.env {
				k, v, _ := strings.Cut(e, "=")
				t.Setenv(k, v)
			}
			want := "alice\nbob@example.com\n"
			if _, ok := d.users["carol"]; ok {
				want += "carol\n"
			}
			name := "ankisyncctl.py"
			if strings.Contains(d.archive, "dsnopek") {
				name = "ankiserverctl.py"
			}
			if len(d.env) > 0 || d.archive == "ankisyncd-rs" {
				name = "ankisyncd"
			}
			var out, errs strings.Builder
			if code := run([]string{name, "lsuser"}, strings.NewReader(""), &out, &errs); code != 0 || out.String() != want || errs.Len() > 0 && name != "ankisyncd" {
				t.Errorf("%s lsuser: %d, %q, %q", name, code, out.String(), errs.String())
			}
		})
	}
}

// commandIn runs a command of the program and returns its output.
func commandIn(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errs strings.Builder
	if code := run(append([]string{"ankisyncd"}, args...), strings.NewReader(""), &out, &errs); code != 0 {
		return out.String(), fmt.Errorf("exit code %d: %s", code, errs.String())
	}
	return out.String(), nil
}
