package sync

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
)

// Protocol versions (docs/protocol.md §1).
const (
	minProtocol  = 8
	lastFormData = 10 // the last that sends multipart forms
	maxProtocol  = 11
)

// syncHeader carries the fields of a protocol 11 request.
const syncHeader = "anki-sync"

// call is one request on its way through the server.
type call struct {
	s    *Server
	r    *http.Request
	step step
	addr netip.Addr

	header  bool // the request has an anki-sync header, and its body is zstd
	version int  // of the header; 0 for multipart
	hkey    string
	skey    string
	mediaSK string // "sk": the legacy media session key
	client  string
	session auth.Session

	// payload is the decoded body, to be read once.
	payload io.Reader
	// kept is an upload's body, undecoded, of protocol 11.
	kept *keptBody
	// again returns the decoded body from its beginning; nil if that is gone
	// once it has been read.
	again func() (io.Reader, error)
	// noPayload: there was no data, which counts as "{}".
	noPayload bool
	closers   []func()
}

// zstd reports whether the answer is to be compressed.
func (c *call) zstd() bool { return c.header && c.version > lastFormData }

// proto is the protocol as far as the request tells: the multipart ones are all 10.
func (c *call) proto() int {
	if c.zstd() {
		return maxProtocol
	}
	return lastFormData
}

func (c *call) close() {
	for i := len(c.closers) - 1; i >= 0; i-- {
		c.closers[i]()
	}
}

// read decodes the request as far as its payload and finds out who sent it.
func (c *call) read() error {
	var err error
	switch {
	case c.r.Method == http.MethodGet:
		q := c.r.URL.Query()
		c.hkey, c.mediaSK, c.client = q.Get("k"), q.Get("sk"), q.Get("v")
		c.noPayload = true
		err = c.authenticate()
	case c.r.Header.Values(syncHeader) != nil:
		err = c.readHeader()
	default:
		err = c.readForm()
	}
	if err != nil {
		c.close()
		c.closers = nil
	}
	return err
}

// wireLimit is how many bytes the body may have as it is sent.
func (c *call) wireLimit() int64 {
	switch c.step.name {
	case "upload":
		return c.s.o.MaxUploadBytes
	case "uploadChanges":
		return c.s.o.MaxMediaZipBytes
	}
	return c.messageLimit()
}

// messageLimit is how many bytes a JSON message may have.
func (c *call) messageLimit() int64 {
	if c.step.limit > 0 {
		return min(c.step.limit, c.s.o.MaxMessageBytes)
	}
	return c.s.o.MaxMessageBytes
}

// readHeader reads the header of a protocol 11 request and prepares its body
// (docs/protocol.md §3.2). Nobody's body is read before it is known whose it is.
func (c *call) readHeader() error {
	var h headerFields
	if text := []byte(c.r.Header.Get(syncHeader)); !h.plain(text) {
		h = headerFields{}
		if err := json.Unmarshal(text, &h); err != nil {
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
	return c.readZstd(http.MaxBytesReader(nil, c.r.Body, c.wireLimit()))
}

func (c *call) readZstd(body io.Reader) error {
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
	if c.step.mayBeLarge() {
		data, err := c.spool(body, "zstd body")
		if err != nil {
			return err
		}
		c.closers = append(c.closers, data.close)
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
	c.payload, err = unzstd(dec, body)
	return err
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
}

// plain reads a header as clients write it; false is for encoding/json to read.
func (h *headerFields) plain(text []byte) bool {
	return plainObject(text, func(key []byte, number int, text []byte) bool {
		switch string(key) {
		case "v":
			h.V = &number
			return text == nil
		case "k":
			h.K = plainString(text)
		case "c":
			h.C = plainString(text)
		case "s":
			h.S = plainString(text)
		default:
			return false
		}
		return text != nil
	})
}

func plainString(text []byte) *string {
	s := string(text)
	return &s
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

// authenticate finds the session that the request's key stands for.
func (c *call) authenticate() (err error) {
	if c.step.anonymous {
		return nil
	}
	ctx := c.r.Context()
	key := c.hkey
	if key == "" {
		key = c.mediaSK
	}
	c.session, err = c.s.o.Auth.Session(ctx, key)
	if errors.Is(err, auth.ErrUnknownKey) && c.step.media {
		// The media session key that a Python server handed out.
		if sk := c.mediaSK; sk != "" || c.hkey != "" {
			if sk == "" {
				sk = c.hkey
			}
			c.session, err = c.s.o.Auth.SessionBySK(ctx, sk)
		}
	}
	return err
}

// readForm reads a multipart request (docs/protocol.md §3.1). The key may come
// after the data: then the data is spooled, and decoded once the key is known.
func (c *call) readForm() error {
	boundary, err := formBoundary(c.r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	form := newFormReader(http.MaxBytesReader(nil, c.r.Body, c.wireLimit()+formOverhead), boundary)
	compressed := false
	var data *spool
	for {
		p, err := form.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return formError(err)
		}
		if p.name != "data" {
			if err := c.formField(p, &compressed); err != nil {
				return err
			}
			continue
		}
		if data != nil {
			return badf("multipart form with two data parts")
		}
		if data, err = c.spool(p, "multipart form"); err != nil {
			return err
		}
		c.closers = append(c.closers, data.close)
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if data == nil || data.size == 0 {
		c.noPayload = true
		return nil
	}
	c.again = func() (io.Reader, error) {
		r, err := data.reader()
		if err != nil || !compressed {
			return r, err
		}
		gz, err := gzip.NewReader(r)
		if err != nil {
			return nil, bad("gzip data", err)
		}
		return decodeErrors{gz}, nil
	}
	c.payload, err = c.again()
	return err
}

const (
	formOverhead  = 64 << 10 // what surrounds the data part
	maxFieldBytes = 4 << 10  // a field of a form
)

func (c *call) formField(p *formPart, compressed *bool) error {
	b, err := io.ReadAll(io.LimitReader(p, maxFieldBytes+1))
	if err != nil {
		return formError(err)
	}
	if len(b) > maxFieldBytes {
		return badf("multipart form: field %.20q is too long", p.name)
	}
	v := string(b)
	switch p.name {
	case "c":
		*compressed = v != "0"
	case "k":
		c.hkey = v
	case "s":
		c.skey = v
	case "sk":
		c.mediaSK = v
	case "v":
		c.client = v
	}
	return nil
}

// decodeErrors marks the errors of a decompressor as the client's fault; what
// the network did stays as it is.
type decodeErrors struct{ r io.Reader }

func (d decodeErrors) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return n, err
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	return n, bad("compressed data", fmt.Errorf("%w: %w", errBadStream, err))
}

// errBadStream is what a decompressor says of a stream that is cut or damaged.
var errBadStream = errors.New("bad stream")

// textIDClients remembers the syncs of clients that know notetype ids as text
// (docs/protocol.md §10): only meta tells the version, and the session key that
// follows in every step.
type textIDClients struct {
	mu    sync.Mutex
	known map[string]bool
	order []string
}

const maxTextIDClients = 1024

func (t *textIDClients) add(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[string]bool{}
	}
	if t.known[key] {
		return
	}
	if len(t.order) == maxTextIDClients {
		delete(t.known, t.order[0])
		t.order = t.order[1:]
	}
	t.known[key] = true
	t.order = append(t.order, key)
}

func (t *textIDClients) has(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[key]
}

// operation names one client's sync among all.
func (c *call) operation() string { return c.session.User + "\x00" + c.skey }

var errNoBoundary = badf("neither an anki-sync header nor a multipart form")

func formBoundary(contentType string) (string, error) {
	kind, params, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data") {
		return "", errNoBoundary
	}
	for _, p := range strings.Split(params, ";") {
		k, v, _ := strings.Cut(p, "=")
		if !strings.EqualFold(strings.TrimSpace(k), "boundary") {
			continue
		}
		v = strings.TrimSpace(v)
		v = strings.TrimSuffix(strings.TrimPrefix(v, `"`), `"`)
		if v == "" || len(v) > 200 {
			break
		}
		return v, nil
	}
	return "", errNoBoundary
}

func formError(err error) error { return bodyError("multipart form", err) }

// bodyError is an error of reading a body: what the network did, or a fault of
// what was sent.
func bodyError(what string, err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return bad(what, err)
}
