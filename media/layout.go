package media

import (
	"os"
	"path/filepath"

	"github.com/ankisyncd/ankisyncd/filestate"
)

// The files of one user, by role.
func dbPath(dir string) string       { return filepath.Join(dir, "collection.media.server.db") }
func db2Path(dir string) string      { return filepath.Join(dir, "collection.media.db2") }
func ancientPath(dir string) string  { return filepath.Join(dir, "collection.media.db") }
func officialPath(dir string) string { return filepath.Join(dir, "media.db") }

// ident is the identity of the files that a user's media usn comes from. As
// long as it stays the same, what was read from them is still true. Of the
// official server's files it holds nothing where they do not matter.
type ident [4]filestate.State

// identify looks at the database, and at the official server's if folder is
// that server's.
func identify(dir, folder string, look func(path string) filestate.State) ident {
	var id ident
	id[0] = look(dbPath(dir))
	id[1] = look(dbPath(dir) + "-wal")
	if folder == folderOfficial {
		id[2] = look(officialPath(dir))
		id[3] = look(officialPath(dir) + "-wal")
	}
	return id
}

func (a ident) same(b ident) bool {
	for i := range a {
		if !a[i].Same(b[i]) {
			return false
		}
	}
	return true
}

// source is where a user's media come from when there is no database of ours.
type source int

const (
	sourceNone     source = iota // nothing at all: a new user
	sourceOfficial               // media.db of the official server
	sourceDB2                    // collection.media.db2 of dsnopek's server
	sourceFiles                  // files only, or a database too old to carry anything worth keeping
)

// findSource looks at what is in the user's folder.
func findSource(dir string) source {
	regular := func(p string) bool {
		fi, err := os.Stat(p)
		return err == nil && fi.Mode().IsRegular() && fi.Size() > 0
	}
	wal := func(p string) bool { return regular(p) || regular(p+"-wal") }
	switch {
	case wal(officialPath(dir)):
		return sourceOfficial
	case wal(db2Path(dir)):
		return sourceDB2
	case hasFiles(filepath.Join(dir, folderNative)):
		return sourceFiles
	}
	return sourceNone
}

// hasFiles reports whether the folder holds at least one file that could be a
// media file.
func hasFiles(folder string) bool {
	f, err := os.Open(folder)
	if err != nil {
		return false
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(64)
		for _, d := range list {
			if d.Type().IsRegular() && checkName(d.Name()) == nil {
				return true
			}
		}
		if err != nil || len(list) == 0 {
			return false
		}
	}
}
