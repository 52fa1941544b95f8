package sync_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// holdUploads keeps back what became of an upload until the first letter of its
// answer is on its way.
func (g *rig) holdUploads() {
	spoken := make(chan struct{}, 1)
	g.h.(*ankisync.Server).HoldUploads(func() { <-spoken }) //nolint:forcetypeassert // it is nothing else
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
	g.h.(*ankisync.Server).HoldUploads(nil) //nolint:forcetypeassert // it is nothing else
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
