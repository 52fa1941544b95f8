package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// This file checks the form of single pages, and that each has one place (see
// btree.go). It holds them to what SQLite's checkTreePage and checkList do.

// errForm means that pages are not as the file format has them. SQLite has the
// last word on that.
var errForm = errors.New("misshapen")

func misshapen(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", ErrDamaged, errForm, fmt.Sprintf(format, args...))
}

// claim gives page n its place.
func (p *pages) claim(n uint32) error {
	if n == 0 || n > p.count || n == p.lockPage() {
		return misshapen("page %d of %d", n, p.count)
	}
	bit := uint32(1) << (n % 32)
	if p.used[n/32].Or(bit)&bit != 0 {
		return misshapen("page %d is used twice", n)
	}
	return nil
}

// lockPage is the page that only ever holds locks.
func (p *pages) lockPage() uint32 { return uint32(1<<30/p.size) + 1 }

// claimChain follows n overflow pages.
func (p *pages) claimChain(page uint32, n int) error {
	var b [4]byte
	for ; page != 0; n-- {
		if n == 0 {
			return misshapen("a chain of overflow pages goes on at page %d", page)
		}
		if err := p.claim(page); err != nil {
			return err
		}
		if _, err := p.f.ReadAt(b[:], int64(page-1)*int64(p.size)); err != nil {
			return err
		}
		page = binary.BigEndian.Uint32(b[:])
	}
	if n > 0 {
		return misshapen("a chain lacks %d overflow pages", n)
	}
	return nil
}

// claimFree follows the free list.
func (p *pages) claimFree() error {
	left := int64(p.freeLen)
	b := make([]byte, p.size)
	for trunk := p.freeHead; trunk != 0; trunk = binary.BigEndian.Uint32(b) {
		if err := p.claim(trunk); err != nil {
			return err
		}
		if err := p.read(trunk, b); err != nil {
			return err
		}
		leaves := int64(binary.BigEndian.Uint32(b[4:]))
		if leaves > int64(p.usable/4-2) {
			return misshapen("free list: page %d has %d leaves", trunk, leaves)
		}
		for i := range leaves {
			if err := p.claim(binary.BigEndian.Uint32(b[8+4*i:])); err != nil {
				return err
			}
		}
		left -= 1 + leaves
	}
	if left != 0 {
		return misshapen("free list: %d pages are missing", left)
	}
	return nil
}

// allClaimed says whether every page has its place.
func (p *pages) allClaimed() error {
	for n := uint32(1); n <= p.count; n++ {
		if p.used[n/32].Load()&(1<<(n%32)) == 0 && n != p.lockPage() {
			return misshapen("page %d is not used", n)
		}
	}
	return nil
}

// pageHeader is that of a page of a tree.
type pageHeader struct {
	at      int // 100 on the first page
	form    int
	leaf    bool
	cells   int
	array   int // where the cells' places begin
	content int // where the cells begin
	right   uint32
}

func (p *pages) pageHeader(n uint32, b []byte) (pageHeader, error) {
	var h pageHeader
	if n == 1 {
		h.at = 100
	}
	h.array = h.at + 8
	switch b[h.at] {
	case pageLeafTable:
		h.form, h.leaf = tableTreeForm, true
	case pageLeafIndex:
		h.form, h.leaf = indexTreeForm, true
	case pageInteriorTable:
		h.form = tableTreeForm
	case pageInteriorIndex:
		h.form = indexTreeForm
	default:
		return h, misshapen("page %d is of kind %d", n, b[h.at])
	}
	if !h.leaf {
		h.array += 4
		h.right = binary.BigEndian.Uint32(b[h.at+8:])
	}
	h.cells = int(binary.BigEndian.Uint16(b[h.at+3:]))
	h.content = int(binary.BigEndian.Uint16(b[h.at+5:]))
	if h.content == 0 {
		h.content = 65536
	}
	if h.cells > (p.size-8)/6 || h.array+2*h.cells > h.content || h.content > p.usable {
		return h, misshapen("page %d: %d cells, beginning at %d", n, h.cells, h.content)
	}
	return h, nil
}

// place is that of cell i.
func (h *pageHeader) place(b []byte, i int) int {
	return int(binary.BigEndian.Uint16(b[h.array+2*i:]))
}

// payload reports whether the page's cells carry records.
func (h *pageHeader) payload() bool { return h.leaf || h.form == indexTreeForm }

// cell is a parsed cell.
type cell struct {
	child   uint32 // the page below it, 0 on leaves
	rowid   int64  // 0 in indexes
	size    int    // of the record
	payload int    // where on the page it begins
	local   int    // how much of it is on the page
	end     int    // of the cell
}

// parseCell reads the cell at b[at:], which has four bytes at least; b is the page's
// usable part.
func (p *pages) parseCell(b []byte, at int, h pageHeader) (c cell, err error) {
	if !h.leaf {
		c.child = binary.BigEndian.Uint32(b[at:])
		at += 4
	}
	if h.payload() {
		size, n := varint(b[at:])
		if n == 0 || size > uint64(p.count)*uint64(p.size) {
			return c, misshapen("a cell of %d bytes", size)
		}
		c.size = int(size)
		at += n
	}
	if h.form == tableTreeForm {
		v, n := varint(b[at:])
		if n == 0 {
			return c, misshapen("a cell without a rowid")
		}
		c.rowid = int64(v)
		at += n
	}
	c.payload, c.end = at, at
	if h.payload() {
		c.local = p.local(c.size, h.form == indexTreeForm)
		c.end += c.local
		if c.local < c.size {
			c.end += 4
		}
	}
	if c.end > len(b) {
		return c, misshapen("a cell beyond its page")
	}
	return c, nil
}

// span is a part of a page that is in use, start<<32 | end.
type span uint64

// layout checks that the cells and free blocks of a page lie side by side, and
// appends the cells to cells; b is the page's usable part.
func (w *walker) layout(n uint32, b []byte, h pageHeader, cells []cell) ([]cell, error) {
	w.spans = w.spans[:0]
	add := func(from, to int) { w.spans = append(w.spans, span(from)<<32|span(to)) }
	for i := range h.cells {
		at := h.place(b, i)
		if at < h.content || at > len(b)-4 {
			return nil, misshapen("page %d: cell %d is at %d", n, i, at)
		}
		c, err := w.p.parseCell(b, at, h)
		if err != nil {
			return nil, err
		}
		cells = append(cells, c)
		add(at, max(c.end, at+4)) // the room of a cell has four bytes at least
	}
	for at, last := int(binary.BigEndian.Uint16(b[h.at+1:])), h.content; at != 0; {
		if at < last || at > len(b)-4 {
			return nil, misshapen("page %d: a free block at %d", n, at)
		}
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		if size < 4 || at+size > len(b) {
			return nil, misshapen("page %d: a free block of %d", n, size)
		}
		add(at, at+size)
		last = at + size + 4 // what is nearer would be one block with it
		at = int(binary.BigEndian.Uint16(b[at:]))
	}
	slices.Sort(w.spans)
	fragments, end := 0, h.content
	for _, s := range w.spans {
		from, to := int(s>>32), int(s&0xffffffff)
		if from < end {
			return nil, misshapen("page %d: byte %d is used twice", n, from)
		}
		fragments += from - end
		end = to
	}
	if end > len(b) {
		return nil, misshapen("page %d: a cell beyond its page", n)
	}
	fragments += len(b) - end
	if fragments != int(b[h.at+7]) {
		return nil, misshapen("page %d: %d bytes are lost, not %d", n, fragments, b[h.at+7])
	}
	return cells, nil
}
