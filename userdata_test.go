package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestUserFolders: a user may have a name that begins with a dot, or that of a
// folder which systems make; what else has such a name and holds nothing of ours
// is no user's.
func TestUserFolders(t *testing.T) {
	root := t.TempDir()
	for _, path := range []string{
		"alice/", ".bob/collection.anki2", ".carol/collection.media/", ".dan/media.db", ".eve/media/", ".import-frank/collection.anki2",
		".grace/snapshots/old", "lost+found/", "#recycle/", "@eaDir/collection.anki2", "$Recycle.Bin/", "System Volume Information/x", ".git/config", ".Trash-1000/files/", ".file", "file", ".ankisyncd-spool/collection.anki2", ".empty/", ".frank/",
	} {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(path, "/") {
			err = os.MkdirAll(full, 0o755)
		} else {
			err = os.WriteFile(full, nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"#recycle", ".bob", ".carol", ".dan", ".eve", ".frank", ".grace", ".import-frank", "@eaDir", "alice"}
	wantPassed := []string{"$Recycle.Bin", ".Trash-1000", ".empty", ".git", "System Volume Information", "lost+found"}
	got, passed, err := userFolders(root, []string{".frank", "#recycle"})
	if err != nil || !slices.Equal(got, want) || !slices.Equal(passed, wantPassed) {
		t.Errorf("got %q and %q, %v\nwant %q and %q", got, passed, err, want, wantPassed)
	}
}

// TestUserWithDot: migrate takes such a user along, and the doctor looks at him
// and takes him for no leftover.
func TestUserWithDot(t *testing.T) {
	const dot = ".import-bob"
	dir, to := legacyDirs()[0].unpack(t), t.TempDir()
	bob := filepath.Join(dir, "collections", dot)
	if err := os.Rename(filepath.Join(dir, "collections", "bob@example.com"), bob); err != nil {
		t.Fatal(err)
	}
	official, back := filepath.Join(to, "official"), filepath.Join(to, "back")
	there := migrated(t, "--from", dir, "--to", official, "--layout", "official")
	again := migrated(t, "--from", official, "--to", back)
	for _, r := range []*migrationReport{there, again} {
		i := slices.IndexFunc(r.Users, func(u migratedUser) bool { return u.Name == dot })
		if i < 0 || r.Users[i].Collection == nil || len(r.Users[i].Files) != 1 {
			t.Errorf("%s layout: %q is not among %+v", r.Layout, dot, r.Users)
		}
	}
	if !isFile(filepath.Join(back, "collections", dot, collection.FileName)) {
		t.Error("left behind")
	}
	old := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(bob, old, old); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	out, err := commandIn(t, "doctor")
	if err != nil || !strings.Contains(out, "user "+dot+": schema 18") || strings.Contains(out, "remove them") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}
