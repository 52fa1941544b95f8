package sync

import (
	"errors"
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
	// loose: what is beyond lo or hi is brought there. Old clients have stored
	// such numbers, like the negative time of a review during which the clock was
	// set back, and would be refused for ever (docs/protocol.md §6.5).
	loose bool
}

const (
	maxU8, maxU16, maxU32 = math.MaxUint8, math.MaxUint16, math.MaxUint32
	minI32, maxI32        = math.MinInt32, math.MaxInt32
	minI64, maxI64        = math.MinInt64, math.MaxInt64
)

func (s *scanner) column(c column) error {
	v, err := s.number()
	switch {
	case c.loose && (err == nil || errors.Is(err, errHuge)):
		v = min(max(v, c.lo), c.hi)
	case err != nil:
		return err
	case v < c.lo || v > c.hi:
		return fmt.Errorf("%d is out of range", v)
	}
	*c.dest = v
	return nil
}

// reviewKind reads the type of a review; whatever is none counts as learning.
func (s *scanner) reviewKind(dest *int64) error {
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return s.skip(0)
	}
	err := s.column(column{dest, minI64, maxI64, true})
	if *dest < 0 || *dest > 5 {
		*dest = 0
	}
	return err
}

func checkColumns(got, want int) error {
	if got != want {
		return fmt.Errorf("%d columns, want %d", got, want)
	}
	return nil
}

func parseRevlog(s *scanner) (r collection.RevlogEntry, err error) {
	var usn int64
	cols := [revlogColumns - 1]column{
		{&r.ID, minI64, maxI64, false}, {&r.CID, minI64, maxI64, false}, {&usn, minI32, maxI32, false}, {&r.Ease, 0, maxU8, false},
		{&r.Ivl, minI32, maxI32, true}, {&r.LastIvl, minI32, maxI32, true}, {&r.Factor, 0, maxU32, true}, {&r.Time, 0, maxU32, true},
	}
	n := 0
	err = s.array(func(i int) error {
		n++
		switch {
		case i < len(cols):
			return s.column(cols[i])
		case i == len(cols):
			return s.reviewKind(&r.Type)
		}
		return s.skip(0)
	})
	if err == nil {
		err = checkColumns(n, revlogColumns)
	}
	r.USN = collection.USN(usn)
	return r, err
}

func parseCard(s *scanner) (c collection.Card, err error) {
	var usn int64
	cols := [cardColumns - 1]column{
		{&c.ID, minI64, maxI64, false}, {&c.NID, minI64, maxI64, false}, {&c.DID, minI64, maxI64, false}, {&c.Ord, 0, maxU16, false},
		{&c.Mod, minI64, maxI64, true}, {&usn, minI32, maxI32, false}, {&c.Type, 0, 3, false}, {&c.Queue, -3, 4, false},
		{&c.Due, minI32, maxI32, true}, {&c.Ivl, 0, maxU32, true}, {&c.Factor, 0, maxU16, false}, {&c.Reps, 0, maxU32, false},
		{&c.Lapses, 0, maxU32, false}, {&c.Left, 0, maxU32, false}, {&c.ODue, minI32, maxI32, true},
		{&c.ODID, minI64, maxI64, false}, {&c.Flags, 0, maxU8, false},
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
			return s.column(column{&t.ID, minI64, maxI64, false})
		case 1:
			t.GUID, err = s.str()
		case 2:
			return s.column(column{&t.MID, minI64, maxI64, false})
		case 3:
			return s.column(column{&t.Mod, minI64, maxI64, false})
		case 4:
			return s.column(column{&usn, minI32, maxI32, false})
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
