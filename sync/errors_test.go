package sync

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// A full disk is nobody's bad input, whatever step it interrupted: after a 400
// clients advise to overwrite one side.
func TestStatusOfFullDisk(t *testing.T) {
	full := fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	for _, err := range []error{
		full,
		fmt.Errorf("quota: %w", syscall.EDQUOT),
		bad("body", full),
		&collection.BadInputError{Step: "applyChunk", Reason: "merge note", Err: full},
	} {
		if got := statusOf(err); got != http.StatusInsufficientStorage {
			t.Errorf("%v: %d", err, got)
		}
	}
	if got := statusOf(&os.PathError{Op: "write", Path: "x", Err: syscall.EIO}); got != http.StatusInternalServerError {
		t.Errorf("EIO: %d", got)
	}
}

// Who sends no more of a body, like a laptop that was put to sleep, may hear of it
// later: after a 400 clients advise to overwrite one side.
func TestStatusOfStalledBody(t *testing.T) {
	stalled := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for _, err := range []error{
		stalled,
		bodyError("multipart form", stalled),
		fmt.Errorf("upload: %w", stalled),
		func() error {
			_, err := decodeErrors{iotest.ErrReader(stalled)}.Read(make([]byte, 1))
			return err
		}(),
	} {
		if got := statusOf(err); got != http.StatusRequestTimeout {
			t.Errorf("%v: %d", err, got)
		}
	}
}

// Media whose disk is not mounted are there later.
func TestStatusOfMediaAway(t *testing.T) {
	if got := statusOf(fmt.Errorf("download: %w", media.ErrAway)); got != http.StatusServiceUnavailable {
		t.Errorf("%d", got)
	}
}

func TestUnknownUploadText(t *testing.T) {
	for err, want := range map[error]string{
		fmt.Errorf("write: %w", syscall.ENOSPC): uploadNoSpace,
		errPanic:                                uploadFailed,
	} {
		if got := unknownUploadText(err); got != want {
			t.Errorf("%v: %q", err, got)
		}
	}
}

// TestUploadTextOfASlowCheck: the client is told, with a status at which it shows it.
func TestUploadTextOfASlowCheck(t *testing.T) {
	if text, known := uploadText(fmt.Errorf("upload: %w", collection.ErrTooSlow)); text != uploadTooSlow || !known {
		t.Errorf("%q, %v", text, known)
	}
}
