package scheduling

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// generator is the random generator that clients seed for review fuzz: ChaCha
// with twelve rounds. Only the first block is ever needed.
type generator struct {
	block [16]uint32
	next  int
}

// newGenerator expands a 64-bit seed to a key with a PCG, and computes the
// first block of the key stream.
func newGenerator(seed uint64) *generator {
	var key [32]byte
	for i := 0; i < len(key); i += 4 {
		seed = seed*6364136223846793005 + 11634580027462260723
		x := uint32((seed>>18 ^ seed) >> 27)
		binary.LittleEndian.PutUint32(key[i:], bits.RotateLeft32(x, -int(seed>>59)))
	}
	g := &generator{}
	g.block = [16]uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
	for i := range 8 {
		g.block[4+i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	start := g.block // counter and stream number are zero
	for range 6 {
		for i := range 4 {
			quarter(&g.block, i, 4+i, 8+i, 12+i)
		}
		for i := range 4 {
			quarter(&g.block, i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4)
		}
	}
	for i := range start {
		g.block[i] += start[i]
	}
	return g
}

func quarter(s *[16]uint32, a, b, c, d int) {
	s[a] += s[b]
	s[d] = bits.RotateLeft32(s[d]^s[a], 16)
	s[c] += s[d]
	s[b] = bits.RotateLeft32(s[b]^s[c], 12)
	s[a] += s[b]
	s[d] = bits.RotateLeft32(s[d]^s[a], 8)
	s[c] += s[d]
	s[b] = bits.RotateLeft32(s[b]^s[c], 7)
}

func (g *generator) uint32() uint32 {
	v := g.block[g.next%len(g.block)]
	g.next++
	return v
}

// float32 is a number in [0, 1).
func (g *generator) float32() float32 {
	return math.Float32frombits(0x3f800000|g.uint32()>>9) - 1
}

// between is a number in [low, high); high must be greater than low.
func (g *generator) between(low, high uint32) uint32 {
	span := high - low
	hi, lo := bits.Mul32(g.uint32(), span)
	if lo > -span {
		more, _ := bits.Mul32(g.uint32(), span)
		if _, carry := bits.Add32(lo, more, 0); carry != 0 {
			hi++
		}
	}
	return low + hi
}
