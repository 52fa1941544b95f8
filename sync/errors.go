package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// statusError is a refusal that is decided in this package.
type statusError struct {
	status int
	reason string
	err    error
}

func (e *statusError) Error() string {
	if e.err != nil {
		return e.reason + ": " + e.err.Error()
	}
	return e.reason
}

func (e *statusError) Unwrap() error { return e.err }

var (
	errNotFound = &statusError{status: http.StatusNotFound, reason: "no such step"}
	errMethod   = &statusError{status: http.StatusMethodNotAllowed, reason: "method not allowed"}
	errTooOld   = &statusError{status: http.StatusNotImplemented, reason: "client or protocol version not supported"}
)

// bad is a request that no server could answer.
func bad(reason string, err error) error {
	return &statusError{http.StatusBadRequest, reason, err}
}

func badf(format string, args ...any) error { return bad(fmt.Sprintf(format, args...), nil) }

// statusOf chooses the status code that makes the client do the right thing
// (docs/protocol.md §4). It is the only place where that is decided.
func statusOf(err error) int {
	var se *statusError
	var input *collection.BadInputError
	var throttled *auth.ThrottledError
	var tooLarge *http.MaxBytesError
	switch {
	case collection.NoSpace(err):
		// First: whatever it interrupted, the client's data are not at fault. 500
		// would make clients say "try again in a few minutes".
		return http.StatusInsufficientStorage
	case errors.As(err, &se):
		return se.status
	case errors.Is(err, auth.ErrUnknownKey), errors.Is(err, auth.ErrBadCredentials), errors.Is(err, auth.ErrInvalidName):
		return http.StatusForbidden
	case errors.As(err, &throttled):
		// 429 means "server error" to every client; 403 makes it ask for the
		// password, which is what its user has to wait for.
		return http.StatusForbidden
	case errors.Is(err, collection.ErrConflict), errors.Is(err, media.ErrConflict):
		return http.StatusConflict
	case errors.As(err, &input), errors.Is(err, media.ErrBadRequest):
		return http.StatusBadRequest
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		// A laptop that was asleep hears this when it wakes up. After a 400 clients advise to overwrite one side.
		return http.StatusRequestTimeout
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, io.ErrUnexpectedEOF):
		return http.StatusBadRequest
	case errors.Is(err, collection.ErrBusy), errors.Is(err, media.ErrBusy), errors.Is(err, media.ErrAway), errors.Is(err, collection.ErrClosed), errors.Is(err, media.ErrClosed):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// fail answers with the status of err and, as the official server does, the
// code and its name as text. Details are for the log, never for the wire.
func (w *responder) fail(c *call, err error) {
	if w.started {
		// Too late for a status, other than for the log: cut the connection, so
		// that the client sees that the answer is not whole.
		w.status = statusOf(err)
		w.abort = !w.told
		return
	}
	status := statusOf(err)
	if status == http.StatusForbidden && isPython2(c.r) && c.step.name != "hostKey" && c.step.name != "meta" {
		// Anki 2.0 understands 403 on these two only; elsewhere it fails with
		// a TypeError instead of a message (docs/protocol.md §10, Errors).
		status = http.StatusBadRequest
	}
	var throttled *auth.ThrottledError
	if errors.As(err, &throttled) {
		w.Header().Set("Retry-After", strconv.Itoa(int((throttled.RetryAfter+time.Second-1)/time.Second)))
	}
	// What a stream that failed at once has said of its answer is not true of this one.
	w.Header().Del("Content-Length")
	w.Header().Del(originalSizeHeader)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, strconv.Itoa(status)+" "+http.StatusText(status)+"\n")
}
