package sync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"sync"
)

const (
	// spoolBuffer is what is read at once on the way to a file, bytes, and
	// spoolBufferLess where memory is short.
	spoolBuffer     = 64 << 10
	spoolBufferLess = 8 << 10
	// spoolUncounted is what anybody may send, bytes: a login is less, and must not
	// fail because strangers hold all that they may. It takes little more memory
	// than reading to a file does.
	spoolUncounted = 8 << 10
	// strangersMemory bounds what is held in memory of requests whose senders are
	// not known yet, bytes: buffers of forms, and data that are not in files.
	strangersMemory = 16 << 20
)

// errSpooling: clients say "try again later".
var errSpooling = &statusError{http.StatusServiceUnavailable, "too much is being uploaded at once", nil}

// spoolShares bound the bytes of spools in files: all together, and each owner's.
type spoolShares struct {
	limit, each int64

	mu    sync.Mutex
	total int64
	of    map[string]int64
}

func newSpoolShares(limit, each int64) spoolShares {
	return spoolShares{limit: limit, each: each, of: map[string]int64{}}
}

// add counts n bytes more, or none and is false if they are too many.
func (s *spoolShares) add(owner string, n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total+n > s.limit || s.of[owner]+n > s.each {
		return false
	}
	s.count(owner, n)
	return true
}

// force counts n bytes that are there already.
func (s *spoolShares) force(owner string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count(owner, n)
}

// give gives n bytes back.
func (s *spoolShares) give(owner string, n int64) { s.force(owner, -n) }

// count does it. Called with mu held.
func (s *spoolShares) count(owner string, n int64) {
	s.total += n
	if s.of[owner] += n; s.of[owner] == 0 {
		delete(s.of, owner)
	}
}

// networkOf is what counts as one stranger: an address, or an IPv6 /64.
func networkOf(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addrText(a)
}

// stranger reports whether it is not known yet who sent the request.
func (c *call) stranger() bool { return c.session.User == "" }

// reserve takes n bytes of the memory that strangers have, if they are left.
func (c *call) reserve(n int64) bool {
	if c.s.strangersHold.Add(n) > strangersMemory {
		c.s.strangersHold.Add(-n)
		return false
	}
	c.reserved += n
	return true
}

// unreserve gives back all that was reserved.
func (c *call) unreserve() {
	c.s.strangersHold.Add(-c.reserved)
	c.reserved = 0
}

// spoolInMemory is how much of a body is kept in memory; what is longer is in a
// file.
const spoolInMemory = 256 << 10

// inMemory is spoolInMemory, or more for a zip of media: up to 2.1.56 clients send
// the key behind it, and say how long all of it is. An ordinary one has 25 files.
func (c *call) inMemory() int64 {
	if n := c.r.ContentLength; c.step.name == "uploadChanges" && n < zipInMemory {
		return max(n, spoolInMemory)
	}
	return spoolInMemory
}

// spool keeps the data of a request, as they were sent, until it is known whose
// they are, and while they may be read once more: in memory while they are
// small, then in an unnamed file.
type spool struct {
	what string // is being read, for errors
	mem  bytes.Buffer
	file *os.File
	size int64
	// shares, owner, counted: how many bytes of the file count as whose.
	shares  *spoolShares
	owner   string
	counted int64
}

func (c *call) spool(p io.Reader, what string) (*spool, error) {
	sp := &spool{what: what, shares: &c.s.spooled, owner: c.session.User}
	buffer, most := int64(spoolBuffer), c.inMemory()
	if c.stranger() {
		sp.shares, sp.owner = &c.s.strangers, networkOf(c.addr)
		n, err := sp.mem.ReadFrom(io.LimitReader(p, spoolUncounted))
		sp.size = n
		if err != nil {
			return nil, bodyError(what, err)
		}
		if n < spoolUncounted {
			return sp, nil
		}
		need := 2 * most // as a buffer grows
		if n := c.r.ContentLength; n >= 0 && n < most {
			need = 2 * n
		}
		if !c.reserve(need) {
			return sp, c.spoolToFile(sp, p, spoolBufferLess)
		}
		buffer = min(buffer, need)
	}
	n, err := sp.mem.ReadFrom(io.LimitReader(p, most-sp.size))
	sp.size += n
	if err != nil {
		return nil, bodyError(what, err)
	}
	if sp.size < most {
		return sp, nil
	}
	return sp, c.spoolToFile(sp, p, buffer)
}

// spoolToFile reads p on, through so large a buffer, to a file. If it fails sp is
// closed.
func (c *call) spoolToFile(sp *spool, p io.Reader, buffer int64) (err error) {
	if sp.file, err = os.CreateTemp(c.s.o.TempDir, ".ankisyncd-spool-*"); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	// Without its name the file goes with the process, whatever happens to it.
	_ = os.Remove(sp.file.Name())
	if err := sp.fill(p, make([]byte, buffer)); err != nil {
		sp.close()
		return err
	}
	return nil
}

// fill copies the rest of p to the file.
func (sp *spool) fill(p io.Reader, buf []byte) error {
	if err := sp.write(sp.mem.Bytes()); err != nil {
		return err
	}
	sp.mem = bytes.Buffer{}
	for {
		n, err := p.Read(buf)
		sp.size += int64(n)
		if werr := sp.write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bodyError(sp.what, err)
		}
	}
}

// write appends to the file, and counts.
func (sp *spool) write(b []byte) error {
	if !sp.shares.add(sp.owner, int64(len(b))) {
		return errSpooling
	}
	sp.counted += int64(len(b))
	if _, err := sp.file.Write(b); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// known says whose the spool is, once that is known.
func (sp *spool) known(shares *spoolShares, user string) {
	sp.shares.give(sp.owner, sp.counted)
	sp.shares, sp.owner = shares, user
	shares.force(user, sp.counted)
}

func (sp *spool) reader() (io.Reader, error) {
	if sp.file == nil {
		return bytes.NewReader(sp.mem.Bytes()), nil
	}
	if _, err := sp.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return sp.file, nil
}

// close may be called twice.
func (sp *spool) close() {
	sp.shares.give(sp.owner, sp.counted)
	sp.counted = 0
	if sp.file != nil {
		_ = sp.file.Close()
		_ = os.Remove(sp.file.Name()) // where an open file could not be removed
	}
}
