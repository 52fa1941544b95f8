package media

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the protocol's checksum, no secret
	"encoding/hex"
	"hash/crc32"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestSums asks for the checksums of contents that differ little, of all sizes,
// again and again, also of more than are remembered.
func TestSums(t *testing.T) {
	s := newSums()
	check := func(b []byte) {
		t.Helper()
		want := sha1.Sum(b) //nolint:gosec // as above
		if got := s.of(b, crc32.ChecksumIEEE(b)); got != hex.EncodeToString(want[:]) {
			t.Errorf("%d bytes: %s, want %x", len(b), got, want)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	base := make([]byte, smallFile)
	for i := range base {
		base[i] = byte(rnd.Uint32())
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, n := range []int{0, 1, worthIt - 1, worthIt, worthIt + 1, 5000, 20_000, smallFile} {
				for i := range min(n, 20) {
					b := bytes.Clone(base[:n])
					b[n-1-i] ^= 1
					check(b)
					check(b)
				}
				check(base[:n])
			}
		})
	}
	wg.Wait()
	b := bytes.Clone(base[:worthIt])
	for range 2 {
		for i := range 2 * sumSlots {
			b[0], b[1] = byte(i), byte(i>>8)
			check(b)
		}
	}
}

// TestSumsAreRemembered: what is known is not hashed again, and only if all is the
// same.
func TestSumsAreRemembered(t *testing.T) {
	s := newSums()
	b := bytes.Repeat([]byte("x"), worthIt)
	s.of(b, 7)
	for i := range s.slots { // where it is, whatever the secret: what is said now is what is remembered
		copy(s.slots[i].sum[:], "remembered")
	}
	if got, err := hex.DecodeString(s.of(b, 7)); err != nil || !bytes.HasPrefix(got, []byte("remembered")) {
		t.Errorf("%q %v", got, err)
	}
	want := sha1.Sum(b) //nolint:gosec // as above
	if got := s.of(b, 8); got != hex.EncodeToString(want[:]) {
		t.Error("another checksum, but taken for the same")
	}
}

// TestSumsOfMany: of contents that would all have a place, hardly any takes that of
// another, whatever the secret.
func TestSumsOfMany(t *testing.T) {
	s := newSums()
	content := func(i int) []byte {
		b := make([]byte, worthIt)
		b[0], b[1] = byte(i), byte(i>>8)
		return b
	}
	const many = sumSlots / 4
	for i := range many {
		s.of(content(i), 7)
	}
	for i := range s.slots {
		copy(s.slots[i].sum[:], "remembered")
	}
	remembered := 0
	for i := range many {
		if got, err := hex.DecodeString(s.of(content(i), 7)); err == nil && bytes.HasPrefix(got, []byte("remembered")) {
			remembered++
		}
	}
	if remembered < many*9/10 {
		t.Errorf("%d of %d are remembered", remembered, many)
	}
}
