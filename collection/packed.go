package collection

import (
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Packed is a file as it came over the wire, compressed. It lies outside of the
// garbage collector's heap, which would take as much again for it: who makes one,
// or gets hold of one, releases it.
type Packed struct {
	refs   atomic.Int32
	pieces [][]byte // each is full but the last
	n      int
}

// NewPacked returns an empty Packed, held once.
func NewPacked() *Packed {
	p := &Packed{}
	p.refs.Store(1)
	return p
}

// packedPiece is the size of a piece, in bytes.
const packedPiece = 256 << 10

// Append adds a copy of b. After an error, which may say that there are too many
// of them, there is no more to do with p than to release it.
func (p *Packed) Append(b []byte) error {
	for len(b) > 0 {
		last := len(p.pieces) - 1
		if last < 0 || len(p.pieces[last]) == packedPiece {
			room, err := newPiece()
			if err != nil {
				return err
			}
			p.pieces = append(p.pieces, room[:0])
			last++
		}
		part := b[:min(len(b), packedPiece-len(p.pieces[last]))]
		p.pieces[last] = append(p.pieces[last], part...)
		p.n += len(part)
		b = b[len(part):]
	}
	return nil
}

// Len is the number of bytes.
func (p *Packed) Len() int { return p.n }

// ReadAt implements io.ReaderAt.
func (p *Packed) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	for n < len(b) && off+int64(n) < int64(p.n) {
		at := int(off) + n
		n += copy(b[n:], p.pieces[at/packedPiece][at%packedPiece:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (p *Packed) hold() { p.refs.Add(1) }

// Release gives up one hold. After the last nothing of it may be used.
func (p *Packed) Release() {
	if p.refs.Add(-1) != 0 {
		return
	}
	for _, b := range p.pieces {
		unmapPiece(b[:packedPiece])
		packedBytes.Add(-packedPiece)
	}
	p.pieces, p.n = nil, 0
}

// packedBytes is what all of them take.
var packedBytes atomic.Int64

// PackedBytes is the memory that all Packed take, in bytes.
func PackedBytes() int64 { return packedBytes.Load() }

// maxPackedBytes bounds what is kept and what arrives: however many clients upload
// at once, and however slowly.
const maxPackedBytes = 2 * MaxPacked

var errPackedFull = errors.New("collection: too many packed files")

func newPiece() ([]byte, error) {
	if packedBytes.Add(packedPiece) > maxPackedBytes {
		packedBytes.Add(-packedPiece)
		return nil, errPackedFull
	}
	b, err := mapPiece(packedPiece)
	if err != nil {
		packedBytes.Add(-packedPiece)
	}
	return b, err
}

// packedReader reads a Packed once, and holds it until it is closed.
type packedReader struct {
	p  *Packed // nil once it is closed
	at int64
}

func (p *Packed) reader() *packedReader {
	p.hold()
	return &packedReader{p: p}
}

// Read implements io.Reader.
func (r *packedReader) Read(b []byte) (int, error) {
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
func (r *packedReader) Close() error {
	if r.p != nil {
		r.p.Release()
		r.p = nil
	}
	return nil
}

// Limits of what is kept, in bytes and time. One device uploads and the next one
// downloads a minute later: packing a collection is most of the work of handing it
// out, and the first device has done it.
const (
	// MaxPacked bounds the packed forms that are kept, all together.
	MaxPacked = 16 << 20
	packedFor = 10 * time.Minute
)

// packedCopies are the packed forms of collections that are stored as they were
// uploaded, oldest first. The zero value is empty.
type packedCopies struct {
	mu  sync.Mutex
	all []*packedCopy
}

type packedCopy struct {
	user   *user
	packed *Packed
	size   int64       // of the file, unpacked
	file   identity    // the stored files that it stands for
	ends   *time.Timer // removes it
}

// keep remembers p, a file of size bytes, for what has just been stored for u, if
// it is worth it. The caller holds u's lock.
func (c *packedCopies) keep(u *user, p *Packed, size int64) {
	meta := u.meta.Load()
	if p == nil || p.Len() == 0 || p.Len() > MaxPacked || meta == nil || meta.file.main.Size() != size {
		return
	}
	c.forget(u)
	c.mu.Lock()
	defer c.mu.Unlock()
	total := p.Len()
	for _, k := range slices.Backward(c.all) {
		if total += k.packed.Len(); total > MaxPacked {
			k.user = nil // it and what is older goes
		}
	}
	c.removeLocked(func(k *packedCopy) bool { return k.user == nil })
	p.hold()
	k := &packedCopy{user: u, packed: p, size: size, file: meta.file}
	k.ends = time.AfterFunc(packedFor, func() {
		c.remove(func(old *packedCopy) bool { return old == k })
	})
	c.all = append(c.all, k)
}

// forget drops what is kept of u.
func (c *packedCopies) forget(u *user) {
	c.remove(func(k *packedCopy) bool { return k.user == u })
}

// forgetAll drops everything.
func (c *packedCopies) forgetAll() {
	c.remove(func(*packedCopy) bool { return true })
}

func (c *packedCopies) remove(which func(*packedCopy) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.removeLocked(which)
}

func (c *packedCopies) removeLocked(which func(*packedCopy) bool) {
	c.all = slices.DeleteFunc(c.all, func(k *packedCopy) bool {
		if !which(k) {
			return false
		}
		k.ends.Stop()
		k.packed.Release()
		return true
	})
}

// download returns u's collection as it is kept, or nil if it is not, or if
// anything has been written to the collection since. The caller holds u's lock.
func (c *packedCopies) download(u *user) *Download {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.all, func(k *packedCopy) bool { return k.user == u })
	if i < 0 {
		return nil
	}
	k := c.all[i]
	if !k.file.equal(fileIdentity(u.path())) {
		c.removeLocked(func(old *packedCopy) bool { return old == k })
		return nil
	}
	r := k.packed.reader()
	return &Download{r: r, size: k.size, packed: true, close: r.Close}
}
