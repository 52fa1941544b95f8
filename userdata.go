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

// systemFolders are made by file systems, other systems and storage boxes at the
// root of a disk or of a shared folder, often for nobody else to read.
var systemFolders = []string{
	"lost+found", "@eaDir", "@tmp", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot", "$RECYCLE.BIN", "RECYCLER",
	"System Volume Information", ".Trashes", ".Spotlight-V100", ".fseventsd", ".DocumentRevisions-V100", ".TemporaryItems",
}

func isSystemFolder(name string) bool {
	return strings.HasPrefix(name, ".Trash-") || slices.ContainsFunc(systemFolders, func(s string) bool { return strings.EqualFold(s, name) })
}

// userFolders lists the folders below a data root that are users'. Those that
// cannot be a user's name, as those of our temporary folders, are not. Those of
// systemFolders and those that begin with a dot (.git) are passed over, and
// listed as such, if nothing of ours is in them and none of accounts has the
// name.
func userFolders(root string, accounts []string) (names, passed []string, err error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name := e.Name()
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			fi, err := os.Stat(filepath.Join(root, name))
			isDir = err == nil && fi.IsDir()
		}
		if !isDir || auth.ValidUserName(name) != nil {
			continue
		}
		system := isSystemFolder(name)
		if (system || strings.HasPrefix(name, ".")) && !slices.Contains(accounts, name) && !holdsData(filepath.Join(root, name), !system) {
			passed = append(passed, name)
			continue
		}
		names = append(names, name)
	}
	return names, passed, nil
}

// holdsData reports whether anything in a folder is what a user's has; unread is
// what to say of a folder that cannot be looked into.
func holdsData(dir string, unread bool) bool {
	ours := slices.Concat([]string{collection.FileName, collection.SnapshotDir}, media.DatabaseNames(), media.FolderNames())
	return slices.ContainsFunc(ours, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil || unread && !errors.Is(err, fs.ErrNotExist)
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
