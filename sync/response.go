package sync

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// responder writes one answer in the dialect of the request.
type responder struct {
	http.ResponseWriter
	status  int
	n       int64
	started bool
	abort   bool
	// told: the answer is whole, and says itself what failed.
	told bool
}

// WriteHeader remembers the status.
func (w *responder) WriteHeader(status int) {
	if w.started {
		return
	}
	w.started, w.status = true, status
	w.ResponseWriter.WriteHeader(status)
}

// Write counts.
func (w *responder) Write(p []byte) (int, error) {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	if err != nil {
		err = answerError(err)
	}
	return n, err
}

// answerError is an error of sending an answer: what became of the client, unless
// the answer is not what its head has promised.
func answerError(err error) error {
	switch {
	case errors.Is(err, http.ErrContentLength), errors.Is(err, http.ErrBodyNotAllowed):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return bad("the client took no more of the answer", err)
	}
	return bad("the client was gone before it had its answer", err)
}

// flush sends what was written so far.
func (w *responder) flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// json answers with v as JSON. What is encoded already is written as it is.
func (w *responder) json(c *call, v any) error {
	switch v := v.(type) {
	case encodedJSON:
		return w.bytes(c, v)
	case *encodedAnswer:
		return w.encoded(c, v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.bytes(c, b)
}

// encodedJSON is an answer that a step encoded by itself.
type encodedJSON []byte

// encodedAnswer is an answer as it is sent.
type encodedAnswer struct {
	body []byte
	size int // before it was compressed
}

func encodeAnswer(b []byte, zstd bool) *encodedAnswer {
	a := &encodedAnswer{body: b, size: len(b)}
	switch {
	case !zstd:
	case len(b) <= smallAnswer:
		a.body = rawFrame(b)
	default:
		a.body = encoder().EncodeAll(b, nil)
	}
	return a
}

// bytes answers with b.
func (w *responder) bytes(c *call, b []byte) error {
	return w.encoded(c, encodeAnswer(b, c.zstd()))
}

func (w *responder) encoded(c *call, a *encodedAnswer) error {
	head := w.Header()
	sizes := []string{strconv.Itoa(len(a.body)), ""}
	head["Content-Type"] = octetStream
	head["Content-Length"] = sizes[:1:1]
	if c.zstd() {
		sizes[1] = strconv.Itoa(a.size)
		head[canonicalOriginalSize] = sizes[1:]
	}
	_, err := w.Write(a.body)
	return err
}

// stream answers with size bytes that src writes; packed says that compressing
// them would be in vain. Nor are they compressed where the answer must have a
// length: over HTTP/1.0, which nginx speaks unless told otherwise, nothing else tells a whole
// answer from one that was cut, and clients take what they have got of a
// collection for all of it.
func (w *responder) stream(c *call, size int64, packed bool, src func(io.Writer) error) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	if !c.zstd() {
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		return src(w)
	}
	w.Header().Set(originalSizeHeader, strconv.FormatInt(size, 10))
	if packed || !c.r.ProtoAtLeast(1, 1) {
		w.Header().Set("Content-Length", strconv.FormatInt(rawSize(size), 10))
		raw := newRawWriter(w)
		if err := src(raw); err != nil {
			return err // and no end to the frame: what was sent must not look whole
		}
		return raw.Close()
	}
	enc, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(min(2, runtime.GOMAXPROCS(0))), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
	if err != nil {
		return err
	}
	if err := src(enc); err != nil {
		enc.Reset(nil) // nothing more: what was sent must not look whole
		return err
	}
	return enc.Close()
}

// compressed answers with size bytes that src yields as a zstd frame of length
// bytes.
func (w *responder) compressed(size, length int64, src io.Reader) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set(originalSizeHeader, strconv.FormatInt(size, 10))
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	_, err := io.Copy(w, src)
	return err
}

// originalSizeHeader gives the length of the decoded body. A protocol 11 client
// fails without it, also on an empty body (docs/protocol.md §3.2).
const originalSizeHeader = "anki-original-size"

var (
	octetStream           = []string{"application/octet-stream"} // shared, never written to
	canonicalOriginalSize = http.CanonicalHeaderKey(originalSizeHeader)
)

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

// countingReader counts the bytes of a request's body.
type countingReader struct {
	r io.ReadCloser
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) Close() error { return c.r.Close() }
