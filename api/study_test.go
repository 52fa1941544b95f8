package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

// recordedDay is what e2e/golden/study.py records: a day's answers in the newest
// client's library.
type recordedDay struct {
	Steps []struct {
		Deck   int64
		Now    int64 // epoch ms
		Counts [3]int
		Card   int64 // 0: nothing was due
		Rating int
		Taken  int64 // ms
	}
	Cards, Revlog, Tags [][]any
	Decks               []struct {
		ID     int64
		Common []byte
	}
}

func unzipped(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// readGolden reads what a script in e2e/golden recorded.
func readGolden(t testing.TB, path string, into any) {
	t.Helper()
	if err := json.Unmarshal(unzipped(t, path), into); err != nil {
		t.Fatal(err)
	}
}

// clientOf is a client of a collection, at the times of a clock.
func clientOf(t testing.TB, clock func() time.Time, col []byte) *client {
	t.Helper()
	c := newClient(t, Options{Now: clock}, collection.Options{})
	if err := c.s.Upload(t.Context(), "alice", bytes.NewReader(col)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestDayOfReviews answers through the calls of the API what was answered in the
// library on a copy: the same cards come up, and in the end all cards, the log
// of reviews, the decks' counters and the tags are the same.
func TestDayOfReviews(t *testing.T) {
	for _, name := range []string{"sm2", "fsrs", "sm2-balanced", "fsrs-balanced", "sm2-rollover"} {
		t.Run(name, func(t *testing.T) {
			var day recordedDay
			const dir = "../collection/testdata/study/"
			readGolden(t, dir+name+".json.gz", &day)
			now := time.UnixMilli(day.Steps[0].Now)
			c := clientOf(t, func() time.Time { return now }, unzipped(t, dir+name+".anki2.gz"))
			answers, decks := 0, map[int64]bool{}
			var deck int64
			for i, step := range day.Steps {
				now = time.UnixMilli(step.Now)
				if deck != step.Deck {
					deck = step.Deck
					counts := decodeTo[map[string]int](t, c.ok("reset_scheduler", fmt.Sprintf(`{"deck":%d}`, deck)))
					got := [3]int{counts["new_cards"], counts["learning_cards"], counts["review_cards"]}
					if got != step.Counts {
						t.Fatalf("step %d: got %v cards, want %v", i, got, step.Counts)
					}
				}
				var next struct{ ID int64 }
				if text := c.ok("next_card", `{"buttons":4}`); text != "" {
					next = decodeTo[struct{ ID int64 }](t, text)
				}
				if next.ID != step.Card {
					t.Fatalf("step %d: got card %d, want %d", i, next.ID, step.Card)
				}
				if next.ID == 0 {
					continue
				}
				answers, decks[deck] = answers+1, true
				c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":%d,"buttons":4,"timerStarted":%.3f}`,
					next.ID, step.Rating, float64(step.Now-step.Taken)/1000))
			}
			if answers < 200 || len(decks) < 3 {
				t.Errorf("only %d answers over %d decks", answers, len(decks))
			}
			if err := c.s.View(t.Context(), "alice", func(x *collection.Txn) error {
				compareDay(t, x, &day)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func compareDay(t *testing.T, x *collection.Txn, day *recordedDay) {
	t.Helper()
	var cards, reviews, tags []string
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ids, err := x.FindCards(context.Background(), "", collection.FindOptions{})
	must(err)
	for _, id := range ids {
		c, err := x.Card(id)
		must(err)
		cards = append(cards, row(c.ID, c.NID, c.DID, c.Ord, c.Mod, c.Type, c.Queue, c.Due, c.Ivl, c.Factor, c.Reps, c.Lapses, c.Left,
			c.ODue, c.ODID, c.Flags, c.Data))
	}
	must(x.EachReview(nil, 0, func(r collection.RevlogEntry) error {
		reviews = append(reviews, row(r.ID, r.CID, r.Ease, r.Ivl, r.LastIvl, r.Factor, r.Time, r.Type))
		return nil
	}))
	notes, err := x.FindNotes(context.Background(), "-tag:none", collection.FindOptions{})
	must(err)
	for _, id := range notes {
		n, err := x.Note(id)
		must(err)
		tags = append(tags, row(n.ID, n.Tags))
	}
	for what, pair := range map[string][2][]string{
		"cards": {rows(day.Cards), cards}, "reviews": {rows(day.Revlog), reviews}, "tags": {rows(day.Tags), tags},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	for _, d := range day.Decks {
		want, err := schema.DecodeDeckCommon(d.Common)
		must(err)
		got, err := x.Deck(d.ID)
		must(err)
		if diff := cmp.Diff(want, got.Common); diff != "" {
			t.Errorf("deck %d (-want +got):\n%s", d.ID, diff)
		}
	}
}

func row(values ...any) string {
	parts := make([]string, len(values))
	for i, v := range values {
		if f, ok := v.(float64); ok {
			v = int64(f)
		}
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, "|")
}

func rows(table [][]any) (out []string) {
	for _, values := range table {
		out = append(out, row(values...))
	}
	return out
}
