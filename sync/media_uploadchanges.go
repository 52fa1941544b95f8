package sync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/ankisyncd/ankisyncd/offheap"
)

// uploadChanges takes a zip of new, changed and deleted files
// (docs/protocol.md §7).
func (s *Server) uploadChanges(w *responder, c *call) error {
	if c.noPayload {
		return badf("uploadChanges: no zip")
	}
	z, size, done, err := c.randomAccess(s.o.MaxMediaZipBytes)
	if err != nil {
		return err
	}
	defer done()
	processed, usn, err := s.o.Media.ApplyZip(c.r.Context(), c.session.User, z, size)
	if err != nil {
		return err
	}
	return w.json(c, mediaResponse{Data: [2]int32{int32(processed), usn}})
}

// zipInMemory is the size up to which a zip is not written to disk on its way, and
// its buffer is kept for the next: clients close a zip when it exceeds 2.5 MiB.
const zipInMemory = 4 << 20

// zipOffHeap is the size up to which that holds for zips with a larger file in
// them, as long as there is room for them. Beyond it a zip is written to disk, and
// its files once more.
const zipOffHeap = 16 << 20

// zipBuffers are kept between uploads: clients send one zip after another.
var zipBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readZip reads up to zipInMemory bytes. A buffer left to itself has room for twice
// as much in the end, and clients do not say how long a zip is.
func readZip(mem *bytes.Buffer, r io.Reader) (int64, error) {
	const begin = zipInMemory / 4
	n, err := mem.ReadFrom(io.LimitReader(r, begin))
	if err != nil || n < begin {
		return n, err
	}
	mem.Grow(zipInMemory - begin + bytes.MinRead)
	more, err := mem.ReadFrom(io.LimitReader(r, zipInMemory-begin))
	return n + more, err
}

// zipBytes is a zip in memory, which media.ApplyZip need not copy.
type zipBytes struct {
	*bytes.Reader
	mem *bytes.Buffer
}

// Bytes is the zip.
func (z zipBytes) Bytes() []byte { return z.mem.Bytes() }

// randomAccess makes the payload readable at any place, as a zip must be, until
// done is called.
func (c *call) randomAccess(limit int64) (r io.ReaderAt, size int64, done func(), err error) {
	nothing := func() {}
	payload := c.payload
	if c.r.ContentLength < zipInMemory {
		mem := zipBuffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
		release := func() {
			mem.Reset()
			zipBuffers.Put(mem)
		}
		n, err := readZip(mem, payload)
		if err != nil {
			release()
			return nil, 0, nothing, err
		}
		if n < zipInMemory {
			return zipBytes{bytes.NewReader(mem.Bytes()), mem}, n, release, nil
		}
		defer release()
		payload = io.MultiReader(mem, payload)
	}
	more := offheap.New()
	n, err := more.ReadFrom(io.LimitReader(payload, zipOffHeap))
	switch {
	case err == nil && n < zipOffHeap:
		return more, n, more.Release, nil
	case err != nil && !errors.Is(err, offheap.ErrFull):
		more.Release()
		return nil, 0, nothing, err
	}
	begin := more.Reader()
	more.Release()
	defer begin.Close()
	f, err := os.CreateTemp(c.s.o.TempDir, ".ankisyncd-spool-*")
	if err != nil {
		return nil, 0, nothing, fmt.Errorf("spool: %w", err)
	}
	// Without its name the file goes with the process, whatever happens to it.
	_ = os.Remove(f.Name())
	done = func() {
		_ = f.Close()
		_ = os.Remove(f.Name()) // where an open file could not be removed
	}
	if size, err = io.Copy(f, io.MultiReader(begin, io.LimitReader(payload, limit+1-n))); err == nil && size > limit {
		err = &statusError{http.StatusRequestEntityTooLarge, "media zip", nil}
	}
	if err != nil {
		done()
		return nil, 0, nothing, err
	}
	return f, size, done, nil
}
