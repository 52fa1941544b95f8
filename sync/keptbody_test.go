package sync

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/offheap"
)

func zstdFrame(t testing.TB, b []byte, o ...zstd.EOption) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, o...)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return e.EncodeAll(b, nil)
}

// kept reads b through a keptBody in reads of at most step bytes.
func kept(t testing.TB, b []byte, step int) *keptBody {
	t.Helper()
	k := newKeptBody(bytes.NewReader(b))
	t.Cleanup(k.close)
	got, err := io.ReadAll(io.NewSectionReader(readerAt{k, step}, 0, 1<<40))
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("%d of %d bytes passed on, %v", len(got), len(b), err)
	}
	return k
}

func content(t testing.TB, p *offheap.Bytes) []byte {
	t.Helper()
	if p == nil {
		return nil
	}
	b := make([]byte, p.Len())
	if _, err := p.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// readerAt reads on, in small steps.
type readerAt struct {
	r    io.Reader
	step int
}

func (r readerAt) ReadAt(p []byte, _ int64) (int, error) { return r.r.Read(p[:min(len(p), r.step)]) }

func TestKeptBody(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	mixed := slices.Concat(noise, make([]byte, 400_000), bytes.Repeat([]byte("some words and "), 30_000))
	one := map[string][]byte{
		"noise":     zstdFrame(t, noise),
		"zeros":     zstdFrame(t, make([]byte, 1<<20)),
		"mixed":     zstdFrame(t, mixed),
		"checksum":  zstdFrame(t, mixed, zstd.WithEncoderCRC(true)),
		"no sum":    zstdFrame(t, mixed, zstd.WithEncoderCRC(false)),
		"best":      zstdFrame(t, mixed, zstd.WithEncoderLevel(zstd.SpeedBestCompression)),
		"one small": zstdFrame(t, []byte("x")),
		"raw":       rawFrame([]byte("as it is")),
	}
	for what, b := range one {
		for _, step := range []int{1000, 1 << 16, 1 << 20} {
			if got := content(t, kept(t, b, step).packed()); !bytes.Equal(got, b) {
				t.Errorf("%s in steps of %d: %d of %d bytes kept", what, step, len(got), len(b))
			}
		}
	}
	skippable := []byte{0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'h', 'i'}
	big := make([]byte, collection.MaxPacked+1)
	for i := range big {
		big[i] = byte(r.Uint32())
	}
	for what, b := range map[string][]byte{
		"nothing":        {},
		"two frames":     slices.Concat(one["mixed"], one["noise"]),
		"skippable":      slices.Concat(skippable, one["mixed"]),
		"then skippable": slices.Concat(one["mixed"], skippable),
		"cut off":        one["mixed"][:len(one["mixed"])-1],
		"a byte more":    append(bytes.Clone(one["no sum"]), 0),
		"no zstd":        []byte("SQLite format 3\x00"),
		"too large":      zstdFrame(t, big),
	} {
		k := kept(t, b, 1<<16)
		if p := k.packed(); p != nil {
			t.Errorf("%s: %d bytes kept", what, p.Len())
		}
		if what == "too large" && k.body != nil {
			t.Error("what is too large is held all the same")
		}
	}
	half := newKeptBody(bytes.NewReader(one["mixed"]))
	defer half.close()
	if _, err := io.ReadFull(half, make([]byte, len(one["mixed"]))); err != nil {
		t.Fatal(err)
	}
	if half.packed() != nil {
		t.Error("kept before its end was seen")
	}
}

func FuzzKeptBody(f *testing.F) {
	f.Add(zstdFrame(f, []byte("words and words and words")), uint16(3))
	f.Add(rawFrame([]byte("x")), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, step uint16) {
		p := kept(t, b, int(step)+1).packed()
		if p != nil && !bytes.Equal(content(t, p), b) {
			t.Error("something else is kept")
		}
	})
}
