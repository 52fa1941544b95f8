package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// fill inserts n rows into a table; row i has the id i+1 and the usn usn(i).
func fill(t testing.TB, path, table string, n int, usn func(i int) int) {
	t.Helper()
	insert := map[string]string{
		"revlog": `INSERT INTO revlog VALUES (?, 1, ?, 3, 10, 5, 2500, 4000, 1)`,
		"cards":  `INSERT INTO cards (id, usn, nid, did, ord, mod, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data) VALUES (?, ?, 1, 1, 0, 100, 2, 2, 100, 10, 2500, 5, 1, 0, 0, 0, 0, '')`,
		"notes":  `INSERT INTO notes (id, usn, guid, mid, mod, tags, flds, sfld, csum, flags, data) VALUES (?, ?, 'g', ` + fmt.Sprint(ntBasic) + `, 100, ' a ', 'front'||char(31)||'back', 'front', 1, 0, '')`,
	}[table]
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{Synchronous: "off"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = sqlite.InTx(context.Background(), db, func(tx *sql.Tx) error {
		st, err := tx.Prepare(insert)
		if err != nil {
			return err
		}
		for i := range n {
			if _, err := st.Exec(i+1, usn(i)); err != nil {
				return err
			}
		}
		return st.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChunkPaging(t *testing.T) {
	// docs/protocol.md §6.5
	type counts [3]int
	same := func(int) int { return 7 }
	for _, tt := range []struct {
		name string
		n    counts
		usn  func(i int) int
		want counts // rows that the client must get
		max  int    // of requests
	}{
		{"nothing", counts{}, same, counts{}, 1},
		{"one of each", counts{1, 1, 1}, same, counts{1, 1, 1}, 1},
		{"249", counts{249, 0, 0}, same, counts{249, 0, 0}, 1},
		{"250", counts{0, 250, 0}, same, counts{0, 250, 0}, 2},
		{"251", counts{0, 0, 251}, same, counts{0, 0, 251}, 2},
		{"250 over three tables", counts{100, 100, 50}, same, counts{100, 100, 50}, 2},
		{"250 of each", counts{250, 250, 250}, same, counts{250, 250, 250}, 4},
		{"10,000 cards", counts{10, 10_000, 260}, same, counts{10, 10_000, 260}, 43},
		{"a usn for every row", counts{300, 300, 300}, func(i int) int { return i }, counts{295, 295, 295}, 4},
		{"usns against the ids", counts{300, 300, 300}, func(i int) int { return 300 - i }, counts{296, 296, 296}, 4},
		{"older rows between", counts{600, 600, 600}, func(i int) int { return 4 + i%2*3 }, counts{300, 300, 300}, 4},
		{"three usns", counts{900, 500, 1}, func(i int) int { return 5 + i%3 }, counts{900, 500, 1}, 6},
	} {
		for _, ahead := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ahead %v", tt.name, ahead), func(t *testing.T) {
				r := newRig(t, Options{})
				path := newFile(t, `UPDATE col SET usn = 301`)
				for i, table := range []string{"revlog", "cards", "notes"} {
					fill(t, path, table, tt.n[i], tt.usn)
				}
				r.put(testUser, path)
				r.start(5, false)
				var ids [3][]int64
				for n := 1; ; n++ {
					c, err := r.s.Chunk(t.Context(), testUser, "k")
					if err != nil {
						t.Fatal(err)
					}
					if got := len(c.Revlog) + len(c.Cards) + len(c.Notes); got > 250 || got < 250 && !c.Done {
						t.Errorf("chunk %d has %d rows, done %v", n, got, c.Done)
					}
					for _, x := range c.Revlog {
						ids[0] = append(ids[0], x.ID)
					}
					for _, x := range c.Cards {
						ids[1] = append(ids[1], x.ID)
					}
					for _, x := range c.Notes {
						ids[2] = append(ids[2], x.ID)
					}
					if !c.Done && ahead {
						r.awaitAhead()
					}
					if c.Done {
						if n > tt.max {
							t.Errorf("%d chunks, want at most %d", n, tt.max)
						}
						break
					}
					if n > 1000 {
						t.Fatal("no end")
					}
				}
				for i := range ids {
					slices.Sort(ids[i])
					if got := len(slices.Compact(slices.Clone(ids[i]))); got != tt.want[i] || len(ids[i]) != got {
						t.Errorf("table %d: %d rows, %d of them different; want %d", i, len(ids[i]), got, tt.want[i])
					}
				}
				// Asked again, the last one was lost; and then there is nothing more.
				last, err := r.s.Chunk(t.Context(), testUser, "k")
				if rest := (tt.n[0] + tt.n[1] + tt.n[2]); err != nil || !last.Done || rest == tt.want[0]+tt.want[1]+tt.want[2] && len(last.Revlog)+len(last.Cards)+len(last.Notes) != rest%chunkRows {
					t.Errorf("the last one again: %+v, %v", last, err)
				}
				if c, err := r.s.Chunk(t.Context(), testUser, "k"); err != nil || !c.Done || len(c.Revlog)+len(c.Cards)+len(c.Notes) > 0 {
					t.Errorf("after the end: %+v, %v", c, err)
				}
			})
		}
	}
}

// awaitAhead waits until the next chunk is read.
func (r *rig) awaitAhead() {
	r.t.Helper()
	u, err := r.s.user(testUser)
	if err != nil {
		r.t.Fatal(err)
	}
	for there := false; !there; runtime.Gosched() {
		if err := u.lock(r.t.(interface{ Context() context.Context }).Context()); err != nil {
			r.t.Fatal(err)
		}
		there = u.sync == nil || u.sync.ahead != nil
		u.unlock()
	}
}

// TestChunkAheadFails: what went wrong while reading ahead ends the sync at the
// next step, as it would have then.
func TestChunkAheadFails(t *testing.T) {
	r := newRig(t, Options{})
	path := newFile(t, setUSN10)
	fill(t, path, "cards", 600, func(int) int { return 7 })
	r.put(testUser, path)
	r.start(5, false)
	if _, err := r.s.Chunk(t.Context(), testUser, "k"); err != nil {
		t.Fatal(err)
	}
	r.awaitAhead()
	u, err := r.s.user(testUser)
	if err != nil {
		t.Fatal(err)
	}
	bad := errors.New("a bad block")
	u.sync.ahead.err = bad
	if _, err := r.s.Chunk(t.Context(), testUser, "k"); !errors.Is(err, bad) {
		t.Error(err)
	}
	if _, err := r.s.Chunk(t.Context(), testUser, "k"); !errors.Is(err, ErrConflict) {
		t.Error("the sync goes on: ", err)
	}
}

// TestChunkOfLongTexts: a chunk ends before its rows take much memory, and the
// next goes on behind it.
func TestChunkOfLongTexts(t *testing.T) {
	const cards, notes, size = 7, 30, 300_000
	r := newRig(t, Options{})
	path := newFile(t, `UPDATE col SET usn = 301`)
	usn := func(i int) int { return 5 + i/4 }
	fill(t, path, "cards", cards, usn)
	fill(t, path, "notes", notes, usn)
	r.put(testUser, path)
	if err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
		_, err := tx.h.exec(`UPDATE notes SET flds = replace(hex(zeroblob(?)), '00', 'xx')`, size/2)
		if err == nil {
			_, err = tx.h.exec(`UPDATE cards SET data = replace(hex(zeroblob(?)), '00', 'yy')`, size/2)
		}
		return errors.Join(err, tx.write())
	}); err != nil {
		t.Fatal(err)
	}
	r.start(5, false)
	seen := map[string]int{}
	for n := 1; ; n++ {
		c, err := r.s.Chunk(t.Context(), testUser, "k")
		if err != nil {
			t.Fatal(err)
		}
		text := 0
		for _, x := range c.Cards {
			seen[fmt.Sprint("card ", x.ID)]++
			text += len(x.Data)
		}
		for _, x := range c.Notes {
			seen[fmt.Sprint("note ", x.ID)]++
			text += len(x.Flds)
		}
		if text >= chunkBytes+size || text < chunkBytes && !c.Done {
			t.Errorf("chunk %d has %d bytes, done %v", n, text, c.Done)
		}
		if c.Done {
			break
		}
		if n > 100 {
			t.Fatal("no end")
		}
	}
	for what, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", what, n)
		}
	}
	if len(seen) != cards+notes {
		t.Errorf("%d rows, want %d", len(seen), cards+notes)
	}
}

func TestChunkValues(t *testing.T) {
	// Fractions and texts that old clients and their add-ons left are cut to whole
	// numbers, everything else is as stored;
	// and a row that a grave removed in the middle of the paging is just gone.
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10,
		`INSERT INTO revlog VALUES (1, 2, 7, 4, -3.9, 5.9, 2500.5, 1e6, 3)`,
		`INSERT INTO cards VALUES (-5, 2, 3, 4, 99.9, 7, 1, -1, -6.5, -7.2, 2500, 8, 9, 1001, 10.5, 11, 255, '{"s": 1.0,  "odd":null}')`,
		`INSERT INTO cards VALUES (1, 2, 3, 4, 5, 6, 1, -1, 1, 5.5e6, 2500, 8, 9, 1001, 2147483647, 11, 255, '')`,
		`INSERT INTO cards VALUES (2, 2.5, 3.5, 4.5, 'x', 8, 1.5, -1.5, 'x', 'x', 2557.5, 8.5, 9.5, 1001.5, 'x', 11.5, 1.5, 5)`,
		`INSERT INTO revlog VALUES (2, 2.5, 8, 3.5, 'x', 'x', 'x', 'x', 1.5)`,
		fmt.Sprintf(`INSERT INTO notes VALUES (1, 'a"g', %d, 1e9, 7, ' x ', 'a'||char(31)||'ü', 1, 2, 3, 'data')`, ntBasic),
		fmt.Sprintf(`INSERT INTO notes VALUES (2, 7, %d.5, 'x', 8, 7, 7, 1, 2, 3, 'data')`, ntBasic))
	r.start(5, false)
	if err := r.s.ApplyGraves(t.Context(), testUser, "k", Graves{Cards: []int64{123}}); err != nil {
		t.Fatal(err)
	}
	got, err := r.s.Chunk(t.Context(), testUser, "k")
	if err != nil {
		t.Fatal(err)
	}
	want := Chunk{
		Done: true,
		Revlog: []RevlogEntry{
			{ID: 1, CID: 2, USN: 7, Ease: 4, Ivl: -3, LastIvl: 5, Factor: 2500, Time: 1e6, Type: 3},
			{ID: 2, CID: 2, USN: 8, Ease: 3, Type: 1},
		},
		Cards: []Card{
			{ID: 1, NID: 2, DID: 3, Ord: 4, Mod: 5, USN: 6, Type: 1, Queue: -1, Due: 1, Ivl: 5_500_000, Factor: 2500, Reps: 8, Lapses: 9, Left: 1001, ODue: 2147483647, ODID: 11, Flags: 255},
			{ID: -5, NID: 2, DID: 3, Ord: 4, Mod: 99, USN: 7, Type: 1, Queue: -1, Due: -6, Ivl: 0, Factor: 2500, Reps: 8, Lapses: 9, Left: 1001, ODue: 10, ODID: 11, Flags: 255, Data: `{"s": 1.0,  "odd":null}`},
			{ID: 2, NID: 2, DID: 3, Ord: 4, USN: 8, Type: 1, Queue: -1, Factor: 2557, Reps: 8, Lapses: 9, Left: 1001, ODID: 11, Flags: 1, Data: "5"},
		},
		Notes: []Note{
			{ID: 1, GUID: `a"g`, MID: ntBasic, Mod: 1e9, USN: 7, Tags: " x ", Flds: "a\x1fü"},
			{ID: 2, GUID: "7", MID: ntBasic, USN: 8, Tags: "7", Flds: "7"},
		},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

func TestChunkWhileRowsGo(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		t.Run(fmt.Sprint("ahead ", ahead), func(t *testing.T) { chunkWhileRowsGo(t, ahead) })
	}
}

func chunkWhileRowsGo(t *testing.T, ahead bool) {
	// The official server dies of this one: a grave removes rows that the
	// paging has not come to yet (docs/protocol.md §9, 2).
	r := newRig(t, Options{})
	path := newFile(t, setUSN10)
	fill(t, path, "cards", 600, func(int) int { return 7 })
	r.put(testUser, path)
	r.start(5, false)
	seen := 0
	for i := 0; ; i++ {
		c, err := r.s.Chunk(t.Context(), testUser, "k")
		if err != nil {
			t.Fatal(err)
		}
		seen += len(c.Cards)
		if c.Done {
			break
		}
		if ahead {
			r.awaitAhead()
		}
		if err := r.s.ApplyGraves(t.Context(), testUser, "k", Graves{Cards: []int64{int64(i), 599, 600, 450}}); err != nil {
			t.Fatal(err)
		}
	}
	if seen != 597 {
		t.Errorf("%d cards", seen)
	}
}

// TestChunkAgain: a client whose connection broke before the answer came asks once
// more, on another one, and loses nothing. What comes on another connection each
// time, through a proxy, ends as well.
func TestChunkAgain(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		t.Run(fmt.Sprint("ahead ", ahead), func(t *testing.T) {
			r := newRig(t, Options{})
			path := newFile(t, setUSN10)
			fill(t, path, "cards", 600, func(int) int { return 7 })
			r.put(testUser, path)
			r.start(5, false)
			want := func(conn string, first int64, n int, done bool) {
				t.Helper()
				c, err := r.s.ChunkFor(t.Context(), testUser, "k", conn)
				if err != nil {
					t.Fatal(err)
				}
				if len(c.Cards) != n || n > 0 && (c.Cards[0].ID != first || c.Cards[n-1].ID != first+int64(n)-1) || c.Done != done {
					t.Fatalf("on %s: %d cards, done %v, want %d from %d, done %v", conn, len(c.Cards), c.Done, n, first, done)
				}
				if ahead && !done {
					r.awaitAhead()
				}
			}
			want("a", 1, 250, false)
			want("b", 1, 250, false)
			want("b", 251, 250, false)
			want("c", 251, 250, false)
			want("d", 501, 100, true) // once each
			want("e", 501, 100, true)
			want("e", 0, 0, true)

			r.start(5, false)
			want("", 1, 250, false)
			want("", 251, 250, false)
			if err := r.s.ChunkLost(t.Context(), testUser, "k"); err != nil {
				t.Fatal(err)
			}
			want("", 251, 250, false)
			want("", 501, 100, true)
			want("", 501, 100, true) // who has got the last one asks for no more
		})
	}
}
