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

// migration copies a data directory (docs/compat.md §3.1).
type migration struct {
	from, to          string
	authDB, sessionDB string // of the source; "" if there is none
	layout            media.Layout
	schema11          bool
	copyFiles, dryRun bool
	progress          *progress
	fromRoot, stage   string // the source's data root; where things are put together
	tempDir           string // private; for copies
	accounts          []string
	devices           int
	users             []*sourceUser
	passed            []string // folders that are no users'
	created           []string // at the new place, for the way back out
}

// sourceUser is what the source has of one user.
type sourceUser struct {
	name, dir string
	col       *collection.Info // nil if there is none
	media     *media.Report
	snapshots []string
	other     []string // names of what is not taken along
}

var errLive = errors.New("a server is using it; stop that server first")

// plan looks at everything that is to be copied. Nothing is written but private
// copies.
func (m *migration) plan(ctx context.Context) error {
	var err error
	if m.authDB != "" {
		if m.accounts, m.devices, err = m.readAccounts(ctx, m.authDB, m.sessionDB); err != nil {
			return fmt.Errorf("%s: %w", m.authDB, liveError(err))
		}
	}
	names, passed, err := userFolders(m.fromRoot, m.accounts)
	if err != nil {
		return err
	}
	m.passed = passed
	if len(names) == 0 && m.authDB == "" {
		return fmt.Errorf("%s holds neither users' folders nor an auth.db", m.from)
	}
	for _, name := range names {
		u, err := m.inspectUser(ctx, name, filepath.Join(m.fromRoot, name))
		if err != nil {
			return fmt.Errorf("user %s: %w", name, liveError(err))
		}
		m.users = append(m.users, u)
		m.progress.total += 2 + 2*len(u.media.Rows) + len(u.media.Stray)
	}
	return nil
}

func liveError(err error) error {
	if errors.Is(err, collection.ErrBusy) {
		return fmt.Errorf("%w (%w)", errLive, err)
	}
	return err
}

// directories finds out where things are, and refuses a target that has
// something in it.
func (m *migration) directories() error {
	for _, dir := range []*string{&m.from, &m.to} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = abs
	}
	if fi, err := os.Stat(m.from); err != nil {
		return err
	} else if !fi.IsDir() {
		return fmt.Errorf("%s is no folder", m.from)
	}
	if liesWithin(m.to, m.from) || liesWithin(m.from, m.to) {
		return fmt.Errorf("%s and %s lie in one another", m.from, m.to)
	}
	entries, err := os.ReadDir(m.to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if isDir(filepath.Join(m.to, stageName)) {
		return fmt.Errorf("%s holds what a migrate that was killed has left: remove it and try again", m.to)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty, and nothing is ever overwritten", m.to)
	}
	m.fromRoot = m.from
	if isDir(filepath.Join(m.from, "collections")) && !isFile(filepath.Join(m.from, "collections", collection.FileName)) {
		m.fromRoot = filepath.Join(m.from, "collections")
	}
	for _, db := range []struct {
		path *string
		name string
	}{{&m.authDB, "auth.db"}, {&m.sessionDB, "session.db"}} {
		switch usual := filepath.Join(m.from, db.name); {
		case *db.path == "" && isFile(usual):
			*db.path = usual
		case *db.path != "" && !isFile(*db.path):
			return fmt.Errorf("%s is no file", *db.path)
		}
	}
	return nil
}

func liesWithin(path, dir string) bool {
	rel, err := filepath.Rel(resolved(dir), resolved(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved follows symbolic links as far as the path exists.
func resolved(path string) string {
	at := existingParent(path)
	real, err := filepath.EvalSymlinks(at)
	if err != nil {
		return path
	}
	rest, err := filepath.Rel(at, path)
	if err != nil {
		return path
	}
	return filepath.Join(real, rest)
}

func isDir(path string) bool  { fi, err := os.Stat(path); return err == nil && fi.IsDir() }
func isFile(path string) bool { fi, err := os.Stat(path); return err == nil && fi.Mode().IsRegular() }

// readAccounts lists users and counts devices; files that are read are copied
// first.
func (m *migration) readAccounts(ctx context.Context, authDB, sessionDB string) ([]string, int, error) {
	users, devices, err := readUsers(ctx, auth.Options{AuthDB: authDB, SessionDB: sessionDB}, m.tempDir)
	return append([]string{}, users...), devices, err
}

// inspectUser reads what there is of one user.
func (m *migration) inspectUser(ctx context.Context, name, dir string) (*sourceUser, error) {
	u := &sourceUser{name: name, dir: dir}
	info, err := collection.Inspect(ctx, filepath.Join(dir, collection.FileName), m.tempDir, collection.CheckQuick)
	switch {
	case errors.Is(err, collection.ErrNotFound):
	case err != nil:
		return nil, err
	case len(info.Problems) > 0:
		return nil, fmt.Errorf("the collection is damaged: %s", strings.Join(info.Problems, "; "))
	default:
		u.col = &info
	}
	if u.media, err = inspectMedia(ctx, dir, m.tempDir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	known := append([]string{collection.FileName, collection.LastName, collection.SnapshotDir, u.media.Folder}, media.DatabaseNames()...)
	for _, e := range entries {
		name := e.Name()
		for _, suffix := range []string{"-wal", "-shm", "-journal"} {
			name = strings.TrimSuffix(name, suffix)
		}
		if !slices.Contains(known, name) && !isEmptyDir(filepath.Join(dir, name)) {
			u.other = append(u.other, name)
		}
	}
	entries, err = os.ReadDir(filepath.Join(dir, collection.SnapshotDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if e.Type().IsRegular() {
			u.snapshots = append(u.snapshots, e.Name())
		}
	}
	return u, nil
}

func isEmptyDir(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}
