package sync

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/ankisyncd/ankisyncd/offheap"
)

// TestRandomAccess has zips of all sizes, announced rightly, wrongly and not at
// all, in memory and on disk, and nothing stays of them.
func TestRandomAccess(t *testing.T) {
	dir := t.TempDir()
	s := New(Options{TempDir: dir})
	left := func() int {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	const limit = 20 << 20
	content := bytes.Repeat([]byte("0123456789abcdef"), limit/16+1)
	var full []*offheap.Bytes
	for _, c := range []struct {
		size      int
		announced int64
		onDisk    bool
		full      bool // there is no room in memory
	}{
		{0, 0, false, false},
		{1000, 1000, false, false},
		{1000, -1, false, false},
		{1000, 100 << 20, false, false},
		{zipInMemory - 1, 5, false, false},
		{zipInMemory, 5, false, false},
		{zipInMemory + 1, -1, false, false},
		{zipInMemory + 1, zipInMemory + 1, false, false},
		{zipOffHeap - 1, zipOffHeap, false, false},
		{zipOffHeap, zipOffHeap, true, false},
		{zipOffHeap + 1, 7, true, false},
		{limit, limit, true, false},
		{zipInMemory - 1, 7, false, true},
		{zipInMemory + 1, -1, true, true},
		{zipOffHeap - 1, zipOffHeap, true, true},
	} {
		for c.full && len(full) == 0 || c.full && offheap.InUse() < offheap.Limit {
			p := offheap.New()
			if err := p.Append(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			full = append(full, p)
		}
		want := content[:c.size]
		_, size, done, err := (&call{s: s, r: &http.Request{ContentLength: c.announced}, payload: iotest.OneByteReader(io.LimitReader(bytes.NewReader(want), 3))}).randomAccess(limit)
		if err != nil || size != int64(min(3, c.size)) {
			t.Error("one byte at a time: ", size, err)
		}
		done()
		var r io.ReaderAt
		r, size, done, err = (&call{s: s, r: &http.Request{ContentLength: c.announced}, payload: bytes.NewReader(want)}).randomAccess(limit)
		if err != nil || size != int64(c.size) {
			t.Fatalf("%+v: %d bytes, %v", c, size, err)
		}
		got := make([]byte, size)
		if n, err := r.ReadAt(got, 0); n != len(want) || err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(got, want) {
			t.Errorf("%+v: %d bytes, %v", c, n, err)
		}
		if _, onDisk := r.(*os.File); onDisk != c.onDisk {
			t.Errorf("%+v: on disk: %v", c, onDisk)
		}
		// No name, so that nothing is left of a process that is killed now.
		if n := left(); n > 0 && runtime.GOOS != "windows" {
			t.Errorf("%+v: %d files have a name", c, n)
		}
		done()
		if n := left(); n > 0 {
			t.Errorf("%+v: %d files stay", c, n)
		}
	}
	for _, p := range full {
		p.Release()
	}
	boom := errors.New("boom")
	for _, n := range []int{10, zipInMemory + 10, zipOffHeap + 10} {
		for _, announced := range []int64{-1, int64(n)} {
			_, _, done, err := (&call{s: s, r: &http.Request{ContentLength: announced}, payload: io.MultiReader(bytes.NewReader(content[:n]), iotest.ErrReader(boom))}).randomAccess(limit)
			done()
			if !errors.Is(err, boom) {
				t.Errorf("%d bytes and an error: %v", n, err)
			}
		}
	}
	var refused *statusError
	_, _, done, err := (&call{s: s, r: &http.Request{ContentLength: limit + 1}, payload: bytes.NewReader(content[:limit+1])}).randomAccess(limit)
	done()
	if !errors.As(err, &refused) || refused.status != http.StatusRequestEntityTooLarge {
		t.Error("too large: ", err)
	}
	if n := left(); n > 0 || offheap.InUse() != 0 {
		t.Errorf("%d files stay, %d bytes are mapped", n, offheap.InUse())
	}
}

// TestZipBufferIsNoLargerThanItNeedBe: clients do not say how long a zip is, and the
// buffer of one that turned out to be too long for it is kept.
func TestZipBufferIsNoLargerThanItNeedBe(t *testing.T) {
	content := make([]byte, zipInMemory+100)
	for _, size := range []int{0, 1000, zipInMemory/4 - 1, zipInMemory / 4, zipInMemory/4 + 1, zipInMemory - 1, zipInMemory, len(content)} {
		var mem bytes.Buffer
		r := bytes.NewReader(content[:size])
		n, err := readZip(&mem, struct{ io.Reader }{r})
		if want := min(size, zipInMemory); err != nil || int(n) != want || mem.Len() != want || r.Len() != size-want {
			t.Errorf("%d bytes: %d read, %d there, %d left, %v", size, n, mem.Len(), r.Len(), err)
		}
		if room := mem.Cap(); room > zipInMemory+zipInMemory/8 {
			t.Errorf("%d bytes: room for %d", size, room)
		}
	}
}
