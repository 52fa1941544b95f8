//go:build unix

package auth

import "golang.org/x/sys/unix"

// statVersion fills in what the file system says about path.
func statVersion(path string, v *version) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	v.dev, v.ino, v.size = uint64(st.Dev), st.Ino, st.Size //nolint:unconvert // the types differ between systems
	v.mtime = st.Mtim.Nano()
	return nil
}
