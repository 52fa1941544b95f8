package media

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// rawDirs does with plain system calls what a batch does for each file. os.Root
// walks each name, and an os.File is offered to the poller: together more work
// than storing a small file is. All names are single (and so stay inside), and
// no call here follows a link in the last step.
type rawDirs struct {
	root, staging *os.File
}

func (r *rawDirs) open(root, staging *os.Root) {
	var err error
	if r.root, err = root.Open("."); err != nil {
		return
	}
	if r.staging, err = staging.Open("."); err != nil {
		r.close()
	}
}

func (r *rawDirs) close() {
	for _, f := range []*os.File{r.root, r.staging} {
		if f != nil {
			_ = f.Close() // nothing was written through it
		}
	}
	r.root, r.staging = nil, nil
}

func (r *rawDirs) usable(names ...string) bool {
	if r.staging == nil {
		return false
	}
	for _, n := range names {
		if !single(n) {
			return false
		}
	}
	return true
}

// again repeats a call that a signal has interrupted.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR { //nolint:errorlint // errno itself
			return err
		}
	}
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// create makes a new file with the given content in the folder for incoming
// files.
func (r *rawDirs) create(tmp string, content []byte) (stamp, error) {
	return create(r.staging, tmp, content)
}

// createInPlace makes a new file in the media folder itself. If a part of it was
// written, the stamp says so.
func (r *rawDirs) createInPlace(name string, content []byte) (stamp, error) {
	return create(r.root, name, content)
}

func create(dir *os.File, name string, content []byte) (made stamp, err error) {
	var fd int
	err = again(func() (err error) {
		fd, err = unix.Openat(int(dir.Fd()), name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o666)
		return err
	})
	if err != nil {
		return stamp{}, pathError("create", name, err)
	}
	for len(content) > 0 && err == nil {
		err = again(func() error {
			n, err := unix.Write(fd, content)
			content = content[max(n, 0):]
			return err
		})
	}
	var st unix.Stat_t
	serr := again(func() error { return unix.Fstat(fd, &st) })
	if err == nil {
		err = serr
	}
	// A close that fails has closed all the same (close(2)), and may report
	// what the disk said of the content.
	if cerr := unix.Close(fd); err == nil && cerr != unix.EINTR { //nolint:errorlint // errno itself
		err = cerr
	}
	return stamp{made: true, mtime: unix.TimespecToNsec(st.Mtim), ino: st.Ino, size: st.Size}, pathError("write", name, err)
}

// is reports whether the file that createInPlace made is still there under its
// name, as far as can be seen.
func (r *rawDirs) is(name string, made stamp) bool {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(int(r.root.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Ino == made.ino && st.Size == made.size && unix.TimespecToNsec(st.Mtim) == made.mtime
}

func (r *rawDirs) place(tmp, disk string) error {
	return pathError("rename", disk, again(func() error {
		return unix.Renameat(int(r.staging.Fd()), tmp, int(r.root.Fd()), disk)
	}))
}

func (r *rawDirs) remove(disk string) error {
	return pathError("remove", disk, again(func() error { return unix.Unlinkat(int(r.root.Fd()), disk, 0) }))
}

// folders counts the folders in the media folder, as far as its links tell: it
// has two, and one for the ".." of each. Where a file system does not keep them
// so, the count is another; -1 if it cannot be known.
func (r *rawDirs) folders() int {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(int(r.root.Fd()), &st) }); err != nil {
		return -1
	}
	return int(st.Nlink) - 2 //nolint:gosec // small
}

func (r *rawDirs) look(disk string) (fs.FileMode, int64, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(int(r.root.Fd()), disk, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return 0, 0, pathError("stat", disk, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0, st.Size, nil
	case unix.S_IFDIR:
		return fs.ModeDir, st.Size, nil
	case unix.S_IFLNK:
		return fs.ModeSymlink, st.Size, nil
	default:
		return fs.ModeIrregular, st.Size, nil
	}
}
