package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/ankisyncd/ankisyncd/auth"
)

// readiness answers /readyz: 200 as long as the stores could serve a sync, else
// 503. It costs a few system calls, and no disk.
type readiness struct {
	root  string
	users *auth.Store
	log   *slog.Logger
	down  atomic.Bool
}

// minFree is the room, in bytes, below which nothing can be stored any more.
const minFree = 1 << 20

// readyTimeout is how long the user database may take.
const readyTimeout = 2 * time.Second

var errDiskFull = errors.New("no room on the disk")

func (r *readiness) check(ctx context.Context) error {
	if err := writable(r.root); err != nil {
		return err
	}
	if free, ok := freeBytes(r.root); ok && free < minFree {
		return errDiskFull
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if _, err := r.users.HasUser(ctx, "readyz"); err != nil {
		return fmt.Errorf("user database: %w", err)
	}
	return nil
}

// ServeHTTP implements http.Handler. What is wrong is told to the log, once, and
// not to whoever asks.
func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	err := r.check(req.Context())
	if was := r.down.Swap(err != nil); err != nil && !was {
		r.log.Error("not ready", "err", err)
	} else if err == nil && was {
		r.log.Info("ready again")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "not ready\n")
		return
	}
	_, _ = io.WriteString(w, "ready\n")
}
