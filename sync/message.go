package sync

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Messages are small, nearly always: a chunk has 250 rows. A small one is read
// whole and handed to its step. What is larger is first looked through, without
// keeping any of it, so that its size and that it is JSON are known before
// memory is spent on it or the sync is touched; then it is read once more, by
// the rows of a chunk or whole. The memory for all of those together is a
// budget, for which they wait.
const (
	// largeMemory is the budget, bytes.
	largeMemory = 64 << 20
	// streamMemory is what a message takes that is read piece by piece: a
	// decoder with its window, a batch of rows, and what storing those needs.
	streamMemory = 12 << 20
	// textCopies is how much memory a row's longest text takes for each of its
	// bytes, as measured: in the scanner's window, as a string, cleaned, as what
	// SQLite makes of it, and what waits to be collected.
	textCopies = 10
	// maxWholeMessage limits a message that is read whole, decoded bytes. All
	// the notetypes, decks, options and tags of a large collection take a few
	// MiB.
	maxWholeMessage = 24 << 20
	// valueMemory is what a value costs beside its text, bytes.
	valueMemory = 64
	// maxWholeValues bounds the values of a message that is read whole: small
	// ones take much more memory than their text.
	maxWholeValues = 1 << 19
	// largePatience is how long after its first wait a message waits for its shares.
	// Clients give up after 30 s without an answer.
	largePatience = 20 * time.Second
)

// answer handles a step whose request is a JSON message.
func (c *call) answer() (any, error) {
	msg, whole, err := c.head()
	if err != nil {
		return nil, err
	}
	if whole {
		return c.step.message(c.r.Context(), c, msg)
	}
	return c.answerLarge()
}

// head reads a message that is small; whole is false if there is more of it.
func (c *call) head() (msg []byte, whole bool, err error) {
	if c.noPayload {
		return []byte("{}"), true, nil
	}
	if c.whole != nil {
		return c.whole, true, nil
	}
	limit := c.messageLimit()
	small := min(limit, smallMessage)
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(c.payload, small+1))
	switch {
	case err != nil:
		return nil, false, err
	case n <= small:
		return b.Bytes(), true, nil
	case small == limit:
		return nil, false, tooLargeMessage(limit)
	}
	return nil, false, nil
}

func tooLargeMessage(limit int64) error {
	return &statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("a message of more than %d bytes", limit), nil}
}

var (
	errTooLongText = &statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("a message with a text of more than %d bytes", maxText), nil}
	errManyValues  = &statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("a message of more than %d values", maxWholeValues), nil}
	errCrowded     = &statusError{http.StatusServiceUnavailable, "too many large messages at once", nil}
)

// answerLarge handles a message that is not small.
func (c *call) answerLarge() (any, error) {
	seen, err := c.survey()
	if err != nil {
		return nil, err
	}
	if c.step.large == nil {
		return c.answerWhole(seen)
	}
	giveBack, err := c.share(streamMemory + textCopies*int64(seen.longest))
	if err != nil {
		return nil, err
	}
	defer giveBack()
	r, err := c.again()
	if err != nil {
		return nil, err
	}
	return c.step.large(c.r.Context(), c, newScanner(r))
}

// answerWhole handles a large message that its step wants as one piece.
func (c *call) answerWhole(seen survey) (any, error) {
	if seen.size > maxWholeMessage {
		return nil, tooLargeMessage(maxWholeMessage)
	}
	if seen.values > maxWholeValues {
		return nil, errManyValues
	}
	giveBack, err := c.share(streamMemory + 3*seen.size + valueMemory*int64(seen.values))
	if err != nil {
		return nil, err
	}
	defer giveBack()
	r, err := c.again()
	if err != nil {
		return nil, err
	}
	msg := make([]byte, seen.size)
	if _, err := io.ReadFull(r, msg); err != nil {
		return nil, err
	}
	return c.step.message(c.r.Context(), c, msg)
}

// share waits for a part of the memory that large messages have together.
func (c *call) share(n int64) (giveBack func(), err error) {
	if c.patience.IsZero() {
		c.patience = time.Now().Add(largePatience)
	}
	ctx, cancel := context.WithDeadlineCause(c.r.Context(), c.patience, errCrowded)
	defer cancel()
	return c.s.memory.take(ctx, n)
}

// survey is what is known of a message after looking through it.
type survey struct {
	size    int64
	longest int // bytes of the longest string
	values  int
}

// survey looks through a message: it is JSON, of a size that is allowed.
func (c *call) survey() (survey, error) {
	giveBack, err := c.share(streamMemory)
	if err != nil {
		return survey{}, err
	}
	defer giveBack()
	r, err := c.again()
	if err != nil {
		return survey{}, err
	}
	in := &limitedReader{r: r, limit: c.messageLimit()}
	sc := newScanner(in)
	if err = sc.skip(0); err == nil {
		err = sc.end()
	}
	if err != nil && sc.broken() == nil {
		// That it is too large is the more useful answer: it does not tell
		// people to overwrite one side.
		_, sc.err = io.Copy(io.Discard, in)
	}
	switch broken := sc.broken(); {
	case errors.Is(broken, errTooLong), c.step.large != nil && sc.longest > maxText:
		return survey{}, errTooLongText
	case broken != nil:
		return survey{}, broken
	case err != nil:
		return survey{}, bad(c.step.name, err)
	}
	return survey{in.n, sc.longest, sc.values}, nil
}

// limitedReader fails at the byte that is one too many.
type limitedReader struct {
	r     io.Reader
	n     int64
	limit int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.n += int64(n)
	if l.n > l.limit {
		return 0, tooLargeMessage(l.limit)
	}
	return n, err
}
