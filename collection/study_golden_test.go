package collection

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// recordedStudy is what e2e/golden/study.py records.
type recordedStudy struct {
	Start int64 // epoch ms
	Steps []struct {
		Deck   int64
		Now    int64 // epoch ms
		Counts [3]int
		Card   int64 // 0: nothing was due
		Queue  scheduling.Kind
		Labels [4]string
		Rating scheduling.Rating
		Taken  int64 // ms
		Undone bool
	}
	Cards  [][]any
	Revlog [][]any
	Tags   [][]any
	Decks  []struct {
		ID           int64
		Common, Kind []byte
	}
}

func readGzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// putGzip stores a compressed collection.
func (r *rig) putGzip(path string) {
	r.t.Helper()
	tmp := filepath.Join(r.t.TempDir(), FileName)
	if err := os.WriteFile(tmp, readGzip(r.t, path), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.put(testUser, tmp)
}

func (r *rig) view(f func(t *Txn) error) {
	r.t.Helper()
	if err := r.s.View(r.t.Context(), testUser, f); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) edit(f func(t *Txn) error) {
	r.t.Helper()
	if err := r.s.Edit(r.t.Context(), testUser, f); err != nil {
		r.t.Fatal(err)
	}
}

// set puts the clock to a time.
func (c *testClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// TestStudyAsTheClient plays sessions that were recorded with the newest
// client's library on the same collection: the same cards come up with the same
// counts and labels, and in the end every card, review, counter and tag is the
// same.
func TestStudyAsTheClient(t *testing.T) {
	for _, name := range []string{"sm2", "fsrs", "sm2-balanced", "fsrs-balanced", "sm2-undo", "fsrs-undo", "sm2-rollover", "fsrs-rollover"} {
		t.Run(name, func(t *testing.T) { playStudy(t, name) })
	}
}

func playStudy(t *testing.T, name string) {
	var want recordedStudy
	if err := json.Unmarshal(readGzip(t, filepath.Join("testdata", "study", name+".json.gz")), &want); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, Options{})
	r.putGzip(filepath.Join("testdata", "study", name+".anki2.gz"))
	answers := 0
	for i, step := range want.Steps {
		r.clock.set(time.UnixMilli(step.Now))
		var c StudyCard
		var ok bool
		r.view(func(tx *Txn) (err error) {
			c, ok, err = tx.NextCard(step.Deck)
			if err == nil && !ok {
				c.Counts, err = tx.StudyCounts(step.Deck)
			}
			return err
		})
		counts := [3]int{c.Counts.New, c.Counts.Learning, c.Counts.Review}
		if counts != step.Counts || c.Card.ID != step.Card || c.Kind != step.Queue {
			t.Fatalf("step %d: got card %d (%d) of %v, want %d (%d) of %v", i, c.Card.ID, c.Kind, counts, step.Card, step.Queue, step.Counts)
		}
		if !ok {
			continue
		}
		for b, button := range c.Buttons {
			if button.Label != step.Labels[b] {
				t.Errorf("step %d, button %d: got %q, want %q", i, b+1, button.Label, step.Labels[b])
			}
		}
		answers++
		r.edit(func(tx *Txn) error {
			_, err := tx.AnswerCard(Answer{CardID: step.Card, Rating: step.Rating, Taken: time.Duration(step.Taken) * time.Millisecond})
			return err
		})
		if step.Undone {
			r.edit(func(tx *Txn) error { _, err := tx.UndoAnswer(); return err })
		}
	}
	if answers < 200 {
		t.Errorf("got %d answers, want 200 or more", answers)
	}
	r.wantStudied(&want)
	r.checkCollection()
}

// lines prints recorded rows as rig.rows does.
func lines(rows [][]any) []string {
	var out []string
	for _, row := range rows {
		s := ""
		for i, v := range row {
			if f, ok := v.(float64); ok {
				v = int64(f)
			}
			if i > 0 {
				s += "|"
			}
			s += fmt.Sprint(v)
		}
		out = append(out, s)
	}
	return out
}

func (r *rig) wantStudied(want *recordedStudy) {
	r.t.Helper()
	for _, c := range []struct {
		query string
		want  [][]any
	}{
		{`SELECT id,nid,did,ord,mod,type,queue,due,ivl,factor,reps,lapses,left,odue,odid,flags,data FROM cards ORDER BY id`, want.Cards},
		{`SELECT id,cid,ease,ivl,lastIvl,factor,time,type FROM revlog ORDER BY id`, want.Revlog},
		{`SELECT id,tags FROM notes WHERE tags != '' ORDER BY id`, want.Tags},
	} {
		if diff := cmp.Diff(lines(c.want), r.rows(testUser, c.query)); diff != "" {
			r.t.Errorf("%s (-want +got):\n%s", c.query, diff)
		}
	}
	r.view(func(tx *Txn) error {
		for _, w := range want.Decks {
			common, err := schema.DecodeDeckCommon(w.Common)
			if err != nil {
				return err
			}
			d, err := tx.Deck(w.ID)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(common, d.Common); diff != "" {
				r.t.Errorf("deck %d (-want +got):\n%s", w.ID, diff)
			}
		}
		return nil
	})
}
