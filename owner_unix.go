//go:build unix

package main

import (
	"os"
	"syscall"
)

// inheritOwner gives path to the owner of its parent, if we are root and so may.
func inheritOwner(parent, path string) {
	if os.Geteuid() != 0 {
		return
	}
	if info, err := os.Stat(parent); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			_ = os.Lchown(path, int(st.Uid), int(st.Gid)) // the server says if it cannot write there
		}
	}
}
