package sync

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// responder writes one answer in the dialect of the request.
type responder struct {
	http.ResponseWriter
	rc      *http.ResponseController
	stall   time.Duration
	status  int
	n       int64
	started bool
	abort   bool
}

// guard sets the deadlines of a request: they move on with every byte, so that
// a large body may take as long as it needs and a silent peer may not.
func (w *responder) guard(r *http.Request) {
	if cr, ok := r.Body.(*countingReader); ok {
		var set time.Time
		cr.before = func() {
			if now := time.Now(); now.Sub(set) > w.stall/64 {
				set = now
				_ = w.rc.SetReadDeadline(now.Add(w.stall))
			}
		}
	}
}

// end sends what is buffered while the deadline holds, and then lifts it: the
// connection may serve other handlers.
func (w *responder) end() {
	if !w.abort {
		_ = w.rc.Flush()
	}
	_ = w.rc.SetWriteDeadline(time.Time{})
}

// WriteHeader remembers the status.
func (w *responder) WriteHeader(status int) {
	if w.started {
		return
	}
	w.started, w.status = true, status
	w.ResponseWriter.WriteHeader(status)
}

// Write counts, and gives a peer that takes what it gets more time.
func (w *responder) Write(p []byte) (int, error) {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	_ = w.rc.SetWriteDeadline(time.Now().Add(w.stall))
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// json answers with v as JSON. A value that is an encodedJSON is written as it is.
func (w *responder) json(c *call, v any) error {
	if b, ok := v.(encodedJSON); ok {
		return w.bytes(c, b)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.bytes(c, b)
}

// encodedJSON is an answer that a step encoded by itself.
type encodedJSON []byte

// bytes answers with b.
func (w *responder) bytes(c *call, b []byte) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	if c.zstd() {
		w.Header().Set(originalSizeHeader, strconv.Itoa(len(b)))
		b = encoder().EncodeAll(b, nil)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, err := w.Write(b)
	return err
}

// stream answers with size bytes that src writes.
func (w *responder) stream(c *call, size int64, src func(io.Writer) error) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	if !c.zstd() {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		return src(w)
	}
	w.Header().Set(originalSizeHeader, strconv.FormatInt(size, 10))
	enc, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
	if err != nil {
		return err
	}
	if err := src(enc); err != nil {
		enc.Reset(nil) // nothing more: what was sent must not look whole
		return err
	}
	return enc.Close()
}

// originalSizeHeader gives the length of the decoded body. A protocol 11 client
// fails without it, also on an empty body (docs/protocol.md §3.2).
const originalSizeHeader = "anki-original-size"

// encoder returns the encoder of small answers. EncodeAll may be called by many
// goroutines; it makes as many states as run at once.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // only wrong options can do that
	}
	return e
})

// countingReader counts the bytes of a request's body and runs before ahead of
// every read.
type countingReader struct {
	r      io.ReadCloser
	n      int64
	before func()
}

func (c *countingReader) Read(p []byte) (int, error) {
	if c.before != nil {
		c.before()
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) Close() error { return c.r.Close() }
