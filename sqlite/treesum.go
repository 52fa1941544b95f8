package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/maphash"
)

// This file adds up the keys of a table and of its indexes, to see whether they
// are the same (see verify.go).

// hashSeed keys the sums; no file can be made to fit it.
var hashSeed = maphash.MakeSeed()

// keyHash collects one index key in a canonical form.
type keyHash struct{ b []byte }

func (h *keyHash) reset() { h.b = h.b[:0] }

const (
	classNull = iota
	classInt
	classText
	classBlob
	classFloat
)

func (h *keyHash) int(v int64) {
	h.b = append(h.b, classInt)
	h.b = binary.LittleEndian.AppendUint64(h.b, uint64(v))
}

func (h *keyHash) bytes(class byte, v []byte) {
	h.b = append(h.b, class)
	h.b = binary.LittleEndian.AppendUint32(h.b, uint32(len(v)))
	h.b = append(h.b, v...)
}

// value takes what database/sql gives for a column.
func (h *keyHash) value(v any) {
	switch v := v.(type) {
	case int64:
		h.int(v)
	case string:
		h.bytes(classText, []byte(v))
	case []byte:
		h.bytes(classBlob, v)
	default:
		h.b = append(h.b, classNull)
	}
}

// column takes column i of a record.
func (h *keyHash) column(r *record, i int) error {
	t := r.types[i]
	if t == 0 {
		h.b = append(h.b, classNull)
		return nil
	}
	if t == 7 || t == 10 || t == 11 {
		return errUnknownForm // a fraction where an integer belongs
	}
	b, err := r.bytes(i)
	if err != nil {
		return err
	}
	switch {
	case t < 10:
		h.int(serialInt(t, b))
	case t%2 == 0:
		h.bytes(classBlob, b)
	default:
		h.bytes(classText, b)
	}
	return nil
}

// treeSum is a number of keys and the sum of their hashes.
type treeSum struct {
	n   uint64
	sum uint64
}

func (s *treeSum) add(h *keyHash) {
	s.n++
	s.sum += maphash.Bytes(hashSeed, h.b)
}

// scan reads a table, checks what its rows hold, and adds up the keys that each
// index should have.
func (t *tableTree) scan(ctx context.Context, file *pages) error {
	var h keyHash
	w := walker{ctx: ctx, p: file}
	w.cell = func(rowid int64, r *record) error {
		if err := r.header(len(t.columns)); err != nil {
			return err
		}
		if !r.whole {
			return errUnknownForm
		}
		for i, c := range t.columns {
			if err := c.check(r, i); err != nil {
				return err
			}
		}
		for _, ix := range t.indexes {
			if ix.partial != "" {
				continue
			}
			h.reset()
			for _, c := range ix.columns {
				if c.place < 0 {
					h.int(rowid)
				} else if err := h.column(r, c.place); err != nil {
					return err
				}
			}
			h.int(rowid)
			ix.want.add(&h)
		}
		return nil
	}
	return w.tree(t.root, tableTreeForm)
}

// check is errUnknownForm if the value in column i of a row is not one that the
// column's declaration has in mind. What it is then is for SQLite to say.
func (c *column) check(r *record, i int) error {
	if c.rowid {
		return nil // the value is the cell's rowid
	}
	t := r.types[i]
	switch {
	case t == 0:
		if c.notNull {
			return errUnknownForm
		}
	case t < 10: // a number
		if c.affinity == affinityText {
			return errUnknownForm
		}
	case t%2 == 1: // text
		if c.affinity != affinityNumber {
			return nil
		}
		// As SQLite would have made a number of it.
		if serialSize(t) > maxKeyBytes {
			return errUnknownForm
		}
		b, err := r.bytes(i)
		if err != nil {
			return err
		}
		if looksNumeric(b) {
			return errUnknownForm
		}
	}
	return nil
}

// looksNumeric is true of every text that SQLite takes for a number, and of some
// others.
func looksNumeric(b []byte) bool {
	const space = " \t\n\v\f\r"
	b = bytes.Trim(b, space)
	for _, c := range b {
		if (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' && c != 'e' && c != 'E' {
			return false
		}
	}
	return len(b) > 0
}

// scan reads an index, adds up its keys, and checks that they ascend.
func (ix *indexTree) scan(ctx context.Context, file *pages) error {
	var h, last keyHash
	first := true
	w := walker{ctx: ctx, p: file}
	w.cell = func(_ int64, r *record) error {
		n := len(ix.columns) + 1
		if err := r.header(n); err != nil {
			return err
		}
		h.reset()
		for i := range n {
			if err := h.column(r, i); err != nil {
				return err
			}
		}
		ix.got.add(&h)
		if !first {
			if err := ix.ascends(last.b, h.b); err != nil {
				return err
			}
		}
		first = false
		h, last = last, h
		return nil
	}
	return w.tree(ix.root, indexTreeForm)
}

// ascends checks the order of two neighbouring keys in canonical form.
func (ix *indexTree) ascends(a, b []byte) error {
	null := false
	for _, c := range ix.columns {
		x, restA := cutValue(a)
		y, restB := cutValue(b)
		cmp := compareValues(x, y, c.fold)
		if c.desc {
			cmp = -cmp
		}
		if cmp < 0 {
			return nil
		}
		if cmp > 0 {
			return damaged("index %s is out of order", ix.name)
		}
		null = null || x[0] == classNull
		a, b = restA, restB
	}
	if ix.unique && !null {
		return damaged("index %s has two equal entries", ix.name)
	}
	if compareValues(a, b, false) >= 0 {
		return damaged("index %s is out of order", ix.name)
	}
	return nil
}

// cutValue splits the first value off a key in canonical form.
func cutValue(b []byte) (v, rest []byte) {
	n := 1
	switch b[0] {
	case classInt:
		n = 9
	case classText, classBlob:
		n = 5 + int(binary.LittleEndian.Uint32(b[1:]))
	}
	return b[:n], b[n:]
}

// compareValues orders two values as SQLite does: by class, then by value.
func compareValues(a, b []byte, fold bool) int {
	if a[0] != b[0] {
		return int(a[0]) - int(b[0])
	}
	switch a[0] {
	case classInt:
		x, y := int64(binary.LittleEndian.Uint64(a[1:])), int64(binary.LittleEndian.Uint64(b[1:]))
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case classText:
		if fold {
			return CompareFold(string(a[5:]), string(b[5:]))
		}
		return bytes.Compare(a[5:], b[5:])
	case classBlob:
		return bytes.Compare(a[5:], b[5:])
	}
	return 0
}
