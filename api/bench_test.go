package api

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

const benchNotes = 2000

// BenchmarkStudy fetches and answers cards of a collection of benchNotes notes,
// with "ahead=2" two at a time.
func BenchmarkStudy(b *testing.B) {
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	c := newClient(b, Options{Now: func() time.Time { return now }}, collection.Options{})
	var text strings.Builder
	for i := range benchNotes {
		fmt.Fprintf(&text, "front %d\\tback of %d\\n", i, i)
	}
	begin := time.Now()
	c.ok("import_file", `{"filetype":"text","model":"Basic","data":"`+text.String()+`"}`)
	b.Logf("import of %d lines: %v", benchNotes, time.Since(begin))
	c.ok("extend_scheduler_limits", `{"new_cards":1000000}`)
	type card struct{ ID int64 }
	for _, ahead := range []int{1, 2} {
		b.Run(fmt.Sprintf("ahead=%d", ahead), func(b *testing.B) {
			c.ok("reset_scheduler", "{}")
			b.ResetTimer()
			for range b.N {
				now = now.Add(time.Second)
				var ids []int64
				for range ahead {
					ids = append(ids, decodeTo[card](b, c.ok("next_card", `{"load_note":1}`)).ID)
				}
				for _, id := range ids {
					c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":3}`, id))
				}
			}
		})
	}
}

// BenchmarkStudy50k is the same on 50,000 notes, four fifths of them in review
// and a tenth of these due, in ten decks below the one that is studied. It also
// tells the process's memory before and after 200 answers.
func BenchmarkStudy50k(b *testing.B) {
	const notes = 50_000
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	c := newClient(b, Options{Now: func() time.Time { return now }}, collection.Options{})
	begin := time.Now()
	if err := c.s.EditWith(b.Context(), "alice", collection.EditOptions{CreateIfMissing: true}, func(x *collection.Txn) error {
		return fillBig(x, notes)
	}); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d notes made in %v", notes, time.Since(begin))
	now = now.Add(time.Minute)
	c.ok("deck/Big/next_card", "{}") // selects it
	c.ok("extend_scheduler_limits", `{"new_cards":1000000,"review_cards":1000000}`)
	type card struct{ ID int64 }
	answer := func() {
		now = now.Add(time.Second)
		id := decodeTo[card](b, c.ok("next_card", `{"load_note":1}`)).ID
		if id == 0 {
			b.Fatal("no card is left")
		}
		c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":3}`, id))
	}
	for range 50 {
		answer()
	}
	heap, rss := memory()
	for range 200 {
		answer()
	}
	heapAfter, rssAfter := memory()
	b.Logf("memory before and after 200 answers: heap %d and %d KiB, resident %s and %s", heap, heapAfter, rss, rssAfter)
	b.ReportAllocs()
	for b.Loop() {
		answer()
	}
	heapAfter, rssAfter = memory()
	b.Logf("after %d more: heap %d KiB, resident %s", b.N, heapAfter, rssAfter)
}

func fillBig(x *collection.Txn, notes int) error {
	nt, err := x.NotetypeByName("Basic")
	if err != nil {
		return err
	}
	var decks []int64
	for i := range 10 {
		d, err := x.CreateDeck(fmt.Sprintf("Big::%d", i))
		if err != nil {
			return err
		}
		decks = append(decks, d.ID)
	}
	for i := range notes {
		id, err := x.ImportNote(collection.ImportedNote{
			NotetypeID: nt.ID, Fields: []string{fmt.Sprint("front ", i), fmt.Sprint("back of ", i)},
		})
		if err != nil {
			return err
		}
		card := collection.Card{NID: id, DID: decks[i%10], Due: int64(i), Data: "{}"}
		if i%5 != 0 {
			card.Type, card.Queue, card.Due, card.Ivl, card.Factor, card.Reps = 2, 2, int64(i%100-10), 30, 2500, 4
		}
		if _, err := x.ImportCard(card); err != nil {
			return err
		}
	}
	return nil
}

// memory is the live heap in KiB, and what the system counts as resident, where
// it tells.
func memory() (heap uint64, resident string) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			resident = strings.TrimSpace(rest)
		}
	}
	return m.HeapAlloc >> 10, resident
}
