//go:build !unix

package auth

import "os"

// statVersion fills in what the file system says about path. An open file
// cannot be replaced on these systems, so there is no identity to compare.
func statVersion(path string, v *version) error {
	fi, err := os.Stat(path)
	if err != nil {
		return err
	}
	v.size, v.mtime = fi.Size(), fi.ModTime().UnixNano()
	return nil
}
