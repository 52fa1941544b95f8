package media

import (
	"errors"
	"syscall"
)

// unreadable reports whether err says that the disk, or the file system on it, has
// lost what a file held. (EUCLEAN and EBADMSG are what ext4 and XFS say of a
// damaged inode.)
func unreadable(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EUCLEAN) || errors.Is(err, syscall.EBADMSG)
}
