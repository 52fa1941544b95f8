package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// What the commands that look at data directories have in common. None of this
// runs in the server's own process: it opens files without its locks.

// privateFolder makes a folder for copies. Where there is no folder for
// temporary files, as in a container that holds the program alone, it lies in
// another one.
func privateFolder(otherwise, pattern string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err == nil {
		return dir, nil
	}
	dir, second := os.MkdirTemp(otherwise, pattern)
	if second != nil {
		return "", errors.Join(err, second)
	}
	return dir, nil
}

// setTempDir is what to do if there is none.
const setTempDir = "set TMPDIR to a folder that this account may write to"

// inspectMedia reads a user's media without any effect on the folder dir: the
// database that counts is copied to a private folder below tempDir first.
func inspectMedia(ctx context.Context, dir, tempDir string) (*media.Report, error) {
	tmp, err := os.MkdirTemp(tempDir, ".ankisyncd-inspect-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // temporary
	for _, name := range media.DatabaseNames() {
		err := collection.CopyDatabase(ctx, filepath.Join(dir, name), filepath.Join(tmp, name))
		if errors.Is(err, collection.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		break // the further ones do not matter
	}
	return media.Inspect(ctx, tmp, dir)
}

// userFolders lists the folders below a data root that are users': all but
// those that cannot be a user's name, as those of our temporary folders, and
// those that begin with a dot and hold nothing of ours (.git, .Trash-1000).
func userFolders(root string) ([]string, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			fi, err := os.Stat(filepath.Join(root, e.Name()))
			isDir = err == nil && fi.IsDir()
		}
		if !isDir || auth.ValidUserName(e.Name()) != nil {
			continue
		}
		if !strings.HasPrefix(e.Name(), ".") || holdsData(filepath.Join(root, e.Name())) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// holdsData reports whether anything in a folder is what a user's has.
func holdsData(dir string) bool {
	ours := slices.Concat([]string{collection.FileName, collection.SnapshotDir}, media.DatabaseNames(), media.FolderNames())
	return slices.ContainsFunc(ours, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil || !errors.Is(err, fs.ErrNotExist) // one that cannot be read is not passed over
	})
}

// readUsers lists the users of a user database, and the number of devices that
// are logged in, from private copies of the files below tempDir.
func readUsers(ctx context.Context, o auth.Options, tempDir string) (users []string, devices int, err error) {
	tmp, err := os.MkdirTemp(tempDir, ".ankisyncd-users-*")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // temporary
	o.MustExist, o.Log = true, nil
	for i, path := range []*string{&o.AuthDB, &o.SessionDB} {
		if *path == "" {
			continue
		}
		private := filepath.Join(tmp, fmt.Sprint(i))
		err := collection.CopyDatabase(ctx, *path, private)
		if err != nil && !errors.Is(err, collection.ErrNotFound) {
			return nil, 0, err
		}
		*path = private
		if err != nil && len(o.StaticUsers) > 0 {
			*path = "" // those of the environment are all that there are
		}
	}
	s, err := auth.Open(ctx, o)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if users, err = s.Users(ctx); err != nil {
		return nil, 0, err
	}
	list, err := s.Devices(ctx, "")
	return users, len(list), err
}

// some writes the first few of a list.
func some(names []string) string {
	const most = 3
	quoted := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		quoted = append(quoted, fmt.Sprintf("%q", n))
	}
	text := strings.Join(quoted, ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

// without lists what is in a and not in b.
func without(a, b []string) (rest []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			rest = append(rest, s)
		}
	}
	return rest
}

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
