//go:build !linux

package media

import (
	"io/fs"
	"os"
)

// rawDirs has no shortcuts here: os.Root does everything.
type rawDirs struct{}

func (r *rawDirs) open(_, _ *os.Root)         {}
func (r *rawDirs) close()                     {}
func (r *rawDirs) usable(...string) bool      { return false }
func (r *rawDirs) place(string, string) error { return fs.ErrInvalid }
func (r *rawDirs) remove(string) error        { return fs.ErrInvalid }
func (r *rawDirs) folders() int               { return -1 }
func (r *rawDirs) is(string, stamp) bool      { return false }
func (r *rawDirs) create(string, []byte) (stamp, error) {
	return stamp{}, fs.ErrInvalid
}

func (r *rawDirs) createInPlace(string, []byte) (stamp, error) {
	return stamp{}, fs.ErrInvalid
}

func (r *rawDirs) look(string) (fs.FileMode, int64, error) {
	return 0, 0, fs.ErrInvalid
}
