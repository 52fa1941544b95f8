package offheap

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// TestLimit: all together get no more than is set aside, and all of it is given
// back.
func TestLimit(t *testing.T) {
	before := InUse()
	var all []*Bytes
	piece := make([]byte, pieceSize)
	var err error
	for len(all) < 1000 && err == nil {
		p := New()
		all = append(all, p)
		err = p.Append(piece)
	}
	if n := InUse(); !errors.Is(err, ErrFull) || n != Limit {
		t.Errorf("%d pieces, %d bytes, %v", len(all), n, err)
	}
	r := strings.NewReader("what does not fit")
	if n, err := all[len(all)-1].ReadFrom(r); n != 0 || !errors.Is(err, ErrFull) || r.Len() != 17 {
		t.Errorf("read %d of it, %v", n, err)
	}
	for _, p := range all {
		p.Release()
	}
	if n := InUse(); n != before {
		t.Errorf("%d bytes stay mapped", n-before)
	}
}

// TestBytes writes and reads in pieces of every size, beside a slice.
func TestBytes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, 3*pieceSize + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(rnd.Uint32())
		}
		half := rnd.IntN(size + 1)
		p := New()
		if err := p.Append(want[:half]); err != nil {
			t.Fatal(err)
		}
		n, err := p.ReadFrom(iotest.HalfReader(bytes.NewReader(want[half:])))
		if n != int64(size-half) || err != nil || p.Len() != size {
			t.Errorf("read %d of %d bytes, %v; %d in all", n, size-half, err, p.Len())
		}
		if err := iotest.TestReader(io.NewSectionReader(p, 0, int64(size)), want); err != nil {
			t.Error(size, err)
		}
		r := p.Reader()
		p.Release()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d of %d bytes, %v", len(got), size, err)
		}
		if _, err := p.ReadAt(make([]byte, 1), -1); !errors.Is(err, fs.ErrInvalid) {
			t.Error(err)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Error("read after its end: ", err)
		}
	}
	if n := InUse(); n != 0 {
		t.Errorf("%d bytes stay mapped", n)
	}
}

// TestSpares: what is given back is used again, no more of it than is said, and
// goes in the end.
func TestSpares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spare.drop()
		count := func() int {
			spare.mu.Lock()
			defer spare.mu.Unlock()
			return len(spare.pieces)
		}
		use := func(pieces int) {
			t.Helper()
			p := New()
			defer p.Release()
			if err := p.Append(bytes.Repeat([]byte{1}, pieces*pieceSize)); err != nil {
				t.Fatal(err)
			}
		}
		use(maxSpare + 5)
		if n := count(); n != maxSpare {
			t.Errorf("%d pieces are kept", n)
		}
		use(1)
		p := New()
		if err := p.Append([]byte("x")); err != nil || count() != maxSpare-1 {
			t.Error("a piece that is there is not used", err)
		}
		if b := make([]byte, 10); true {
			if n, err := p.ReadAt(b, 0); n != 1 || !errors.Is(err, io.EOF) || string(b[:2]) != "x\x00" {
				t.Errorf("%q of what was there before, %v", b[:n], err)
			}
		}
		p.Release()
		time.Sleep(2 * spareFor)
		synctest.Wait()
		if n := count(); n != 0 || InUse() != 0 {
			t.Errorf("%d pieces stay, %d bytes in use", n, InUse())
		}
		use(1)
		time.Sleep(2 * spareFor)
		synctest.Wait()
		if n := count(); n != 0 {
			t.Errorf("%d pieces stay of the next", n)
		}
	})
}

// TestReadFromFails keeps what came before an error.
func TestReadFromFails(t *testing.T) {
	boom := errors.New("boom")
	p := New()
	defer p.Release()
	n, err := p.ReadFrom(io.MultiReader(strings.NewReader("before"), iotest.ErrReader(boom)))
	if n != 6 || !errors.Is(err, boom) || p.Len() != 6 {
		t.Error(n, err, p.Len())
	}
}
