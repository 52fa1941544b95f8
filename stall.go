package main

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// guard stands before every request. It gives up bodies, of requests and
// answers, that do not move: there is no limit to the time that a big upload or
// download on a slow line takes, but a client that sends or takes nothing for
// stall is cut off, so that it holds a connection and a user's lock no longer.
// It also counts the requests that run, for the shutdown to wait for.
type guard struct {
	next    http.Handler
	stall   time.Duration
	running sync.WaitGroup
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.running.Add(1)
	defer g.running.Done()
	d := &deadlines{rc: http.NewResponseController(w), stall: g.stall}
	// No deadline of the request before on this connection must hold.
	d.clear()
	if r.Body == nil || r.Body == http.NoBody {
		d.ended = true
	} else {
		// In a copy: what of a body nobody has read, net/http reads only as far as
		// it is little or asked for, if it finds its own body in its own request.
		own := *r
		own.Body = &stallBody{ReadCloser: r.Body, d: d}
		r = &own
	}
	g.next.ServeHTTP(&stallWriter{ResponseWriter: w, d: d}, r)
	// What is buffered still, and what of the body nobody has read.
	d.end()
}

// counted is the guard of requests that are there whole, and whose answers are
// gathered: nothing of them can stand still.
func (g *guard) counted() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.running.Add(1)
		defer g.running.Done()
		g.next.ServeHTTP(w, r)
	})
}

// deadlines moves the deadlines of a connection ahead of its traffic. Errors of
// connections that know no deadlines (in tests) are no matter.
type deadlines struct {
	rc          *http.ResponseController
	stall       time.Duration
	read, write time.Time // when they were last moved
	ended       bool      // no more will be read of the body, or can be
}

// rearm is how much of stall may pass before a deadline is moved again: not
// every small read must set a timer.
const rearm = 8

func (d *deadlines) clear() {
	_ = d.rc.SetReadDeadline(time.Time{})
	_ = d.rc.SetWriteDeadline(time.Time{})
}

func (d *deadlines) end() {
	if !d.ended {
		_ = d.rc.SetReadDeadline(time.Now().Add(d.stall))
	}
	d.beforeWrite()
}

func (d *deadlines) beforeRead() {
	if now := time.Now(); now.Sub(d.read) > d.stall/rearm {
		d.read = now
		_ = d.rc.SetReadDeadline(now.Add(d.stall))
	}
}

// noRead lifts the read deadline when the body has ended: net/http goes on
// reading in the background, to notice a client that goes away, and takes a
// deadline that passes for that. (It does so itself in HTTP/1.)
func (d *deadlines) noRead() {
	d.read = time.Time{}
	_ = d.rc.SetReadDeadline(time.Time{})
}

// beforeWrite is for both ways while there may be more of the body: before an
// answer's beginning net/http reads what is left, if that is little.
func (d *deadlines) beforeWrite() {
	now, wait := time.Now(), d.stall
	if !d.ended {
		d.beforeRead()
		wait += d.stall
	}
	if now.Sub(d.write) > d.stall/rearm {
		d.write = now
		_ = d.rc.SetWriteDeadline(now.Add(wait))
	}
}

type stallBody struct {
	io.ReadCloser
	d   *deadlines
	err error // of the read that was the last
}

// Read implements io.Reader. After an error a body is not waited for again: some
// decoders ask once more. The deadline that has passed stays, for net/http, which
// looks for the rest of the body before it sends an answer.
func (b *stallBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.d.beforeRead()
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.err, b.d.ended = err, true
	}
	if errors.Is(err, io.EOF) {
		b.d.noRead()
	}
	return n, err
}

type stallWriter struct {
	http.ResponseWriter
	d *deadlines
}

// Write implements io.Writer.
func (w *stallWriter) Write(p []byte) (int, error) {
	// A little at a time, for the deadline to be one of progress, also where it is
	// not movingConn's (HTTP/2).
	const most = 64 << 10
	written := 0
	for {
		part := p[written:]
		if len(part) > most {
			part = part[:most]
		}
		w.d.beforeWrite()
		n, err := w.ResponseWriter.Write(part)
		written += n
		if err != nil || written >= len(p) {
			return written, err
		}
	}
}

// Flush implements http.Flusher.
func (w *stallWriter) Flush() {
	w.d.beforeWrite()
	_ = w.d.rc.Flush() // the next write has the error
}

// Unwrap is for http.ResponseController.
func (w *stallWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
