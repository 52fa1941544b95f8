package sync

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/offheap"
)

// keptBody passes a body on and keeps a copy of it, unless it is larger than
// collection.MaxPacked. Close it.
type keptBody struct {
	r     io.Reader
	body  *offheap.Bytes // nil if there is too much of it
	ended bool
}

func newKeptBody(r io.Reader) *keptBody { return &keptBody{r: r, body: offheap.New()} }

// Read implements io.Reader.
func (k *keptBody) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	k.ended = errors.Is(err, io.EOF)
	if k.body != nil && (k.body.Len()+n > collection.MaxPacked || k.body.Append(p[:n]) != nil) {
		k.close() // the copy is a convenience
	}
	return n, err
}

func (k *keptBody) close() {
	if k.body != nil {
		k.body.Release()
		k.body = nil
	}
}

// packed is the whole body if it is a single zstd frame, which is what a client
// expects of an answer; else nil.
func (k *keptBody) packed() *offheap.Bytes {
	if !k.ended || k.body == nil || !oneFrame(k.body, k.body.Len()) {
		return nil
	}
	return k.body
}

// oneFrame reports whether r is one zstd frame of n bytes, and nothing else.
func oneFrame(r io.ReaderAt, n int) bool { return walkFrame(r, func(int, int) {}) == n }

// walkFrame goes through the blocks of the frame that r begins with and returns
// where it ends, or -1 (RFC 8878 §3.1.1). block gets the kind of each, and how many
// bytes it has: unpacked, unless it is compressed.
func walkFrame(r io.ReaderAt, block func(kind, size int)) (end int) {
	var h zstd.Header
	head := make([]byte, zstd.HeaderMaxSize)
	k, _ := r.ReadAt(head, 0) // less if there is less
	if err := h.Decode(head[:k]); err != nil || h.Skippable {
		return -1
	}
	for at := h.HeaderSize; ; {
		var b [4]byte
		if k, _ := r.ReadAt(b[:blockHeader], int64(at)); k < blockHeader {
			return -1
		}
		header := binary.LittleEndian.Uint32(b[:])
		kind, size := int(header>>1&3), int(header>>3)
		block(kind, size)
		if kind == rleBlock {
			size = 1
		}
		at += blockHeader + size
		if header&1 == 0 {
			continue
		}
		if h.HasCheckSum {
			at += 4
		}
		return at
	}
}

// Kinds of blocks (RFC 8878 §3.1.1.2.2).
const (
	rleBlock        = 1 // one byte repeated
	compressedBlock = 2
)
