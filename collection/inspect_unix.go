//go:build unix

package collection

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// SQLite's locks are on these bytes of the file: pending, reserved, and a range
// that is shared by readers (https://sqlite.org/lockingv3.html).
const (
	lockBytesAt  = 0x40000000
	lockBytesLen = 2 + 510
)

// lockedElsewhere reports whether another process holds a writer's lock on the
// database file at path. It asks, and takes none. Closing the file would drop
// the locks of this process on it: it must not have the file open.
func lockedElsewhere(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // only read
	lk := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart, Start: lockBytesAt, Len: lockBytesLen}
	err = unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lk)
	if errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
		return false, nil // a file system without locks
	}
	return err == nil && lk.Type != unix.F_UNLCK, err
}
