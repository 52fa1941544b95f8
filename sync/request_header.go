package sync

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/collection"
)

// syncHeader carries the fields of a protocol 11 request.
const syncHeader = "anki-sync"

// readHeader reads the header of a protocol 11 request and prepares its body
// (docs/protocol.md §3.2). Nobody's body is read before it is known whose it is.
func (c *call) readHeader() error {
	var h headerFields
	if text := c.r.Header.Get(syncHeader); !h.plain(text) {
		h = headerFields{}
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			return bad("anki-sync header", err)
		}
	}
	if h.V == nil || h.K == nil || h.C == nil || h.S == nil {
		return badf("anki-sync header lacks a key")
	}
	if *h.V < minProtocol || *h.V > maxProtocol {
		return badf("anki-sync header of version %d", *h.V)
	}
	c.header, c.version, c.hkey, c.client, c.skey = true, *h.V, *h.K, *h.C, *h.S
	if err := c.authenticate(); err != nil {
		return err
	}
	body := http.MaxBytesReader(nil, c.r.Body, c.wireLimit())
	if (c.step.message != nil || c.step.limit > 0) && c.r.ContentLength <= tinyBody {
		return c.readTiny(body)
	}
	return c.readZstd(body)
}

// tinyBody is the size up to which a body is decoded in one go, in bytes: as a
// stream a status check's few words cost twice as much (BenchmarkFewWords).
const tinyBody = 1 << 10

// readTiny reads a body that is tiny, if it is: clients do not say how long theirs
// are. All that is wrong or large about it is left to readZstd.
func (c *call) readTiny(body io.Reader) error {
	room := tinyRooms.Get().(*[tinyBody + 1]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer tinyRooms.Put(room)
	b, err := room[:0], error(nil)
	for err == nil && len(b) < len(room) {
		var n int
		n, err = body.Read(room[len(b):])
		b = room[:len(b)+n]
	}
	if errors.Is(err, io.EOF) {
		msg, err := wholeDecoder().DecodeAll(b, make([]byte, 0, tinyRatio*len(b)))
		if err == nil && int64(len(msg)) <= c.messageLimit() {
			c.whole = msg
			return nil
		}
	}
	return c.readZstd(io.MultiReader(bytes.NewReader(bytes.Clone(b)), body))
}

var tinyRooms = sync.Pool{New: func() any { return new([tinyBody + 1]byte) }}

// tinyRatio is how many times its size a tiny body may unpack to.
const tinyRatio = 8

// wholeDecoder decodes in one go, for many at once, no more than there is room for.
// Clients declare a window of 2 MiB, whatever they send.
var wholeDecoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		panic(err) // only wrong options can do that
	}
	return d
})

func (c *call) readZstd(body io.Reader) error {
	if c.step.mayBeLarge() {
		data, err := c.spool(body, "zstd body")
		if err != nil {
			return err
		}
		c.closers = append(c.closers, data.close)
		if c.readSmall(data) {
			return nil
		}
		dec := c.decoder()
		c.again = func() (io.Reader, error) {
			r, err := data.reader()
			if err != nil {
				return nil, err
			}
			return unzstd(dec, r)
		}
		c.payload, err = c.again()
		return err
	}
	if c.step.name == "upload" && c.r.ContentLength <= collection.MaxPacked {
		c.kept = newKeptBody(body)
		c.closers = append(c.closers, c.kept.close)
		body = c.kept
	}
	var err error
	c.payload, err = unzstd(c.decoder(), body)
	return err
}

// readSmall decodes what is in memory in one go, if it is a small message: as a
// stream each takes the window that clients declare, 2 MiB, whatever they send, and
// holds it until the request has ended. All that is wrong or large about it is left
// to the stream.
func (c *call) readSmall(data *spool) bool {
	if data.file != nil {
		return false
	}
	b := data.mem.Bytes()
	most := min(c.messageLimit(), smallMessage)
	room := min(most, blocksHold(b), max(smallRatio*int64(len(b)), 2*zstdBlock))
	msg, err := wholeDecoder().DecodeAll(b, make([]byte, 0, room))
	if err != nil || int64(len(msg)) > most {
		return false
	}
	c.whole = msg
	return true
}

const (
	// smallRatio is how many times its size a body may unpack to in one go, if that
	// is more than two blocks.
	smallRatio = 16
	zstdBlock  = 128 << 10 // the most that a block holds, unpacked (RFC 8878 §3.1.1.2)
)

// blocksHold is the most that the first frame of b can unpack to, or 0.
func blocksHold(b []byte) (most int64) {
	_ = walkFrame(bytes.NewReader(b), func(kind, size int) {
		if kind == compressedBlock {
			size = zstdBlock
		}
		most += int64(size)
	})
	return most
}

// decoder is one of those that are kept, until the call is closed.
func (c *call) decoder() *bodyDecoder {
	dec := decoders.Get().(*bodyDecoder) //nolint:forcetypeassert // the pool holds nothing else
	c.closers = append(c.closers, func() {
		// Resetting lets go of the body. What has unpacked a collection has a
		// window of megabytes by now, and is dropped; zips of media come one
		// after the other.
		dec.in.Reset(nil)
		if err := dec.Reset(nil); err == nil && c.step.name != "upload" {
			decoders.Put(dec)
		}
	})
	return dec
}

func unzstd(dec *bodyDecoder, r io.Reader) (io.Reader, error) {
	dec.in.Reset(r)
	if err := dec.Reset(dec.in); err != nil {
		return nil, bad("zstd body", err)
	}
	return decodeErrors{dec.Decoder}, nil
}

// headerFields are what the header of a request says.
type headerFields struct {
	V *int    `json:"v"`
	K *string `json:"k"`
	C *string `json:"c"`
	S *string `json:"s"`

	values struct { // what the others point to, if read by plain
		v       int
		k, c, s string
	}
}

// plain reads a header as clients write it; false is for encoding/json to read.
func (h *headerFields) plain(text string) bool {
	return plainObject(text, func(m member) bool {
		switch m.key {
		case "v":
			h.values.v, h.V = m.number, &h.values.v
			return !m.isText
		case "k":
			h.values.k, h.K = m.text, &h.values.k
		case "c":
			h.values.c, h.C = m.text, &h.values.c
		case "s":
			h.values.s, h.S = m.text, &h.values.s
		default:
			return false
		}
		return m.isText
	})
}

// decoders are kept: making one costs more than decoding a small message. They
// have no goroutines, so one that the pool drops is gone.
var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
	if err != nil {
		panic(err) // only wrong options can do that
	}
	return &bodyDecoder{d, bufio.NewReaderSize(nil, 1<<10)}
}}

// bodyDecoder is a decoder and its input: it reads a few bytes at a time, and
// each read of a body passes several hands.
type bodyDecoder struct {
	*zstd.Decoder
	in *bufio.Reader
}

// maxZstdWindow bounds the memory of a decoder. Level 22 needs 128 MiB; clients
// use the default level, which needs 2, and 8 is what every decoder must allow.
const maxZstdWindow = 8 << 20
