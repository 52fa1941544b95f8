//go:build linux && (amd64 || arm64)

package nowait

import (
	"io"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// local are the file systems whose files, once in memory, are read without asking
// anybody. Not among them: those of networks and of other programs (FUSE), and
// overlays, which may lie on such.
var local = map[int64]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true,
	unix.F2FS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true, unix.MSDOS_SUPER_MAGIC: true,
	zfs: true,
}

const zfs = 0x2fc12fc1

// Local reports whether what is under path may be looked at here.
func Local(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && local[int64(st.Type)] //nolint:unconvert // not everywhere an int64
}

// maxPath is the longest path, in bytes, that Stat takes.
const maxPath = 255

// Stat is unix.Stat for a path that is Local and was looked at less than a Moment
// ago. ENAMETOOLONG is also said of a path of over 255 bytes.
func Stat(path string, st *unix.Stat_t) error {
	var name [maxPath + 1]byte
	if copy(name[:maxPath], path) < len(path) {
		return unix.ENAMETOOLONG
	}
	if strings.IndexByte(path, 0) >= 0 {
		return unix.EINVAL
	}
	dir := unix.AT_FDCWD
	_, _, errno := syscall.RawSyscall6(statCall, uintptr(dir), uintptr(unsafe.Pointer(&name)), uintptr(unsafe.Pointer(st)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// ReadAt is f.ReadAt of a few bytes of a Local file that were read less than a
// Moment ago.
func ReadAt(f *os.File, b []byte, off int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_PREAD64, f.Fd(), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(off), 0, 0)
	switch {
	case errno != 0:
		return 0, &os.PathError{Op: "read", Path: f.Name(), Err: errno}
	case int(n) < len(b):
		return int(n), io.EOF
	}
	return int(n), nil
}
