package sync_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// largeChunk is an applyChunk of several MiB, with rows of all kinds, whose last
// note is last.
func largeChunk(mid int64, notes int, last string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"chunk":{"done":true,"revlog":[[5,6,-1,3,10,5,2500,4000,1]],"cards":[`)
	for i := range 2 * notes {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `[%d,%d,1,0,1500000000,0,0,0,1,0,0,0,0,0,0,0,0,""]`, 7000000+i, 8000000+i/2)
	}
	b.WriteString(`],"notes":[`)
	for i := range notes {
		fmt.Fprintf(&b, `[%d,"guid%d",%d,1500000000,0,"","%s\u001fback","","",0,""],`, 8000000+i, i, mid, strings.Repeat("é text ", 700))
	}
	fmt.Fprintf(&b, `%s]}}`, last)
	return b.Bytes()
}

// TestLargeChunk: a message that is taken piece by piece is one step to the
// client all the same.
func TestLargeChunk(t *testing.T) {
	const notes = 900
	for _, version := range []int{10, 11} {
		g := newRig(t)
		c := g.loggedIn(version)
		c.upload(fixture(t, "v18-26.09"))
		start := func() {
			t.Helper()
			c.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": true}, nil)
		}
		start()
		var ch struct {
			Models []struct {
				ID   int64
				Flds []any
			}
		}
		c.ok("sync/applyChanges", map[string]any{"changes": map[string]any{"models": []any{}, "decks": [2][]any{}, "tags": []any{}}}, &ch)
		var mid int64
		for _, m := range ch.Models {
			if len(m.Flds) == 2 {
				mid = m.ID
			}
		}
		note := func(flds string) string {
			return fmt.Sprintf(`[9000000,"g",%d,1500000000,0,"","%s","","",0,""]`, mid, flds)
		}
		before := g.counts(c)
		for _, tt := range []struct {
			name, last string
			status     int
			lives      bool // the sync does
		}{
			{"no JSON at its end", `[`, 400, true},
			{"a row that is none at its end", `[1,2]`, 400, false},
			{"fields that the notetype has not", note("a"), 400, false},
			{"whole", note(`a\u001fb`), 200, true},
		} {
			if status, b := c.post("sync/applyChunk", largeChunk(mid, notes, tt.last)); status != tt.status {
				t.Fatalf("v%d, %s: %d %s", version, tt.name, status, b)
			}
			if tt.status == 200 {
				break
			}
			// The rows that came before are gone, whether or not the sync is.
			if status, _ := c.post("sync/applyChunk", []byte(`{"chunk":{}}`)); (status == http.StatusOK) != tt.lives {
				t.Errorf("v%d, %s: then %d", version, tt.name, status)
			}
			if !tt.lives {
				start()
			}
			if got := g.counts(c); fmt.Sprint(got) != fmt.Sprint(before) {
				t.Errorf("v%d, %s: %v, before it %v", version, tt.name, got, before)
			}
		}
		after := g.counts(c)
		for i, n := range map[int]float64{1: 2 * notes, 2: notes + 1, 3: 1} {
			if want := before[i].(float64) + n; after[i] != want {
				t.Errorf("v%d: count %d is %v, want %v", version, i, after[i], want)
			}
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(g.root), ".ankisyncd-spool*")); err != nil || len(left) > 0 {
			t.Errorf("left %q %v", left, err)
		}
		c.skey = "another"
		for range 4 { // enough to use up the memory, if it were not given back
			if status, _ := c.post("sync/applyChunk", largeChunk(mid, notes, note("a"))); status != http.StatusConflict {
				t.Errorf("v%d, outside of a sync: %d", version, status)
			}
		}
	}
}

// TestLargeOtherMessages: what is not taken piece by piece is read whole.
func TestLargeOtherMessages(t *testing.T) {
	for _, version := range []int{10, 11} {
		g := newRig(t)
		c := g.loggedIn(version)
		c.upload(fixture(t, "v18-26.09"))
		ids := make([]int64, 200_000)
		for i := range ids {
			ids[i] = 1600000000000 + int64(i)
		}
		c.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": true, "graves": map[string]any{"cards": ids, "notes": []int64{}, "decks": []int64{}}}, nil)
		c.ok("sync/applyGraves", map[string]any{"chunk": map[string]any{"notes": ids}}, nil)
		long := strings.Repeat("long ", 400_000)
		c.ok("sync/applyChanges", map[string]any{"changes": map[string]any{
			"models": []any{}, "decks": [2][]any{}, "tags": []any{}, "conf": map[string]any{"long": long}, "crt": 5,
		}}, nil)
		var mod json.Number
		c.ok("sync/finish", map[string]any{}, &mod)
		c.ok("sync/start", map[string]any{"minUsn": 0, "lnewer": false}, nil)
		var ch struct{ Conf struct{ Long string } }
		c.ok("sync/applyChanges", map[string]any{"changes": map[string]any{"models": []any{}, "decks": [2][]any{}, "tags": []any{}}}, &ch)
		if ch.Conf.Long != long {
			t.Errorf("v%d: %d bytes of %d came back", version, len(ch.Conf.Long), len(long))
		}
	}
}
