package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"os"
)

// This file reads the trees of a database file by SQLite's published file
// format, for Verify. It trusts nothing in the file: what lies outside of its
// page or of the file is ErrDamaged, and what it does not know is
// errUnknownForm.

// errUnknownForm means that a tree is of a form that this reader leaves to
// SQLite.
var errUnknownForm = errors.New("sqlite: form not known")

const (
	pageLeafTable     = 0x0d
	pageInteriorTable = 0x05
	pageLeafIndex     = 0x0a
	pageInteriorIndex = 0x02
	maxTreeDepth      = 40
	maxKeyBytes       = 1 << 20 // no field that is indexed is longer
)

// pages is an open database file.
type pages struct {
	f      *os.File
	size   int // of a page
	usable int
	count  uint32
}

func openPages(path string) (*pages, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	head := make([]byte, 100)
	if _, err := io.ReadFull(f, head); err != nil {
		_ = f.Close()
		return nil, damaged("no header")
	}
	fi, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	p := &pages{f: f, size: int(binary.BigEndian.Uint16(head[16:]))}
	if p.size == 1 {
		p.size = 65536
	}
	p.usable = p.size - int(head[20])
	if p.size < 512 || p.size&(p.size-1) != 0 || p.usable < 480 || binary.BigEndian.Uint32(head[56:]) > 1 {
		_ = f.Close()
		return nil, damaged("header of an unknown form")
	}
	p.count = uint32(min(fi.Size()/int64(p.size), 1<<31))
	return p, nil
}

func (p *pages) close() { _ = p.f.Close() }

func (p *pages) read(n uint32, buf []byte) error {
	if n == 0 || n > p.count {
		return damaged("page %d of %d", n, p.count)
	}
	_, err := p.f.ReadAt(buf[:p.size], int64(n-1)*int64(p.size))
	return err
}

// walker goes through one tree in order.
type walker struct {
	ctx  context.Context
	p    *pages
	bufs [][]byte // one page for each level
	seen uint32   // pages read, to end cycles
	over []byte
	// cell is called for every cell that carries a record: rowid is 0 in
	// indexes.
	cell func(rowid int64, r *record) error
	rec  record
}

func (w *walker) walk(n uint32, depth int, index bool) error {
	if depth > maxTreeDepth {
		return damaged("a tree of more than %d levels", maxTreeDepth)
	}
	if w.seen++; w.seen > w.p.count {
		return damaged("a tree with a cycle")
	}
	if w.seen%256 == 0 && w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if len(w.bufs) <= depth {
		w.bufs = append(w.bufs, make([]byte, w.p.size))
	}
	b := w.bufs[depth]
	if err := w.p.read(n, b); err != nil {
		return err
	}
	head := 0
	if n == 1 {
		head = 100
	}
	kind := b[head]
	leaf := kind == pageLeafTable || kind == pageLeafIndex
	if index && kind != pageLeafIndex && kind != pageInteriorIndex || !index && kind != pageLeafTable && kind != pageInteriorTable {
		return damaged("page %d is of kind %d", n, kind)
	}
	cells := int(binary.BigEndian.Uint16(b[head+3:]))
	array := head + 8
	if !leaf {
		array += 4
	}
	if array+2*cells > w.p.usable {
		return damaged("page %d has %d cells", n, cells)
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(b[array+2*i:]))
		if at < array+2*cells || at > w.p.usable-4 {
			return damaged("page %d has a cell outside of it", n)
		}
		if !leaf {
			if err := w.walk(binary.BigEndian.Uint32(b[at:]), depth+1, index); err != nil {
				return err
			}
			at += 4
		}
		if kind == pageInteriorTable {
			continue // only a key
		}
		if err := w.record(b, at, index); err != nil {
			return err
		}
	}
	if leaf {
		return nil
	}
	return w.walk(binary.BigEndian.Uint32(b[head+8:]), depth+1, index)
}

// record reads the cell at b[at:] and hands it on.
func (w *walker) record(b []byte, at int, index bool) error {
	b = b[:w.p.usable]
	size, n := varint(b[at:])
	if n == 0 || size > uint64(w.p.count)*uint64(w.p.size) {
		return damaged("a cell of %d bytes", size)
	}
	at += n
	var rowid int64
	if !index {
		v, n := varint(b[at:])
		if n == 0 {
			return damaged("a cell without a rowid")
		}
		rowid = int64(v)
		at += n
	}
	local := w.p.local(int(size), index)
	if at+local > len(b) {
		return damaged("a cell beyond its page")
	}
	r := &w.rec
	r.w, r.size, r.local, r.next = w, int(size), b[at:at+local], 0
	if local < int(size) {
		if at+local+4 > len(b) {
			return damaged("a cell beyond its page")
		}
		r.next = binary.BigEndian.Uint32(b[at+local:])
	}
	return w.cell(rowid, r)
}

// local is how many bytes of a payload are on the page itself.
func (p *pages) local(size int, index bool) int {
	most := p.usable - 35
	if index {
		most = (p.usable-12)*64/255 - 23
	}
	if size <= most {
		return size
	}
	least := (p.usable-12)*32/255 - 23
	if k := least + (size-least)%(p.usable-4); k <= most {
		return k
	}
	return least
}

// varint reads SQLite's variable-length integer; n is 0 if b is too short.
func varint(b []byte) (v uint64, n int) {
	for i := 0; i < 8; i++ {
		if i >= len(b) {
			return 0, 0
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
	if len(b) < 9 {
		return 0, 0
	}
	return v<<8 | uint64(b[8]), 9
}

// record is a row or an index entry.
type record struct {
	w     *walker
	size  int
	local []byte
	next  uint32 // first overflow page, 0 if there is none

	// header, once read
	types  []uint64
	places []int
}

// header reads the types of the first n columns. A record may have fewer
// columns than its table, where a column was added later.
func (r *record) header(n int) error {
	hsize, k := varint(r.local)
	if k == 0 || hsize < uint64(k) || hsize > uint64(r.size) {
		return damaged("a record without a header")
	}
	if int(hsize) > len(r.local) {
		return errUnknownForm // thousands of columns
	}
	r.types, r.places = r.types[:0], r.places[:0]
	place := int(hsize)
	for at := k; at < int(hsize) && len(r.types) < n; {
		t, k := varint(r.local[at:hsize])
		if k == 0 {
			return damaged("a record with a broken header")
		}
		at += k
		size := serialSize(t)
		if size < 0 || place+size > r.size {
			return damaged("a record with a value beyond its end")
		}
		r.types = append(r.types, t)
		r.places = append(r.places, place)
		place += size
	}
	if len(r.types) < n {
		return errUnknownForm
	}
	return nil
}

// serialSize is the length of a value of a serial type, -1 if there is none.
func serialSize(t uint64) int {
	switch {
	case t <= 4:
		return int(t)
	case t == 5:
		return 6
	case t <= 7:
		return 8
	case t <= 9:
		return 0
	case t < 12 || t > 1<<32:
		return -1
	}
	return int(t-12) / 2
}

// bytes returns the content of column i. It is valid until the next call.
func (r *record) bytes(i int) ([]byte, error) {
	at, n := r.places[i], serialSize(r.types[i])
	if at+n <= len(r.local) {
		return r.local[at : at+n], nil
	}
	if n > maxKeyBytes {
		return nil, errUnknownForm
	}
	return r.overflow(at, n)
}

func (r *record) overflow(at, n int) ([]byte, error) {
	out := make([]byte, 0, n)
	if at < len(r.local) {
		out = append(out, r.local[at:]...)
		at = len(r.local)
	}
	per := r.w.p.usable - 4
	start := len(r.local) // payload offset of the page's first byte
	if r.w.over == nil {
		r.w.over = make([]byte, r.w.p.size)
	}
	b := r.w.over
	for page, steps := r.next, uint32(0); len(out) < n; steps++ {
		if steps > r.w.p.count {
			return nil, damaged("an overflow chain with a cycle")
		}
		if err := r.w.p.read(page, b); err != nil {
			return nil, err
		}
		if from := at - start; from < per {
			out = append(out, b[4+from:4+min(per, from+n-len(out))]...)
			at = start + per
		}
		start += per
		page = binary.BigEndian.Uint32(b)
	}
	return out, nil
}

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

func serialInt(t uint64, b []byte) int64 {
	if t == 8 || t == 9 {
		return int64(t - 8)
	}
	var v int64
	if len(b) > 0 && b[0] >= 0x80 {
		v = -1
	}
	for _, c := range b {
		v = v<<8 | int64(c)
	}
	return v
}

func (s *treeSum) add(h *keyHash) {
	s.n++
	s.sum += maphash.Bytes(hashSeed, h.b)
}

// scan reads a table and adds up the keys that each index should have.
func (t *tableTree) scan(ctx context.Context, file *pages) error {
	need := 0
	for _, ix := range t.indexes {
		for _, c := range ix.columns {
			need = max(need, c.place+1)
		}
	}
	var h keyHash
	w := walker{ctx: ctx, p: file}
	w.cell = func(rowid int64, r *record) error {
		if err := r.header(need); err != nil {
			return err
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
	return w.walk(t.root, 0, false)
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
	return w.walk(ix.root, 0, true)
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
