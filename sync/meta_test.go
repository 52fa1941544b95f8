package sync_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMetaWithoutMedia: media that cannot be opened, or not soon, fail in their own
// steps. Reviews sync.
func TestMetaWithoutMedia(t *testing.T) {
	g := newRig(t)
	c := g.loggedIn(11)
	c.upload(fixture(t, "v18-26.09"))
	db := filepath.Join(g.root, testUser, "collection.media.server.db")
	if err := os.WriteFile(db, []byte(strings.Repeat("garbage ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := c.meta(); m.Mod == 0 || !m.Cont || m.MUSN != -1 {
		t.Errorf("%+v", m)
	}
	for step, ask := range map[string]string{"begin": `{"v":"x"}`, "mediaChanges": `{"lastUsn":0}`} {
		if status, b := c.post("msync/"+step, []byte(ask)); status != http.StatusInternalServerError {
			t.Errorf("%s: %d %s", step, status, b)
		}
	}

	g = newRig(t)
	c = g.loggedIn(11)
	opened := make(chan struct{})
	defer close(opened)
	g.h.MediaUSN(func(context.Context, string) (int32, error) {
		<-opened
		return 7, nil
	})
	if m := c.meta(); m.MUSN != -1 || !m.Cont {
		t.Errorf("%+v", m)
	}
	g.h.MediaUSN(func(context.Context, string) (int32, error) { panic("no media") })
	if m := c.meta(); m.MUSN != -1 || !m.Cont {
		t.Errorf("%+v", m)
	}
}
