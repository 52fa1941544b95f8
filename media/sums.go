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

// sumSlots is how many are remembered: a slot's newest content. 160 KiB.
const sumSlots = 4096

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
	i := want.hash % sumSlots
	s.mu.Lock()
	if s.slots != nil {
		want.sum = s.slots[i].sum
		if s.slots[i] == want {
			s.mu.Unlock()
			return hex.EncodeToString(want.sum[:])
		}
	}
	s.mu.Unlock()
	want.sum = sha1.Sum(content) //nolint:gosec // the protocol's checksum
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots == nil {
		s.slots = make([]sumSlot, sumSlots)
	}
	s.slots[i] = want
	return hex.EncodeToString(want.sum[:])
}
