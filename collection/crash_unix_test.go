//go:build unix && !aix && !illumos && !solaris

package collection

import (
	"os/signal"
	"syscall"
)

const canLimitFileSize = true

// limitFileSize makes every write beyond n bytes of a file fail with EFBIG, as
// a full disk does with ENOSPC; negative lifts the limit.
func limitFileSize(n int64) {
	signal.Ignore(syscall.SIGXFSZ)
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		panic(err)
	}
	l.Cur = l.Max
	if n >= 0 {
		setCur(&l.Cur, n)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		panic(err)
	}
}

// setCur sets a limit, whose type differs from system to system.
func setCur[T int64 | uint64](p *T, n int64) { *p = T(n) }
