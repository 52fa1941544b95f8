package sync

import (
	"io"

	"github.com/ankisyncd/ankisyncd/collection"
)

// download hands out the whole collection (docs/protocol.md §6.10): as it is
// stored to clients of protocol 11, as schema 11 to the others. What the
// message says does not matter; some clients send none.
func (s *Server) download(w *responder, c *call) error {
	d, err := s.o.Collections.Download(c.r.Context(), c.session.User, collection.DownloadOptions{
		Schema11: !c.zstd(), TextIDs: textIDs(c.client), Packed: true,
	})
	if err != nil {
		return err
	}
	defer d.Close()
	if n := d.PackedSize(); n > 0 {
		return w.compressed(d.Size(), n, d)
	}
	return w.stream(c, d.Size(), false, func(dst io.Writer) error {
		_, err := io.CopyBuffer(onlyWriter{dst}, d, make([]byte, 128<<10))
		return err
	})
}

// onlyWriter hides other methods, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
