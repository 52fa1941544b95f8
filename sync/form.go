package sync

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"strings"
)

// formReader reads multipart forms as Anki clients write them
// (docs/protocol.md §3.1). It differs from the standard library's reader in
// what it forgives and in what it costs: clients before 2.1 leave out the
// closing boundary when they send no file, and a part's body is found with one
// search over a buffer.
type formReader struct {
	r     *bufio.Reader
	first []byte // --boundary
	delim []byte // \r\n--boundary
	part  *formPart
	state formState
	count int
}

type formState int

const (
	formBegin formState = iota
	formIn              // between parts: a boundary line was read
	formEnd
)

// formPart is the part that is being read; reading it is over when the next
// one is asked for.
type formPart struct {
	name string
	f    *formReader
	done bool
}

const (
	formBuffer     = 64 << 10
	formBufferLess = 8 << 10 // where memory is short
	maxFormParts   = 64
	maxPartHeader  = 8 << 10
)

var errForm = errors.New("malformed")

func newFormReader(r io.Reader, boundary string, buffer int) *formReader {
	return &formReader{
		r:     bufio.NewReaderSize(r, buffer),
		first: []byte("--" + boundary),
		delim: []byte("\r\n--" + boundary),
	}
}

// next returns the next part, or io.EOF after the last. A body that ends where
// a boundary should follow is whole only if a part was complete there.
func (f *formReader) next() (*formPart, error) {
	if f.part != nil && !f.part.done {
		if _, err := io.Copy(io.Discard, f.part); err != nil {
			return nil, err
		}
	}
	f.part = nil
	switch f.state {
	case formBegin:
		if err := f.begin(); err != nil {
			return nil, err
		}
	case formIn:
	case formEnd:
		return nil, io.EOF
	}
	if err := f.afterBoundary(); err != nil {
		return nil, err
	}
	if f.state == formEnd {
		return nil, io.EOF
	}
	if f.count++; f.count > maxFormParts {
		return nil, fmt.Errorf("%w: too many parts", errForm)
	}
	name, err := f.header()
	if err != nil {
		return nil, err
	}
	f.part = &formPart{name: name, f: f}
	return f.part, nil
}

// begin skips the first boundary. An empty body is a form without parts.
func (f *formReader) begin() error {
	for {
		b, err := f.r.Peek(len(f.first))
		if bytes.Equal(b, f.first) {
			_, _ = f.r.Discard(len(f.first))
			return nil
		}
		if len(b) >= 2 && b[0] == '\r' && b[1] == '\n' {
			_, _ = f.r.Discard(2)
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return fmt.Errorf("%w: no boundary", errForm)
	}
}

// afterBoundary reads what follows a boundary: "--" at the end, else the end
// of the line.
func (f *formReader) afterBoundary() error {
	line, err := f.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return fmt.Errorf("%w: boundary line", errForm)
	}
	text := strings.TrimRight(string(line), " \t\r\n")
	switch {
	case text == "--":
		f.state = formEnd
		return nil
	case err != nil && errors.Is(err, io.EOF):
		return fmt.Errorf("%w: cut off", errForm)
	case err != nil:
		return err
	case text != "":
		return fmt.Errorf("%w: boundary line", errForm)
	}
	f.state = formIn
	return nil
}

// header reads a part's header and returns the name it gives.
func (f *formReader) header() (name string, err error) {
	size := 0
	for {
		line, err := f.r.ReadSlice('\n')
		size += len(line)
		if size > maxPartHeader || errors.Is(err, bufio.ErrBufferFull) {
			return "", fmt.Errorf("%w: part header", errForm)
		}
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("%w: cut off", errForm)
		}
		if err != nil {
			return "", err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			return name, nil
		}
		key, value, ok := strings.Cut(text, ":")
		if ok && textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(key)) == "Content-Disposition" {
			_, params, err := mime.ParseMediaType(value)
			if err != nil {
				return "", fmt.Errorf("%w: part header", errForm)
			}
			name = params["name"]
		}
	}
}

// Read reads the part's content. A content that ends with the body instead of
// a boundary is only whole if it ends with a line's end, as that of the clients
// that leave out the last boundary does.
func (p *formPart) Read(b []byte) (int, error) {
	f := p.f
	if p.done || f.part != p {
		return 0, io.EOF
	}
	if len(b) == 0 {
		return 0, nil
	}
	buf, err := f.r.Peek(len(f.delim))
	if err != nil {
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		return p.tail(b, buf)
	}
	// Look no further than what is asked for, and as far beyond it as to see a
	// delimiter whole.
	buf, _ = f.r.Peek(min(f.r.Buffered(), len(b)+len(f.delim)))
	i := bytes.Index(buf, f.delim)
	if i == 0 {
		_, _ = f.r.Discard(len(f.delim))
		p.done, f.state = true, formIn
		return 0, io.EOF
	}
	n := i
	if i < 0 {
		n = len(buf)
		if cr := bytes.LastIndexByte(buf, '\r'); cr >= 0 && n-cr < len(f.delim) {
			n = cr // a delimiter may begin here
		}
		// At the very beginning none does: there the whole of it was looked at.
		n = max(n, 1)
	}
	n = copy(b, buf[:n])
	_, _ = f.r.Discard(n)
	return n, nil
}

// tail reads the end of a body that has no closing boundary.
func (p *formPart) tail(b, buf []byte) (int, error) {
	f := p.f
	if p.name == "data" {
		// No client leaves out the boundary after it: the body was cut off.
		return 0, fmt.Errorf("%w: cut off", errForm)
	}
	if bytes.Equal(buf, []byte("\r\n")) {
		_, _ = f.r.Discard(2)
		p.done, f.state = true, formEnd
		return 0, io.EOF
	}
	n := len(buf)
	if bytes.HasSuffix(buf, []byte("\r\n")) {
		n -= 2
	}
	if len(buf) == 0 || n == len(buf) {
		return 0, fmt.Errorf("%w: cut off", errForm)
	}
	n = copy(b, buf[:n])
	_, _ = f.r.Discard(n)
	return n, nil
}
