//go:build unix

package media

import (
	"errors"
	"syscall"
)

// notSyncable reports whether an fsync of a folder failed because the file
// system has no such thing.
func notSyncable(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EBADF)
}
