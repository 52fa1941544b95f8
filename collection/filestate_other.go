//go:build !unix

package collection

import "os"

// fileState tells one state of a file from the next: which file it is, and how
// large and when last written. The zero value is a file that does not exist.
type fileState struct {
	found bool
	size  int64
	info  os.FileInfo
}

// stateOf looks at the file at path.
func stateOf(path string) fileState {
	fi, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{true, fi.Size(), fi}
}

func (a fileState) same(b fileState) bool {
	if !a.found || !b.found {
		return a.found == b.found
	}
	return a.size == b.size && a.info.ModTime().Equal(b.info.ModTime()) && os.SameFile(a.info, b.info)
}
