package api

import (
	"fmt"
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
