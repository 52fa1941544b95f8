package sync_test

import (
	"net/http"
	"testing"
)

// emptyChanges is an applyChanges that says nothing.
var emptyChanges = []byte(`{"changes":{"models":[],"decks":[[],[]],"tags":[]}}`)

// TestAbortOfOneOvertaken: a client that is told with 409 that another has taken
// over sends abort, with the key of the sync that it has lost. The other's goes on
// (docs/protocol.md §6).
func TestAbortOfOneOvertaken(t *testing.T) {
	for _, version := range []int{10, 11} {
		g := newRig(t)
		a, b := g.loggedIn(version), g.loggedIn(version)
		a.skey, b.skey = "first", "second"
		want := func(c *client, step string, body []byte, status int) {
			t.Helper()
			if got, answer := c.post("sync/"+step, body); got != status {
				t.Fatalf("version %d: %s of the %s: %d, want %d: %s", version, step, c.skey, got, status, answer)
			}
		}
		start := []byte(`{"minUsn":0,"lnewer":true}`)
		want(a, "start", start, http.StatusOK)
		want(b, "start", start, http.StatusOK)
		want(a, "applyChanges", emptyChanges, http.StatusConflict)
		want(a, "abort", []byte(`{}`), http.StatusOK)
		want(b, "applyChanges", emptyChanges, http.StatusOK)
		want(b, "finish", []byte(`{}`), http.StatusOK)
		// One whose last answer was lost, and is late.
		want(a, "start", start, http.StatusOK)
		want(b, "abort", []byte(`{}`), http.StatusOK)
		want(a, "chunk", []byte(`{}`), http.StatusOK)
		// Its own sync is ended, and so is anybody's by a user's abort, which has a
		// key of its own.
		want(a, "abort", []byte(`{}`), http.StatusOK)
		want(a, "chunk", []byte(`{}`), http.StatusConflict)
		want(b, "start", start, http.StatusOK)
		a.skey = "third"
		want(a, "abort", []byte(`{}`), http.StatusOK)
		want(b, "chunk", []byte(`{}`), http.StatusConflict)
	}
}

// TestMetaLeavesASyncAlone: another device that asks for the state ends nobody's
// sync (docs/protocol.md §9.8).
func TestMetaLeavesASyncAlone(t *testing.T) {
	g := newRig(t)
	a, b := g.loggedIn(11), g.loggedIn(11)
	a.skey, b.skey = "first", "second"
	a.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": true}, nil)
	b.meta()
	if status, answer := a.post("sync/chunk", []byte(`{}`)); status != http.StatusOK {
		t.Errorf("%d: %s", status, answer)
	}
}
