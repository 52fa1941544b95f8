package sync_test

import (
	"bufio"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestKeyBeforeData: a wrong key is refused before all of the data are read.
func TestKeyBeforeData(t *testing.T) {
	g := newRig(t)
	for _, key := range []string{"k", "sk"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.srv.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		part := "--B\r\nContent-Disposition: form-data; name="
		_, err = io.WriteString(conn, "POST /sync/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: 100000000\r\n\r\n"+
			part+key+"\r\n\r\nwrong\r\n"+part+"data\r\n\r\n"+strings.Repeat("x", 300<<10)) // net/http reads so much before an answer
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", key, res.Status)
		}
	}
}

// TestLoginAmongStrangers: whatever others hold, an old client can log in, whether
// it says the length of its request or not.
func TestLoginAmongStrangers(t *testing.T) {
	g := newRig(t)
	g.h.FillStrangers()
	for _, length := range []bool{true, false} {
		for large, want := range map[bool]int{false: http.StatusOK, true: http.StatusServiceUnavailable} {
			ask := []byte(`{"u":"` + testUser + `","p":"` + testPassword + `"}`)
			if large { // random, or gzip would make it small
				more := make([]byte, 16<<10)
				_, _ = rand.Read(more)
				ask = append(ask, more...)
			}
			req := g.client(10).request("sync/hostKey", ask)
			if !length {
				req.ContentLength = -1
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if err != nil || res.StatusCode != want {
				t.Errorf("length %v, large %v: %s %s, %v", length, large, res.Status, b, err)
			}
		}
	}
}
