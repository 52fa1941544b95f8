package collection

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

// benchStore is a store with one collection of n notes and cards, about 5 MB at
// 15,000.
func benchStore(b *testing.B, n int) (*rig, []byte) {
	b.Helper()
	path := newFile(b, setUSN10)
	fill(b, path, "notes", n, func(int) int { return 7 })
	fill(b, path, "cards", n, func(int) int { return 7 })
	change(b, path, `UPDATE notes SET flds = flds || hex(zeroblob(90))`)
	r := newRig(b, Options{Snapshots: Retention{Keep: -1}})
	r.put(testUser, path)
	return r, read(b, path)
}

func BenchmarkMeta(b *testing.B) {
	r, _ := benchStore(b, 10)
	r.meta()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.s.Meta(context.Background(), testUser); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRows() Chunk {
	var c Chunk
	for i := range int64(250) {
		c.Cards = append(c.Cards, Card{ID: i + 1, Mod: 200, Type: 2, Queue: 2, Due: 5, Ivl: 3, Factor: 2500, Data: `{"s":12.5,"d":5.1}`})
		c.Notes = append(c.Notes, Note{ID: i + 1, MID: ntBasic, Mod: 200, Tags: " a ", Flds: "some <b>front</b> text &amp; more\x1f" + strings.Repeat("back ", 30)})
	}
	return c
}

func BenchmarkApplyChunk(b *testing.B) {
	rows := benchRows()
	for name, c := range map[string]Chunk{"cards": {Cards: rows.Cards}, "notes": {Notes: rows.Notes}} {
		b.Run(name, func(b *testing.B) {
			r, _ := benchStore(b, 10_000)
			r.start(8, true)
			for b.Loop() {
				if err := r.s.ApplyChunk(context.Background(), testUser, "k", c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/250, "µs/row")
		})
	}
}

func BenchmarkChunk(b *testing.B) {
	r, _ := benchStore(b, 10_000)
	r.start(0, true)
	for b.Loop() {
		c, err := r.s.Chunk(context.Background(), testUser, "k")
		if err != nil {
			b.Fatal(err)
		}
		if c.Done {
			b.StopTimer()
			r.start(0, true)
			b.StartTimer()
		}
	}
}

// BenchmarkSync is the commonest sync: start, one chunk of 20 reviews, finish.
func BenchmarkSync(b *testing.B) {
	r, _ := benchStore(b, 10_000)
	ctx, id := context.Background(), int64(0)
	for b.Loop() {
		r.start(1<<20, true)
		var c Chunk
		for i := range int64(20) {
			id++
			c.Revlog = append(c.Revlog, RevlogEntry{ID: id, CID: i})
			c.Cards = append(c.Cards, Card{ID: i + 1, Mod: id})
		}
		if err := r.s.ApplyChunk(ctx, testUser, "k", c); err != nil {
			b.Fatal(err)
		}
		r.finish()
	}
}

func BenchmarkFinish(b *testing.B) {
	r, _ := benchStore(b, 10_000)
	for b.Loop() {
		b.StopTimer()
		r.start(1<<20, true)
		b.StartTimer()
		r.finish()
	}
}

func BenchmarkUpload(b *testing.B) {
	r, file := benchStore(b, 15_000)
	b.SetBytes(int64(len(file)))
	b.Log(fmt.Sprint(len(file)/1024, " KiB"))
	for b.Loop() {
		if err := r.s.Upload(context.Background(), testUser, bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}
