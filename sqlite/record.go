package sqlite

import (
	"encoding/binary"
)

// This file reads the records that are in the cells of a tree (see btree.go).

// record is a row or an index entry.
type record struct {
	w     *walker
	size  int
	local []byte
	next  uint32 // first overflow page, 0 if there is none

	// header, once read
	types  []uint64
	places []int
	whole  bool // these columns are all there are, and fill the record
}

// header reads the types of the first n columns. A record may have fewer
// columns than its table, where a column was added later.
func (r *record) header(n int) error {
	hsize, k := varint(r.local)
	if k == 0 || hsize < uint64(k) || hsize > uint64(r.size) {
		return misshapen("a record without a header")
	}
	if int(hsize) > len(r.local) {
		return errUnknownForm // thousands of columns
	}
	r.types, r.places = r.types[:0], r.places[:0]
	place, at := int(hsize), k
	for at < int(hsize) && len(r.types) < n {
		t, k := varint(r.local[at:hsize])
		if k == 0 {
			return misshapen("a record with a broken header")
		}
		at += k
		size := serialSize(t)
		if size < 0 || place+size > r.size {
			return misshapen("a record with a value beyond its end")
		}
		r.types = append(r.types, t)
		r.places = append(r.places, place)
		place += size
	}
	if len(r.types) < n {
		return errUnknownForm
	}
	r.whole = at == int(hsize) && place == r.size
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
			return nil, misshapen("an overflow chain with a cycle")
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
