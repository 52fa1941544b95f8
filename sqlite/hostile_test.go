package sqlite

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestInParallelPanic: a fault of ours that a file brings to light is that
// check's failure, and not the server's end.
func TestInParallelPanic(t *testing.T) {
	done := false
	err := inParallel(t.Context(), 2, func(context.Context) []func() error {
		return []func() error{func() error { panic("out of range") }, func() error { done = true; return nil }}
	})
	if err == nil || !strings.Contains(err.Error(), "out of range") || errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if !done {
		t.Error("the other job was not done")
	}
}
