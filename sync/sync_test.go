package sync_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// rig is a server of its own with real stores on a temporary folder.
type rig struct {
	t    *testing.T
	root string
	auth *auth.Store
	cols *collection.Store
	h    *ankisync.Server
	srv  *httptest.Server
}

const testUser, testPassword = "test user", "secret"

func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigWith(t, ankisync.Options{})
}

func newRigWith(t *testing.T, o ankisync.Options) *rig {
	t.Helper()
	dir := t.TempDir()
	// Cheap hashes: what is tested here is the protocol.
	users, err := auth.Open(t.Context(), auth.Options{AuthDB: filepath.Join(dir, "auth.db"), SessionDB: filepath.Join(dir, "session.db"), KeepLegacyHashes: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := users.AddUser(t.Context(), testUser, testPassword); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "collections")
	cols := collection.New(root, collection.Options{})
	files := media.Open(root, media.Options{})
	g := &rig{t: t, root: root, auth: users, cols: cols}
	o.Auth, o.Collections, o.Media, o.TempDir = users, cols, files, dir
	o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	g.h = ankisync.New(o)
	g.srv = httptest.NewServer(g.h)
	t.Cleanup(func() {
		g.srv.Close()
		for _, c := range []io.Closer{files, cols, users} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return g
}

// client speaks one of the two encodings.
type client struct {
	*rig
	version int
	key     string
	skey    string
	cv      string
	agent   string // User-Agent; empty: net/http's
	// noSize: the answer's length need not be what the header says.
	noSize bool
}

func (g *rig) client(version int) *client {
	c := &client{rig: g, version: version, skey: "s" + strconv.Itoa(version), cv: "anki,25.09 (test),linux"}
	if version < 11 {
		c.cv = "ankidesktop,2.1.49,lin"
	}
	return c
}

// loggedIn is client after hostKey.
func (g *rig) loggedIn(version int) *client {
	g.t.Helper()
	c := g.client(version)
	var r struct{ Key string }
	c.ok("sync/hostKey", map[string]string{"u": testUser, "p": testPassword}, &r)
	c.key = r.Key
	return c
}

// post sends raw as the payload of a step and returns status and decoded answer.
func (c *client) post(path string, raw []byte) (int, []byte) {
	c.t.Helper()
	req := c.request(path, raw)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.version < 11 || resp.StatusCode != http.StatusOK {
		return resp.StatusCode, b
	}
	out := unzstd(c.t, b)
	if got := resp.Header.Get("anki-original-size"); got == "" || got != strconv.Itoa(len(out)) && !c.noSize {
		c.t.Errorf("%s: anki-original-size %q of an answer of %d bytes", path, got, len(out))
	}
	return resp.StatusCode, out
}

func (c *client) request(path string, raw []byte) *http.Request {
	c.t.Helper()
	var body bytes.Buffer
	header := http.Header{}
	if c.version >= 11 {
		h, _ := json.Marshal(map[string]any{"v": c.version, "k": c.key, "c": "25.09,test,linux", "s": c.skey})
		header.Set("anki-sync", string(h))
		header.Set("Content-Type", "application/octet-stream")
		body.Write(toZstd(c.t, raw))
	} else {
		w := multipart.NewWriter(&body)
		p, _ := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="data"; filename="data"`}})
		_, _ = p.Write(toGzip(raw))
		for k, v := range map[string]string{"c": "1", "k": c.key, "s": c.skey, "v": c.cv} {
			_ = w.WriteField(k, v)
		}
		_ = w.Close()
		header.Set("Content-Type", w.FormDataContentType())
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.srv.URL+"/"+path, &body)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.agent != "" {
		header.Set("User-Agent", c.agent)
	}
	req.Header = header
	return req
}

// ok posts a message, demands 200 and decodes the answer into out, if any.
func (c *client) ok(path string, msg, out any) {
	c.t.Helper()
	raw, err := json.Marshal(msg)
	if err != nil {
		c.t.Fatal(err)
	}
	status, b := c.post(path, raw)
	if status != http.StatusOK {
		c.t.Fatalf("%s: status %d: %s", path, status, b)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(b, out); err != nil {
		c.t.Fatalf("%s: %v in %q", path, err, b)
	}
}

func toZstd(t *testing.T, b []byte) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(b, nil)
}

func unzstd(t *testing.T, b []byte) []byte {
	t.Helper()
	d, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	out, err := io.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func toGzip(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// do sends a request made by hand.
func (g *rig) do(method, path string, header map[string]string, body string) (int, string) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.srv.URL+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
