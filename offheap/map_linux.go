package offheap

import "golang.org/x/sys/unix"

// mapPiece has the system find the memory at once: a fault for each page costs
// several times as much, and a piece is soon full.
func mapPiece(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
}

func unmapPiece(b []byte) { _ = unix.Munmap(b) } // it is a mapping of mapPiece
