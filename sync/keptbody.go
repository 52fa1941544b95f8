package sync

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/collection"
)

// keptBody passes a body on and keeps a copy of it, in pieces, unless it is
// larger than collection.MaxPacked.
type keptBody struct {
	r      io.Reader
	pieces collection.Packed
	n      int
	ended  bool
}

const keptPiece = 64 << 10

// Read implements io.Reader.
func (k *keptBody) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	k.ended = errors.Is(err, io.EOF)
	if k.n += n; k.n > collection.MaxPacked {
		k.pieces = nil
		return n, err
	}
	for b := p[:n]; len(b) > 0; {
		last := len(k.pieces) - 1
		if last < 0 || len(k.pieces[last]) == keptPiece {
			k.pieces = append(k.pieces, make([]byte, 0, keptPiece))
			last++
		}
		part := b[:min(len(b), keptPiece-len(k.pieces[last]))]
		k.pieces[last] = append(k.pieces[last], part...)
		b = b[len(part):]
	}
	return n, err
}

// packed is the whole body if it is a single zstd frame, which is what a client
// expects of an answer; else nil.
func (k *keptBody) packed() collection.Packed {
	if !k.ended || len(k.pieces) == 0 || !k.oneFrame() {
		return nil
	}
	return k.pieces
}

// oneFrame walks the blocks of the frame to its end (RFC 8878 §3.1.1). What it is
// asked of was decoded already.
func (k *keptBody) oneFrame() bool {
	var h zstd.Header
	if err := h.Decode(k.pieces[0]); err != nil || h.Skippable {
		return false
	}
	for at := h.HeaderSize; ; {
		var b [4]byte
		if k.at(b[:blockHeader], at) < blockHeader {
			return false
		}
		head := binary.LittleEndian.Uint32(b[:])
		size := int(head >> 3)
		if head>>1&3 == rleBlock {
			size = 1
		}
		at += blockHeader + size
		if head&1 == 0 {
			continue
		}
		if h.HasCheckSum {
			at += 4
		}
		return at == k.n
	}
}

const rleBlock = 1 // a block of one byte repeated (RFC 8878 §3.1.1.2.2)

// at copies the bytes from off on to p and returns how many there are.
func (k *keptBody) at(p []byte, off int) int {
	n := 0
	for n < len(p) && off+n < k.n {
		p[n] = k.pieces[(off+n)/keptPiece][(off+n)%keptPiece]
		n++
	}
	return n
}
