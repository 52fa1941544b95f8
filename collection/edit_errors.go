package collection

import (
	"errors"
	"fmt"
)

var (
	// ErrSyncing means that a sync of the user is going on and did not end in
	// time. Trying again later helps.
	ErrSyncing = errors.New("collection: a sync is going on")
	// ErrReadOnly means that a writing method was called inside View.
	ErrReadOnly = errors.New("collection: read-only transaction")
	// ErrNoObject means that the note, card, deck, notetype … that was named
	// does not exist. It is wrapped with what was looked for.
	ErrNoObject = errors.New("collection: no such object")
	// ErrOldScheduler means that the collection uses the scheduler of 2006 and
	// cannot be studied here: it would be harmed. Clients upgrade it.
	ErrOldScheduler = errors.New("collection: uses the first scheduler; upgrade it in a client")
	// ErrNothingToUndo means that there is no answer that can be taken back.
	ErrNothingToUndo = errors.New("collection: no answer to undo")
)

// EditError is a change that was refused because of what was asked for.
type EditError struct {
	// Reason is a sentence for the person who asked, without a full stop.
	Reason string
	// Err is the cause, if there is one.
	Err error
}

func (e *EditError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("collection: %s: %v", e.Reason, e.Err)
	}
	return "collection: " + e.Reason
}

// Unwrap returns the cause.
func (e *EditError) Unwrap() error { return e.Err }

// ParametersError means that cards cannot be studied, here or in a client, until
// the FSRS parameters of their deck's options are put right.
type ParametersError struct {
	Options string // their name
	Err     error
}

func (e *ParametersError) Error() string {
	return fmt.Sprintf("collection: deck options %q: %v", e.Options, e.Err)
}

// Unwrap returns the cause, which is scheduling.ErrParameters.
func (e *ParametersError) Unwrap() error { return e.Err }

func refuse(format string, args ...any) error {
	return &EditError{Reason: fmt.Sprintf(format, args...)}
}

func missing(kind string, key any) error { return fmt.Errorf("%s %v: %w", kind, key, ErrNoObject) }

// ignoreMissing is err unless it says that something is not there.
func ignoreMissing(err error) error {
	if errors.Is(err, ErrNoObject) {
		return nil
	}
	return err
}
