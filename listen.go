package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/ankisyncd/ankisyncd/config"
)

// listenAll opens the sockets of systemd, or else those that the configuration
// names. On an error none is left open.
func listenAll(ctx context.Context, cfg *config.Config) ([]net.Listener, error) {
	lns, err := activatedListeners()
	if err != nil || len(lns) > 0 {
		return lns, err
	}
	for _, a := range cfg.Addresses() {
		ln, err := listen(ctx, a, cfg.SocketMode)
		if err != nil {
			closeAll(lns)
			return nil, err
		}
		lns = append(lns, ln)
	}
	return lns, nil
}

// listen opens HOST:PORT or unix:PATH.
func listen(ctx context.Context, address string, mode fs.FileMode) (net.Listener, error) {
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		network := "tcp"
		if host, _, err := net.SplitHostPort(address); err == nil && host == "0.0.0.0" {
			network = "tcp4" // Go takes it for every address of IPv6 too
		}
		return (&net.ListenConfig{}).Listen(ctx, network, address)
	}
	if err := removeStaleSocket(ctx, path); err != nil {
		return nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// removeStaleSocket removes the socket of a server that was killed. One that
// somebody answers on stays, and so does any other kind of file.
func removeStaleSocket(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen unix:%s: there is a file that is no socket", path)
	}
	if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path); err == nil {
		return errors.Join(fmt.Errorf("listen unix:%s: another process listens there", path), conn.Close())
	}
	return os.Remove(path)
}

func closeAll(lns []net.Listener) {
	for _, ln := range lns {
		_ = ln.Close() // on the way out with an error already
	}
}

// limitListener lets no more than a number of connections be open at once; the
// next is accepted when one has been closed. The limit is shared by listeners
// that have the same channel.
type limitListener struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	close sync.Once
}

// limitConnections applies one limit to all listeners; 0 is none.
func limitConnections(lns []net.Listener, limit int) []net.Listener {
	if limit <= 0 {
		return lns
	}
	slots := make(chan struct{}, limit)
	out := make([]net.Listener, len(lns))
	for i, ln := range lns {
		out[i] = &limitListener{Listener: ln, slots: slots, done: make(chan struct{})}
	}
	return out
}

// Accept implements net.Listener.
func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitConn{Conn: conn, slots: l.slots}, nil
}

// Close implements net.Listener.
func (l *limitListener) Close() error {
	l.close.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitConn struct {
	net.Conn
	slots chan struct{}
	close sync.Once
}

// SyscallConn implements syscall.Conn, where the connection does.
func (c *limitConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Close implements net.Conn.
func (c *limitConn) Close() error {
	err := c.Conn.Close()
	c.close.Do(func() { <-c.slots })
	return err
}
