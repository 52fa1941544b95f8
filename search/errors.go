package search

import (
	"errors"
	"fmt"
)

// ErrorKind says what is wrong with a search.
type ErrorKind int

// The kinds of errors.
const (
	MisplacedAnd ErrorKind = iota + 1
	MisplacedOr
	EmptyGroup
	UnclosedGroup
	UnopenedGroup
	EmptyQuote
	UnclosedQuote
	UnknownEscape
	MissingKey
	BadArgument
	BadNumber
	BadRegexp
	TooLong
	TooDeep
	TooManyTerms
)

// ParseError is a search that cannot be understood: where and why.
type ParseError struct {
	Kind ErrorKind
	// Offset is the byte of the query at which the trouble starts.
	Offset int
	// Reason is a sentence for the person who typed the search.
	Reason string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("search: at byte %d: %s", e.Offset, e.Reason)
}

// ErrTooComplex means that a search is well-formed but would make a statement
// beyond SQLite's limits in this collection.
var ErrTooComplex = errors.New("search: too complex for this collection")

// ErrOrder means that an order cannot be used for the items searched for.
var ErrOrder = errors.New("search: no such order")
