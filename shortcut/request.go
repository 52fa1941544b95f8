package shortcut

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// message is a request in one piece.
type message struct {
	path   string
	host   string
	header http.Header
	body   []byte // in the buffer that it was read into
	// chunked: the client did not say the body's length.
	chunked bool
	// rest is how many bytes of the body are not there yet.
	rest int

	values []string // of the fields, in one piece
	req    http.Request
	url    url.URL
	reader bodyReader
}

type bodyReader struct{ bytes.Reader }

func (*bodyReader) Close() error { return nil }

// maxFields is how many header fields a plain request may have; clients send
// some eight, and proxies add a few.
const maxFields = 40

// parse reads b as one whole plain request: POST, HTTP/1.1, a path without
// escapes, each header field on a line of its own and in printable ASCII, one
// Host, a Content-Length and exactly that many bytes behind the head, or one chunk
// and the end. ok is false for everything else, right or wrong: it is for net/http
// to say which. If nothing but the end of a body of known length is missing, m says
// how much.
func (m *message) parse(b []byte) (ok bool) {
	if m.header == nil {
		m.header = make(http.Header, 16)
	}
	clear(m.header)
	m.path, m.host, m.body, m.chunked, m.rest, m.values = "", "", nil, false, 0, m.values[:0]
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 || len(b) < len("POST /") || string(b[:len("POST /")]) != "POST /" {
		return false
	}
	body := b[end+4:]
	line, head, _ := strings.Cut(string(b[len("POST "):end+2]), "\r\n")
	target, isHTTP := strings.CutSuffix(line, " HTTP/1.1")
	if !isHTTP || !all(target, inPath) {
		return false
	}
	length := -1
	for fields := 0; len(head) > 0; fields++ {
		line, head, _ = strings.Cut(head, "\r\n")
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !found || fields == maxFields || len(name) == 0 || !all(name, inName) || !all(value, inValue) {
			return false
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		switch key {
		case "Content-Length":
			if length >= 0 {
				return false
			}
			if length = number(value); length < len(body) {
				return false
			}
		case "Host":
			if m.host != "" || !all(value, inHost) || len(value) == 0 {
				return false
			}
			m.host = value
			continue // net/http takes it out as well
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return false
			}
		case "Transfer-Encoding":
			if m.chunked || !strings.EqualFold(value, "chunked") {
				return false
			}
			m.chunked = true
			continue // net/http takes it out as well
		case "Trailer", "Te", "Upgrade", "Expect", "Http2-Settings":
			return false
		}
		if _, again := m.header[key]; again {
			return false
		}
		m.values = append(m.values, value)
		m.header[key] = m.values[len(m.values)-1 : len(m.values) : len(m.values)]
	}
	if m.host == "" || m.chunked == (length >= 0) {
		return false
	}
	if m.chunked {
		if body, ok = oneChunk(body); !ok {
			return false
		}
		length = len(body)
	}
	m.path, m.body, m.rest = target, body, length-len(body)
	return m.rest == 0
}

// oneChunk is what is in a body of one chunk, as clients from 2.1.57 on send the
// few words of theirs. ok is false for more chunks than one, extensions, trailers
// and what is not whole.
func oneChunk(b []byte) (data []byte, ok bool) {
	size, b, _ := bytes.Cut(b, []byte("\r\n"))
	data, ok = bytes.CutSuffix(b, []byte("\r\n0\r\n\r\n"))
	var space [16]byte
	return data, ok && len(data) > 0 && bytes.EqualFold(size, strconv.AppendInt(space[:0], int64(len(data)), 16))
}

var chunkedEncoding = []string{"chunked"} // shared, never written to

// request is m as net/http would hand it to a handler; it is m's, like all that
// it has. base has its context.
func (m *message) request(base *http.Request, remote string) *http.Request {
	m.req, m.url = *base, url.URL{Path: m.path}
	r := &m.req
	r.Method, r.URL, r.RequestURI = http.MethodPost, &m.url, m.path
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Header, r.Host, r.RemoteAddr = m.header, m.host, remote
	r.Body, r.ContentLength = http.NoBody, int64(len(m.body))
	if len(m.body) > 0 {
		m.reader.Reset(m.body)
		r.Body = &m.reader
	}
	if m.chunked {
		r.ContentLength, r.TransferEncoding = -1, chunkedEncoding
	}
	return r
}

// number is the value of decimal digits, or -1.
func number(b string) int {
	n := 0
	if len(b) == 0 || len(b) > 7 {
		return -1
	}
	for i := range len(b) {
		if b[i] < '0' || b[i] > '9' {
			return -1
		}
		n = 10*n + int(b[i]-'0')
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

func all(s string, k *class) bool {
	for i := range len(s) {
		if !k[s[i]] {
			return false
		}
	}
	return true
}
