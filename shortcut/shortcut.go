// Package shortcut answers small requests on the connection they come in on,
// before net/http sees them.
//
// A client asks whether anything has changed far more often than anything has,
// and the answer is made in some 20 µs; net/http adds 15 to 35 to that, to read the
// request, to watch the connection meanwhile and to wake the goroutines that do
// so (BenchmarkEmpty; docs/performance.md). So a connection here looks at
// what net/http is about to read as the beginning of a request. If that is one
// whole plain request that the Front wants, it is answered at once and net/http
// never knows; anything else, in whatever way it is unusual, is left to
// net/http byte for byte. net/http stays in charge of the connection, of its
// deadlines and of its end.
//
// It stands beside the front rooms: it knows HTTP and nothing of what is asked.
package shortcut

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ankisyncd/ankisyncd/nowait"
)

// Front takes the short cut on all connections of its listeners. Set the fields
// before the first Listen, and Attach it to the http.Server.
type Front struct {
	// Handler answers, as it would for net/http. It gets no sign of a client
	// that goes away, so what it does must be short; its answer is sent when
	// it returns, and request and answer are used again then.
	Handler http.Handler
	// Wants reports whether requests to a path are for the short cut. Only POST
	// is ever asked for, and paths without an escape or a query.
	Wants func(path string) bool
	// Context is that of every request.
	Context context.Context //nolint:containedctx // as http.Server has BaseContext
	// IdleTimeout, HeaderTimeout: as the http.Server has them. WriteTimeout is
	// how long a client may take to take an answer. 0 is no limit.
	IdleTimeout, HeaderTimeout, WriteTimeout time.Duration

	closing atomic.Bool
	running atomic.Int32 // requests on the short cut, until their answer is sent
	used    sync.Pool    // of *exchange
	mu      sync.Mutex
	conns   map[*conn]struct{} // that net/http takes for new, and that have been answered
}

// Listen returns a listener whose connections take the short cut.
func (f *Front) Listen(ln net.Listener) net.Listener {
	return &listener{ln, f, new(http.Request).WithContext(f.Context)}
}

// exchange is one request and its answer.
type exchange struct {
	in  message
	out answer
}

// Attach has srv, whose Handler is set, tell where its requests begin and end.
// What comes from the listeners of other Fronts, or of none, is not touched.
func (f *Front) Attach(srv *http.Server) {
	srv.ConnState = func(nc net.Conn, state http.ConnState) {
		if c, ok := nc.(*conn); ok && state == http.StateIdle {
			c.between.Store(true)
			f.forget(c)
		}
	}
	srv.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		if c, ok := nc.(*conn); ok {
			return context.WithValue(ctx, connKey{}, c)
		}
		return ctx
	}
	// A request's head may be in net/http's buffer already, behind the one before:
	// then no Read begins it, and what is read next is its body.
	next := srv.Handler
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.between.Store(false)
		}
		next.ServeHTTP(w, r)
	})
	srv.DisableGeneralOptionsHandler = true // it would not pass there
}

type connKey struct{}

// Shutdown ends the connections that wait for their next request and that
// net/http, which has seen none of them yet, would grant some seconds more. No
// request takes the short cut any more. Call it before http.Server's.
func (f *Front) Shutdown() {
	f.closing.Store(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		if c.state.Load() == waiting { // others come to await, or are net/http's by then
			_ = c.SetReadDeadline(longAgo) // net/http closes it
		}
	}
}

// Wait waits for the requests that are on the short cut, after http.Server's
// Shutdown, which knows nothing of them. Its error is ctx's.
func (f *Front) Wait(ctx context.Context) error {
	t := time.NewTicker(5 * time.Millisecond) // as net/http does: it happens once
	defer t.Stop()
	for f.running.Load() > 0 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (f *Front) remember(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns == nil {
		f.conns = map[*conn]struct{}{}
	}
	f.conns[c] = struct{}{}
}

func (f *Front) forget(c *conn) {
	if !c.known {
		return
	}
	c.known = false
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

type listener struct {
	net.Listener
	f    *Front
	base *http.Request // with f's Context
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, f: l.f, base: l.base, fresh: true, remote: nc.RemoteAddr().String(), small: nc}
	if s := nowait.Socket(nc); s != nil {
		c.small = s
	}
	c.between.Store(true)
	return c, nil
}

// conn is a connection as net/http reads it. Its fields belong to the goroutine
// of net/http that serves the connection, which also calls the hooks.
type conn struct {
	net.Conn
	// small reads and writes it where that is little.
	small  io.ReadWriter
	f      *Front
	base   *http.Request
	remote string
	// between: what is read next is the beginning of a request. (net/http's look
	// ahead for the end of the connection is a goroutine of its own.)
	between atomic.Bool
	// fresh: net/http has not had a request from it yet.
	fresh bool
	// room is the size of net/http's buffer, once known. Where it offers less,
	// the buffer holds something already: the beginning of the request, which
	// then is not what is read next.
	room int
	// known: it is among f.conns.
	known bool
	// when the deadlines were last moved
	waits, writes time.Time

	state atomic.Int32 // Close may come from anywhere
}

// Read implements io.Reader. Between two requests of net/http's it answers all
// that it can, into net/http's own buffer, and returns with the first request
// that it leaves alone.
func (c *conn) Read(p []byte) (int, error) {
	if !c.between.Load() {
		return c.Conn.Read(p)
	}
	if c.room == 0 {
		c.room = len(p)
	}
	shortcut := len(p) == c.room
	answered := false
	for {
		n, err := c.small.Read(p)
		if err == nil && n > 0 && shortcut {
			done, all, err := c.handle(p, n)
			if err != nil {
				return 0, err
			}
			if done {
				answered = true
				c.await()
				continue
			}
			n = all
		}
		if n > 0 {
			c.between.Store(false)
			c.fresh = false
			c.f.forget(c)
			if answered {
				// What net/http set for its own request was moved since.
				c.writes = time.Time{}
				_ = c.SetWriteDeadline(time.Time{})
				_ = c.SetReadDeadline(after(c.f.HeaderTimeout))
			}
		}
		return n, err
	}
}

// handle answers the request that the first n bytes of p are, or begin; done is
// false if it is net/http's, and all how much of it is in p by then.
func (c *conn) handle(p []byte, n int) (done bool, all int, err error) {
	c.f.running.Add(1) // before looking at closing: whoever waits sees it
	defer c.f.running.Add(-1)
	if c.f.closing.Load() {
		return false, n, nil
	}
	if !c.state.CompareAndSwap(waiting, answering) {
		return false, n, net.ErrClosed
	}
	defer func() {
		if !c.state.CompareAndSwap(answering, waiting) {
			_ = c.Conn.Close() // as somebody wished meanwhile
		}
	}()
	x, _ := c.f.used.Get().(*exchange)
	if x == nil {
		x = new(exchange)
	}
	r, n := c.request(x, p, n)
	if r != nil {
		done, err = true, c.answer(x, r)
	}
	if x.out.body.Cap()+x.out.whole.Cap() <= maxKept {
		c.f.used.Put(x)
	}
	return done, n, err
}

// request returns the plain request that the first n bytes of p are, if the Front
// wants it. Some clients send a body apart from its head: it is awaited, but not
// for long.
func (c *conn) request(x *exchange, p []byte, n int) (r *http.Request, all int) {
	m := &x.in
	ok := m.parse(p[:n])
	if !ok && m.rest == 0 || !c.f.Wants(m.path) {
		return nil, n
	}
	if !ok {
		if n+m.rest > len(p) {
			return nil, n
		}
		n = c.readRest(p, n, n+m.rest)
		if !m.parse(p[:n]) {
			return nil, n
		}
	}
	return m.request(c.base, c.remote), n
}

// restPatience is how long the rest of a body may take to come here; net/http
// waits longer.
const restPatience = 100 * time.Millisecond

// readRest reads until p holds want bytes, and returns how many it holds. Errors
// are for the next read to meet.
func (c *conn) readRest(p []byte, n, want int) int {
	_ = c.SetReadDeadline(time.Now().Add(restPatience))
	for n < want {
		k, err := c.small.Read(p[n:want])
		n += k
		if err != nil {
			break
		}
	}
	c.waits = time.Time{} // await sets another
	if n < want {
		_ = c.SetReadDeadline(after(c.f.HeaderTimeout)) // as net/http has set it for this request
	}
	return n
}

// await prepares for the next request after one that net/http knows nothing of.
func (c *conn) await() {
	if idle := c.f.IdleTimeout; c.waits.IsZero() || idle > 0 && time.Since(c.waits) > idle/rearm {
		c.waits = time.Now()
		_ = c.SetReadDeadline(after(idle))
	}
	if c.fresh && !c.known {
		c.known = true
		c.f.remember(c)
	}
	if c.f.closing.Load() { // whatever was set since Shutdown
		_ = c.SetReadDeadline(longAgo)
	}
}

var longAgo = time.Unix(1, 0)

// rearm is how much of a time-out may pass before its deadline is moved again:
// not every request must set a timer.
const rearm = 8

// after is the deadline d from now; 0 is none.
func after(d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// answer has the handler answer r and sends what it says. io.EOF asks net/http
// to close the connection.
func (c *conn) answer(x *exchange, r *http.Request) error {
	a := &x.out
	a.reset()
	c.f.Handler.ServeHTTP(a, r)
	last := a.encode(c.f.closing.Load())
	if c.f.WriteTimeout > 0 && (c.writes.IsZero() || time.Since(c.writes) > c.f.WriteTimeout/rearm) {
		c.writes = time.Now()
		_ = c.SetWriteDeadline(after(c.f.WriteTimeout))
	}
	err := c.send(a.whole.Bytes())
	if err == nil && last {
		err = io.EOF
	}
	return err
}

// send writes b. The connection itself has the last word on deadlines: one that
// knows whether what was written moves may have set its socket an earlier one, to
// look at that.
func (c *conn) send(b []byte) error {
	n, err := c.small.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_, err = c.Conn.Write(b[n:])
	}
	return err
}

// maxKept is the largest buffers for an answer that are used again, in bytes.
const maxKept = 16 << 10

// states of a connection
const (
	waiting   = iota
	answering // or awaiting the rest of a request that it may answer
	toClose   // once it has answered
)

// Close implements net.Conn. net/http closes connections that it takes for idle
// when it shuts down: a request that has come, or begun to come, gets its answer
// first, unless Close is called twice.
func (c *conn) Close() error {
	c.f.mu.Lock()
	delete(c.f.conns, c)
	c.f.mu.Unlock()
	if c.state.CompareAndSwap(answering, toClose) {
		return nil
	}
	return c.Conn.Close()
}
