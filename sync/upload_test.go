package sync_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

// TestSlowUpload: the answer to an upload that takes long to check begins early
// and is a whole zstd stream all the same.
func TestSlowUpload(t *testing.T) {
	g := newRigWith(t, ankisync.Options{KeepAlive: time.Microsecond})
	c := g.loggedIn(11)
	c.noSize = true
	c.upload(fixture(t, "v18-26.09"))
	broken := fixture(t, "v18-26.09")
	clear(broken[8192:12288])
	// The first letter of "OK" may be out when the check fails.
	if status, b := c.post("sync/upload", broken); status != 200 || !strings.HasPrefix(string(b), "Outcome: Your upload was corrupt") {
		t.Errorf("broken upload: %d %q", status, b)
	}
	c.noSize = false
	if m := c.meta(); m.Empty {
		t.Error("nothing was stored")
	}
	old := g.loggedIn(10)
	old.upload(fixture(t, "v11-2.1.36"))
}

// TestSlowUploadCannotBeStored: what is not the file's fault is said as well when
// the answer has begun, and logged as what it is.
func TestSlowUploadCannotBeStored(t *testing.T) {
	seen := make(chan ankisync.Observation, 2) // hostKey, upload
	g := newRigWith(t, ankisync.Options{KeepAlive: time.Microsecond, Observe: func(o ankisync.Observation) { seen <- o }})
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
