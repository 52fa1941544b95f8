package shortcut

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFields: a handler's fields are written as net/http writes them.
func TestFields(t *testing.T) {
	h := http.Header{
		"Content-Type": {"a/b"}, "Anki-Original-Size": {"12"}, "lower-case": {"x"}, "Twice": {"1", "2"}, "None": {},
		"Empty": {""}, "Spaces": {" \t x y\t "}, "Lines": {"a\r\nSet-Cookie: b\nc\rd"}, "Bad Name": {"x"}, "Bad\r\nName": {"x"}, "": {"x"}, "Ä": {"ä"},
		"Date": {"then"}, "Content-Length": {"7"}, "Transfer-Encoding": {"chunked"}, "Connection": {"close"},
	}
	a := answer{header: h}
	a.writeFields()
	var want bytes.Buffer
	if err := h.WriteSubset(&want, ours); err != nil {
		t.Fatal(err)
	}
	if got := a.whole.String(); got != want.String() {
		t.Errorf("%q\nnet/http writes\n%q", got, want.String())
	}
}

// TestDate: what is remembered of the second before is not said again.
func TestDate(t *testing.T) {
	at := time.Date(2026, 12, 31, 23, 59, 57, 999e6, time.FixedZone("", 3600))
	for range 10 {
		if got, want := date(at), at.UTC().Format(http.TimeFormat); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		at = at.Add(400 * time.Millisecond)
	}
	back := at.Add(-time.Hour)
	if got, want := date(back), back.UTC().Format(http.TimeFormat); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestUsedAgain: nothing of an exchange is in the next one, whoever's it is.
func TestUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Mine") != "" {
				w.Header().Set("Yours", "x")
				w.WriteHeader(http.StatusTeapot)
				_, _ = w.Write(make([]byte, maxKept/4))
				return
			}
			for name := range r.Header {
				if name != "Content-Length" {
					t.Errorf("field %s", name)
				}
			}
			echo(w, r)
		})
		one, other := g.dial(), g.dial()
		for range 3 {
			one.send(post("/meta", "secret", "Mine: 1", "Accept: */*"))
			res, err := http.ReadResponse(one.rd, nil)
			if err != nil || res.StatusCode != http.StatusTeapot || res.Header.Get("Yours") == "" {
				t.Fatal(res, err)
			}
			if _, err := bytes.NewBuffer(nil).ReadFrom(res.Body); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			other.send(post("/a/meta", ""))
			res, err = http.ReadResponse(other.rd, nil)
			if err != nil {
				t.Fatal(err)
			}
			var body strings.Builder
			if err := res.Write(&body); err != nil || res.StatusCode != http.StatusOK ||
				strings.Contains(body.String(), "Yours") || !strings.HasSuffix(body.String(), "POST /a/meta ") {
				t.Fatalf("%v %q", err, body.String())
			}
		}
	})
}

// TestSendGoesOn: a deadline of the socket is not that of the connection, which may
// go on where it passes.
func TestSendGoesOn(t *testing.T) {
	for _, n := range []int{0, 3, 5} {
		mine, its := net.Pipe()
		got := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(its)
			got <- string(b)
		}()
		c := &conn{Conn: mine, small: struct {
			io.Reader
			io.Writer
		}{nil, writer(func(p []byte) (int, error) {
			k, err := mine.Write(p[:n])
			if err == nil && n < len(p) {
				err = &net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}
			}
			return k, err
		})}}
		if err := c.send([]byte("whole")); err != nil {
			t.Error(err)
		}
		_ = mine.Close()
		if s := <-got; s != "whole" {
			t.Errorf("%q after %d bytes", s, n)
		}
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }
