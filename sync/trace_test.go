package sync_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/ankisyncd/ankisyncd/auth"
)

// exchange is one request of a recorded session and the answer that a server of
// that time gave.
type exchange struct {
	Client         string            `json:"client"`
	Step           string            `json:"step"`
	Method         string            `json:"method"`
	Path           string            `json:"path"`
	RequestHeaders map[string]string `json:"request_headers"`
	Sync           *struct {
		V    int
		K, S string
	} `json:"anki-sync"`
	Request    json.RawMessage `json:"request"`
	Parts      [][2]string     `json:"parts"`
	Status     int             `json:"status"`
	Response   json.RawMessage `json:"response"`
	RequestRaw string          `json:"request_raw"`
}

func readTrace(t *testing.T, name string) []exchange {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "traces", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []exchange
	if err := json.NewDecoder(z).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list) < 60 {
		t.Fatalf("only %d exchanges", len(list))
	}
	return list
}

// TestReplayOldClients sends what real clients of 2013 and 2019 sent, byte for
// byte but for the keys that the server gave them, and compares what those
// clients would look at in the answers. The sanity checks at the end of each
// sync compare the recorded clients' row counts with ours.
func TestReplayOldClients(t *testing.T) {
	for _, name := range []string{"A-2.0.33_B-2.0.33", "A-2.1.11_B-2.1.11"} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			keys := map[string]string{} // theirs -> ours
			for i, x := range readTrace(t, name) {
				raw, err := base64.StdEncoding.DecodeString(x.RequestRaw)
				if err != nil {
					t.Fatal(err)
				}
				g.addRecordedUser(x)
				for theirs, ours := range keys {
					raw = bytes.ReplaceAll(raw, []byte(theirs), []byte(ours))
				}
				header := map[string]string{}
				for k, v := range x.RequestHeaders {
					if !strings.EqualFold(k, "Content-Length") && !strings.EqualFold(k, "Accept-Encoding") {
						header[k] = v
					}
				}
				status, body := g.do(x.Method, x.Path, header, string(raw))
				if status != x.Status {
					t.Fatalf("%d %s (%s): status %d, want %d: %s", i, x.Path, x.Step, status, x.Status, body)
				}
				if status == http.StatusOK {
					learnKeys(t, x, body, keys)
					if err := compareAnswer(x, []byte(body)); err != nil {
						t.Fatalf("%d %s (%s): %v\nours:   %.600s\ntheirs: %.600s", i, x.Path, x.Step, err, body, x.Response)
					}
				}
			}
		})
	}
}

// addRecordedUser makes the account that a recorded login names; the password
// is that of the second login, since the first one is wrong.
func (g *rig) addRecordedUser(x exchange) {
	if !strings.HasSuffix(x.Path, "hostKey") || x.Status != http.StatusOK {
		return
	}
	var r struct{ U, P string }
	if err := json.Unmarshal(x.Request, &r); err != nil {
		g.t.Fatal(err)
	}
	if err := g.auth.AddUser(g.t.Context(), r.U, r.P); err != nil && !strings.Contains(err.Error(), auth.ErrUserExists.Error()) {
		g.t.Fatal(err)
	}
}

// learnKeys maps the host key and the media session key of the recording to
// those that we gave in the same place.
func learnKeys(t *testing.T, x exchange, body string, keys map[string]string) {
	t.Helper()
	var ours, theirs struct {
		Key  string
		Data json.RawMessage
	}
	switch {
	case strings.HasSuffix(x.Path, "hostKey"):
		if json.Unmarshal([]byte(body), &ours) != nil || json.Unmarshal(x.Response, &theirs) != nil || ours.Key == "" {
			t.Fatalf("hostKey: %s", body)
		}
		keys[theirs.Key] = ours.Key
	case strings.Contains(x.Path, "/msync/begin"):
		var a, b struct{ SK string }
		if json.Unmarshal([]byte(body), &ours) != nil || json.Unmarshal(x.Response, &theirs) != nil ||
			json.Unmarshal(ours.Data, &a) != nil || json.Unmarshal(theirs.Data, &b) != nil || a.SK == "" {
			t.Fatalf("begin: %s", body)
		}
		if b.SK != "" {
			keys[b.SK] = a.SK
		}
	}
}

// compareAnswer compares two answers in what matters to the client.
func compareAnswer(x exchange, body []byte) error {
	step := x.Path[strings.LastIndex(x.Path, "/")+1:]
	step, _, _ = strings.Cut(step, "?")
	var ours, theirs map[string]any
	decode := func() error {
		if err := json.Unmarshal(body, &ours); err != nil {
			return err
		}
		return json.Unmarshal(x.Response, &theirs)
	}
	switch step {
	case "hostKey":
		return nil
	case "meta":
		if err := decode(); err != nil {
			return err
		}
		for _, k := range []string{"musn", "cont", "msg", "usn"} {
			if want, ok := theirs[k]; ok && !reflect.DeepEqual(ours[k], want) {
				return fmt.Errorf("%s is %v, want %v", k, ours[k], want)
			}
		}
		return nil
	case "start", "applyChanges", "chunk":
		if err := decode(); err != nil {
			return err
		}
		a, b := objectIDs(ours), objectIDs(theirs)
		if !reflect.DeepEqual(a, b) {
			return fmt.Errorf("objects\n%v, want\n%v", a, b)
		}
		for _, k := range []string{"conf", "crt", "done"} {
			_, has := ours[k]
			_, wants := theirs[k]
			if has != wants {
				return fmt.Errorf("%s there: %v, want %v", k, has, wants)
			}
		}
		return nil
	case "applyGraves", "applyChunk":
		if string(body) != "null" {
			return fmt.Errorf("not null")
		}
		return nil
	case "sanityCheck2":
		if err := decode(); err != nil {
			return err
		}
		if ours["status"] != "ok" {
			return fmt.Errorf("status %v", ours["status"])
		}
		return nil
	case "finish":
		var mod int64
		return json.Unmarshal(body, &mod)
	case "upload":
		if string(body) != "OK" {
			return fmt.Errorf("refused")
		}
		return nil
	case "download":
		if !bytes.HasPrefix(body, []byte("SQLite format 3\x00")) || body[18] != 1 || body[19] != 1 {
			return fmt.Errorf("not a settled database")
		}
		return nil
	case "downloadFiles":
		return compareZips(x.Response, body)
	}
	if err := decode(); err != nil {
		return err
	}
	if ours["err"] != "" {
		return fmt.Errorf("err %v", ours["err"])
	}
	if step == "mediaChanges" {
		a, b := mediaRows(ours["data"]), mediaRows(theirs["data"])
		for name, sum := range a {
			if b[name] != sum {
				return fmt.Errorf("%s: %v, want %v", name, sum, b[name])
			}
		}
		// The server of 2.0.33's time gave every file the last usn: it sends what the client has, too.
		if len(a) != len(b) && (len(a) == 0 || !strings.Contains(x.Client, "2.0.33")) {
			return fmt.Errorf("%d rows, want %d", len(a), len(b))
		}
	}
	if step == "mediaSanity" && ours["data"] != "OK" {
		return fmt.Errorf("not OK")
	}
	if step == "uploadChanges" && !reflect.DeepEqual(ours["data"], theirs["data"]) {
		return fmt.Errorf("data %v, want %v", ours["data"], theirs["data"])
	}
	return nil
}

// usnOf is where the usn stands in the rows of a chunk.
var usnOf = map[string]int{"cards": 5, "notes": 4, "revlog": 2}

// objectIDs lists the ids (or tags, or rows of a chunk) in an answer by kind,
// sorted. Rows and graves that some servers repeat count once.
func objectIDs(m map[string]any) map[string][]string {
	out := map[string][]string{}
	add := func(kind string, list any) {
		set := map[string]bool{}
		items, _ := list.([]any)
		for _, it := range items {
			switch v := it.(type) {
			case map[string]any:
				it = v["id"]
			case []any: // all of a row of a chunk, but the usn that the server gave it
				v = slices.Clone(v)
				if i, ok := usnOf[kind]; ok {
					v[i] = "usn"
				}
				it = fmt.Sprint(v...)
			}
			if f, ok := it.(float64); ok {
				it = int64(f)
			}
			set[fmt.Sprint(it)] = true
		}
		out[kind] = slices.Sorted(maps.Keys(set))
	}
	for _, k := range []string{"models", "cards", "notes", "revlog", "tags"} {
		add(k, m[k])
	}
	if d, ok := m["decks"].([]any); ok && len(d) == 2 && m["models"] != nil {
		add("decks", d[0])
		add("dconf", d[1])
	} else {
		add("decks", m["decks"])
	}
	return out
}

func mediaRows(data any) map[string]string {
	out := map[string]string{}
	rows, _ := data.([]any)
	for _, r := range rows {
		row := r.([]any)
		sum, _ := row[2].(string) // some servers said null for deleted
		out[row[0].(string)] = sum
	}
	return out
}

// compareZips compares the names and sizes of a zip of files with the recorded.
func compareZips(recorded json.RawMessage, body []byte) error {
	var want struct {
		Zip map[string]json.RawMessage
	}
	if err := json.Unmarshal(recorded, &want); err != nil {
		return err
	}
	sizes := func(meta map[string]string, size func(string) (uint64, error)) (map[string]uint64, error) {
		out := map[string]uint64{}
		for member, name := range meta {
			n, err := size(member)
			if err != nil {
				return nil, err
			}
			out[name] = n
		}
		return out, nil
	}
	var meta map[string]string
	if err := json.Unmarshal(want.Zip["_meta"], &meta); err != nil {
		return err
	}
	b, err := sizes(meta, func(m string) (uint64, error) {
		var s struct{ Size uint64 }
		return s.Size, json.Unmarshal(want.Zip[m], &s)
	})
	if err != nil {
		return err
	}
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	f, err := z.Open("_meta")
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	meta = nil
	if err := json.Unmarshal(raw, &meta); err != nil {
		return err
	}
	a, err := sizes(meta, func(m string) (uint64, error) {
		i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == m })
		if i < 0 {
			return 0, fmt.Errorf("no member %s", m)
		}
		return z.File[i].UncompressedSize64, nil
	})
	if err != nil {
		return err
	}
	if !maps.Equal(a, b) {
		return fmt.Errorf("%v, want %v", a, b)
	}
	return nil
}
