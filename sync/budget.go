package sync

import (
	"context"
	"sync"
)

// budget shares out an amount of memory, bytes. Whoever finds too little of it
// left waits, in the order of coming, so that a large share is not passed over
// for ever by small ones.
type budget struct {
	mu      sync.Mutex
	total   int64
	left    int64
	waiting []*share
}

// share is what somebody waits for.
type share struct {
	n     int64
	given chan struct{} // closed when n has been taken off for him
}

func newBudget(total int64) *budget { return &budget{total: total, left: total} }

// take waits until n bytes are free and returns what gives them back. Who wants
// more than there is gets all of it.
func (b *budget) take(ctx context.Context, n int64) (giveBack func(), err error) {
	b.mu.Lock()
	w := &share{n: min(n, b.total), given: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.serve()
	b.mu.Unlock()
	select {
	case <-w.given:
	case <-ctx.Done():
		if b.withdraw(w) {
			return nil, context.Cause(ctx)
		}
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.left += w.n
		b.serve()
	}), nil
}

// serve gives to those who wait, the first of them first. The caller holds mu.
func (b *budget) serve() {
	for len(b.waiting) > 0 && b.waiting[0].n <= b.left {
		b.left -= b.waiting[0].n
		close(b.waiting[0].given)
		b.waiting = b.waiting[1:]
	}
}

// withdraw ends w's waiting; it is false if w has been served meanwhile.
func (b *budget) withdraw(w *share) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, v := range b.waiting {
		if v == w {
			b.waiting = append(b.waiting[:i:i], b.waiting[i+1:]...)
			b.serve() // it may have stood before a smaller one
			return true
		}
	}
	return false
}
