package sync

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"

	"github.com/ankisyncd/ankisyncd/auth"
)

// Protocol versions (docs/protocol.md §1).
const (
	minProtocol  = 8
	lastFormData = 10 // the last that sends multipart forms
	maxProtocol  = 11
)

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
	// whole is instead of payload, where all of a message is decoded already.
	whole []byte
	// kept is an upload's body, undecoded, of protocol 11.
	kept *keptBody
	// again returns the decoded body from its beginning; nil if that is gone
	// once it has been read.
	again func() (io.Reader, error)
	// noPayload: there was no data, which counts as "{}".
	noPayload bool
	closers   []func()
	// patience is until when it waits for memory; zero before the first time.
	patience time.Time
	// reserved is what counts as strangers' memory, bytes.
	reserved int64
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

// operation names one client's sync among all.
func (c *call) operation() string { return c.session.User + "\x00" + c.skey }

// bodyError is an error of reading a body: what the network did, or a fault of
// what was sent.
func bodyError(what string, err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return bad(what, err)
}
