package media

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Most users of a new server, and many who never add a picture, have no media
// at all. That this is still so must not cost a look for every file that could
// be the beginning of some (findSource) each time they sync.

// nothing is the state of a user's folder in which there are no media: as long
// as both folders are the same, nobody has put any there.
type nothing struct{ dir, folder fs.FileInfo }

// settledFor is how long a folder must have stood still before what was seen in
// it is remembered: within the granularity of its time, a change leaves no trace.
const settledFor = 2 * time.Second

// lookAt looks at the folders; nil for one that does not exist.
func lookAt(dir string) nothing {
	var n nothing
	n.dir, _ = os.Stat(dir)
	n.folder, _ = os.Stat(filepath.Join(dir, folderNative))
	return n
}

func (a nothing) same(b nothing) bool { return sameFile(a.dir, b.dir) && sameFile(a.folder, b.folder) }

// memorable reports whether n, seen before findSource found nothing, may be
// remembered: no file is there whose growing the folders would not show.
func (n nothing) memorable(dir string, now time.Time) bool {
	for _, fi := range []fs.FileInfo{n.dir, n.folder} {
		if fi != nil && now.Sub(fi.ModTime()).Abs() < settledFor {
			return false
		}
	}
	for _, p := range []string{dbPath(dir), officialPath(dir), officialPath(dir) + "-wal", db2Path(dir), db2Path(dir) + "-wal"} {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}
