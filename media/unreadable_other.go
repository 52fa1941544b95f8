//go:build !linux

package media

import (
	"errors"
	"syscall"
)

// unreadable reports whether err says that the disk has lost what a file held.
func unreadable(err error) bool { return errors.Is(err, syscall.EIO) }
