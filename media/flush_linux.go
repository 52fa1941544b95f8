package media

import (
	"fmt"
	"os"
	"sync"

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

// dropCache asks the kernel to forget what it has in memory of the file's content
// and has written already, so that reading it reads the disk.
func dropCache(f *os.File) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), 0, 0, unix.FADV_DONTNEED) })
}

// syncFileSystem makes durable everything that the folder's file system holds.
// It reports write errors since Linux 5.8; done is false before.
func syncFileSystem(root *os.Root) (done bool, err error) {
	if !syncfsReports() {
		return false, nil
	}
	d, err := root.Open(".")
	if err != nil {
		return false, err
	}
	defer d.Close()
	c, err := d.SyscallConn()
	if err != nil {
		return false, err
	}
	if cerr := c.Control(func(fd uintptr) { err = unix.Syncfs(int(fd)) }); cerr != nil {
		return false, cerr
	}
	return err == nil, err
}

// syncfsReports tells whether the kernel is new enough.
var syncfsReports = sync.OnceValue(func() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	var major, minor int
	if n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); n != 2 {
		return false
	}
	return major > 5 || major == 5 && minor >= 8
})
