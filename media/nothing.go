package media

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ankisyncd/ankisyncd/filestate"
)

// Most users of a new server, and many who never add a picture, have no media
// at all. That this is still so must not cost a look for every file that could
// be the beginning of some (findSource) each time they sync.

// nothing is the state of a user's folder in which there are no media: as long
// as both folders are the same, nobody has put any there.
type nothing struct{ dir, folder filestate.State }

// settledFor is how long a folder must have stood still before what was seen in
// it is remembered: within the granularity of its time, a change leaves no trace.
const settledFor = 2 * time.Second

// lookAt looks at the folders.
func lookAt(dir string) nothing {
	return nothing{filestate.Of(dir), filestate.Of(filepath.Join(dir, folderNative))}
}

// still reports whether nothing has changed since a was seen. A folder of media
// that was not there then shows in the folder that it was made in.
func (a nothing) still(dir string, look func(path string) filestate.State) bool {
	return a.dir.Same(look(dir)) && (!a.folder.Found() || a.folder.Same(look(filepath.Join(dir, folderNative))))
}

// deepest is the folder that still looks at last. That of the media may lie
// elsewhere than dir, behind a link, and take its time to be looked at.
func (a nothing) deepest() filestate.State {
	if a.folder.Found() {
		return a.folder
	}
	return a.dir
}

// memorable reports whether n, seen before findSource found nothing, may be
// remembered: no file is there whose growing the folders would not show.
func (n nothing) memorable(dir string, now time.Time) bool {
	for _, f := range []filestate.State{n.dir, n.folder} {
		if f.Found() && now.Sub(time.Unix(0, f.ModTime())).Abs() < settledFor {
			return false
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, folderNative)); !n.folder.Found() && !errors.Is(err, fs.ErrNotExist) {
		return false // a link to what may come back, without a trace in dir
	}
	for _, p := range []string{dbPath(dir), officialPath(dir), officialPath(dir) + "-wal", db2Path(dir), db2Path(dir) + "-wal"} {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}
