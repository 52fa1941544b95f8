//go:build unix

package main

import "syscall"

// hangup makes the server read its certificate again.
const hangup = syscall.SIGHUP
