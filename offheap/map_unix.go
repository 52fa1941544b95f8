//go:build unix && !linux

package offheap

import "golang.org/x/sys/unix"

func mapPiece(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func unmapPiece(b []byte) { _ = unix.Munmap(b) } // it is a mapping of mapPiece
