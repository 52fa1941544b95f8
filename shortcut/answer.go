package shortcut

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// answer gathers what a handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer

	names []string     // of the fields to write
	whole bytes.Buffer // as it is sent
}

// reset makes a ready for the next handler.
func (a *answer) reset() {
	if a.header == nil {
		a.header = make(http.Header, 8)
	}
	clear(a.header)
	a.status = 0
	a.body.Reset()
	a.whole.Reset()
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

// encode makes a.whole; last says that the connection ends with it.
func (a *answer) encode(closing bool) (last bool) {
	a.WriteHeader(http.StatusOK)
	h, b := a.header, &a.whole
	last = closing || strings.EqualFold(h.Get("Connection"), "close")
	var space [20]byte
	b.WriteString("HTTP/1.1 ")
	b.Write(strconv.AppendInt(space[:0], int64(a.status), 10))
	b.WriteByte(' ')
	b.WriteString(http.StatusText(a.status))
	b.WriteString("\r\nDate: ")
	b.WriteString(date(time.Now()))
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
	a.writeFields()
	b.WriteString("\r\n")
	if !none {
		b.Write(a.body.Bytes())
	}
	return last
}

// writeFields writes the handler's fields as http.Header.Write does.
func (a *answer) writeFields() {
	a.names = a.names[:0]
	for name := range a.header {
		if !ours[name] && name != "" && all(name, inName) {
			a.names = append(a.names, name)
		}
	}
	slices.Sort(a.names)
	for _, name := range a.names {
		for _, value := range a.header[name] {
			if strings.ContainsAny(value, "\r\n") {
				value = oneLine.Replace(value)
			}
			a.whole.WriteString(name)
			a.whole.WriteString(": ")
			a.whole.WriteString(strings.Trim(value, " \t"))
			a.whole.WriteString("\r\n")
		}
	}
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// ours are the fields that encode writes, whatever the handler thinks of them.
var ours = map[string]bool{"Connection": true, "Content-Length": true, "Date": true, "Transfer-Encoding": true}

// lastDate is what date said last.
var lastDate atomic.Pointer[dateText]

type dateText struct {
	second int64
	text   string
}

// date is t as the field Date has it. Writing it costs more than the rest of a
// small answer's head, and most are of the second of the one before.
func date(t time.Time) string {
	d := lastDate.Load()
	if d == nil || d.second != t.Unix() {
		d = &dateText{t.Unix(), t.UTC().Format(http.TimeFormat)}
		lastDate.Store(d)
	}
	return d.text
}
