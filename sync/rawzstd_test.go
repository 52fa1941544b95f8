package sync

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// TestRawFrames decodes raw frames of every awkward size with a decoder that is
// not ours.
func TestRawFrames(t *testing.T) {
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 2, smallAnswer, rawBlock - 1, rawBlock, rawBlock + 1, 2 * rawBlock, 3*rawBlock + 77} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(rnd.Uint32())
		}
		var out bytes.Buffer
		w := newRawWriter(&out)
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+rnd.IntN(50_000))
			if k, err := w.Write(rest[:n]); k != n || err != nil {
				t.Fatalf("%d bytes: Write = %d, %v", size, k, err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := rawSize(int64(size)); got != int64(out.Len()) {
			t.Errorf("%d bytes: a frame of %d, foretold as %d", size, out.Len(), got)
		}
		got, err := dec.DecodeAll(out.Bytes(), nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("stream of %d bytes comes back as %d bytes, %v", size, len(got), err)
		}
		if _, err := dec.DecodeAll(out.Bytes()[:out.Len()-1], nil); err == nil {
			t.Errorf("stream of %d bytes, cut, is taken for whole", size)
		}
		if size > rawBlock {
			continue
		}
		got, err = dec.DecodeAll(rawFrame(want), nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("frame of %d bytes comes back as %d bytes, %v", size, len(got), err)
		}
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestRawWriterFails(t *testing.T) {
	w := newRawWriter(failingWriter{})
	_, err := w.Write(make([]byte, 2*rawBlock))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write = %v", err)
	}
	if err := w.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Close = %v", err)
	}
}
