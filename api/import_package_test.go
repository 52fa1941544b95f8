package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestPackageError: a package that cannot be checked in time is its sender's
// matter, and he is told why it was not taken.
func TestPackageError(t *testing.T) {
	for err, want := range map[error]string{
		fmt.Errorf("x: %w", collection.ErrTooSlow): "in time",
		fmt.Errorf("x: %w", collection.ErrCorrupt): "no usable",
	} {
		var e *httpError
		if got := packageError(err); !errors.As(got, &e) || e.status != http.StatusBadRequest || !strings.Contains(e.detail, want) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
