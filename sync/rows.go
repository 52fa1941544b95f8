package sync

import (
	"fmt"
	"math"
	"strconv"

	"github.com/ankisyncd/ankisyncd/collection"
)

// Rows travel as arrays (docs/protocol.md §6.5). The order of the elements is
// the order of the columns.
const (
	revlogColumns = 9
	cardColumns   = 18
	noteColumns   = 11
)

// appendInts appends numbers, with commas between them.
func appendInts(b []byte, vs ...int64) []byte {
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return b
}

func appendRevlog(b []byte, r *collection.RevlogEntry) []byte {
	b = append(b, '[')
	b = appendInts(b, r.ID, r.CID, int64(r.USN), r.Ease, r.Ivl, r.LastIvl, r.Factor, r.Time, r.Type)
	return append(b, ']')
}

func appendCard(b []byte, c *collection.Card) []byte {
	b = append(b, '[')
	b = appendInts(b, c.ID, c.NID, c.DID, c.Ord, c.Mod, int64(c.USN), c.Type, c.Queue, c.Due, c.Ivl, c.Factor, c.Reps,
		c.Lapses, c.Left, c.ODue, c.ODID, c.Flags)
	b = append(b, ',')
	b = appendString(b, c.Data)
	return append(b, ']')
}

// appendNote leaves the derived columns empty, as every sender does.
func appendNote(b []byte, n *collection.Note) []byte {
	b = append(b, '[')
	b = appendInts(b, n.ID)
	b = append(b, ',')
	b = appendString(b, n.GUID)
	b = append(b, ',')
	b = appendInts(b, n.MID, n.Mod, int64(n.USN))
	b = append(b, ',')
	b = appendString(b, n.Tags)
	b = append(b, ',')
	b = appendString(b, n.Flds)
	return append(b, `,"","",0,""]`...)
}

func appendChunk(b []byte, c *collection.Chunk) []byte {
	b = append(b, `{"done":`...)
	b = strconv.AppendBool(b, c.Done)
	b = append(b, `,"revlog":[`...)
	for i := range c.Revlog {
		b = appendRevlog(comma(b, i), &c.Revlog[i])
	}
	b = append(b, `],"cards":[`...)
	for i := range c.Cards {
		b = appendCard(comma(b, i), &c.Cards[i])
	}
	b = append(b, `],"notes":[`...)
	for i := range c.Notes {
		b = appendNote(comma(b, i), &c.Notes[i])
	}
	return append(b, `]}`...)
}

// chunkSize is about how long a chunk is as JSON, in bytes: a buffer that grows
// step by step is copied several times.
func chunkSize(c *collection.Chunk) int {
	const revlog, card, note = 96, 144, 96 // besides their texts
	n := 128 + revlog*len(c.Revlog)
	for i := range c.Cards {
		n += card + len(c.Cards[i].Data)*9/8
	}
	for i := range c.Notes {
		n += note + len(c.Notes[i].Tags) + len(c.Notes[i].Flds)*9/8
	}
	return n
}

func comma(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

// Rows of a large message are handed on in batches.
const (
	batchRows  = 250
	batchBytes = 256 << 10 // of their text
)

// rowBatch is where rows go that are read. Without handOn it keeps all of them.
type rowBatch struct {
	collection.Chunk
	rows, bytes int
	handOn      func(collection.Chunk) error
}

// added counts a row with so many bytes of text, and hands on a full batch.
func (b *rowBatch) added(text int) error {
	b.rows++
	b.bytes += text
	if b.handOn == nil || b.rows < batchRows && b.bytes < batchBytes {
		return nil
	}
	return b.rest()
}

// rest hands on what there is.
func (b *rowBatch) rest() error {
	chunk := b.Chunk
	b.Chunk, b.rows, b.bytes = collection.Chunk{}, 0, 0
	return b.handOn(chunk)
}

// parseChunk decodes the value of applyChunk's "chunk".
func parseChunk(s *scanner, to *rowBatch) error {
	return s.object(func(key string) error {
		switch key {
		case "done":
			var err error
			to.Done, err = s.boolean()
			return err
		case "revlog":
			return rows(s, func() error {
				r, err := parseRevlog(s)
				if err != nil {
					return err
				}
				to.Revlog = append(to.Revlog, r)
				return to.added(0)
			})
		case "cards":
			return rows(s, func() error {
				k, err := parseCard(s)
				if err != nil {
					return err
				}
				to.Cards = append(to.Cards, k)
				return to.added(len(k.Data))
			})
		case "notes":
			return rows(s, func() error {
				n, err := parseNote(s)
				if err != nil {
					return err
				}
				to.Notes = append(to.Notes, n)
				return to.added(len(n.GUID) + len(n.Tags) + len(n.Flds))
			})
		}
		return s.skip(0)
	})
}

func rows(s *scanner, f func() error) error {
	if s.null() {
		return nil
	}
	return s.array(func(i int) error {
		if err := f(); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		return nil
	})
}

// column is a numeric column: where it goes and what it may be.
type column struct {
	dest   *int64
	lo, hi int64
}

const (
	maxU8, maxU16, maxU32 = math.MaxUint8, math.MaxUint16, math.MaxUint32
	minI32, maxI32        = math.MinInt32, math.MaxInt32
	minI64, maxI64        = math.MinInt64, math.MaxInt64
)

func (s *scanner) column(c column) error {
	v, err := s.number()
	if err != nil {
		return err
	}
	if v < c.lo || v > c.hi {
		return fmt.Errorf("%d is out of range", v)
	}
	*c.dest = v
	return nil
}

func checkColumns(got, want int) error {
	if got != want {
		return fmt.Errorf("%d columns, want %d", got, want)
	}
	return nil
}

func parseRevlog(s *scanner) (r collection.RevlogEntry, err error) {
	var usn int64
	cols := [revlogColumns]column{
		{&r.ID, minI64, maxI64}, {&r.CID, minI64, maxI64}, {&usn, minI32, maxI32}, {&r.Ease, 0, maxU8},
		{&r.Ivl, minI32, maxI32}, {&r.LastIvl, minI32, maxI32}, {&r.Factor, 0, maxU32}, {&r.Time, 0, maxU32}, {&r.Type, minI64, maxI64},
	}
	n := 0
	err = s.array(func(i int) error {
		if n++; i >= len(cols) {
			return s.skip(0)
		}
		return s.column(cols[i])
	})
	if err == nil {
		err = checkColumns(n, revlogColumns)
	}
	if r.Type < 0 || r.Type > 5 {
		r.Type = 0
	}
	r.USN = collection.USN(usn)
	return r, err
}

func parseCard(s *scanner) (c collection.Card, err error) {
	var usn int64
	cols := [cardColumns - 1]column{
		{&c.ID, minI64, maxI64}, {&c.NID, minI64, maxI64}, {&c.DID, minI64, maxI64}, {&c.Ord, 0, maxU16}, {&c.Mod, minI64, maxI64},
		{&usn, minI32, maxI32}, {&c.Type, 0, 3}, {&c.Queue, -3, 4}, {&c.Due, minI32, maxI32}, {&c.Ivl, minI32, maxU32},
		{&c.Factor, 0, maxU16}, {&c.Reps, 0, maxU32}, {&c.Lapses, 0, maxU32}, {&c.Left, 0, maxU32}, {&c.ODue, minI32, maxI32},
		{&c.ODID, minI64, maxI64}, {&c.Flags, 0, maxU8},
	}
	n := 0
	err = s.array(func(i int) error {
		n++
		switch {
		case i < len(cols):
			return s.column(cols[i])
		case i == len(cols):
			var err error
			c.Data, err = s.str()
			return err
		}
		return s.skip(0)
	})
	if err == nil {
		err = checkColumns(n, cardColumns)
	}
	c.Ivl = max(c.Ivl, 0)
	c.USN = collection.USN(usn)
	return c, err
}

func parseNote(s *scanner) (t collection.Note, err error) {
	var usn int64
	n := 0
	err = s.array(func(i int) (err error) {
		n++
		switch i {
		case 0:
			return s.column(column{&t.ID, minI64, maxI64})
		case 1:
			t.GUID, err = s.str()
		case 2:
			return s.column(column{&t.MID, minI64, maxI64})
		case 3:
			return s.column(column{&t.Mod, minI64, maxI64})
		case 4:
			return s.column(column{&usn, minI32, maxI32})
		case 5:
			t.Tags, err = s.str()
		case 6:
			t.Flds, err = s.str()
		default:
			// Derived or unused: text or number, whatever the client keeps there.
			return s.skip(0)
		}
		return err
	})
	if err == nil {
		err = checkColumns(n, noteColumns)
	}
	t.USN = collection.USN(usn)
	return t, err
}
