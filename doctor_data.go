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
	"time"

	"github.com/ankisyncd/ankisyncd/auth"
	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/config"
	"github.com/ankisyncd/ankisyncd/media"
)

// strayAge is the age at which a temporary file belongs to nobody any more.
const strayAge = time.Hour

// data checks the users, and what is stored of each.
func (d *doctor) data(ctx context.Context) {
	users, known := d.users(ctx)
	root := config.Abs(d.cfg.DataRoot)
	folders, passed, err := userFolders(root, users)
	if err != nil {
		d.fail("data_root", "see that the server's user may read it", "%v", err)
		return
	}
	if len(passed) > 0 {
		d.ok("data_root", "%s passed over, as nothing of a user is in there: %s", plural(len(passed), "folder"), some(passed))
	}
	d.sharedFolders(root, users)
	if known {
		if missing := without(d.userFiles(root, users), folders); len(missing) > 0 {
			d.ok("users", "%s without a folder yet: %s", plural(len(missing), "user"), some(missing))
		}
		if gone := without(folders, users); len(gone) > 0 {
			d.warn("users", "\"adduser\" lets somebody in again; a folder that is not needed can be moved away", "%s of nobody who can log in: %s", plural(len(gone), "folder"), some(gone))
		}
	}
	d.strayFiles("data_root", root, ".ankisyncd-")
	for _, name := range folders {
		if ctx.Err() != nil {
			return
		}
		d.user(ctx, name, filepath.Join(root, name))
	}
}

// sharedFolders looks for accounts that have one folder, whom the server keeps out.
func (d *doctor) sharedFolders(root string, users []string) {
	for _, names := range alike(users) {
		for i, name := range names {
			if other, err := mistakenFor(root, name, names[i+1:]); err == nil && other != "" {
				d.fail("users", "\"deluser\" one of the two: its folder stays", "%q and %q have one folder, as the file system takes the two names for one; neither is let in", name, other)
			}
		}
	}
}

// users checks the user database and lists its users; known is false if they
// cannot be told.
func (d *doctor) users(ctx context.Context) (users []string, known bool) {
	const restoreUsers = "restore it from a backup, or move it away and make the users again by \"adduser\"; collections are not affected"
	const restoreSessions = "stop the server and move it away; every device has to log in again. Users and collections are not affected"
	for _, db := range []struct{ check, path, restore string }{{"auth.db", d.cfg.AuthDBPath, restoreUsers}, {"session.db", d.cfg.SessionDBPath, restoreSessions}} {
		if db.path == "" {
			continue
		}
		path, restore := config.Abs(db.path), db.restore
		if isDir(path) {
			return nil, false // databaseFolders has told
		}
		problems, err := collection.CheckDatabase(ctx, path, d.tempDir)
		switch {
		case errors.Is(err, collection.ErrNotFound):
			if db.check == "auth.db" && len(d.cfg.Users) == 0 {
				d.warn(db.check, "\"ankisyncd adduser NAME\" makes the first user; if there should be users, look at auth_db_path and the working directory", "%s is not there", path)
			}
			continue
		case errors.Is(err, collection.ErrBusy):
			d.ok(db.check, "being written at this moment, not checked")
			continue
		case errors.Is(err, fs.ErrPermission):
			d.fail(db.check, "run this as the user that the server runs as, or give the file to that user", "%v", err)
			return nil, false
		case err != nil:
			d.fail(db.check, restore, "%s: %v", path, err)
			return nil, false
		case len(problems) > 0:
			d.fail(db.check, restore, "%s: %s", path, strings.Join(problems, "; "))
			return nil, false
		}
		if fi, err := os.Stat(path); err == nil && readableByAll(fi) {
			d.warn(db.check, "chmod 600", "every user of this machine can read %s", path)
		}
	}
	if d.cfg.AllowAnyone {
		d.warn("users", "give everybody an account by \"adduser\", and remove allow_anyone", "authentication is off: every name with every password is let in")
		return nil, false
	}
	o := authOptions(d.cfg, nil)
	all := len(o.StaticUsers)
	o.StaticUsers = slices.DeleteFunc(o.StaticUsers, func(u auth.StaticUser) bool { return u.Valid() != nil })
	if len(o.StaticUsers) < all && o.AuthDB == "" {
		return nil, false // a fault of the configuration, which has been told
	}
	users, devices, err := readUsers(ctx, o, d.tempDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, true
	}
	if err != nil {
		d.fail("users", restoreUsers, "%v", err)
		return nil, false
	}
	d.ok("users", "%s, %s logged in", plural(len(users), "user"), plural(devices, "device"))
	return users, true
}

// user checks what is stored of one user.
func (d *doctor) user(ctx context.Context, name, dir string) {
	check := "user " + name
	before := len(d.findings)
	col := d.collection(ctx, check, name, dir)
	med := d.media(ctx, check, dir)
	d.leftovers(check, dir)
	d.owners(check, dir)
	good := len(d.findings) == before
	if good || col+med != "" {
		d.ok(check, "%s", strings.Trim(col+"; "+med, "; "))
	}
}

// collection checks the collection, and says what it is if it is sound.
func (d *doctor) collection(ctx context.Context, check, name, dir string) string {
	how := collection.CheckQuick
	if d.deep {
		how = collection.CheckFull
	}
	info, err := collection.Inspect(ctx, filepath.Join(dir, collection.FileName), d.tempDir, how)
	restore := restoreAdvice(name, dir)
	switch {
	case errors.Is(err, collection.ErrNotFound):
		if isFile(filepath.Join(dir, collection.FileName)) {
			d.warn(check, restore, "%s has no bytes, as a full disk or a crash may leave it; the server takes it for that of a new user", collection.FileName)
			return ""
		}
		return "no collection yet"
	case errors.Is(err, collection.ErrBusy):
		return "collection in use by the running server, not checked"
	case errors.Is(err, collection.ErrCorrupt):
		d.fail(check, restore, "collection: %v", err)
		return ""
	case err != nil:
		d.fail(check, "see that the server's user may read it", "collection: %v", err)
		return ""
	case len(info.Problems) > 0:
		d.fail(check, restore, "collection damaged: %s", strings.Join(info.Problems, "; "))
		return ""
	}
	text := fmt.Sprintf("schema %d, %s, %s, %s", info.Schema, plural(int(info.Counts.Notes), "note"), plural(int(info.Counts.Cards), "card"), plural(int(info.Counts.Revlog), "review"))
	switch {
	case info.Schema > 18 || info.Schema < 11 || info.Schema == 12 || info.Schema == 13:
		d.fail(check, "a newer ankisyncd may know it", "collection: unknown schema %d", info.Schema)
		return ""
	case info.Schema < 18:
		text += " (converted at the next sync, the original is kept as a snapshot)"
	}
	if info.Log {
		text += " (some still in a log, as a killed server leaves it: folded in at the next sync)"
	}
	return text
}

// restoreAdvice says how to go on with a damaged collection. While it is there no
// device can sync, nor upload its own.
func restoreAdvice(name, dir string) string {
	upload := fmt.Sprintf("stop the server, move %[1]s and %[1]s-wal away, start it, and upload from the device that has the most (docs/troubleshooting.md)", collection.FileName)
	kept, _ := os.ReadDir(filepath.Join(dir, collection.SnapshotDir))
	if slices.ContainsFunc(kept, func(e fs.DirEntry) bool { return strings.HasSuffix(e.Name(), ".anki2") }) {
		return fmt.Sprintf("\"ankisyncd snapshots %[1]s\" and \"ankisyncd restore %[1]s SNAPSHOT\"; or %[2]s", name, upload)
	}
	return upload
}

// media checks the media, and says what there is if all is well.
func (d *doctor) media(ctx context.Context, check, dir string) string {
	r, err := inspectMedia(ctx, dir, d.tempDir)
	switch {
	case errors.Is(err, collection.ErrBusy):
		return "media in use by the running server, not checked"
	case errors.Is(err, collection.ErrCorrupt):
		d.fail(check, "stop the server and move the database away: it is made again from the files, and devices compare theirs", "media database: %v", err)
		return ""
	case err != nil:
		d.fail(check, "see that the server's user may read it", "media: %v", err)
		return ""
	}
	missing := r.Missing()
	if r.Away() {
		d.fail(check, "mount its disk, or restore it from a backup; if the files are lost for good, put any file into it: devices then send theirs again (docs/troubleshooting.md)",
			"%s has none of %s, and media are not synced", filepath.Join(dir, r.Folder), plural(len(missing), "file"))
		return ""
	}
	if len(missing) > 0 {
		d.warn(check, "nothing, if a device has them: it sends them again when it checks its media", "%s in the media database without a file: %s", plural(len(missing), "row"), some(missing))
	}
	if len(r.Stray) > 0 {
		d.warn(check, "add them in Anki on a device if they are wanted, else remove them", "%s in %s that no device knows of: %s", plural(len(r.Stray), "file"), r.Folder, some(r.Stray))
	}
	if d.deep {
		damaged, err := r.Verify(ctx, dir, nil)
		if err != nil {
			d.fail(check, "see that the server's user may read the files", "media: %v", err)
			return ""
		}
		if len(damaged) > 0 {
			d.warn(check, "restore them from a backup, or remove them: a device that has the right ones sends them again", "%s with other content than the database says: %s", plural(len(damaged), "media file"), some(damaged))
		}
	}
	if len(r.Rows) == 0 && len(r.Stray) == 0 {
		return "no media"
	}
	text := plural(r.Files(), "media file")
	if d.deep {
		text += ", SHA-1 checked"
	}
	return text
}

// leftovers looks for files that nothing will ever use.
func (d *doctor) leftovers(check, dir string) {
	d.strayFiles(check, dir, ".collection-", ".ankisyncd-")
	if fi, err := os.Stat(filepath.Join(dir, collection.FileName+".tmp")); err == nil {
		d.warn(check, "remove it", "%s.tmp (%s) is left of an upload to the Python server", collection.FileName, byteSize(fi.Size()))
	}
	first := ""
	for _, name := range media.DatabaseNames() {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			continue
		}
		if first != "" {
			d.ok(check, "%s is kept beside %s for the way back to another server", name, first)
			return
		}
		first = name
	}
}

// strayFiles looks for old temporary files.
func (d *doctor) strayFiles(check, dir string, prefixes ...string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var stray []string
	for _, e := range entries {
		for _, p := range prefixes {
			if fi, err := e.Info(); strings.HasPrefix(e.Name(), p) && err == nil && time.Since(fi.ModTime()) > strayAge {
				stray = append(stray, e.Name())
			}
		}
	}
	if len(stray) > 0 {
		d.warn(check, "remove them", "%s left by a crash in %s: %s", plural(len(stray), "temporary file"), dir, some(stray))
	}
}

// owners looks for files that the owner of the data root may not be able to
// write, as a command run by root leaves them.
func (d *doctor) owners(check, dir string) {
	root, err := os.Stat(config.Abs(d.cfg.DataRoot))
	if err != nil {
		return
	}
	want, ok := ownerOf(root)
	if !ok {
		return
	}
	var foreign []string
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir
		}
		if fi, err := e.Info(); err == nil {
			if uid, ok := ownerOf(fi); ok && uid != want {
				rel, _ := filepath.Rel(dir, path)
				foreign = append(foreign, rel)
			}
		}
		return nil
	})
	if len(foreign) > 0 {
		d.warn(check, "chown -R them to the owner of data_root", "%s of another owner than data_root: %s", plural(len(foreign), "file"), some(foreign))
	}
}
