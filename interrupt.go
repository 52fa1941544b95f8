package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal is a context that ends when somebody wants the command to stop, so
// that it can take back what it has begun; a second signal ends the process at
// once. Signals that the process was started to ignore (nohup, a background job
// of a script) stay ignored.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	var wanted []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) == 0 { // which would mean all that there are
		return context.WithCancel(ctx)
	}
	ctx, stop := signal.NotifyContext(ctx, wanted...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
