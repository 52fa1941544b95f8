package sync_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// manyRows uploads a collection with rows enough for several chunks.
func (g *rig) manyRows() *client {
	g.t.Helper()
	c := g.loggedIn(10)
	c.upload(fixture(g.t, "v11-2.1.36"))
	c.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": true}, nil)
	cards := make([][]any, 600)
	for i := range cards {
		cards[i] = []any{i + 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ""}
	}
	c.ok("sync/applyChunk", map[string]any{"chunk": map[string]any{"done": true, "cards": cards}}, nil)
	c.ok("sync/finish", map[string]any{}, nil)
	return c
}

// chunkAnswer is what matters here of a chunk.
type chunkAnswer struct {
	Done  bool
	Cards [][]any
}

func (a chunkAnswer) first() any {
	if len(a.Cards) == 0 {
		return nil
	}
	return a.Cards[0][0]
}

// TestChunkOnAnotherConnection: the HTTP library of AnkiDroid before 2.16 sends a
// request again if its connection breaks before the answer has come
// (docs/protocol.md §6.5).
func TestChunkOnAnotherConnection(t *testing.T) {
	for agent, repeats := range map[string]bool{"AnkiDroid-2.15.6": true, "okhttp/4.9.1": true, "Anki 2.1.26": false} {
		g := newRig(t)
		c := g.manyRows()
		c.agent = agent
		c.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": true}, nil)
		ask := func() (a chunkAnswer) {
			c.ok("sync/chunk", map[string]any{}, &a)
			return a
		}
		one := ask()
		http.DefaultClient.CloseIdleConnections()
		two := ask()
		if (two.first() == one.first()) != repeats {
			t.Errorf("%s: first %v, then on another connection %v", agent, one.first(), two.first())
		}
		if three := ask(); three.first() == two.first() {
			t.Errorf("%s: %v once more on the same connection", agent, three.first())
		}
	}
}

// brokenWriter is a connection that is gone when the answer comes.
type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestChunkThatCannotBeSent is the next one to be sent.
func TestChunkThatCannotBeSent(t *testing.T) {
	g := newRig(t)
	c := g.manyRows()
	c.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": true}, nil)
	func() {
		defer func() { _ = recover() }() // as net/http does
		g.h.ServeHTTP(brokenWriter{httptest.NewRecorder()}, c.request("sync/chunk", []byte(`{}`)))
	}()
	seen := map[any]bool{}
	for range 20 {
		var a chunkAnswer
		c.ok("sync/chunk", map[string]any{}, &a)
		for _, card := range a.Cards {
			seen[card[0]] = true
		}
		if a.Done {
			break
		}
	}
	for i := range 600 {
		if !seen[float64(i+1)] {
			t.Fatalf("card %d never came", i+1)
		}
	}
}
