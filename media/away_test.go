package media_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
)

// thirty are more files than one request can ask for.
func thirty() (list []entry) {
	for i := range 30 {
		list = append(list, entry{fmt.Sprintf("f%02d", i), fmt.Sprint("content ", i)})
	}
	return list
}

// TestFolderAway starts with a folder whose disk is not there: nobody may take
// its files for lost, and none may be stored where the disk will hide them.
func TestFolderAway(t *testing.T) {
	for _, c := range []struct {
		name string
		away func(folder string) error
		back func(folder string) error
	}{
		{"missing", func(f string) error { return os.Rename(f, f+".disk") }, func(f string) error { return os.Rename(f+".disk", f) }},
		{
			"empty mount point",
			func(f string) error {
				return errors.Join(os.Rename(f, f+".disk"), os.MkdirAll(filepath.Join(f, "lost+found"), 0o700))
			},
			func(f string) error { return errors.Join(os.RemoveAll(f), os.Rename(f+".disk", f)) },
		},
		{
			"link that leads nowhere",
			func(f string) error {
				return errors.Join(os.Rename(f, f+".disk"), os.Symlink(f+".mount", f))
			},
			func(f string) error { return os.Rename(f+".disk", f+".mount") },
		},
	} {
		for _, how := range []string{"closed", "open", "killed", "power lost"} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				before, root := newStore(t, media.Options{SyncDelay: time.Hour})
				mustApply(t, before, thirty()[:20]...)
				mustApply(t, before, thirty()[20:]...)
				killed := t.TempDir()
				before.SetHook(func(step string) error {
					if step == "rename" {
						copyTree(t, root, killed) // committed, and not in its place yet
					}
					return nil
				})
				mustApply(t, before, entry{"f00", "new content"})
				before.SetHook(nil)
				s := before
				switch how {
				case "closed":
					if err := before.Evict(user); err != nil {
						t.Fatal(err)
					}
				case "killed", "power lost":
					root = killed
					s = media.Open(root, media.Options{})
					defer s.Close()
					if how == "power lost" {
						s.SetBoot("another start of the machine")
					}
				}
				folder := filepath.Join(root, user, "collection.media")
				if err := c.away(folder); err != nil {
					t.Fatal(err)
				}
				var names []string
				for _, e := range thirty()[:25] {
					names = append(names, e.name)
				}
				for range 3 {
					if _, err := s.PrepareZip(ctx, user, names); !errors.Is(err, media.ErrAway) {
						t.Error("download:", err)
					}
					if _, err := s.OpenFile(ctx, user, "f01"); !errors.Is(err, media.ErrAway) {
						t.Error("open:", err)
					}
					if err := s.CheckHere(ctx, user); !errors.Is(err, media.ErrAway) {
						t.Error("check:", err)
					}
					if _, _, err := apply(s, makeZip(t, 0, entry{"new", "new"}, entry{"f02", ""})); !errors.Is(err, media.ErrAway) {
						t.Error("upload:", err)
					}
					if usn, err := s.LastUSN(ctx, user); usn != 31 || err != nil {
						t.Error("collections must sync all the same:", usn, err)
					}
					if got := alive(rows(t, s, user)); len(got) != 30 {
						t.Errorf("%d files known", len(got))
					}
					if err := s.Evict(user); err != nil {
						t.Error(err)
					}
				}
				if _, err := s.PrepareZip(ctx, user, names); !errors.Is(err, media.ErrAway) { // leaves it open
					t.Error(err)
				}
				if got, _ := os.ReadDir(folder); len(got) > 1 || len(got) == 1 && got[0].Name() != "lost+found" {
					t.Error("stored in the wrong place:", got)
				}
				if err := c.back(folder); err != nil {
					t.Fatal(err)
				}
				if err := s.CheckHere(ctx, user); err != nil {
					t.Error(err)
				}
				got := download(t, s, user, names...)
				if got["f00"] != "new content" || len(got) != 25 {
					t.Error(got)
				}
				mustApply(t, s, entry{"new", "new"}, entry{"f02", ""})
				if len(alive(rows(t, s, user))) != 30 {
					t.Error("not what was there")
				}
				agree(t, s, folder)
			})
		}
	}
}

// TestFolderGone is with a folder that will not come back: a file put into it, by
// hand, says so.
func TestFolderGone(t *testing.T) {
	s, root := newStore(t, media.Options{})
	folder := filepath.Join(root, user, "collection.media")
	mustApply(t, s, thirty()[:25]...)
	mustApply(t, s, thirty()[25:]...)
	if err := errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PrepareZip(ctx, user, []string{"f00"}); !errors.Is(err, media.ErrAway) {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "gone"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, e := range thirty() {
		if _, err := s.PrepareZip(ctx, user, []string{e.name}); !errors.Is(err, media.ErrConflict) {
			t.Error(err)
		}
	}
	mustApply(t, s, thirty()[:25]...)
	mustApply(t, s, thirty()[25:]...)
	if err := os.Remove(filepath.Join(folder, "gone")); err != nil {
		t.Fatal(err)
	}
	agree(t, s, folder)
}

// TestOfficialAway runs the official server on its folder once more, and starts
// while the folder is away: that its files are not there does not mean that they
// have been deleted.
func TestOfficialAway(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, user)
	folder := filepath.Join(dir, "media")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	var values []string
	for i, e := range thirty() {
		if err := os.WriteFile(filepath.Join(folder, e.name), []byte(e.data), 0o600); err != nil {
			t.Fatal(err)
		}
		values = append(values, fmt.Sprintf("('%s', x'%s', %d, %d, 0)", e.name, sha(e.data), len(e.data), i+1))
	}
	db := filepath.Join(dir, "media.db")
	sqlOn(t, db, `CREATE TABLE media (fname text NOT NULL PRIMARY KEY, csum blob NOT NULL, size int NOT NULL, usn int NOT NULL, mtime int NOT NULL)`,
		`CREATE TABLE meta (last_usn int NOT NULL, total_bytes int NOT NULL, total_nonempty_files int NOT NULL)`,
		`INSERT INTO meta VALUES (30, 1, 30)`, `PRAGMA user_version = 4`, `INSERT INTO media VALUES `+strings.Join(values, ","))
	s := media.Open(root, media.Options{})
	defer s.Close()
	if n := len(alive(rows(t, s, user))); n != 30 {
		t.Fatal(n)
	}
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	sqlOn(t, db, `UPDATE media SET csum = x'`+sha("changed")+`', size = 7, usn = 31 WHERE fname = 'f00'`, `UPDATE meta SET last_usn = 31, total_bytes = 2`)
	if err := errors.Join(os.WriteFile(filepath.Join(folder, "f00"), []byte("changed"), 0o600), os.Rename(folder, folder+".disk"), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	if n := len(alive(rows(t, s, user))); n != 30 {
		t.Errorf("%d files known: devices delete theirs", n)
	}
	if err := errors.Join(os.Remove(folder), os.Rename(folder+".disk", folder)); err != nil {
		t.Fatal(err)
	}
	got := alive(rows(t, s, user))
	if len(got) != 30 || got["f00"] != sha("changed") {
		t.Errorf("%d files, f00 %s", len(got), got["f00"])
	}
	if d := cmp.Diff(map[string]string{"f00": "changed"}, download(t, s, user, "f00")); d != "" {
		t.Error(d)
	}
}
