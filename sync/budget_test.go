package sync

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// taker takes from a budget in a goroutine of its own.
type taker struct {
	giveBack func()
	err      error
	done     bool
}

func take(ctx context.Context, b *budget, n int64) *taker {
	t := &taker{}
	go func() {
		t.giveBack, t.err = b.take(ctx, n)
		t.done = true
	}()
	synctest.Wait()
	return t
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10)
		first, second := take(t.Context(), b, 6), take(t.Context(), b, 4)
		if !first.done || !second.done {
			t.Fatal("waits although there is enough")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		big, small, gone := take(t.Context(), b, 100), take(t.Context(), b, 1), take(ctx, b, 1)
		if big.done || small.done || gone.done {
			t.Fatal("more was given than there is")
		}
		cause := errors.New("cause")
		cancel(cause)
		synctest.Wait()
		if !gone.done || !errors.Is(gone.err, cause) {
			t.Errorf("given up: %v %v", gone.done, gone.err)
		}
		first.giveBack()
		first.giveBack() // counts once
		synctest.Wait()
		if big.done || small.done {
			t.Error("the small one passed the big one, or more was given than there is")
		}
		second.giveBack()
		synctest.Wait()
		if !big.done || small.done {
			t.Errorf("big %v, small %v: want all of it for the big one", big.done, small.done)
		}
		big.giveBack()
		synctest.Wait()
		if !small.done {
			t.Error("the last one waits for nothing")
		}
		small.giveBack()
		if b.left != 10 || len(b.waiting) != 0 {
			t.Errorf("%d left, %d waiting", b.left, len(b.waiting))
		}
	})
}

// TestBudgetGivenUp: who stood before others and goes away lets them pass.
func TestBudgetGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10)
		first := take(t.Context(), b, 6)
		ctx, cancel := context.WithCancel(t.Context())
		big, small := take(ctx, b, 10), take(t.Context(), b, 4)
		cancel()
		synctest.Wait()
		if big.err == nil || !small.done {
			t.Errorf("big %v, small %v", big.err, small.done)
		}
		first.giveBack()
		small.giveBack()
		if b.left != 10 {
			t.Errorf("%d left", b.left)
		}
	})
}
