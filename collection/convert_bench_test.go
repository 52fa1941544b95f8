package collection

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// convBig makes a schema-18 file of so many notes, cards and reviews.
func convBig(b *testing.B, notes int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "big.anki2")
	if err := Fresh(b.Context(), path, time.Now()); err != nil {
		b.Fatal(err)
	}
	convAlter(b, path, fmt.Sprintf(`
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO notes SELECT i, hex(randomblob(5)), (SELECT min(id) FROM notetypes), i, 0, ' a b ',
			'front ' || i || char(31) || hex(randomblob(400)), 'front ' || i, i, 0, '' FROM n;
		INSERT INTO cards SELECT id, id, 1, 0, mod, 0, 2, 2, 5, 5, 2500, 3, 0, 0, 0, 0, 0, '{"s":1.5,"d":5.0}' FROM notes;
		INSERT INTO revlog SELECT c.id * 10 + x.i, c.id, 0, 3, 5, 4, 2500, 900, 1 FROM cards c,
			(SELECT 0 i UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) x`, notes))
	return path
}

func BenchmarkDowngrade50k(b *testing.B) {
	src := convBig(b, 50_000)
	st, err := os.Stat(src)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(st.Size())
	b.ReportAllocs()
	dst := filepath.Join(b.TempDir(), "dst.anki2")
	for b.Loop() {
		if err := Downgrade(b.Context(), src, dst, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpgrade50k(b *testing.B) {
	src := convBig(b, 50_000)
	old := filepath.Join(b.TempDir(), "old.anki2")
	if err := Downgrade(b.Context(), src, old, false); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	path := filepath.Join(b.TempDir(), "copy.anki2")
	for b.Loop() {
		b.StopTimer()
		if err := duplicateFile(b.Context(), old, path); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if _, err := Upgrade(b.Context(), path); err != nil {
			b.Fatal(err)
		}
	}
}
