package media

import (
	"os"

	"golang.org/x/sys/unix"
)

// startWriting asks the kernel to begin writing the file's data, without
// waiting. Starting all files of a zip first lets the file system allocate
// them together and commit its own journal once: the fsyncs that follow find
// nearly everything done.
func startWriting(f *os.File) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	// A hint only: fsync reports what matters.
	_ = c.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), 0, 0, unix.SYNC_FILE_RANGE_WRITE) })
}
