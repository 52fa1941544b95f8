//go:build unix

package collection

import (
	"errors"

	"golang.org/x/sys/unix"
)

// fileState tells one state of a file from the next: which file it is, and how
// large and when last written. The zero value is a file that does not exist.
type fileState struct {
	found       bool
	dev, ino    uint64
	size, mtime int64 // bytes; ns since 1970
}

// stateOf looks at the file at path. Every status check of every device asks
// this of two files, so it does without os.Stat and what that allocates.
func stateOf(path string) fileState {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	for errors.Is(err, unix.EINTR) {
		err = unix.Stat(path, &st)
	}
	if err != nil {
		return fileState{}
	}
	return fileState{true, uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano()} //nolint:unconvert // the types differ between systems
}

func (a fileState) same(b fileState) bool { return a == b }
