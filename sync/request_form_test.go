package sync_test

import (
	"bufio"
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
