package shortcut

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer gathers what a handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter. Answers on the way to the last are
// not sent.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController: the
// request is here already, and the connection sees to the other.
func (a *answer) SetReadDeadline(time.Time) error  { return nil }
func (a *answer) SetWriteDeadline(time.Time) error { return nil }

// encode appends the whole answer to b as it is sent; last says that the
// connection ends with it.
func (a *answer) encode(b *bytes.Buffer, closing bool) (last bool) {
	a.WriteHeader(http.StatusOK)
	h := a.header
	last = closing || strings.EqualFold(h.Get("Connection"), "close")
	var space [64]byte
	b.WriteString("HTTP/1.1 ")
	b.Write(strconv.AppendInt(space[:0], int64(a.status), 10))
	b.WriteByte(' ')
	b.WriteString(http.StatusText(a.status))
	b.WriteString("\r\nDate: ")
	b.Write(time.Now().UTC().AppendFormat(space[:0], http.TimeFormat))
	b.WriteString("\r\n")
	if last {
		b.WriteString("Connection: close\r\n")
	}
	none := a.status == http.StatusNoContent || a.status == http.StatusNotModified
	if !none {
		if h["Content-Type"] == nil && a.body.Len() > 0 {
			h.Set("Content-Type", http.DetectContentType(a.body.Bytes()))
		}
		b.WriteString("Content-Length: ")
		b.Write(strconv.AppendInt(space[:0], int64(a.body.Len()), 10))
		b.WriteString("\r\n")
	}
	_ = h.WriteSubset(b, ours) // to memory
	b.WriteString("\r\n")
	if !none {
		b.Write(a.body.Bytes())
	}
	return last
}

// ours are the fields that encode writes, whatever the handler thinks of them.
var ours = map[string]bool{"Connection": true, "Content-Length": true, "Date": true, "Transfer-Encoding": true}
