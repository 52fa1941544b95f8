package sync

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestStrangersShareOfFiles: what is spooled of those who are not known yet is
// bounded, for each network and all together, and takes nothing from users.
func TestStrangersShareOfFiles(t *testing.T) {
	const upload, message = 2 << 20, 1 << 20
	s := New(Options{TempDir: t.TempDir(), MaxUploadBytes: upload, MaxMessageBytes: message, MaxMediaZipBytes: message})
	send := func(user, addr string, n int) (*spool, error) {
		c := &call{s: s, r: httptest.NewRequest(http.MethodPost, "/", nil), addr: netip.MustParseAddr(addr)}
		c.session.User = user
		c.r.ContentLength = -1
		defer c.unreserve()
		return c.spool(bytes.NewReader(make([]byte, n)), "x")
	}
	good := func(user, addr string, n int) *spool {
		t.Helper()
		sp, err := send(user, addr, n)
		if err != nil {
			t.Errorf("%q from %s, %d bytes: %v", user, addr, n, err)
		}
		return sp
	}
	bad := func(user, addr string, n int) {
		t.Helper()
		if _, err := send(user, addr, n); statusOf(err) != http.StatusServiceUnavailable {
			t.Errorf("%q from %s, %d bytes: %v", user, addr, n, err)
		}
	}
	one := good("", "2001:db8::1", upload)
	bad("", "2001:db8::2", message) // the same network
	two := good("", "192.0.2.1", message)
	bad("", "192.0.2.2", message)
	good("", "192.0.2.2", 1000).close() // small ones are in memory
	known := good("a", "192.0.2.2", upload)
	bad("a", "192.0.2.2", message)
	good("b", "192.0.2.2", message).close()
	// One turns out to be a user.
	two.known(&s.spooled, "c")
	good("", "192.0.2.2", message).close()
	for _, sp := range []*spool{one, two, known} {
		sp.close()
	}
	for _, shares := range []*spoolShares{&s.spooled, &s.strangers} {
		if shares.total != 0 || len(shares.of) > 0 {
			t.Errorf("%d bytes are still counted, of %v", shares.total, shares.of)
		}
	}
}

// TestStrangersMemory: when they hold enough, what more of them sends goes to files
// at once, and is read through small buffers.
func TestStrangersMemory(t *testing.T) {
	s := New(Options{TempDir: t.TempDir()})
	var all []*call
	inFile := 0
	for range 200 {
		c := &call{s: s, r: httptest.NewRequest(http.MethodPost, "/", nil)}
		c.r.ContentLength = -1
		sp, err := c.spool(bytes.NewReader(make([]byte, spoolInMemory-1)), "x")
		if err != nil {
			t.Fatal(err)
		}
		if sp.file != nil {
			inFile++
			r, err := sp.reader()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); n != spoolInMemory-1 || err != nil {
				t.Errorf("%d bytes came back, %v", n, err)
			}
		} else if sp.mem.Cap() > 2*spoolInMemory {
			t.Errorf("%d bytes of memory", sp.mem.Cap())
		}
		c.closers = append(c.closers, sp.close)
		all = append(all, c)
	}
	if inMemory := int64(200 - inFile); inMemory == 0 || inMemory*2*spoolInMemory > strangersMemory {
		t.Errorf("%d of 200 are in memory", inMemory)
	}
	for _, c := range all {
		c.unreserve()
		c.close()
	}
	if n := s.strangersHold.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

// TestFormZipInMemory has zips as 2.1.49 sends them: a form of 502,895 bytes with the
// data of 502,527 before the key.
func TestFormZipInMemory(t *testing.T) {
	for _, tt := range []struct {
		step         string
		form, data   int64
		inFile, user bool
	}{
		{"uploadChanges", 502895, 502527, false, false},
		{"uploadChanges", 502895, 502527, false, true},
		{"uploadChanges", zipInMemory - 1, zipInMemory - 400, false, false},
		{"uploadChanges", zipInMemory + 400, zipInMemory, true, false},
		{"uploadChanges", -1, 502527, true, false},
		{"uploadChanges", 1000, 600, false, false},
		{"upload", 502895, 502527, true, false},
	} {
		s := New(Options{TempDir: t.TempDir()})
		c := &call{s: s, step: s.steps[tt.step], r: httptest.NewRequest(http.MethodPost, "/", nil)}
		c.r.ContentLength = tt.form
		if tt.user {
			c.session.User = "user"
		}
		sp, err := c.spool(io.LimitReader(zeros{}, tt.data), "x")
		if err != nil {
			t.Fatal(err)
		}
		if inFile := sp.file != nil; inFile != tt.inFile || sp.size != tt.data {
			t.Errorf("%+v: %d bytes, in a file: %v", tt, sp.size, inFile)
		}
		if held := s.strangersHold.Load(); !tt.user && sp.file == nil && held > 0 && held+8<<10 < int64(sp.mem.Cap()) || tt.user && held != 0 {
			t.Errorf("%+v: %d bytes are counted, %d held", tt, held, sp.mem.Cap())
		}
		c.unreserve()
		sp.close()
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
