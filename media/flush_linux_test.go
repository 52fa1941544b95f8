package media_test

import (
	"fmt"
	"testing"

	"github.com/ankisyncd/ankisyncd/media"
)

// TestManyFilesAreSyncedAtOnce: after an upload of many files the file system is
// synced once, and not each file; after one of few, each of them.
func TestManyFilesAreSyncedAtOnce(t *testing.T) {
	for _, n := range []int{1, 8, 9, 100} {
		s, _ := newStore(t, media.Options{SyncDelay: 1 << 40}) // only when closing
		each, folders := 0, 0
		s.SetHook(func(step string) error {
			switch step {
			case "sync file":
				each++
			case "sync folder":
				folders++
			}
			return nil
		})
		for i := 0; i < n; i += 25 {
			var es []entry
			for k := i; k < min(i+25, n); k++ {
				es = append(es, entry{fmt.Sprintf("f%d", k), "content"})
			}
			if _, _, err := apply(s, makeZip(t, 0, es...)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if few := n <= 8; few != (each > 0) || folders == 0 {
			t.Errorf("%d files: %d synced by themselves, the folder %d times", n, each, folders)
		}
	}
}
