package sync

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/media"
)

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
