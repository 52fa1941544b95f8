package collection

import (
	"os"

	"golang.org/x/sys/unix"
)

// writeOut asks the kernel to begin writing a part of a file, without waiting.
// It is a hint: what must be on the disk is synced.
func writeOut(f *os.File, from, n int64) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), from, n, unix.SYNC_FILE_RANGE_WRITE) })
}
