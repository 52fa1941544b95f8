package search_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/search"
)

const benchNotes = 50_000

// benchDB has 50,000 notes with two cards each and as many reviews.
func benchDB(b *testing.B) *sql.DB {
	b.Helper()
	db := newDB(b)
	words := strings.Fields("dog cat underdog Straße café résumé 日本語 привет the of and to in is you that it he was for on are as with")
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // no effect after Commit
	exec := func(q string, args ...any) {
		if _, err := tx.Exec(q, args...); err != nil {
			b.Fatal(err)
		}
	}
	for d := range 50 {
		exec(`INSERT INTO decks VALUES (?, ?, 0, 0, x'', x'')`, d+1, fmt.Sprintf("Deck %02d\x1fSub", d))
	}
	note, _ := tx.Prepare(`INSERT INTO notes VALUES (?, ?, ?, ?, 0, ?, ?, ?, 0, 0, '')`)
	card, _ := tx.Prepare(`INSERT INTO cards VALUES (?, ?, ?, ?, 0, 0, ?, ?, ?, ?, 2500, 5, 0, 0, 0, 0, 0, ?)`)
	rev, _ := tx.Prepare(`INSERT INTO revlog VALUES (?, ?, 0, ?, 1, 1, 2500, 5000, 1)`)
	const start = 1_600_000_000_000
	for i := range benchNotes {
		front := fmt.Sprintf("%s %s %d", words[i%len(words)], words[i/7%len(words)], i)
		back := strings.Repeat(words[i%11]+" ", 12)
		tags := fmt.Sprintf(" tag%d a::b%d ", i%20, i%7)
		if _, err := note.Exec(start+i, fmt.Sprint(i), i%3+1, start/1000+i, tags, front+"\x1f"+back, front); err != nil {
			b.Fatal(err)
		}
		for ord := range 2 {
			cid := start + 2*i + ord
			data := fmt.Sprintf(`{"pos":%d,"s":%d.5,"d":5.5,"dr":0.9,"decay":0.154,"lrt":%d}`, i, i%100, start/1000)
			if _, err := card.Exec(cid, start+i, i%50+1, ord, i%4, i%4, i%500, i%400, data); err != nil {
				b.Fatal(err)
			}
			if _, err := rev.Exec(cid+i*60_000, cid, i%4+1); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	return db
}

func BenchmarkSearch(b *testing.B) {
	db := benchDB(b)
	cat := fixedCatalog{types: someCatalog().types[:2]}
	cat.types = append(cat.types, search.NotetypeInfo{ID: 3, Cloze: true, Fields: cat.types[0].Fields})
	o := search.Options{Now: time.Unix(1_602_000_000, 0), Today: 300, NextDayAt: 1_602_040_000, LearnAhead: 1200}
	for _, q := range []string{
		"", "dog", "nc:cafe", `re:\d{3}$`, "w:dog", "w:café", "Front:dog*", "tag:tag3", "deck:Deck*", "is:due", "is:due -is:suspended deck:Deck*",
		"prop:s>50", "prop:r<0.9", "has-cd:x", "rated:7", "introduced:30", "dog or cat -tag:a::b1 is:new",
	} {
		b.Run("q="+q, func(b *testing.B) {
			for b.Loop() {
				st, err := compile(b, q, cat, o)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := ids(b.Context(), db, st); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for _, c := range []search.Column{search.ColSortField, search.ColDeck, search.ColDue, search.ColRetrievability, search.ColPosition} {
		b.Run("by="+string(c), func(b *testing.B) {
			o := o
			o.Order = search.ByColumn{Column: c}
			for b.Loop() {
				st, err := compile(b, "", cat, o)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := ids(b.Context(), db, st); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	const q = `deck:"French::Words" (tag:verb or -tag:noun) prop:ivl>=10 rated:7:1 "a dog" Front:re:^\w+$`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := search.Parse(q); err != nil {
			b.Fatal(err)
		}
	}
}
