package main

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// movingListener's connections know whether what was written moves.
type movingListener struct {
	net.Listener
	stall time.Duration
}

// Accept implements net.Listener.
func (l movingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &movingConn{Conn: conn, stall: l.stall, unsent: unsentOf(conn)}, nil
}

// movingConn is a connection whose write deadline holds for one that stands
// still. The system lets a writer go on when a third of what it holds for the other end
// has gone. That is more than a megabyte where the line was fast for a while, or
// leads to a proxy on this machine, and takes minutes at the speed of a phone on a
// train: only the system knows that bytes are taken meanwhile.
type movingConn struct {
	net.Conn
	stall time.Duration
	// unsent is how many of the bytes written the other end has not taken, as the
	// system says; nil if it doesn't.
	unsent  func() (int64, bool)
	written atomic.Int64

	mu    sync.Mutex
	until time.Time // the deadline; zero is none
	// taken is how many bytes the other end had taken at a time that may be less
	// than stall before until; -1 before it was looked at.
	taken int64
}

// SetDeadline implements net.Conn.
func (c *movingConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetWriteDeadline implements net.Conn. A write that is not done a little later
// first looks how things stand, and then waits for t.
func (c *movingConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.taken = t, -1
	if look := t.Add(c.stall/rearm - c.stall); !t.IsZero() && c.unsent != nil && look.After(time.Now()) {
		t = look
	}
	return c.Conn.SetWriteDeadline(t)
}

// Write implements net.Conn.
func (c *movingConn) Write(p []byte) (n int, err error) {
	for {
		k, err := c.Conn.Write(p[n:])
		n += k
		c.written.Add(int64(k))
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !c.goOn(k) {
			return n, err
		}
	}
}

// goOn moves a deadline that has passed, after k bytes more were written, unless
// nothing has moved.
func (c *movingConn) goOn(k int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.until.IsZero() {
		return false
	}
	before := c.taken
	if c.unsent != nil {
		if unsent, ok := c.unsent(); ok {
			c.taken = c.written.Load() - unsent
		}
	}
	if !now.Before(c.until) {
		if k == 0 && (before < 0 || c.taken <= before) {
			return false
		}
		c.until = now.Add(c.stall)
	}
	return c.Conn.SetWriteDeadline(c.until) == nil
}

// SyscallConn implements syscall.Conn, where the connection does.
func (c *movingConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
