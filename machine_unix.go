//go:build linux || darwin || freebsd

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// freeBytes is the room on the file system of path that we may use.
func freeBytes(path string) (n int64, ok bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true //nolint:gosec,unconvert // the types differ between systems
}

// writable asks whether files can be made in the folder, without making one.
func writable(dir string) error {
	const writeAndSearch = 2 | 1
	if err := syscall.Access(dir, writeAndSearch); err != nil {
		return &fs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}

// readableByAll reports whether every user of the machine can read the file.
func readableByAll(fi os.FileInfo) bool { return fi.Mode().Perm()&0o004 != 0 }

// ownerOf is the user who owns the file.
func ownerOf(fi os.FileInfo) (uid uint32, ok bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
