package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
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
