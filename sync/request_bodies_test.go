package sync

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// recordedBody is one of testdata/bodies.
func recordedBody(t *testing.T, name string) (body, msg []byte) {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "bodies", name))
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	if msg, err = dec.DecodeAll(body, nil); err != nil {
		t.Fatal(err)
	}
	return body, msg
}

// headerCall is a request of a step with a header and such a body, in chunks.
func headerCall(t *testing.T, s *Server, step string, body []byte) *call {
	t.Helper()
	c := &call{s: s, step: s.steps[step], r: httptest.NewRequest("POST", "/", bytes.NewReader(body))}
	c.step.anonymous = true // whose it is does not matter here
	c.r.ContentLength = -1
	c.r.Header.Set(syncHeader, `{"v":11,"k":"k","c":"26.09.3,29bb700b,linux","s":"s"}`)
	if err := c.readHeader(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// TestClientBodies has the messages of real clients decoded in one go: a frame with
// a window of 2 MiB takes as much as a stream, and keeps it until the request ends.
func TestClientBodies(t *testing.T) {
	s := New(Options{TempDir: t.TempDir()})
	for _, step := range []string{"applyChunk", "downloadFiles"} {
		body, want := recordedBody(t, step)
		c := headerCall(t, s, step, body)
		if !bytes.Equal(c.whole, want) {
			t.Errorf("%s: %d bytes in one go, want %d", step, len(c.whole), len(want))
		}
		if got, whole, err := c.head(); err != nil || !whole || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v, %v", step, len(got), whole, err)
		}
		if len(c.whole) > 0 && cap(c.whole) > zstdBlock {
			t.Errorf("%s: room for %d bytes", step, cap(c.whole))
		}
	}
}

// TestSmallBody has bodies of applyChunk that are not, or not quite, as clients send
// them, and what is too large is the stream's.
func TestSmallBody(t *testing.T) {
	body, msg := recordedBody(t, "applyChunk")
	frame := func(b []byte) []byte {
		enc, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return enc.EncodeAll(b, nil)
	}
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i, x := 0, uint32(1); i < n; i++ {
			x = x*1664525 + 1013904223
			b[i] = byte(x >> 24)
		}
		return b
	}
	for name, tt := range map[string]struct {
		body, want []byte
		inOneGo    bool
		limit      int64
		fails      bool
	}{
		"recorded":        {body: body, want: msg, inOneGo: true},
		"two frames":      {body: append(bytes.Clone(body), frame([]byte(" "))...), want: append(bytes.Clone(msg), ' '), inOneGo: true},
		"with its size":   {body: frame(msg), want: msg, inOneGo: true},
		"raw blocks":      {body: rawFrame(noise(100000)), want: noise(100000), inOneGo: true},
		"much in little":  {body: frame(bytes.Repeat([]byte("a"), smallMessage)), want: bytes.Repeat([]byte("a"), smallMessage)},
		"in a file":       {body: frame(noise(spoolInMemory)), want: noise(spoolInMemory)},
		"over the limit":  {body: body, limit: int64(len(msg)) - 1, fails: true},
		"at the limit":    {body: body, want: msg, limit: int64(len(msg)), inOneGo: true},
		"cut":             {body: body[:len(body)-1], fails: true},
		"cut in a block":  {body: body[:500], fails: true},
		"no frame":        {body: noise(2000), fails: true},
		"nothing":         {body: nil, want: nil, inOneGo: true},
		"bytes behind it": {body: append(bytes.Clone(body), "xxxxxxxx"...), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{TempDir: t.TempDir(), MaxMessageBytes: tt.limit})
			c := &call{s: s, step: s.steps["applyChunk"], r: httptest.NewRequest("POST", "/", nil)}
			c.session.User = "user"
			c.r.ContentLength = -1
			defer c.close()
			err := c.readZstd(bytes.NewReader(tt.body))
			if err == nil {
				if inOneGo := c.whole != nil; inOneGo != tt.inOneGo {
					t.Errorf("in one go: %v, want %v", inOneGo, tt.inOneGo)
				}
				var got []byte
				if got, _, err = c.head(); err == nil && !tt.fails && !bytes.Equal(got, tt.want) {
					t.Errorf("%d bytes, want %d", len(got), len(tt.want))
				}
			}
			if failed := err != nil; failed != tt.fails {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestBodiesHoldLittle has many requests that are not yet answered.
func TestBodiesHoldLittle(t *testing.T) {
	s := New(Options{TempDir: t.TempDir()})
	body, _ := recordedBody(t, "applyChunk")
	const n = 32
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	calls := make([]*call, n)
	for i := range calls {
		calls[i] = headerCall(t, s, "applyChunk", body)
		if _, _, err := calls[i].head(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(calls)
	if held := int64(after.HeapAlloc-before.HeapAlloc) / n; held > 512<<10 {
		t.Errorf("each holds %d KiB", held>>10)
	}
}
