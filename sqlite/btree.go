package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync/atomic"
)

// This file reads the trees of a database file by SQLite's published file
// format, for Verify. It trusts nothing in the file: what lies outside of its
// page or of the file is errForm, and what it does not know is errUnknownForm.

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
	// plain: of the form in which every page belongs to a tree or to the free
	// list, and the header says how many there are.
	plain    bool
	freeHead uint32
	freeLen  uint32
	used     []atomic.Uint32 // a bit for each page that has its place
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
	p.freeHead, p.freeLen = binary.BigEndian.Uint32(head[32:]), binary.BigEndian.Uint32(head[36:])
	p.plain = binary.BigEndian.Uint32(head[28:]) == p.count && // pages
		bytes.Equal(head[24:28], head[92:96]) && // which is valid if the two counters agree
		binary.BigEndian.Uint32(head[52:]) == 0 && binary.BigEndian.Uint32(head[64:]) == 0 && // no auto_vacuum, whose pages point back
		head[18] <= 2 && head[19] <= 2 && head[21] == 64 && head[22] == 32 && head[23] == 32
	p.used = make([]atomic.Uint32, p.count/32+1)
	return p, nil
}

func (p *pages) close() { _ = p.f.Close() }

func (p *pages) read(n uint32, buf []byte) error {
	if n == 0 || n > p.count {
		return misshapen("page %d of %d", n, p.count)
	}
	_, err := p.f.ReadAt(buf[:p.size], int64(n-1)*int64(p.size))
	return err
}

// walker goes through one tree in order and checks its form: that every page is
// this tree's alone, that cells lie within their pages without touching one
// another, that rowids ascend, and that all leaves are equally deep.
type walker struct {
	ctx    context.Context
	p      *pages
	levels []*level
	seen   int // pages read
	over   []byte
	spans  []span // of the page at hand
	leaf   int    // the depth of the leaves, once known
	last   int64  // rowid
	begun  bool   // there was a rowid before
	// cell is called for every cell that carries a record: rowid is 0 in
	// indexes. If it says errUnknownForm it is not called again, and walk says so
	// when it has gone through the tree all the same. It may be nil.
	cell    func(rowid int64, r *record) error
	unknown bool
	rec     record
}

// level is the page of a level that the walker is at.
type level struct {
	page  []byte
	cells []cell
}

// forms of trees
const (
	tableTreeForm = iota
	indexTreeForm
	anyForm // what the root says
)

// tree walks the tree at root.
func (w *walker) tree(root uint32, form int) error {
	w.leaf = -1
	if err := w.walk(root, 0, form); err != nil {
		return err
	}
	if w.unknown {
		return errUnknownForm
	}
	return nil
}

func (w *walker) walk(n uint32, depth, form int) error {
	if depth > maxTreeDepth {
		return misshapen("a tree of more than %d levels", maxTreeDepth)
	}
	if err := w.p.claim(n); err != nil {
		return err
	}
	if w.seen++; w.seen%256 == 0 && w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if len(w.levels) <= depth {
		w.levels = append(w.levels, &level{page: make([]byte, w.p.size)})
	}
	at := w.levels[depth]
	if err := w.p.read(n, at.page); err != nil {
		return err
	}
	h, err := w.p.pageHeader(n, at.page)
	if err != nil {
		return err
	}
	if form == anyForm {
		form = h.form
	}
	if form != h.form {
		return misshapen("page %d is of kind %d", n, at.page[h.at])
	}
	if h.leaf {
		if w.leaf < 0 {
			w.leaf = depth
		}
		if w.leaf != depth {
			return misshapen("page %d: leaves at different depths", n)
		}
	}
	b := at.page[:w.p.usable]
	if at.cells, err = w.layout(n, b, h, at.cells[:0]); err != nil {
		return err
	}
	for _, c := range at.cells {
		if !h.leaf {
			if err := w.walk(c.child, depth+1, form); err != nil {
				return err
			}
		}
		if form == tableTreeForm {
			if err := w.ascends(n, c.rowid, h.leaf); err != nil {
				return err
			}
		}
		if !h.payload() {
			continue // only a key
		}
		if err := w.record(b, c); err != nil {
			return err
		}
	}
	if h.leaf {
		return nil
	}
	return w.walk(h.right, depth+1, form)
}

// ascends checks a rowid against the one before. The key of an interior cell may
// be that of the last row below it.
func (w *walker) ascends(n uint32, rowid int64, leaf bool) error {
	if w.begun && (rowid < w.last || leaf && rowid == w.last) {
		return misshapen("page %d: rowid %d out of order", n, rowid)
	}
	w.begun, w.last = true, rowid
	return nil
}

// record hands on the record of a cell, and follows what of it is elsewhere.
func (w *walker) record(b []byte, c cell) error {
	next := uint32(0)
	if c.local < c.size {
		next = binary.BigEndian.Uint32(b[c.payload+c.local:])
		per := w.p.usable - 4
		if err := w.p.claimChain(next, (c.size-c.local+per-1)/per); err != nil {
			return err
		}
	}
	if w.cell == nil || w.unknown {
		return nil
	}
	r := &w.rec
	r.w, r.size, r.local, r.next = w, c.size, b[c.payload:c.payload+c.local], next
	err := w.cell(c.rowid, r)
	if errors.Is(err, errUnknownForm) {
		w.unknown = true
		return nil
	}
	return err
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
