package sync_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// http10 posts as a proxy does that speaks HTTP/1.0.
func (c *client) http10(path string, raw []byte) *http.Response {
	c.t.Helper()
	req := c.request(path, raw)
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.srv.URL, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = conn.Close() })
	body, err := io.ReadAll(req.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("POST /" + path + " HTTP/1.0\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
	_ = req.Header.Write(&b)
	b.WriteString("\r\n" + string(body))
	if _, err := io.WriteString(conn, b.String()); err != nil {
		c.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		c.t.Fatal(err)
	}
	return res
}

// TestHTTP10SaysTheLength: over HTTP/1.0 an answer without a length that is cut
// looks whole, and a client would take an empty collection for its user's.
func TestHTTP10SaysTheLength(t *testing.T) {
	g := newRig(t)
	c := g.loggedIn(11)
	col := fixture(t, "v18-26.09")
	c.upload(col)
	media := mediaZip(t, map[string]string{"a.txt": strings.Repeat("text ", 1000), "b.png": strings.Repeat("\x89PNG", 1000)})
	if status, b := c.post("msync/uploadChanges", media); status != http.StatusOK {
		t.Fatal(status, string(b))
	}
	check := func(what string, c *client, path, ask string) {
		t.Helper()
		res := c.http10(path, []byte(ask))
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", what, res.Status)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || res.ContentLength != int64(len(b)) || len(b) == 0 {
			t.Errorf("%s: a length of %d is said of %d bytes, %v", what, res.ContentLength, len(b), err)
		}
		if c.version < 11 {
			return
		}
		if got := len(unzstd(t, b)); res.Header.Get("anki-original-size") != strconv.Itoa(got) {
			t.Errorf("%s: %d bytes, anki-original-size %s", what, got, res.Header.Get("anki-original-size"))
		}
	}
	check("a download as it was uploaded", c, "sync/download", `{"_pad":null}`)
	old := g.loggedIn(10)
	for _, c := range []*client{c, old} {
		check("text", c, "msync/downloadFiles", `{"files":["a.txt"]}`)
		check("a picture", c, "msync/downloadFiles", `{"files":["b.png"]}`)
		check("a list", c, "msync/mediaChanges", `{"lastUsn":0}`)
		c.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": true}, nil)
		check("a chunk", c, "sync/chunk", `{"_pad":null}`)
		c.ok("sync/finish", map[string]any{}, nil)
		check("a download", c, "sync/download", `{"_pad":null}`) // changed since the upload
	}
}
