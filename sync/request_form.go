package sync

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// readForm reads a multipart request (docs/protocol.md §3.1). The key may come
// after the data: then the data is spooled, and decoded once the key is known. If
// it comes before nobody's data is read before it is known whose it is.
func (c *call) readForm() error {
	boundary, err := formBoundary(c.r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	defer c.unreserve()
	buffer := formBuffer
	if !c.reserve(formBuffer) {
		buffer = formBufferLess
	}
	form := newFormReader(http.MaxBytesReader(nil, c.r.Body, c.wireLimit()+formOverhead), boundary, buffer)
	compressed := false
	asked, authenticated := [2]string{}, false
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
		if c.hkey != "" || c.mediaSK != "" {
			asked, authenticated = [2]string{c.hkey, c.mediaSK}, true
			if err := c.authenticate(); err != nil {
				return err
			}
		}
		if data, err = c.spool(p, "multipart form"); err != nil {
			return err
		}
		c.closers = append(c.closers, data.close)
	}
	if !authenticated || asked != [2]string{c.hkey, c.mediaSK} {
		if err := c.authenticate(); err != nil {
			return err
		}
	}
	if data != nil && !c.stranger() {
		data.known(&c.s.spooled, c.session.User)
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
