package collection

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"time"
)

// Packed is a file as it came over the wire, compressed, in pieces.
type Packed [][]byte

func (p Packed) size() int {
	n := 0
	for _, b := range p {
		n += len(b)
	}
	return n
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
	packed Packed
	size   int64       // of the file, unpacked
	file   identity    // the stored files that it stands for
	ends   *time.Timer // drops it; it also holds it
}

// keep remembers p, a file of size bytes, for what has just been stored for u, if
// it is worth it. The caller holds u's lock.
func (c *packedCopies) keep(u *user, p Packed, size int64) {
	meta := u.meta.Load()
	total := p.size()
	if total == 0 || total > MaxPacked || meta == nil || meta.file.main.Size() != size {
		return
	}
	k := &packedCopy{user: u, packed: p, size: size, file: meta.file}
	c.forget(u)
	c.mu.Lock()
	defer c.mu.Unlock()
	keep := len(c.all) // from here on there is room
	for ; keep > 0; keep-- {
		if total += c.all[keep-1].packed.size(); total > MaxPacked {
			break
		}
	}
	for _, old := range c.all[:keep] {
		old.ends.Stop()
	}
	k.ends = time.AfterFunc(packedFor, func() {
		c.remove(func(old *packedCopy) bool { return old == k })
	})
	c.all = append(slices.Delete(c.all, 0, keep), k)
}

// forget drops what is kept of u.
func (c *packedCopies) forget(u *user) {
	c.remove(func(k *packedCopy) bool { return k.user == u })
}

func (c *packedCopies) remove(which func(*packedCopy) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = slices.DeleteFunc(c.all, func(k *packedCopy) bool {
		if !which(k) {
			return false
		}
		k.ends.Stop()
		return true
	})
}

// download returns u's collection as it is kept, or nil if it is not, or if
// anything has been written to the collection since. The caller holds u's lock.
func (c *packedCopies) download(u *user) *Download {
	c.mu.Lock()
	i := slices.IndexFunc(c.all, func(k *packedCopy) bool { return k.user == u })
	var k *packedCopy
	if i >= 0 {
		k = c.all[i]
	}
	c.mu.Unlock()
	if k == nil {
		return nil
	}
	if !k.file.equal(fileIdentity(u.path())) {
		c.forget(u)
		return nil
	}
	pieces := make([]io.Reader, len(k.packed))
	for i, b := range k.packed {
		pieces[i] = bytes.NewReader(b)
	}
	return &Download{r: io.MultiReader(pieces...), size: k.size, packed: true, close: func() error { return nil }}
}
