package rendering

import (
	"encoding/binary"
	"math/bits"
)

// BLAKE3, the hash that names a hint's element: unkeyed, 32 bytes of output,
// after the algorithm's paper. Nothing here protects a secret; it only has to
// agree with the clients.

const (
	blakeBlock = 64
	blakeChunk = 1024

	flagChunkStart = 1 << 0
	flagChunkEnd   = 1 << 1
	flagParent     = 1 << 2
	flagRoot       = 1 << 3
)

var blakeIV = [8]uint32{
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
}

var blakePermutation = [16]int{2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8}

// blakeNode is the last, not yet compressed block of a chunk or a parent: only
// when it is known whether it is the root can it be finished.
type blakeNode struct {
	cv      [8]uint32
	block   [16]uint32
	counter uint64
	length  uint32
	flags   uint32
}

func (n *blakeNode) chain() [8]uint32 {
	s := blakeCompress(n)
	return [8]uint32(s[:8])
}

// blake3Sum returns the hash of all parts, one after the other.
func blake3Sum(parts ...string) [32]byte {
	var data []byte
	for _, p := range parts {
		data = append(data, p...)
	}
	root := blakeTree(data)
	root.flags |= flagRoot
	root.counter = 0
	var out [32]byte
	for i, w := range blakeCompress(&root) {
		if i < 8 {
			binary.LittleEndian.PutUint32(out[4*i:], w)
		}
	}
	return out
}

// blakeTree hashes chunk after chunk, merging finished subtrees of equal size:
// the stack never holds more entries than the number of chunks has bits.
func blakeTree(data []byte) blakeNode {
	var stack [][8]uint32
	var index uint64
	for len(data) > blakeChunk {
		chunk := blakeChunkNode(data[:blakeChunk], index)
		cv := chunk.chain()
		data = data[blakeChunk:]
		index++
		for range bits.TrailingZeros64(index) {
			parent := blakeParent(stack[len(stack)-1], cv)
			cv = parent.chain()
			stack = stack[:len(stack)-1]
		}
		stack = append(stack, cv)
	}
	node := blakeChunkNode(data, index)
	for i := len(stack) - 1; i >= 0; i-- {
		node = blakeParent(stack[i], node.chain())
	}
	return node
}

func blakeParent(left, right [8]uint32) blakeNode {
	n := blakeNode{cv: blakeIV, length: blakeBlock, flags: flagParent}
	copy(n.block[:8], left[:])
	copy(n.block[8:], right[:])
	return n
}

func blakeChunkNode(chunk []byte, index uint64) blakeNode {
	n := blakeNode{cv: blakeIV, counter: index, flags: flagChunkStart}
	for len(chunk) > blakeBlock {
		n.load(chunk[:blakeBlock])
		n.cv = n.chain()
		n.flags &^= flagChunkStart
		chunk = chunk[blakeBlock:]
	}
	n.load(chunk)
	n.flags |= flagChunkEnd
	return n
}

func (n *blakeNode) load(b []byte) {
	var block [blakeBlock]byte
	n.length = uint32(copy(block[:], b))
	for i := range n.block {
		n.block[i] = binary.LittleEndian.Uint32(block[4*i:])
	}
}

func blakeCompress(n *blakeNode) [16]uint32 {
	var s [16]uint32
	copy(s[:8], n.cv[:])
	copy(s[8:12], blakeIV[:4])
	s[12], s[13] = uint32(n.counter), uint32(n.counter>>32)
	s[14], s[15] = n.length, n.flags
	m := n.block
	for round := range 7 {
		if round > 0 {
			old := m
			for i, from := range blakePermutation {
				m[i] = old[from]
			}
		}
		blakeMix(&s, 0, 4, 8, 12, m[0], m[1])
		blakeMix(&s, 1, 5, 9, 13, m[2], m[3])
		blakeMix(&s, 2, 6, 10, 14, m[4], m[5])
		blakeMix(&s, 3, 7, 11, 15, m[6], m[7])
		blakeMix(&s, 0, 5, 10, 15, m[8], m[9])
		blakeMix(&s, 1, 6, 11, 12, m[10], m[11])
		blakeMix(&s, 2, 7, 8, 13, m[12], m[13])
		blakeMix(&s, 3, 4, 9, 14, m[14], m[15])
	}
	for i := range 8 {
		s[i] ^= s[i+8]
		s[i+8] ^= n.cv[i]
	}
	return s
}

func blakeMix(s *[16]uint32, a, b, c, d int, x, y uint32) {
	s[a] += s[b] + x
	s[d] = bits.RotateLeft32(s[d]^s[a], -16)
	s[c] += s[d]
	s[b] = bits.RotateLeft32(s[b]^s[c], -12)
	s[a] += s[b] + y
	s[d] = bits.RotateLeft32(s[d]^s[a], -8)
	s[c] += s[d]
	s[b] = bits.RotateLeft32(s[b]^s[c], -7)
}
