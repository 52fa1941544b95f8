package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
)

// dirs are the open media folder and the folder for incoming files in it. An
// upload unpacks into them while the database is free for others, and perhaps
// closed: whoever uses them holds them open.
type dirs struct {
	root    *os.Root // the media folder
	staging *os.Root // nil until openStaging
	raw     rawDirs  // shortcuts past os.Root, where the system has them

	portable bool
	refs     atomic.Int32
	gone     atomic.Bool // somebody has removed the folder for incoming files

	mu    sync.Mutex
	notes []*note // that nobody uses
}

// stamp is what is known of a file that has just been made.
type stamp struct {
	made  bool  // there is a file, perhaps with a part of its content
	mtime int64 // ns
	ino   uint64
	size  int64
}

// openDirs opens the media folder. portable says to do without shortcuts.
func openDirs(path string, portable bool) (*dirs, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	d := &dirs{root: root, portable: portable}
	d.refs.Store(1)
	return d, nil
}

// openStaging makes and opens the folder for incoming files. It lies inside the
// media folder so that a rename never crosses a file system, even if the media
// folder is a mount or a link to another disk. fold reports whether the file
// system ignores case.
func (d *dirs) openStaging() (fold bool, err error) {
	if err := d.root.Mkdir(stagingDir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	fi, err := d.root.Lstat(stagingDir)
	if err != nil {
		return false, err
	}
	if !fi.IsDir() {
		return false, errors.New(stagingDir + " in the media folder is not a folder")
	}
	if other, err := d.root.Lstat(".ANKISYNCD-INCOMING"); err == nil {
		fold = os.SameFile(fi, other)
	}
	if d.staging != nil {
		return fold, nil
	}
	if d.staging, err = d.root.OpenRoot(stagingDir); err != nil {
		return false, err
	}
	if !d.portable {
		d.raw.open(d.root, d.staging)
	}
	return fold, nil
}

func (d *dirs) hold() *dirs {
	d.refs.Add(1)
	return d
}

// release closes the folders if nobody else holds them.
func (d *dirs) release() error {
	if d.refs.Add(-1) > 0 {
		return nil
	}
	d.raw.close()
	d.dropNotes()
	var err error
	if d.staging != nil {
		err = d.staging.Close()
	}
	return errors.Join(err, d.root.Close())
}

// create stages a new file with the given content and returns its time of
// change (ns).
func (d *dirs) create(tmp string, content []byte) (mtime int64, err error) {
	if d.raw.usable(tmp) {
		made, err := d.raw.create(tmp, content)
		return made.mtime, err
	}
	f, err := d.staging.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(content)
	var fi fs.FileInfo
	if err == nil {
		fi, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return fi.ModTime().UnixNano(), nil
}

// place renames a staged file to its place, over what is there.
func (d *dirs) place(tmp, disk string) error {
	if d.raw.usable(tmp, disk) {
		return d.raw.place(tmp, disk)
	}
	return d.root.Rename(stagingDir+"/"+tmp, disk)
}

// remove removes a file or a link, never a folder.
func (d *dirs) remove(disk string) error {
	if d.raw.usable(disk) {
		return d.raw.remove(disk)
	}
	if d.isDir(disk) {
		return &fs.PathError{Op: "remove", Path: disk, Err: syscall.EISDIR}
	}
	return d.root.Remove(disk)
}

// look returns what is known of a name in the media folder without following
// links: its kind and its size in bytes.
func (d *dirs) look(disk string) (fs.FileMode, int64, error) {
	if d.raw.usable(disk) {
		return d.raw.look(disk)
	}
	fi, err := d.root.Lstat(disk)
	if err != nil {
		return 0, 0, err
	}
	return fi.Mode().Type(), fi.Size(), nil
}

// plain reports whether the media folder is known to have no folders in it
// besides the one for incoming files, so that none need be looked for under
// each name.
func (d *dirs) plain() bool { return d.raw.usable() && d.raw.folders() == 1 }

// isDir reports whether there is a folder under the name.
func (d *dirs) isDir(disk string) bool {
	kind, _, err := d.look(disk)
	return err == nil && kind == fs.ModeDir
}

// intact reports whether the file of a row is there and, as far as its size
// tells, whole.
func (d *dirs) intact(disk string, size int64) bool {
	kind, n, err := d.look(disk)
	if err == nil && kind == fs.ModeSymlink { // put there by hand, and allowed within the folder
		var fi fs.FileInfo
		if fi, err = d.root.Stat(disk); err == nil {
			kind, n = fi.Mode().Type(), fi.Size()
		}
	}
	return err == nil && kind == 0 && n == size
}

// single reports whether a name is one step below a folder, so that using it
// needs none of os.Root's care.
func single(name string) bool {
	return name != "." && name != ".." && name != "" && filepath.Base(name) == name
}

// openFolder opens the media folder, making it if create says so.
func (h *handle) openFolder(create bool) error {
	if h.root != nil {
		return nil
	}
	if create {
		if err := h.s.at("mkdir"); err != nil {
			return err
		}
		if err := os.MkdirAll(h.folder(), 0o777); err != nil {
			return err
		}
	}
	d, err := openDirs(h.folder(), h.s.portable)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open media folder: %w", err)
	}
	info, err := d.root.Stat(".")
	if err != nil {
		_ = d.release()
		return fmt.Errorf("open media folder: %w", err)
	}
	h.dirs, h.root, h.rootInfo = d, d.root, info
	return nil
}

// closeFolder is the opposite of openFolder.
func (h *handle) closeFolder() error {
	if h.dirs == nil {
		return nil
	}
	err := h.dirs.release()
	h.dirs, h.root = nil, nil
	return err
}

// openStaging opens the folder for incoming files, making it if it is missing.
func (h *handle) openStaging() error {
	if h.away {
		return h.errAway()
	}
	if h.dirs != nil && h.dirs.gone.Load() {
		if err := h.closeFolder(); err != nil {
			return err
		}
	}
	if err := h.openFolder(true); err != nil {
		return err
	}
	if h.dirs.staging != nil {
		return nil
	}
	var err error
	if h.fold, err = h.dirs.openStaging(); err != nil {
		return fmt.Errorf("make folder for incoming files: %w", err)
	}
	return nil
}
