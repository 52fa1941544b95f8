package main

import (
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// lumpConn is a connection whose writes wait until their deadline, as long as
// there are any to wait for, and write nothing: the other end takes what was
// written before, which only unsent tells.
type lumpConn struct {
	net.Conn
	deadline time.Time
	waits    int
	unsent   int64
	takes    int64 // of unsent, in each wait
	some     int   // is written by each of them
}

func (c *lumpConn) SetWriteDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *lumpConn) Write(p []byte) (int, error) {
	if c.waits == 0 {
		return len(p), nil
	}
	c.waits--
	time.Sleep(time.Until(c.deadline))
	c.unsent -= c.takes
	n := min(c.some, len(p))
	c.unsent += int64(n)
	return n, os.ErrDeadlineExceeded
}

// TestMovingConn: where the other end takes bytes, a write outlasts its deadline,
// though the system lets none be written meanwhile.
func TestMovingConn(t *testing.T) {
	const stall = time.Minute
	for name, tt := range map[string]struct {
		conn lumpConn
		told bool // the system tells what is not sent
		took time.Duration
		fail bool
	}{
		"at once":              {lumpConn{}, true, 0, false},
		"taken by the other":   {lumpConn{waits: 5, unsent: 1 << 20, takes: 100}, true, 4 * stall, false},
		"written little":       {lumpConn{waits: 5, unsent: 1 << 20, some: 1}, true, 4 * stall, false},
		"stands still":         {lumpConn{waits: 5, unsent: 1 << 20}, true, stall, true},
		"nobody knows":         {lumpConn{waits: 5, unsent: 1 << 20, takes: 100}, false, stall, true},
		"little, nobody knows": {lumpConn{waits: 5, unsent: 1 << 20, some: 1}, false, 5 * stall, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line := tt.conn
				c := &movingConn{Conn: &line, stall: stall}
				if tt.told {
					c.written.Store(line.unsent)
					c.unsent = func() (int64, bool) { return line.unsent, true }
				}
				began := time.Now()
				if err := c.SetWriteDeadline(began.Add(stall)); err != nil {
					t.Fatal(err)
				}
				n, err := c.Write(make([]byte, 1000))
				if (err != nil) != tt.fail || err == nil && n != 1000 {
					t.Errorf("%d bytes, %v", n, err)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("after %s, want %s", took, tt.took)
				}
			})
		})
	}
}

// TestUnsent: the system tells what the other end has not taken.
func TestUnsent(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	unsent := unsentOf(conn)
	if unsent == nil {
		t.Skip("not on this system")
	}
	written := make(chan int)
	go func() {
		n, _ := conn.Write(make([]byte, 64<<20)) // more than the system holds
		written <- n
	}()
	for {
		if left, ok := unsent(); !ok {
			t.Fatal("not told")
		} else if left > 0 {
			break
		}
		runtime.Gosched()
	}
	got, err := io.CopyN(io.Discard, client, 64<<20)
	if n := <-written; err != nil || int(got) != n {
		t.Fatalf("%d of %d bytes, %v", got, n, err)
	}
	for {
		if left, ok := unsent(); !ok {
			t.Fatal("not told")
		} else if left == 0 { // it has heard
			break
		}
		runtime.Gosched()
	}
}
