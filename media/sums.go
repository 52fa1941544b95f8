package media

import (
	"crypto/sha1" //nolint:gosec // the protocol's checksum, no secret
	"encoding/hex"
	"hash/maphash"
	"sync"
)

// sums remembers the checksums of small contents seen lately. A client whose
// connection was cut sends its last zip again, and one that starts over sends all
// of them; hashing is a good part of finding that nothing is new.
//
// A content is taken for one seen before if its size, its CRC-32 (which the caller
// has verified) and a hash of 64 bits under a secret of this process are the same.
// Two files that differ agree in these by chance about once in 2^96 pairs, and
// without the secret there is no telling which do.
type sums struct {
	seed  maphash.Seed
	mu    sync.Mutex
	slots []sumSlot // nil until there is something to remember
}

type sumSlot struct {
	hash uint64
	size int32
	crc  uint32
	sum  [sha1.Size]byte
}

// sumSlots is how many are remembered, 320 KiB: for each of the hashes that share
// sumWays slots the newest.
const (
	sumSlots = 8192
	sumWays  = 4
)

// worthIt is the size in bytes from which on looking costs less than hashing.
const worthIt = 1 << 10

func newSums() *sums { return &sums{seed: maphash.MakeSeed()} }

// of returns the SHA-1 of content, at most smallFile bytes with the given CRC-32,
// in hex.
func (s *sums) of(content []byte, crc uint32) string {
	if len(content) < worthIt {
		sum := sha1.Sum(content) //nolint:gosec // the protocol's checksum
		return hex.EncodeToString(sum[:])
	}
	want := sumSlot{hash: maphash.Bytes(s.seed, content), size: int32(len(content)), crc: crc} //nolint:gosec // small
	if !s.known(&want) {
		want.sum = sha1.Sum(content) //nolint:gosec // the protocol's checksum
		s.remember(want)
	}
	return hex.EncodeToString(want.sum[:])
}

// ways are the slots that w may be in.
func (s *sums) ways(w *sumSlot) []sumSlot {
	i := w.hash % (sumSlots / sumWays) * sumWays
	return s.slots[i : i+sumWays]
}

// known fills in w's sum, if it is remembered.
func (s *sums) known(w *sumSlot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots == nil {
		return false
	}
	for _, slot := range s.ways(w) {
		if slot.hash == w.hash && slot.size == w.size && slot.crc == w.crc {
			w.sum = slot.sum
			return true
		}
	}
	return false
}

// remember takes w for the newest of its slots.
func (s *sums) remember(w sumSlot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots == nil {
		s.slots = make([]sumSlot, sumSlots)
	}
	ways := s.ways(&w)
	copy(ways[1:], ways)
	ways[0] = w
}
