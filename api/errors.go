package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/search"
)

// httpError is an error with the status that it is answered with.
type httpError struct {
	status  int
	detail  string // shown to the caller
	instead string // of the sentence of the original's library
	allow   string // the method to be used, with 405
	bare    bool   // as the original's server wrote it, not its application
	cause   error  // for the log only
}

func (e *httpError) Error() string {
	s := fmt.Sprintf("api: %d %s", e.status, http.StatusText(e.status))
	if e.detail != "" {
		s += ": " + e.detail
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *httpError) Unwrap() error { return e.cause }

var (
	errNotFound = &httpError{status: http.StatusNotFound}
	errInternal = &httpError{status: http.StatusInternalServerError}
)

// badRequest is a fault of the caller, which the original told as such.
func badRequest(format string, args ...any) error {
	return &httpError{status: http.StatusBadRequest, detail: fmt.Sprintf(format, args...)}
}

// fault is a fault of the caller that the original answered with 500, because a
// Python exception came of it: an id that is not there, a key that is missing.
// Programs know the status, and it stays.
func fault(format string, args ...any) error {
	return &httpError{status: http.StatusInternalServerError, cause: fmt.Errorf(format, args...)}
}

// isBadInput tells whether an error is about what the caller sent, and nothing
// is wrong with the server.
func isBadInput(err error) bool {
	e := asHTTP(err)
	var own *httpError
	if errors.As(err, &own) {
		return e.status != http.StatusConflict && e.status != http.StatusServiceUnavailable && own != errInternal
	}
	return e.status == http.StatusBadRequest || e.status == http.StatusNotFound
}

// asHTTP is the one place where errors become statuses.
func asHTTP(err error) *httpError {
	status := func(code int, detail string) *httpError {
		return &httpError{status: code, detail: detail, cause: err}
	}
	var own *httpError
	var large *http.MaxBytesError
	var parse *search.ParseError
	var edit *collection.EditError
	var params *collection.ParametersError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &large), errors.Is(err, collection.ErrTooLarge):
		return status(http.StatusRequestEntityTooLarge, "")
	case errors.As(err, &parse):
		return status(http.StatusBadRequest, parse.Error())
	case errors.Is(err, search.ErrTooComplex), errors.Is(err, search.ErrOrder):
		return status(http.StatusBadRequest, err.Error())
	case errors.As(err, &edit):
		return status(http.StatusBadRequest, edit.Reason)
	case errors.Is(err, rendering.ErrTooLarge):
		return status(http.StatusBadRequest, "A card is too large to be shown.")
	case errors.Is(err, collection.ErrConflict):
		return status(http.StatusConflict, "The collection was replaced meanwhile; try again.")
	case errors.Is(err, collection.ErrSyncing):
		return status(http.StatusConflict, "A sync is going on; try again.")
	case errors.Is(err, collection.ErrOldScheduler), errors.Is(err, scheduling.ErrOldScheduler):
		return status(http.StatusConflict, "The collection uses the first scheduler: upgrade it in an Anki client to study here.")
	case errors.As(err, &params):
		return status(http.StatusConflict,
			"The FSRS parameters of the options "+strconv.Quote(printable(params.Options))+" are invalid; correct them in an Anki client.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, collection.ErrBusy), errors.Is(err, collection.ErrClosed), errors.Is(err, media.ErrBusy), errors.Is(err, media.ErrClosed):
		return status(http.StatusServiceUnavailable, "")
	case errors.Is(err, media.ErrAway):
		return status(http.StatusServiceUnavailable, "The folder of the media files is not there, or empty; perhaps its disk is not mounted.")
	case errors.Is(err, collection.ErrNotFound), errors.Is(err, collection.ErrNoObject), errors.Is(err, media.ErrConflict):
		return status(http.StatusNotFound, "")
	default:
		return status(http.StatusInternalServerError, "")
	}
}

// fail answers an error, and logs what the caller is not told.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := asHTTP(err)
	if e.status >= 500 || e.status == http.StatusForbidden || e.status == http.StatusUnauthorized {
		a.o.Log.Warn("call failed", "path", r.URL.Path, "status", e.status, "client", a.o.ClientAddr(r), "err", err)
	}
	if e.status == http.StatusMethodNotAllowed {
		e = &httpError{status: e.status, allow: e.allow, detail: r.Method}
	}
	writeError(w, e)
}

// explanations are the sentences of the original's library, by status.
var explanations = map[int]string{
	http.StatusBadRequest:            "The server could not comply with the request since it is either malformed or otherwise incorrect.",
	http.StatusUnauthorized:          "This server could not verify that you are authorized to access the document you requested.",
	http.StatusForbidden:             "Access was denied to this resource.",
	http.StatusNotFound:              "The resource could not be found.",
	http.StatusConflict:              "There was a conflict when trying to complete your request.",
	http.StatusRequestEntityTooLarge: "The body of your request was too large for this server.",
	http.StatusInternalServerError:   "The server has either erred or is incapable of performing the requested operation.",
	http.StatusServiceUnavailable:    "The server is currently unavailable. Please try again at a later time.",
}

// writeError writes an error as the original's library did, to the last space.
func writeError(w http.ResponseWriter, e *httpError) {
	h := w.Header()
	if e.bare {
		h.Set("Content-Type", "text/plain")
		w.WriteHeader(e.status)
		_, _ = io.WriteString(w, http.StatusText(e.status)+"\n")
		return
	}
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	body := fmt.Sprintf("%s\n\n %s  ", cmp.Or(e.instead, explanations[e.status]), e.detail)
	title := http.StatusText(e.status)
	switch e.status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", e.allow)
		body = fmt.Sprintf("The method %s is not allowed for this resource. \n\n ", printable(e.detail))
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="ankisyncd"`)
	}
	w.WriteHeader(e.status)
	_, _ = fmt.Fprintf(w, "%d %s\n\n%s", e.status, title, body)
}

// printable cuts a text of the caller's to a length that is fit to be repeated.
func printable(s string) string {
	if len(s) > 200 {
		n := 200
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return s
}
