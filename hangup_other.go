//go:build !unix

package main

import "syscall"

// hangup is never sent where there is no such signal.
const hangup = syscall.SIGHUP
