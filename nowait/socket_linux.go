package nowait

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// Conn reads and writes a socket. It has the deadlines of the net.Conn that it
// was made of, and ends with it. One goroutine may read at a time, and one write.
type Conn struct {
	raw     syscall.RawConn
	network string // for errors
	r, w    transfer
}

// transfer is one call of Read or Write. Its function is kept, since RawConn
// would have each call make one.
type transfer struct {
	p    []byte
	n    int
	err  syscall.Errno
	call func(fd uintptr) bool
}

// Socket returns a Conn for c, or nil if c has no socket of its own, as with TLS.
func Socket(c net.Conn) *Conn {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	s := &Conn{raw: raw, network: c.LocalAddr().Network()}
	s.r.call = func(fd uintptr) bool { return s.r.step(syscall.SYS_READ, fd) }
	s.w.call = func(fd uintptr) bool {
		for s.w.err == 0 && len(s.w.p) > 0 {
			if !s.w.step(syscall.SYS_WRITE, fd) {
				return false
			}
		}
		return true
	}
	return s
}

// step makes the call; false says that it would have waited. What has been
// transferred is cut off p.
func (t *transfer) step(call, fd uintptr) bool {
	for {
		n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(t.p))), uintptr(len(t.p)))
		switch errno {
		case 0:
			t.n += int(n)
			t.p = t.p[n:]
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		t.err = errno
		return true
	}
}

// end is what is said of a transfer. Errors look like those of net.Conn.
func (t *transfer) end(op, network string, err error) (int, error) {
	n, errno := t.n, t.err
	t.p, t.n, t.err = nil, 0, 0
	var oe *net.OpError
	switch {
	case errors.As(err, &oe): // "raw-read"
		e := *oe
		e.Op = op
		return n, &e
	case err != nil:
		return n, err
	case errno != 0:
		return n, &net.OpError{Op: op, Net: network, Err: os.NewSyscallError(op, errno)}
	}
	return n, nil
}

// Read implements io.Reader.
func (s *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.r.p = p
	n, err := s.r.end("read", s.network, s.raw.Read(s.r.call))
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements io.Writer.
func (s *Conn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	s.w.p = p
	return s.w.end("write", s.network, s.raw.Write(s.w.call))
}
