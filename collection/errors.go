package collection

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

var (
	// ErrConflict means that the caller's sync is not the one that is going
	// on: none was started, it expired, or another device took over.
	ErrConflict = errors.New("collection: no such sync is going on")
	// ErrNotFound means that the user has no stored collection.
	ErrNotFound = errors.New("collection: not found")
	// ErrBusy means that another process has the user's collection open.
	ErrBusy = errors.New("collection: in use by another process")
	// ErrTooLarge means that an upload exceeds Options.MaxUploadBytes.
	ErrTooLarge = errors.New("collection: exceeds the size limit")
	// ErrTooSlow means that checking or upgrading a file took longer than
	// Options.CheckTimeout.
	ErrTooSlow = errors.New("collection: checking the file takes too long")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("collection: store closed")
	// ErrUserName means that a name cannot be a folder below the data root.
	ErrUserName = errors.New("collection: unusable user name")
)

// BadInputError is a message of a client that cannot be applied: the sync it
// belongs to is rolled back, the stored collection is as it was.
type BadInputError struct {
	// Step is the sync step, as on the wire.
	Step string
	// Reason says what is wrong, without any of the user's texts.
	Reason string
	// Err is the cause, if there is one.
	Err error
}

func (e *BadInputError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("collection: bad input to %s: %s: %v", e.Step, e.Reason, e.Err)
	}
	return fmt.Sprintf("collection: bad input to %s: %s", e.Step, e.Reason)
}

// Unwrap returns the cause.
func (e *BadInputError) Unwrap() error { return e.Err }

// NoSpace reports whether err, of any package, comes from a full disk or quota.
func NoSpace(err error) bool {
	return sqlite.IsFull(err) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
