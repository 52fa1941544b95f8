// Package schema is the codec of Anki's objects: notetypes, decks and deck
// options in their two forms, the protobuf blobs of schema 18 and the JSON of
// schema 11, with the note-field helpers that both need. It follows
// docs/collection-format.md §3 (messages), §4 (JSON, key by key) and §7 (notes).
//
// What this program does not know survives: unknown protobuf fields are kept
// per message and written back in tag order, unknown JSON keys live in the
// message's `other` field and come back as the text they were.
//
// It is pure: no I/O, no clock, no randomness, and nothing of ours imported
// (sqlite's case folding would be allowed). It must never know of files, tables,
// requests or users.
package schema

import (
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every error of this package: the bytes are not a
// valid object of the kind that was asked for.
var ErrInvalid = errors.New("schema: invalid object")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
