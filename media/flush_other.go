//go:build !linux

package media

import "os"

// startWriting is a hint that only Linux takes.
func startWriting(*os.File) {}

// dropCache is what only Linux does when asked to.
func dropCache(*os.File) {}

// syncFileSystem is for systems that can sync a whole file system and say how
// that went.
func syncFileSystem(*os.Root) (done bool, err error) { return false, nil }
