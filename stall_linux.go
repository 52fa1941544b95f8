package main

import (
	"net"
	"syscall"
	"unsafe"
)

// unsentOf is the function that tells how many bytes written to conn its other end
// has not taken; nil if there is none.
func unsentOf(conn net.Conn) func() (int64, bool) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return func() (int64, bool) {
		var n int32
		var errno syscall.Errno
		err := raw.Control(func(fd uintptr) {
			_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n))) // SIOCOUTQ of sockets
		})
		return int64(n), err == nil && errno == 0
	}
}
