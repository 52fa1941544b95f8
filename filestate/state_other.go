//go:build !unix

package filestate

import "os"

// State tells one state of a file or folder from the next: which file it is, how
// large, and when last written. The zero value is a file that does not exist.
type State struct {
	found bool
	size  int64
	info  os.FileInfo
}

// Of looks at what is under path. What cannot be looked at counts as missing.
func Of(path string) State {
	fi, err := os.Stat(path)
	if err != nil {
		return State{}
	}
	return State{true, fi.Size(), fi}
}

// OfOpen looks at an open file, whatever its name means by now.
func OfOpen(f *os.File) State {
	fi, err := f.Stat()
	if err != nil {
		return State{}
	}
	return State{true, fi.Size(), fi}
}

// Same reports whether nothing has happened between a and b.
func (a State) Same(b State) bool {
	if !a.found || !b.found {
		return a.found == b.found
	}
	return a.size == b.size && a.info.ModTime().Equal(b.info.ModTime()) && os.SameFile(a.info, b.info)
}

// ModTime is when the file was last written, ns since 1970.
func (a State) ModTime() int64 {
	if !a.found {
		return 0
	}
	return a.info.ModTime().UnixNano()
}

func (a State) quick() bool { return false }
