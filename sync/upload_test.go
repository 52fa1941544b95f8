package sync_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/offheap"
	"github.com/ankisyncd/ankisyncd/sqlite"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// holdUploads keeps back what became of an upload until the first letter of its
// answer is on its way.
func (g *rig) holdUploads() {
	spoken := make(chan struct{}, 1)
	g.h.HoldUploads(func() { <-spoken })
	g.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.h.ServeHTTP(&speechWriter{w, spoken}, r)
	})
}

// speechWriter notices the write that ends with the first letter of "OK".
type speechWriter struct {
	http.ResponseWriter
	spoken chan<- struct{}
}

func (w *speechWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if len(p) > 0 && p[len(p)-1] == 'O' {
		w.spoken <- struct{}{}
	}
	return n, err
}

func (w *speechWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// TestSlowUpload: the answer to an upload that takes long to check begins early
// and is a whole zstd stream all the same.
func TestSlowUpload(t *testing.T) {
	g := newRigWith(t, ankisync.Options{KeepAlive: time.Microsecond})
	g.holdUploads()
	c := g.loggedIn(11)
	c.noSize = true
	c.upload(fixture(t, "v18-26.09"))
	broken := fixture(t, "v18-26.09")
	clear(broken[8192:12288])
	// The first letter of "OK" is out when the check fails.
	if status, b := c.post("sync/upload", broken); status != 200 || !strings.HasPrefix(string(b), "Outcome: Your upload was corrupt") {
		t.Errorf("broken upload: %d %q", status, b)
	}
	c.noSize = false
	if m := c.meta(); m.Empty {
		t.Error("nothing was stored")
	}
	g.h.HoldUploads(nil)
	old := g.loggedIn(10)
	old.upload(fixture(t, "v11-2.1.36"))
}

// TestSlowUploadCannotBeStored: what is not the file's fault is said as well when
// the answer has begun, and logged as what it is.
func TestSlowUploadCannotBeStored(t *testing.T) {
	seen := make(chan ankisync.Observation, 2) // hostKey, upload
	g := newRigWith(t, ankisync.Options{KeepAlive: time.Microsecond, Observe: func(o ankisync.Observation) { seen <- o }})
	g.holdUploads()
	c := g.loggedIn(11)
	<-seen
	// No file can take the place of a folder that is not empty.
	if err := os.MkdirAll(filepath.Join(g.root, testUser, "collection.anki2", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.noSize = true
	if status, b := c.post("sync/upload", fixture(t, "v18-26.09")); status != 200 || !strings.Contains(string(b), "could not store your collection") {
		t.Errorf("%d %q", status, b)
	}
	if o := <-seen; o.Status != 500 || o.Err == nil {
		t.Errorf("observed: %d %v", o.Status, o.Err)
	}
}

// exchange sends a body as it is and returns the answer as it comes.
func (c *client) exchange(path string, body []byte) (http.Header, []byte) {
	c.t.Helper()
	req := c.request(path, nil)
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %d %q %v", path, resp.StatusCode, b, err)
	}
	return resp.Header, b
}

// TestDownloadOfAnUpload: the next device gets the very bytes that the first one
// packed, for as long as nothing has changed.
func TestDownloadOfAnUpload(t *testing.T) {
	g := newRig(t)
	c := g.loggedIn(11)
	raw := fixture(t, "v18-26.09")
	c.upload(raw)
	_, stored := c.post("sync/download", nil) // in the state in which it is stored: nothing unsent
	pack := func(b []byte) []byte {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
		if err != nil {
			t.Fatal(err)
		}
		defer enc.Close()
		return enc.EncodeAll(b, nil)
	}
	ask := toZstd(t, []byte("{}"))
	packed := pack(stored)
	c.exchange("sync/upload", packed)
	for range 2 {
		head, b := c.exchange("sync/download", ask)
		if !bytes.Equal(b, packed) {
			t.Error("packed anew")
		}
		if head.Get("anki-original-size") != strconv.Itoa(len(stored)) {
			t.Error("size", head.Get("anki-original-size"), len(stored))
		}
	}
	_, old := g.loggedIn(10).post("sync/download", []byte(`{}`))
	if !bytes.HasPrefix(old, []byte("SQLite format 3\x00")) {
		t.Errorf("an old client gets %.20q", old)
	}
	// What is changed on its way in is packed as it is stored.
	unsent := pack(fixtureWith(t, stored, `UPDATE cards SET usn = -1`))
	c.exchange("sync/upload", unsent)
	if _, b := c.exchange("sync/download", ask); bytes.Equal(b, unsent) {
		t.Error("rows are handed out as unsent")
	}
}

// TestUploadsGiveBack: however an upload ends, what was kept of it meanwhile does
// not stay.
func TestUploadsGiveBack(t *testing.T) {
	g := newRig(t)
	c := g.loggedIn(11)
	before := offheap.InUse()
	ask := func(body io.Reader) (answer string) {
		req := c.request("sync/upload", nil)
		req.Body, req.ContentLength = io.NopCloser(body), -1
		if resp, err := http.DefaultClient.Do(req); err == nil {
			b, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			answer = string(b)
		}
		return answer
	}
	whole := toZstd(t, fixture(t, "v18-26.09"))
	for what, body := range map[string][]byte{
		"no collection": toZstd(t, []byte("no collection")),
		"half a file":   whole[:len(whole)/2],
		"no zstd":       []byte("no zstd at all"),
	} {
		if answer := ask(bytes.NewReader(body)); answer == "" || answer == "OK" {
			t.Errorf("%s: %q", what, answer)
		}
	}
	cut, w := io.Pipe()
	go func() {
		_, _ = w.Write(whole[:len(whole)/2])
		w.CloseWithError(errors.New("the line is cut"))
	}()
	if answer := ask(cut); answer == "OK" {
		t.Error("half a file was taken")
	}
	g.srv.Close() // every handler has ended
	if n := offheap.InUse() - before; n != 0 {
		t.Errorf("%d bytes are still there", n)
	}
}

// fixtureWith is a collection after some statements.
func fixtureWith(t testing.TB, b []byte, stmts string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.anki2")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{Journal: "delete"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(stmts); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return b
}
