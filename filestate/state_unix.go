//go:build unix

package filestate

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ankisyncd/ankisyncd/nowait"
)

// State tells one state of a file or folder from the next: which file it is, how
// large, and when last written. The zero value is a file that does not exist.
type State struct {
	found       bool
	dev, ino    uint64
	size, mtime int64 // bytes; ns since 1970
}

// Of looks at what is under path. What cannot be looked at counts as missing.
func Of(path string) State {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	for errors.Is(err, unix.EINTR) {
		err = unix.Stat(path, &st)
	}
	if err != nil {
		return State{}
	}
	a := state(&st)
	a.learn(path)
	return a
}

// OfOpen looks at an open file, whatever its name means by now.
func OfOpen(f *os.File) State {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return State{}
	}
	return state(&st)
}

func state(st *unix.Stat_t) State {
	return State{true, uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano()} //nolint:unconvert // the types differ between systems
}

// Same reports whether nothing has happened between a and b.
func (a State) Same(b State) bool { return a == b }

// ModTime is when the file was last written, ns since 1970.
func (a State) ModTime() int64 { return a.mtime }

// devices are those seen so far, as far as they are remembered.
var devices atomic.Pointer[[]device]

type device struct {
	number uint64
	local  bool // nowait.Local
}

const maxDevices = 64

func knownDevices() []device {
	if p := devices.Load(); p != nil {
		return *p
	}
	return nil
}

// learn asks once of every device whether it is local.
func (a State) learn(path string) {
	for {
		before := devices.Load()
		seen := knownDevices()
		if len(seen) == maxDevices || slices.ContainsFunc(seen, func(d device) bool { return d.number == a.dev }) {
			return
		}
		seen = append(slices.Clip(seen), device{a.dev, nowait.Local(path)})
		if devices.CompareAndSwap(before, &seen) {
			return
		}
	}
}

// quick reports whether files beside a may be looked at by quickly.
func (a State) quick() bool {
	return slices.ContainsFunc(knownDevices(), func(d device) bool { return d.number == a.dev && d.local })
}
