package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// The few words of systemd's protocols that a service needs: sockets handed over
// (sd_listen_fds), readiness and watchdog (sd_notify). Without systemd all of it
// does nothing.

// firstFD is the first file descriptor that systemd hands over.
const firstFD = 3

// activatedListeners are the sockets that systemd has opened for us. They are
// ours if LISTEN_PID is this process; the variables are unset, so that no child
// takes them for its own.
func activatedListeners() ([]net.Listener, error) {
	pid, fds := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	if fds == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 || n > 1024 {
		return nil, fmt.Errorf("LISTEN_FDS=%q from systemd is no number of sockets", fds)
	}
	var lns []net.Listener
	for fd := firstFD; fd < firstFD+n; fd++ {
		f := os.NewFile(uintptr(fd), "systemd socket "+strconv.Itoa(fd))
		ln, err := net.FileListener(f) // a copy, with close-on-exec
		_ = f.Close()
		if err != nil {
			closeAll(lns)
			return nil, fmt.Errorf("socket %d from systemd: %w", fd, err)
		}
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // it is systemd's
		}
		lns = append(lns, ln)
	}
	return lns, nil
}

// notify tells the service manager a state, like "READY=1".
func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if strings.HasPrefix(path, "@") {
		path = "\x00" + path[1:] // an abstract socket
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	defer conn.Close() //nolint:errcheck // a datagram
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify systemd: %w", err)
	}
	return nil
}

// watchdogInterval is half of what systemd allows between two signs of life, or
// 0 if it wants none of this process.
func watchdogInterval() time.Duration {
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	us, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || us <= 0 {
		return 0
	}
	return time.Duration(us) * time.Microsecond / 2
}

// errUnwell is alive's word for a server that does not answer in time.
var errUnwell = errors.New("the server does not answer")

// watchdog gives signs of life until ctx ends, each only after alive has found
// that the server answers.
func watchdog(ctx context.Context, every time.Duration, alive func(context.Context) error, failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			err := alive(ctx)
			if err == nil {
				err = notify("WATCHDOG=1")
			}
			if err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}
