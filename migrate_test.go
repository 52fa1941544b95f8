package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// tree lists the files below dir with their contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		all[rel] = ""
		if e.Type().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			all[rel] = string(b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func migrated(t *testing.T, args ...string) *migrationReport {
	t.Helper()
	out, err := commandIn(t, append([]string{"migrate", "--json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	var r migrationReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// substance is what must not change on any way, as a text.
func (r *migrationReport) substance() string {
	users := slices.Clone(r.Users)
	for i := range users {
		users[i].Remarks, users[i].Linked = nil, 0
	}
	b, _ := json.MarshalIndent([]any{r.Accounts, r.Devices, users}, "", " ")
	return string(b)
}

// TestMigrateThereAndBack takes each directory to the official layout and back;
// the original stays as it is, byte for byte, and the last copy serves as the
// original would.
func TestMigrateThereAndBack(t *testing.T) {
	for _, d := range legacyDirs() {
		t.Run(d.name(), func(t *testing.T) {
			dir, to := d.unpack(t), t.TempDir()
			before := tree(t, dir)
			official, back := filepath.Join(to, "official"), filepath.Join(to, "back")

			plan := migrated(t, "--from", dir, "--to", official, "--layout", "official", "--dry-run")
			if _, err := os.Stat(official); err == nil || !plan.DryRun {
				t.Fatal("the dry run has done something")
			}
			there := migrated(t, "--from", dir, "--to", official, "--layout", "official")
			again := migrated(t, "--from", official, "--to", back, "--copy")
			direct := migrated(t, "--from", dir, "--to", filepath.Join(to, "direct"))
			for _, r := range []*migrationReport{there, again, direct} {
				if diff := cmp.Diff(plan.substance(), r.substance()); diff != "" {
					t.Errorf("to %s: %s", r.Layout, diff)
				}
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("the original changed: %s", diff)
			}
			checkLayout(t, official, "media.db", "media")
			checkLayout(t, filepath.Join(back, "collections"), "collection.media.server.db", "collection.media")
			if linked := there.Users[0].Linked; linked != len(there.Users[0].Files) {
				t.Errorf("%d files linked", linked)
			}

			t.Chdir(back)
			env := []string{}
			for _, e := range d.env {
				if !strings.HasPrefix(e, "SYNC_BASE") {
					env = append(env, e)
				}
			}
			if d.archive == "ankisyncd-rs" {
				env = append(env, "ANKISYNCD_ACCEPT_RS_KEYS=yes")
			}
			url, stop := legacyServer(t, d.load(t, "", env))
			defer stop()
			for name, u := range d.users {
				info, err := collection.Inspect(t.Context(), filepath.Join(dir, d.root, name, collection.FileName), "", collection.CheckNone)
				if err != nil && !u.noCollection {
					t.Fatal(err)
				}
				if u.noCollection {
					u.check(t, url, name, nil)
					continue
				}
				u.check(t, url, name, &info)
			}
		})
	}
}

// TestMigrateToAnkiServer: what AnkiServer asks its databases is answered, also
// when they were made by a later server.
func TestMigrateToAnkiServer(t *testing.T) {
	for _, d := range legacyDirs() {
		if !strings.HasPrefix(d.archive, "ankis") || d.archive == "ankisyncd-rs" {
			continue // no Python server's
		}
		t.Run(d.name(), func(t *testing.T) {
			dir, to := d.unpack(t), filepath.Join(t.TempDir(), "back")
			r := migrated(t, "--from", dir, "--to", to, "--layout", "ankiserver")
			if r.Layout != "ankiserver" || len(r.Users) < 2 {
				t.Errorf("%+v", r)
			}
			checkLayout(t, filepath.Join(to, "collections"), "collection.media.db2", "collection.media")
			if _, err := os.Stat(filepath.Join(to, "collections/alice/collection.media.db2")); err != nil {
				t.Error(err)
			}
			for _, u := range r.Users {
				if u.Collection != nil && u.Collection.Schema != 11 {
					t.Errorf("%s: schema %d", u.Name, u.Collection.Schema)
				}
			}
			open := func(name string) *sql.DB {
				db, err := sqlite.Open(t.Context(), filepath.Join(to, name), sqlite.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = db.Close() })
				return db
			}
			users, sessions := open("auth.db"), open("session.db")
			var hash, skey, hkey, user, path string
			if err := users.QueryRowContext(t.Context(), `SELECT hash FROM auth WHERE user=?`, "alice").Scan(&hash); err != nil || hash == "" {
				t.Errorf("%q, %v", hash, err)
			}
			key := d.users["alice"].keys[0]
			err := sessions.QueryRowContext(t.Context(), `SELECT skey, user, path FROM session WHERE hkey=?`, key).Scan(&skey, &user, &path)
			if err != nil || user != "alice" || skey == "" {
				t.Errorf("%q of %q, %v", skey, user, err)
			}
			err = sessions.QueryRowContext(t.Context(), `SELECT hkey, user, path FROM session WHERE skey=?`, skey).Scan(&hkey, &user, &path)
			if err != nil || user != "alice" || hkey != key {
				t.Errorf("%q of %q, %v", hkey, user, err)
			}
			if _, err := sessions.ExecContext(t.Context(), `INSERT OR REPLACE INTO session (hkey, skey, user, path) VALUES (?, ?, ?, ?)`, "h", "s", "alice", "p"); err != nil {
				t.Error(err)
			}
			again := migrated(t, "--from", to, "--to", filepath.Join(t.TempDir(), "new"))
			if len(again.Users) != len(r.Users) || !slices.Equal(again.Accounts, r.Accounts) {
				t.Errorf("here again: %+v", again)
			}
		})
	}
}

// checkLayout wants nothing in users' folders but what the layout has.
func checkLayout(t *testing.T, root, db, folder string) {
	t.Helper()
	users, _, err := userFolders(root, nil)
	if err != nil || len(users) < 2 {
		t.Fatal(users, err)
	}
	for _, u := range users {
		entries, err := os.ReadDir(filepath.Join(root, u))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !slices.Contains([]string{collection.FileName, db, folder}, e.Name()) {
				t.Errorf("%s has %s", u, e.Name())
			}
		}
	}
}

// TestMigrateSchema11: the way back to a server that knows the old format only.
func TestMigrateSchema11(t *testing.T) {
	dir, to := legacyDirs()[1].unpack(t), filepath.Join(t.TempDir(), "old")
	r := migrated(t, "--from", dir, "--to", to, "--schema11")
	for _, u := range r.Users {
		if u.Collection != nil && u.Collection.Schema != 11 {
			t.Errorf("%s: %+v", u.Name, u.Collection)
		}
	}
}

// TestMigrateRefuses: whatever is refused leaves nothing behind.
func TestMigrateRefuses(t *testing.T) {
	dir, to := legacyDirs()[0].unpack(t), t.TempDir()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := legacyDirs()[0].unpack(t)
	if err := os.WriteFile(filepath.Join(damaged, "collections", "alice", "collection.anki2"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	lost := legacyDirs()[0].unpack(t)
	if err := os.WriteFile(filepath.Join(lost, "session.db"), []byte("no database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, want string }{
		{dir, full, "not empty"},
		{dir, filepath.Join(dir, "new"), "lie in one another"},
		{filepath.Join(dir, "collections"), dir, "lie in one another"},
		{filepath.Join(to, "missing"), filepath.Join(to, "new"), "no such file"},
		{t.TempDir(), filepath.Join(to, "new"), "neither users' folders nor an auth.db"},
		{damaged, filepath.Join(to, "new"), "user alice: collection: corrupt"},
		{lost, filepath.Join(to, "new"), "corrupt"},
		{"", to, "name both directories"},
	} {
		_, err := commandIn(t, "migrate", "--from", c.from, "--to", c.to)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s -> %s: %v, want %q", c.from, c.to, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(to, "new")); err == nil {
			t.Errorf("%s -> %s left something", c.from, c.to)
		}
	}
}

// interrupted is a terminal at which somebody presses Ctrl-C at the first sign
// of progress.
type interrupted struct{ stop func() }

func (w interrupted) Write(p []byte) (int, error) { w.stop(); return len(p), nil }

// TestMigrateInterrupted: nothing is left of a copy that was not finished.
func TestMigrateInterrupted(t *testing.T) {
	for _, there := range []bool{false, true} {
		dir, to := legacyDirs()[0].unpack(t), filepath.Join(t.TempDir(), "new")
		if there {
			if err := os.Mkdir(to, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		m := &migration{from: dir, to: to, progress: &progress{w: interrupted{stop}}}
		if _, err := m.run(ctx); !errors.Is(err, context.Canceled) || len(m.created) == 0 {
			t.Errorf("%v, made %q", err, m.created)
		}
		entries, err := os.ReadDir(to)
		if there != (err == nil) || len(entries) > 0 {
			t.Errorf("left: %v, %v", entries, err)
		}
	}
}

// TestMigrateOwner: what root copies belongs to the owner of the source, also
// media files that could not be linked because they go to another disk; linked
// ones, which are the source's too, keep the owner that they have.
func TestMigrateOwner(t *testing.T) {
	const server, other = 4711, 4712
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	for _, disk := range []string{"same", "another", "same, with --copy"} {
		t.Run(disk, func(t *testing.T) {
			dir, to := legacyDirs()[0].unpack(t), t.TempDir()
			if disk == "another" {
				to = otherDisk(t, dir)
			}
			alice := filepath.Join(dir, "collections", "alice")
			if err := os.MkdirAll(filepath.Join(alice, collection.SnapshotDir), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(alice, collection.SnapshotDir, "old"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			const foreign = "collections/alice/collection.media/one.png"
			err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
				if err == nil && e.Type().IsRegular() {
					err = os.Chmod(path, 0o600) // UMask=0077
				}
				return errors.Join(err, os.Chown(path, server, server))
			})
			if err = errors.Join(err, os.Chown(filepath.Join(dir, foreign), other, other)); err != nil {
				t.Fatal(err)
			}
			args := []string{"--from", dir, "--to", filepath.Join(to, "new")}
			if disk == "same, with --copy" {
				args = append(args, "--copy")
			}
			r := migrated(t, args...)
			if linked := r.Users[0].Linked > 0; linked != (disk == "same") {
				t.Errorf("%d files linked", r.Users[0].Linked)
			}
			for path := range tree(t, filepath.Join(to, "new")) {
				fi, err := os.Stat(filepath.Join(to, "new", path))
				if err != nil {
					t.Fatal(err)
				}
				want := uint32(server)
				if disk == "same" && filepath.ToSlash(path) == foreign {
					want = other
				}
				if uid, ok := ownerOf(fi); ok && uid != want {
					t.Errorf("%s (%v) belongs to %d, not to %d", path, fi.Mode(), uid, want)
				}
			}
			fi, err := os.Stat(filepath.Join(dir, foreign))
			if err != nil {
				t.Fatal(err)
			}
			if uid, ok := ownerOf(fi); ok && uid != other {
				t.Errorf("the original was given to %d", uid)
			}
		})
	}
}

// otherDisk makes a folder where no file of dir can be linked.
func otherDisk(t *testing.T, dir string) string {
	t.Helper()
	to, err := os.MkdirTemp("/dev/shm", "ankisyncd-test-*")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(to) })
	if err := os.Link(filepath.Join(dir, "auth.db"), filepath.Join(to, "link")); err == nil {
		t.Skip("/dev/shm is not another disk")
	}
	return to
}
