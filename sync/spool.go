package sync

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
)

// spoolInMemory is how much of a body is kept in memory; what is longer is in a
// file.
const spoolInMemory = 256 << 10

// spool keeps the data of a request, as they were sent, until it is known whose
// they are, and while they may be read once more: in memory while they are
// small, then in an unnamed file.
type spool struct {
	what    string // is being read, for errors
	mem     bytes.Buffer
	file    *os.File
	size    int64
	counter *atomic.Int64
	counted int64
}

func (c *call) spool(p io.Reader, what string) (*spool, error) {
	sp := &spool{what: what, counter: &c.s.spooling}
	n, err := sp.mem.ReadFrom(io.LimitReader(p, spoolInMemory))
	sp.size = n
	if err != nil {
		return nil, bodyError(what, err)
	}
	if n < spoolInMemory {
		return sp, nil
	}
	if sp.file, err = os.CreateTemp(c.s.o.TempDir, ".ankisyncd-spool-*"); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	// Without its name the file goes with the process, whatever happens to it.
	_ = os.Remove(sp.file.Name())
	if err := sp.fill(p, 2*c.s.o.MaxUploadBytes); err != nil {
		sp.close()
		return nil, err
	}
	return sp, nil
}

// fill copies the rest of p to the file. The sum of what all requests have
// spooled is bounded: their senders are not known yet.
func (sp *spool) fill(p io.Reader, limit int64) error {
	if _, err := sp.file.Write(sp.mem.Bytes()); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	sp.mem = bytes.Buffer{}
	buf := make([]byte, 64<<10)
	for {
		n, err := p.Read(buf)
		sp.size += int64(n)
		sp.counted += int64(n)
		if sp.counter.Add(int64(n)) > limit {
			return &statusError{http.StatusServiceUnavailable, "too much is being uploaded at once", nil}
		}
		if _, werr := sp.file.Write(buf[:n]); werr != nil {
			return fmt.Errorf("spool: %w", werr)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bodyError(sp.what, err)
		}
	}
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

func (sp *spool) close() {
	sp.counter.Add(-sp.counted)
	sp.counted = 0
	if sp.file != nil {
		_ = sp.file.Close()
		_ = os.Remove(sp.file.Name()) // where an open file could not be removed
	}
}
