package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// A media folder may be a disk of its own, or a link to one, and that disk may not
// be mounted when the server starts. Its files are not lost then. Taking them for
// lost would have every request for files forget its rows, and an upload would go
// to where the disk hides it later. So a folder that is missing, or has no file at
// all, is not believed if the database knows of more files than one request asks
// for: until there is one, nothing is sent, stored, settled or forgotten. What the
// database says is still told, so that collections sync.
//
// Whoever has lost the files for good says so by any file put into the folder.

// awayLimit is the number of files up to which a folder without any is believed:
// somebody may have removed them, and the devices send them again.
const awayLimit = MaxRows

// isAway reports whether the files are not there although there should be many.
func (h *handle) isAway() bool { return h.files > awayLimit && !holdsFiles(h.folder()) }

func (h *handle) errAway() error {
	return fmt.Errorf("%w: %s is missing or empty, and the media database knows of %d files", ErrAway, h.folder(), h.files)
}

// CheckHere is ErrAway if the user's files are away: then nothing can be stored.
func (s *Store) CheckHere(ctx context.Context, user string) error {
	return s.with(ctx, user, false, func(h *handle) error {
		if h.away || h.isAway() {
			return h.errAway()
		}
		return nil
	})
}

// noteAway tells the administrator what to do.
func (h *handle) noteAway() {
	h.s.o.Log.Error("media folder has no files; is its disk mounted? Media are not synced until they are back; if they are lost for good, put any file into the folder",
		"folder", h.folder(), "files", h.files)
}

// holdsFiles reports whether there is anything in a folder that is no folder. If
// that cannot be told, there is: whoever uses it gets the error.
func holdsFiles(folder string) bool {
	f, err := os.Open(folder)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(64)
		for _, d := range list {
			if !d.IsDir() {
				return true
			}
		}
		if err != nil {
			return !errors.Is(err, io.EOF)
		}
	}
}

// Away reports whether the server would not believe that so many files are lost:
// rather the folder's disk is not mounted.
func (r *Report) Away() bool {
	missing := len(r.Missing())
	return missing == r.Files() && missing > awayLimit && len(r.Stray) == 0
}
