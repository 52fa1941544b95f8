package sync

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/media"
)

// desktopMeta is the body of a status check as 26.9.3 sends it, in one chunk: a
// frame that declares a window of 2 MiB and says nothing of its size.
const desktopMeta = "(\xb5/\xfd\x00Xi\x01\x00" + `{"v":11,"cv":"anki,26.09.3 (29bb700b),linux"}`

// readBody reads the header and body of a request to step, as one of length
// bytes, and returns the message; whole says that it was decoded in one go.
func readBody(tb testing.TB, s *Server, step string, body io.Reader, length int64) (msg []byte, whole bool, err error) {
	tb.Helper()
	r := httptest.NewRequest(http.MethodPost, "/sync/"+step, body)
	r.ContentLength = length
	r.Header[http.CanonicalHeaderKey(syncHeader)] = []string{`{"v":11,"k":"","c":"x","s":"y"}`}
	st := s.steps[step]
	st.anonymous = true
	c := &call{s: s, r: r, step: st}
	defer c.close()
	if err := c.readHeader(); err != nil {
		return nil, false, err
	}
	whole = c.whole != nil
	msg, _, err = c.head()
	return msg, whole, err
}

func tinyServer(tb testing.TB, o Options) *Server {
	tb.Helper()
	users, err := auth.Open(tb.Context(), auth.Options{AllowAnyone: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = users.Close() })
	o.Auth, o.TempDir, o.Media = users, tb.TempDir(), &media.Store{}
	return New(o)
}

// TestTinyBodies: what clients send is decoded in one go, whether its length is
// said or not; what is larger, cut or wrong is left to the stream.
func TestTinyBodies(t *testing.T) {
	s := tinyServer(t, Options{})
	frame := func(text string, o ...zstd.EOption) string { return string(zstdFrame(t, []byte(text), o...)) }
	long := strings.Repeat("0123456789", 300)
	noise := make([]byte, 2*tinyBody)
	_, _ = rand.Read(noise)
	for name, c := range map[string]struct {
		body  string
		want  string // the message, "" if it is refused
		whole bool
	}{
		"desktop":        {desktopMeta, desktopMeta[9:], true},
		"with its size":  {frame(desktopMeta[9:]), desktopMeta[9:], true},
		"two frames":     {frame("a") + frame("b"), "ab", true},
		"skipped":        {"\x50\x2a\x4d\x18\x01\x00\x00\x00x" + frame("a"), "a", true},
		"nothing":        {"", "", true},
		"much of little": {frame(long), long, false},
		"large":          {frame(string(noise)), string(noise), false},
		"cut":            {desktopMeta[:30], "", false},
		"damaged":        {frame("abc")[:len(frame("abc"))-1] + "x", "", false},
		"large window":   {"(\xb5/\xfd\x00\x90" + desktopMeta[6:], "", false},
		"not zstd":       {"{}{}{}{}", "", false},
	} {
		for _, length := range []int64{int64(len(c.body)), -1} {
			msg, whole, err := readBody(t, s, "meta", strings.NewReader(c.body), length)
			if string(msg) != c.want || whole != c.whole || (err != nil) != (c.want == "" && name != "nothing") {
				t.Errorf("%s, length %d: %q, whole %t, %v", name, length, msg, whole, err)
			}
		}
	}
	// The limit of a message holds as well.
	small := tinyServer(t, Options{MaxMessageBytes: 40})
	if _, _, err := readBody(t, small, "meta", strings.NewReader(frame(long[:41])), -1); statusOf(err) != http.StatusRequestEntityTooLarge {
		t.Error("too large a message:", err)
	}
	// A connection that breaks is no end of the body.
	broken := io.MultiReader(strings.NewReader(desktopMeta), failing{})
	if _, _, err := readBody(t, s, "meta", broken, -1); !errors.Is(err, io.ErrClosedPipe) {
		t.Error("broken:", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// FuzzTiny: what is decoded in one go is what the stream makes of it.
func FuzzTiny(f *testing.F) {
	f.Add([]byte(desktopMeta))
	f.Add([]byte(desktopMeta + desktopMeta))
	f.Add([]byte("\x50\x2a\x4d\x18\x01\x00\x00\x00x" + desktopMeta))
	f.Add([]byte(desktopMeta + "\x28"))
	f.Add(zstdFrame(f, []byte(strings.Repeat("abc", 100))))
	f.Add([]byte("\x28\xb5\x2f\xfd\x00\x58\x03\x00\x10x"))
	s := tinyServer(f, Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		msg, whole, err := readBody(t, s, "meta", bytes.NewReader(body), -1)
		if !whole {
			return
		}
		c := &call{s: s, step: s.steps["meta"]}
		defer c.close()
		if rerr := c.readZstd(bytes.NewReader(body)); rerr != nil {
			t.Fatal(rerr)
		}
		want, _, rerr := c.head()
		if err != nil || rerr != nil || !bytes.Equal(msg, want) {
			t.Errorf("%q, %v; as a stream %q, %v", msg, err, want, rerr)
		}
	})
}
