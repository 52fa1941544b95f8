package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// newMediaClient is newClient with a store of media files.
func newMediaClient(t *testing.T, o Options) *client {
	t.Helper()
	files := media.Open(t.TempDir(), media.Options{})
	t.Cleanup(func() { _ = files.Close() })
	o.Media = files
	return newClient(t, o, collection.Options{})
}

// file makes a request of the file of a name.
func (c *client) file(method, name string, body io.Reader, header ...string) *http.Response {
	c.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:27702/", body)
	r.URL.Path = "/collection/alice/media/" + name
	r.RemoteAddr = "127.0.0.1:4711"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w.Result()
}

func (c *client) put(name, content string) int {
	c.t.Helper()
	return c.file("PUT", name, strings.NewReader(content)).StatusCode
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMediaFiles(t *testing.T) {
	c := newMediaClient(t, Options{})
	if got := c.ok("list_media", "{}"); got != `{"files":[],"next":null}` {
		t.Errorf("none: %s", got)
	}
	for i, name := range []string{"b.mp3", "a ü.png", "c%.svg"} {
		r := c.file("PUT", name, strings.NewReader("content of "+name))
		if got, want := text(t, r), fmt.Sprintf(`{"usn":%d}`, i+1); r.StatusCode != 200 || got != want {
			t.Errorf("%s: %d %s, want %s", name, r.StatusCode, got, want)
		}
	}
	if got := text(t, c.file("PUT", "b.mp3", strings.NewReader("content of b.mp3"))); got != `{"usn":3}` {
		t.Errorf("the same once more: %s", got)
	}
	type page struct {
		Files []struct {
			Name, SHA1 string
			Size, USN  int64
		}
		Next string
	}
	var names []string
	for after, pages := "", 0; pages < 5; pages++ {
		p := decodeTo[page](t, c.ok("list_media", fmt.Sprintf(`{"limit":2,"after":%q}`, after)))
		for _, f := range p.Files {
			names = append(names, f.Name)
			r := c.file("GET", f.Name, nil)
			if got, want := text(t, r), "content of "+f.Name; got != want || int64(len(want)) != f.Size || r.Header.Get("ETag") != `"`+f.SHA1+`"` {
				t.Errorf("%+v: %q, %v", f, got, r.Header)
			}
		}
		if after = p.Next; after == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"a ü.png", "b.mp3", "c%.svg"}, names); diff != "" {
		t.Error(diff)
	}
	if got := c.ok("media/b.mp3/delete", "{}"); got != `{"usn":4}` {
		t.Errorf("deleted: %s", got)
	}
	if got := c.ok("media/b.mp3/delete", "{}"); got != `{"usn":4}` {
		t.Errorf("deleted once more: %s", got)
	}
	if r := c.file("GET", "b.mp3", nil); r.StatusCode != 404 {
		t.Errorf("a deleted file: %d", r.StatusCode)
	}
	for _, body := range []string{`{"limit":0}`, `{"limit":10001}`, `{"limit":-1}`, `{"limit":"x"}`, `{"after":1}`} {
		c.wants(400, "list_media", body)
	}
}

// TestMediaCannotRun: whatever a file is, no page of another site can use it, and
// none that is opened by itself runs as a page of the API's origin.
func TestMediaCannotRun(t *testing.T) {
	c := newMediaClient(t, Options{AllowedOrigins: []string{"https://study.example.org"}})
	for _, b := range []struct{ name, kind, disposition string }{
		{"a.PNG", "image/png", "inline"},
		{"a.mp3", "audio/mpeg", "inline"},
		{"a.svg", "image/svg+xml", "attachment"},
		{"a.html", "text/html; charset=utf-8", "attachment"},
		{"a.xhtml", "application/octet-stream", "attachment"},
		{"a.xml", "application/octet-stream", "attachment"},
		{"_a.js", "text/plain; charset=utf-8", "attachment"},
		{"_a.css", "text/css; charset=utf-8", "attachment"},
		{"a.pdf", "application/pdf", "attachment"},
		{"a", "application/octet-stream", "attachment"},
		{"a ü'(1);b.png", "image/png", "inline"},
	} {
		if status := c.put(b.name, "<script>alert(1)</script>"); status != 200 {
			t.Fatalf("%s: %d", b.name, status)
		}
		r := c.file("GET", b.name, nil)
		h := r.Header
		if h.Get("Content-Type") != b.kind || !strings.HasPrefix(h.Get("Content-Disposition"), b.disposition+"; filename*=UTF-8''a") &&
			!strings.HasPrefix(h.Get("Content-Disposition"), b.disposition+"; filename*=UTF-8''_a") {
			t.Errorf("%s: %v", b.name, h)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" ||
			h.Get("Content-Security-Policy") != "default-src 'none'; style-src 'unsafe-inline'; sandbox" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", b.name, h)
		}
	}
	if got, want := c.file("GET", "a ü'(1);b.png", nil).Header.Get("Content-Disposition"), "inline; filename*=UTF-8''a%20%C3%BC%27%281%29%3Bb.png"; got != want {
		t.Errorf("disposition %s, want %s", got, want)
	}
	for _, b := range []struct {
		status        int
		method, k, v  string
		allowedOrigin string
	}{
		{200, "GET", "Sec-Fetch-Site", "same-origin", ""},
		{403, "GET", "Sec-Fetch-Site", "cross-site", ""},
		{403, "GET", "Origin", "https://evil.example.com", ""},
		{403, "PUT", "Origin", "https://evil.example.com", ""},
		{403, "PUT", "Sec-Fetch-Site", "cross-site", ""},
		{200, "GET", "Origin", "https://study.example.org", "https://study.example.org"},
		{200, "HEAD", "Sec-Fetch-Site", "none", ""},
		{405, "POST", "Sec-Fetch-Site", "none", ""},
		{405, "DELETE", "Sec-Fetch-Site", "none", ""},
	} {
		r := c.file(b.method, "a.PNG", strings.NewReader("changed"), b.k, b.v)
		if r.StatusCode != b.status || r.Header.Get("Access-Control-Allow-Origin") != b.allowedOrigin {
			t.Errorf("%s with %s %s: %d, want %d: %v", b.method, b.k, b.v, r.StatusCode, b.status, r.Header)
		}
	}
	if got := text(t, c.file("GET", "a.PNG", nil)); got != "<script>alert(1)</script>" {
		t.Errorf("a refused call has stored %q", got)
	}
	c.h.guard.needToken = true
	if r := c.file("GET", "a.PNG", nil); r.StatusCode != 401 {
		t.Errorf("without the token: %d", r.StatusCode)
	}
}

func TestMediaRanges(t *testing.T) {
	c := newMediaClient(t, Options{})
	c.put("a.mp3", "0123456789")
	tag := c.file("GET", "a.mp3", nil).Header.Get("ETag")
	for _, b := range []struct {
		status int
		body   string
		header []string
	}{
		{206, "234", []string{"Range", "bytes=2-4"}},
		{206, "89", []string{"Range", "bytes=-2"}},
		{206, "234", []string{"Range", "bytes=2-4", "If-Range", tag}},
		{200, "0123456789", []string{"Range", "bytes=2-4", "If-Range", `"another"`}},
		{416, "", []string{"Range", "bytes=20-30"}},
		{304, "", []string{"If-None-Match", tag}},
	} {
		r := c.file("GET", "a.mp3", nil, b.header...)
		if got := text(t, r); r.StatusCode != b.status || b.status < 400 && got != b.body {
			t.Errorf("%v: %d %q, want %d %q", b.header, r.StatusCode, got, b.status, b.body)
		}
	}
	if r := c.file("HEAD", "a.mp3", nil); r.StatusCode != 200 || r.ContentLength != 10 || text(t, r) != "" {
		t.Errorf("HEAD: %d, %d bytes", r.StatusCode, r.ContentLength)
	}
}

// TestMediaRefuses: names that devices would change, sizes, users, and bodies that
// end too soon leave everything as it is.
func TestMediaRefuses(t *testing.T) {
	c := newMediaClient(t, Options{MaxMediaBytes: 10})
	if status := c.put("a.png", "0123456789"); status != 200 {
		t.Fatal(status)
	}
	for _, name := range []string{"..", ".", "a:b.png", "a.", "con", `a\b`, "u\u0308.png", strings.Repeat("x", 121), "\xff"} {
		if status := c.put(name, "x"); status != 400 {
			t.Errorf("%q: %d, want 400", name, status)
		}
	}
	for _, path := range []string{"", "a/b", "../a"} {
		if status := c.put(path, "x"); status != 404 && status != 405 {
			t.Errorf("path %q: %d", path, status)
		}
	}
	if status := c.put("a.png", ""); status != 400 {
		t.Errorf("an empty file: %d, want 400", status)
	}
	if status := c.put("a.png", "0123456789x"); status != 413 {
		t.Errorf("a large file: %d, want 413", status)
	}
	r := c.file("PUT", "a.png", io.MultiReader(bytes.NewReader([]byte("0123456789")), strings.NewReader("x"))) // of no length that is told
	if r.StatusCode != 413 {
		t.Errorf("a large file whose length is not told: %d, want 413", r.StatusCode)
	}
	if r := c.file("PUT", "a.png", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(errors.New("connection reset")))); r.StatusCode != 400 {
		t.Errorf("a connection that breaks: %d, want 400", r.StatusCode)
	}
	if got := text(t, c.file("GET", "a.png", nil)); got != "0123456789" {
		t.Errorf("now it is %q", got)
	}
	bob := func(method string) int {
		r := httptest.NewRequest(method, "http://127.0.0.1:27702/collection/bob/media/a.png", strings.NewReader("x"))
		r.RemoteAddr = "127.0.0.1:4711"
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, r)
		return w.Code
	}
	if get, put := bob("GET"), bob("PUT"); get != 404 || put != 404 {
		t.Errorf("a user without an account: %d, %d, want 404", get, put)
	}
	none := newClient(t, Options{}, collection.Options{})
	if status := none.put("a.png", "x"); status != 404 {
		t.Errorf("without a store: %d, want 404", status)
	}
	for _, call := range []string{"list_media", "media/a.png/delete"} {
		none.wants(404, call, "{}")
	}
}
