package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// stageName is the folder at the new place in which users are put together.
// Nothing has its final name before it has been compared.
const stageName = ".ankisyncd-migrate"

// run does it all. On an error nothing is left at the new place.
func (m *migration) run(ctx context.Context) (report *migrationReport, err error) {
	if err := m.directories(); err != nil {
		return nil, err
	}
	// Beside the new place, not in it, unless that is all that there is: a
	// volume that is mounted for it.
	if m.tempDir, err = privateFolder(existingParent(m.to), ".ankisyncd-migrate-*"); err != nil {
		return nil, fmt.Errorf("%w; %s", err, setTempDir)
	}
	defer os.RemoveAll(m.tempDir) //nolint:errcheck // temporary
	if err := m.plan(ctx); err != nil {
		return nil, err
	}
	report = &migrationReport{From: m.from, To: m.to, Layout: layoutNames[m.layout], DryRun: m.dryRun, Accounts: m.accounts, Devices: m.devices, Users: []migratedUser{}, PassedOver: m.passed}
	report.NextSteps = m.nextSteps()
	if m.dryRun {
		for _, u := range m.users {
			report.Users = append(report.Users, u.planned(m.layout))
		}
		return report, nil
	}
	defer func() {
		if err != nil {
			err = m.undo(err)
		}
	}()
	root, err := m.makeFolders()
	if err != nil {
		return nil, err
	}
	for _, u := range m.users {
		done, err := m.user(ctx, u, filepath.Join(root, u.name))
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", u.name, err)
		}
		report.Users = append(report.Users, *done)
	}
	if err := m.databases(ctx); err != nil {
		return nil, err
	}
	if err := m.unchanged(ctx); err != nil {
		return nil, err
	}
	return report, os.Remove(m.stage)
}

// errLeft: something had to be left at the new place.
var errLeft = errors.New("what was made could not be removed")

// undo removes all that was made at the new place, because of err.
func (m *migration) undo(err error) error {
	for _, path := range slices.Backward(m.created) {
		if rerr := os.RemoveAll(path); rerr != nil && !errors.Is(err, errLeft) {
			err = fmt.Errorf("%w; %w: %w", err, errLeft, rerr)
		}
	}
	return err
}

// makeFolders makes the folders at the new place and returns the data root.
func (m *migration) makeFolders() (root string, err error) {
	root = filepath.Join(m.to, "collections")
	if m.layout == media.Official {
		root = m.to
	}
	m.stage = filepath.Join(m.to, stageName)
	for _, dir := range []string{m.to, root, m.stage} {
		if isDir(dir) {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
		m.created = append(m.created, dir)
		inheritOwner(m.fromRoot, dir)
	}
	return root, nil
}

// user copies one user to the stage, compares, and gives the copy its name.
func (m *migration) user(ctx context.Context, u *sourceUser, final string) (*migratedUser, error) {
	dir := filepath.Join(m.stage, u.name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if fi, err := os.Stat(u.dir); err == nil {
		_ = os.Chmod(dir, fi.Mode().Perm()) // as good as the file system can
	}
	inheritOwner(m.fromRoot, dir)
	if err := m.collection(ctx, u, dir); err != nil {
		return nil, err
	}
	for _, name := range u.snapshots {
		to := filepath.Join(dir, collection.SnapshotDir)
		if err := os.MkdirAll(to, 0o700); err != nil {
			return nil, err
		}
		if _, err := m.link(ctx, filepath.Join(u.dir, collection.SnapshotDir, name), filepath.Join(to, name)); err != nil {
			return nil, err
		}
	}
	m.progress.step(u.name)
	linked, err := m.media(ctx, u, dir)
	if err != nil {
		return nil, err
	}
	done, err := m.verify(ctx, u, dir)
	if err != nil {
		return nil, err
	}
	done.Linked = linked
	m.chown(dir)
	m.created = append(m.created, final)
	return done, os.Rename(dir, final)
}

// chown gives what was made here to the owner of the source, if root runs this.
// Of the files further below link has taken care.
func (m *migration) chown(dir string) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && (e.IsDir() || filepath.Dir(path) == dir) {
			inheritOwner(m.fromRoot, path)
		}
		return nil
	})
}

// collection copies the collection, in the wanted schema.
func (m *migration) collection(ctx context.Context, u *sourceUser, dir string) error {
	defer m.progress.step(u.name)
	if u.col == nil {
		return nil
	}
	path := filepath.Join(dir, collection.FileName)
	if err := collection.CopyDatabase(ctx, filepath.Join(u.dir, collection.FileName), path); err != nil {
		return liveError(err)
	}
	if !m.schema11 || u.col.Schema == 11 {
		return nil
	}
	whole := path + ".whole"
	if err := os.Rename(path, whole); err != nil {
		return err
	}
	if _, err := collection.Upgrade(ctx, whole); err != nil {
		return err
	}
	if err := collection.Downgrade(ctx, whole, path, false); err != nil {
		return err
	}
	return os.Remove(whole)
}

// media copies the media and brings them to the layout. It returns how many
// files were linked.
func (m *migration) media(ctx context.Context, u *sourceUser, dir string) (linked int, err error) {
	for _, name := range media.DatabaseNames() {
		err := collection.CopyDatabase(ctx, filepath.Join(u.dir, name), filepath.Join(dir, name))
		switch {
		case errors.Is(err, collection.ErrNotFound), errors.Is(err, collection.ErrCorrupt) && name != u.media.Source:
			continue
		case err != nil:
			return 0, liveError(err)
		}
	}
	from := filepath.Join(u.dir, u.media.Folder)
	if !isDir(from) {
		return 0, media.Convert(ctx, dir, m.layout)
	}
	to := filepath.Join(dir, u.media.Folder)
	if err := os.Mkdir(to, 0o755); err != nil {
		return 0, err
	}
	// Rows first: the path of one may lead into the folder for incoming files.
	paths := make([]string, 0, len(u.media.Rows)+len(u.media.Stray))
	for _, row := range u.media.Rows {
		if row.Path != "" {
			paths = append(paths, row.Path)
		}
	}
	for _, name := range u.media.Stray {
		paths = append(paths, filepath.Join(u.media.Folder, name))
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		target := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return 0, err
		}
		isLink, err := m.link(ctx, filepath.Join(u.dir, path), target)
		if err != nil {
			return 0, err
		}
		if isLink {
			linked++
		}
		m.progress.step(u.name)
	}
	return linked, media.Convert(ctx, dir, m.layout)
}

// copyPart is how many bytes of a large file are copied before a look at whether
// somebody wants to stop.
const copyPart = 16 << 20

// link makes dst another name of the file src where that can be done, and else
// a copy that belongs to the owner of the source; a linked file is the source's
// too and stays as it is. It is for files that are replaced, but never written
// to in place.
func (m *migration) link(ctx context.Context, src, dst string) (linked bool, err error) {
	if fi, err := os.Lstat(src); err == nil && fi.Mode().IsRegular() && !m.copyFiles {
		if err := os.Link(src, dst); err == nil {
			return true, nil
		}
	}
	in, err := os.Open(src)
	if err != nil {
		return false, err
	}
	defer in.Close()
	fi, err := in.Stat()
	if err != nil {
		return false, err
	}
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fi.Mode().Perm()|0o600)
	if err != nil {
		return false, err
	}
	inheritOwner(m.fromRoot, dst)
	for err == nil {
		if _, err = io.CopyN(out, in, copyPart); err == nil {
			err = ctx.Err()
		}
	}
	if !errors.Is(err, io.EOF) {
		return false, errors.Join(err, out.Close())
	}
	return false, errors.Join(out.Sync(), out.Close(), os.Chtimes(dst, fi.ModTime(), fi.ModTime()))
}

// databases copies the databases of users and sessions. The oldest server's form
// of them becomes the later servers', or the other way round (docs/compat.md §2.1).
func (m *migration) databases(ctx context.Context) error {
	var renames []collection.Rename
	switch m.layout {
	case media.Native:
		renames = []collection.Rename{{Table: "auth", From: "user", To: "username"}, {Table: "session", From: "user", To: "username"}}
	case media.AnkiServer:
		renames = []collection.Rename{{Table: "auth", From: "username", To: "user"}, {Table: "session", From: "username", To: "user"}}
	case media.Official: // which does not look at them
	}
	target := [2]string{}
	for i, db := range []struct{ path, name string }{{m.authDB, "auth.db"}, {m.sessionDB, "session.db"}} {
		if db.path == "" {
			continue
		}
		target[i] = filepath.Join(m.to, db.name)
		m.created = append(m.created, target[i])
		if err := collection.CopyDatabase(ctx, db.path, target[i], renames...); err != nil {
			return liveError(err)
		}
		inheritOwner(m.fromRoot, target[i])
	}
	if m.authDB == "" {
		return nil
	}
	users, devices, err := m.readAccounts(ctx, target[0], target[1])
	if err != nil {
		return err
	}
	if !slices.Equal(users, m.accounts) || devices != m.devices {
		return fmt.Errorf("auth.db: %d users and %d devices became %d and %d", len(m.accounts), m.devices, len(users), devices)
	}
	return nil
}
