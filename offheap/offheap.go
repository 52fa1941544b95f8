// Package offheap has bytes outside of the garbage collector's heap, which would
// take as much again for them and keep it for long: what one request, or a copy
// that is kept, takes is given back to the system at once or, if it is not much,
// two seconds later, for the next request. All of them together are bounded.
//
// It stands at the bottom and imports nothing of ours.
package offheap

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"
)

// Limit bounds all Bytes of the process together, in bytes.
const Limit = 32 << 20

// ErrFull says that all Bytes together have reached Limit, or that the system has
// no memory left for them.
var ErrFull = errors.New("offheap: too much memory in use")

// pieceSize is the size of a piece, in bytes.
const pieceSize = 256 << 10

// Bytes grow at their end. Who makes them, or gets hold of them, releases them.
// Reading is safe at any time, writing only by one and before anybody reads.
type Bytes struct {
	refs   atomic.Int32
	pieces [][]byte // each is full but the last
	n      int
}

// New returns no bytes, held once.
func New() *Bytes {
	p := &Bytes{}
	p.refs.Store(1)
	return p
}

// inUse is what all of them take.
var inUse atomic.Int64

// InUse is the memory that all Bytes take, in bytes.
func InUse() int64 { return inUse.Load() }

// room returns the last piece's index, after adding one if it is full.
func (p *Bytes) room() (int, error) {
	last := len(p.pieces) - 1
	if last >= 0 && len(p.pieces[last]) < pieceSize {
		return last, nil
	}
	if inUse.Add(pieceSize) > Limit {
		inUse.Add(-pieceSize)
		return 0, ErrFull
	}
	b := spare.take()
	if b == nil {
		var err error
		if b, err = mapPiece(pieceSize); err != nil {
			inUse.Add(-pieceSize)
			return 0, fmt.Errorf("%w: %v", ErrFull, err)
		}
	}
	p.pieces = append(p.pieces, b[:0])
	return last + 1, nil
}

// Append adds a copy of b. After an error, which may be ErrFull, a part of it may
// have been added.
func (p *Bytes) Append(b []byte) error {
	for len(b) > 0 {
		last, err := p.room()
		if err != nil {
			return err
		}
		part := b[:min(len(b), pieceSize-len(p.pieces[last]))]
		p.pieces[last] = append(p.pieces[last], part...)
		p.n += len(part)
		b = b[len(part):]
	}
	return nil
}

// ReadFrom adds what r has until its end. After ErrFull the rest is still to be
// read from r.
func (p *Bytes) ReadFrom(r io.Reader) (int64, error) {
	var n int64
	for {
		last, err := p.room()
		if err != nil {
			return n, err
		}
		piece := p.pieces[last]
		k, err := r.Read(piece[len(piece):pieceSize])
		p.pieces[last] = piece[:len(piece)+k]
		p.n += k
		n += int64(k)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// Len is the number of bytes.
func (p *Bytes) Len() int { return p.n }

// ReadAt implements io.ReaderAt.
func (p *Bytes) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	n := 0
	for n < len(b) && off+int64(n) < int64(p.n) {
		at := int(off) + n
		n += copy(b[n:], p.pieces[at/pieceSize][at%pieceSize:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Hold is one more Release to come.
func (p *Bytes) Hold() { p.refs.Add(1) }

// Release gives up one hold. After the last nothing of the bytes may be used.
func (p *Bytes) Release() {
	if p.refs.Add(-1) != 0 {
		return
	}
	for _, b := range p.pieces {
		spare.put(b[:pieceSize])
		inUse.Add(-pieceSize)
	}
	p.pieces, p.n = nil, 0
}

// spare are pieces that nobody uses. Zips of media come one after the other, and
// the system fills each page that it hands out with zeros.
var spare spares

// maxSpare is how many there are at most (8 MiB), and spareFor for how long.
const (
	maxSpare = 32
	spareFor = 2 * time.Second
)

type spares struct {
	mu     sync.Mutex
	pieces [][]byte
}

// take returns a piece, nil if there is none. What is in it means nothing.
func (s *spares) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.pieces) - 1
	if last < 0 {
		return nil
	}
	b := s.pieces[last]
	s.pieces = s.pieces[:last]
	return b
}

func (s *spares) put(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pieces) == maxSpare {
		unmapPiece(b)
		return
	}
	if s.pieces = append(s.pieces, b); len(s.pieces) == 1 {
		time.AfterFunc(spareFor, s.drop)
	}
}

// drop gives all of them back to the system.
func (s *spares) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.pieces {
		unmapPiece(b)
	}
	s.pieces = nil
}

// reader reads Bytes once, and holds them until it is closed.
type reader struct {
	p  *Bytes // nil once it is closed
	at int64
}

// Reader returns a reader from the beginning, which holds the bytes until it is
// closed.
func (p *Bytes) Reader() io.ReadCloser {
	p.Hold()
	return &reader{p: p}
}

// Read implements io.Reader.
func (r *reader) Read(b []byte) (int, error) {
	if r.p == nil {
		return 0, fs.ErrClosed
	}
	n, err := r.p.ReadAt(b, r.at)
	r.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Close gives up the hold.
func (r *reader) Close() error {
	if r.p != nil {
		r.p.Release()
		r.p = nil
	}
	return nil
}
