package nowait_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/nowait"
)

// pair returns two ends of a connection.
func pair(t *testing.T, network, address string) (here, there net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if there, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if here, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

func TestSocket(t *testing.T) {
	for _, c := range []struct{ network, address string }{{"tcp", "127.0.0.1:0"}, {"unix", filepath.Join(t.TempDir(), "s")}} {
		t.Run(c.network, func(t *testing.T) {
			here, there := pair(t, c.network, c.address)
			s := nowait.Socket(here)
			if s == nil {
				t.Fatal("no socket")
			}
			b := make([]byte, 100)
			// What comes while it is waited for, and what is there already.
			go func() { _, _ = there.Write([]byte("abc")) }()
			if n, err := s.Read(b); err != nil || string(b[:n]) != "abc" {
				t.Fatalf("%q, %v", b[:n], err)
			}
			if n, err := s.Write([]byte("def")); n != 3 || err != nil {
				t.Fatal(n, err)
			}
			if _, err := io.ReadFull(there, b[:3]); err != nil || string(b[:3]) != "def" {
				t.Fatalf("%q, %v", b[:3], err)
			}
			if n, err := s.Read(nil); n != 0 || err != nil {
				t.Error("nothing asked for", n, err)
			}
			if n, err := s.Write(nil); n != 0 || err != nil {
				t.Error("nothing to write", n, err)
			}

			// More than fits, to one who takes his time: all of it, in order.
			want := make([]byte, 8<<20)
			_, _ = rand.Read(want)
			sent := make(chan error, 1)
			go func() {
				n, err := s.Write(want)
				if err == nil && n != len(want) {
					err = io.ErrShortWrite
				}
				sent <- errors.Join(err, here.Close())
			}()
			got, err := io.ReadAll(there)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSocketErrors: they are those of net.Conn, which net/http looks at.
func TestSocketErrors(t *testing.T) {
	here, there := pair(t, "tcp", "127.0.0.1:0")
	s := nowait.Socket(here)
	b := make([]byte, 10)
	same := func(what string, get func(rw io.ReadWriter) error) {
		t.Helper()
		var want, got *net.OpError
		wantErr, gotErr := get(here), get(s)
		if !errors.As(wantErr, &want) || !errors.As(gotErr, &got) {
			if wantErr == nil || !errors.Is(gotErr, wantErr) {
				t.Errorf("%s: %v, want %v", what, gotErr, wantErr)
			}
			return
		}
		if got.Op != want.Op || got.Net != want.Net || got.Timeout() != want.Timeout() || got.Err.Error() != want.Err.Error() {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	read := func(rw io.ReadWriter) error { _, err := rw.Read(b); return err }
	write := func(rw io.ReadWriter) error { _, err := rw.Write(b); return err }

	_ = here.SetDeadline(time.Unix(1, 0))
	same("deadline of a read", read)
	same("deadline of a write", write)
	_ = here.SetDeadline(time.Time{})
	// One that passes while it waits.
	_ = here.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := s.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	_ = here.SetReadDeadline(time.Time{})

	_ = there.(*net.TCPConn).CloseWrite()
	same("end", read)
	_ = there.(*net.TCPConn).SetLinger(0)
	_ = there.Close()
	for range 1000 { // until it is known
		if _, err := here.Write(b); err != nil {
			break
		}
	}
	same("broken pipe", write)
	_ = here.Close()
	same("read of what is closed", read)
	same("write of what is closed", write)
}

// TestNoSocket: a connection without a file descriptor has none.
func TestNoSocket(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if nowait.Socket(a) != nil {
		t.Error("a pipe in memory is a socket")
	}
}

// TestReadIsEndedByClose: somebody waits, and another closes.
func TestReadIsEndedByClose(t *testing.T) {
	here, _ := pair(t, "tcp", "127.0.0.1:0")
	s := nowait.Socket(here)
	done := make(chan error)
	go func() {
		_, err := s.Read(make([]byte, 1))
		done <- err
	}()
	_ = here.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
