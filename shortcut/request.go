package shortcut

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
)

// message is a request in one piece. Its slices point into the buffer that it
// was read into.
type message struct {
	path   string
	host   string
	header http.Header
	body   []byte
	// chunked: the client did not say the body's length.
	chunked bool
	// rest is how many bytes of the body are not there yet.
	rest int
}

// maxFields is how many header fields a plain request may have; clients send
// some eight, and proxies add a few.
const maxFields = 40

// parse reads b as one whole plain request: POST, HTTP/1.1, a path without
// escapes, each header field on a line of its own and in printable ASCII, one
// Host, a Content-Length and exactly that many bytes behind the head, or one chunk
// and the end. ok is false for everything else, right or wrong: it is for net/http
// to say which. If nothing but the end of a body of known length is missing, m says
// how much.
func parse(b []byte) (m message, ok bool) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return m, false
	}
	head, body := b[:end+2], b[end+4:]
	line, head, _ := bytes.Cut(head, []byte("\r\n"))
	line, isPost := bytes.CutPrefix(line, []byte("POST /"))
	target, isHTTP := bytes.CutSuffix(line, []byte(" HTTP/1.1"))
	if !isPost || !isHTTP || !all(target, inPath) {
		return m, false
	}
	m.header = make(http.Header, 8)
	values := make([]string, 0, 10) // one piece for all fields
	length := -1
	for fields := 0; len(head) > 0; fields++ {
		line, head, _ = bytes.Cut(head, []byte("\r\n"))
		name, value, found := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " \t")
		if !found || fields == maxFields || len(name) == 0 || !all(name, inName) || !all(value, inValue) {
			return m, false
		}
		key := textproto.CanonicalMIMEHeaderKey(string(name))
		switch key {
		case "Content-Length":
			if length >= 0 {
				return m, false
			}
			if length = number(value); length < len(body) {
				return m, false
			}
		case "Host":
			if m.host != "" || !all(value, inHost) || len(value) == 0 {
				return m, false
			}
			m.host = string(value)
			continue // net/http takes it out as well
		case "Connection":
			if !bytes.EqualFold(value, []byte("keep-alive")) {
				return m, false
			}
		case "Transfer-Encoding":
			if m.chunked || !bytes.EqualFold(value, []byte("chunked")) {
				return m, false
			}
			m.chunked = true
			continue // net/http takes it out as well
		case "Trailer", "Te", "Upgrade", "Expect", "Http2-Settings":
			return m, false
		}
		if _, again := m.header[key]; again {
			return m, false
		}
		values = append(values, string(value))
		m.header[key] = values[len(values)-1 : len(values) : len(values)]
	}
	if m.host == "" || m.chunked == (length >= 0) {
		return m, false
	}
	if m.chunked {
		if body, ok = oneChunk(body); !ok {
			return m, false
		}
		length = len(body)
	}
	m.path, m.body, m.rest = "/"+string(target), body, length-len(body)
	return m, m.rest == 0
}

// oneChunk is what is in a body of one chunk, as clients from 2.1.57 on send the
// few words of theirs. ok is false for more chunks than one, extensions, trailers
// and what is not whole.
func oneChunk(b []byte) (data []byte, ok bool) {
	size, b, _ := bytes.Cut(b, []byte("\r\n"))
	data, ok = bytes.CutSuffix(b, []byte("\r\n0\r\n\r\n"))
	return data, ok && len(data) > 0 && bytes.EqualFold(size, strconv.AppendInt(nil, int64(len(data)), 16))
}

// request is m as net/http would hand it to a handler.
func (m *message) request(ctx context.Context, remote string) *http.Request {
	r := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: m.path}, RequestURI: m.path,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: m.header, Host: m.host, RemoteAddr: remote,
		Body: io.NopCloser(bytes.NewReader(m.body)), ContentLength: int64(len(m.body)),
	}
	switch {
	case m.chunked:
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	case len(m.body) == 0:
		r.Body = http.NoBody
	}
	return r.WithContext(ctx)
}

// number is the value of decimal digits, or -1.
func number(b []byte) int {
	n := 0
	if len(b) == 0 || len(b) > 7 {
		return -1
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// class is a set of bytes of ASCII.
type class [256]bool

func newClass(ranges string, more string) *class {
	var k class
	for i := 0; i+1 < len(ranges); i += 2 {
		for c := int(ranges[i]); c <= int(ranges[i+1]); c++ {
			k[c] = true
		}
	}
	for i := range len(more) {
		k[more[i]] = true
	}
	return &k
}

var (
	inPath  = newClass("azAZ09", "/_-.")
	inHost  = newClass("azAZ09", "-._:[]")
	inName  = newClass("azAZ09", "!#$%&'*+-.^_`|~") // RFC 9110 §5.6.2
	inValue = newClass(" ~", "\t")
)

func all(b []byte, k *class) bool {
	for _, c := range b {
		if !k[c] {
			return false
		}
	}
	return true
}
