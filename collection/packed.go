package collection

import (
	"slices"
	"sync"
	"time"

	"github.com/ankisyncd/ankisyncd/offheap"
)

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
	packed *offheap.Bytes
	size   int64       // of the file, unpacked
	file   identity    // the stored files that it stands for
	ends   *time.Timer // removes it
}

// keep remembers p, a file of size bytes, for what has just been stored for u, if
// it is worth it. The caller holds u's lock.
func (c *packedCopies) keep(u *user, p *offheap.Bytes, size int64) {
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
	p.Hold()
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
	r := k.packed.Reader()
	return &Download{r: r, size: k.size, packed: int64(k.packed.Len()), close: r.Close}
}
