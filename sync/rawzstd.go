package sync

import (
	"encoding/binary"
	"io"
)

// Raw zstd: frames whose blocks are stored as they are. An answer of a few
// hundred bytes shrinks by less than a packet holds, and pictures and sounds are
// compressed already; finding that out costs the server more than all the rest
// of such a request.

const (
	zstdMagic   = 0xFD2FB528
	rawBlock    = 128 << 10 // the largest that the format allows (RFC 8878 §3.1.1.2)
	rawWindow   = 7 << 3    // window descriptor of 128 KiB
	blockHeader = 3
)

// smallAnswer is the size up to which a JSON answer is not compressed, in bytes.
const smallAnswer = 512

// rawFrame is b as one raw frame; len(b) is at most rawBlock.
func rawFrame(b []byte) []byte {
	f := make([]byte, 0, len(b)+9)
	f = binary.LittleEndian.AppendUint32(f, zstdMagic)
	f = append(f, 0, rawWindow) // no content size, no checksum, no dictionary
	f = appendBlockHeader(f, len(b), true)
	return append(f, b...)
}

// appendBlockHeader appends the header of a raw block of n bytes.
func appendBlockHeader(b []byte, n int, last bool) []byte {
	h := uint32(n) << 3 //nolint:gosec // at most rawBlock
	if last {
		h |= 1
	}
	return append(b, byte(h), byte(h>>8), byte(h>>16))
}

// rawWriter writes a stream as a raw frame.
type rawWriter struct {
	w   io.Writer
	buf []byte // header of the frame if it is to come, header of a block, its bytes
	at  int    // where the block's header is
	err error
}

func newRawWriter(w io.Writer) *rawWriter {
	r := &rawWriter{w: w, buf: make([]byte, 0, 6+blockHeader+rawBlock)}
	r.buf = binary.LittleEndian.AppendUint32(r.buf, zstdMagic)
	r.buf = append(r.buf, 0, rawWindow)
	r.at = len(r.buf)
	r.buf = append(r.buf, 0, 0, 0)
	return r
}

// rawSize is the length of a raw frame of n bytes.
func rawSize(n int64) int64 {
	blocks := max(1, (n+rawBlock-1)/rawBlock)
	return 6 + blocks*blockHeader + n
}

// Write implements io.Writer.
func (r *rawWriter) Write(p []byte) (int, error) {
	n := 0
	for r.err == nil && n < len(p) {
		room := rawBlock - (len(r.buf) - r.at - blockHeader)
		if room == 0 {
			r.block(false)
			continue
		}
		k := min(room, len(p)-n)
		r.buf = append(r.buf, p[n:n+k]...)
		n += k
	}
	return n, r.err
}

// Close ends the frame.
func (r *rawWriter) Close() error {
	if r.err == nil {
		r.block(true)
	}
	return r.err
}

// block sends what is gathered.
func (r *rawWriter) block(last bool) {
	appendBlockHeader(r.buf[r.at:r.at], len(r.buf)-r.at-blockHeader, last)
	_, r.err = r.w.Write(r.buf)
	r.at = 0
	r.buf = append(r.buf[:0], 0, 0, 0)
}
