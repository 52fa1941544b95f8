package sync

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/ankisyncd/ankisyncd/media"
)

// cutLine is a client that takes no answer.
type cutLine struct {
	*httptest.ResponseRecorder
	err error
}

func (c cutLine) Write([]byte) (int, error) { return 0, c.err }

// TestAnswerToNobody: a client that is gone before it has its answer, or that takes
// none of it, is no fault of the server; an answer that contradicts its head is.
func TestAnswerToNobody(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		text   string
	}{
		"reset":   {&net.OpError{Op: "write", Err: syscall.ECONNRESET}, http.StatusBadRequest, "client was gone"},
		"gone":    {&net.OpError{Op: "write", Err: syscall.EPIPE}, http.StatusBadRequest, "client was gone"},
		"HTTP/2":  {errors.New("http2: stream closed"), http.StatusBadRequest, "client was gone"},
		"stalled": {&net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}, http.StatusBadRequest, "client took no more"},
		"length":  {http.ErrContentLength, http.StatusInternalServerError, ""},
	} {
		for _, packed := range []bool{true, false} {
			for _, version := range []int{10, 11} {
				c := &call{r: httptest.NewRequest(http.MethodPost, "/", nil), header: true, version: version}
				w := &responder{ResponseWriter: cutLine{httptest.NewRecorder(), tc.err}}
				err := w.stream(c, 1<<20, packed, func(dst io.Writer) error {
					_, err := dst.Write(make([]byte, 1<<20))
					return err
				})
				w.fail(c, err)
				if err == nil || w.status != tc.status || !strings.Contains(err.Error(), tc.text) {
					t.Errorf("%s, %v, %d: %d, %v", name, packed, version, w.status, err)
				}
			}
		}
	}
}

// TestStreamThatFailsAtOnce: as long as nothing was sent the client learns what is
// wrong, from an answer that is whole.
func TestStreamThatFailsAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		version, minor int
		packed         bool
		before         int // bytes that come of the source
	}{
		"packed":     {11, 1, true, 1000},
		"compressed": {11, 1, false, 1000},
		"HTTP/1.0":   {11, 0, false, 1000},
		"plain":      {10, 1, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				r.ProtoMinor = tc.minor
				w := &responder{ResponseWriter: rw}
				c := &call{r: r, header: true, version: tc.version}
				err := w.stream(c, 1<<20, tc.packed, func(dst io.Writer) error {
					_, err := io.Copy(dst, bytes.NewReader(make([]byte, tc.before)))
					return errors.Join(err, media.ErrAway)
				})
				w.fail(c, err)
			}))
			defer srv.Close()
			res, err := http.Get(srv.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(string(b), "503 ") {
				t.Errorf("%s %q, %v", res.Status, b, err)
			}
			if size := res.Header.Get(originalSizeHeader); size != "" {
				t.Errorf("the size of the answer that was not: %s", size)
			}
		})
	}
}
