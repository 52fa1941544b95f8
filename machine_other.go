//go:build !(linux || darwin || freebsd)

package main

import "os"

// freeBytes is the room on the file system of path that we may use; here it
// cannot be told.
func freeBytes(string) (n int64, ok bool) { return 0, false }

// writable asks whether files can be made in the folder.
func writable(dir string) error {
	_, err := os.Stat(dir)
	return err
}

// readableByAll reports whether every user of the machine can read the file;
// here the mode does not tell.
func readableByAll(os.FileInfo) bool { return false }

// ownerOf is the user who owns the file.
func ownerOf(os.FileInfo) (uid uint32, ok bool) { return 0, false }
