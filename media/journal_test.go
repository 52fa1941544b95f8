package media_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
)

// TestOldJournal opens a database as version 1 left it when it was killed after
// a commit: it had a row in the journal for each file.
func TestOldJournal(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"kept", "kept"}, entry{"replaced", "old"}, entry{"deleted", "x"})
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, user, "collection.media")
	staging := filepath.Join(folder, media.StagingDir)
	if err := os.Mkdir(staging, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"1-0": "new", "1-1": "added", "2-0": "overtaken"} {
		if err := os.WriteFile(filepath.Join(staging, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := filepath.Join(root, user, "collection.media.server.db")
	sqlOn(t, db, `DROP TABLE ankisyncd_journal;
		CREATE TABLE ankisyncd_journal (disk TEXT NOT NULL PRIMARY KEY, fname TEXT NOT NULL, usn INT NOT NULL, tmp TEXT, batch INT NOT NULL) WITHOUT ROWID;
		INSERT INTO ankisyncd_journal VALUES ('replaced', 'replaced', 4, '1-0', 7), ('added', 'added', 5, '1-1', 7), ('deleted', 'deleted', 6, NULL, 8), ('kept', 'kept', 9, '2-0', 8);
		UPDATE media SET usn = 4, csum = '`+sha("new")+`' WHERE fname = 'replaced';
		INSERT INTO media VALUES ('added', 5, '`+sha("added")+`');
		UPDATE media SET usn = 6, csum = NULL WHERE fname = 'deleted';
		UPDATE ankisyncd_meta SET version = 1, last_usn = 6, max_usn = 6, files = 3`)
	agree(t, s, folder)
	got := files(t, folder)
	want := map[string]string{"kept": "kept", "replaced": "new", "added": "added"}
	if len(got) != len(want) {
		t.Error(got)
	}
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s is %q", name, got[name])
		}
	}
	if usn := mustApply(t, s, entry{"another", "x"}); usn != 7 {
		t.Error(usn)
	}
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	if got := query(t, db, `SELECT version FROM ankisyncd_meta`); got != "2" {
		t.Errorf("version %s", got)
	}
}

// TestNotes opens a folder in which a batch was interrupted that made files in
// place: those without a row go, unless they were put there by hand.
func TestNotes(t *testing.T) {
	s, root := newStore(t, media.Options{})
	folder := filepath.Join(root, user, "collection.media")
	mustApply(t, s, entry{"known", "known"}, entry{"deleted", "x"}, entry{"deleted", ""})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	staging := filepath.Join(folder, media.StagingDir)
	if err := os.Mkdir(staging, 0o700); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	write := func(path, content string, when time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(staging, "note-1"), `["known", "deleted", "new", "half", "older", "later", "never", "../collection.anki2", "folder", "known"]`+"\nleft of a longer one", now)
	write(filepath.Join(staging, "note-2"), `["other", "cut of`, now)
	write(filepath.Join(staging, "note-3"), "[]\n", now)
	write(filepath.Join(root, user, "collection.anki2"), "precious", now)
	for _, n := range []string{"known", "deleted", "new", "half", "other"} {
		write(filepath.Join(folder, n), n, now.Add(time.Second))
	}
	write(filepath.Join(folder, "older"), "by hand", now.Add(-time.Hour))
	write(filepath.Join(folder, "later"), "by hand", now.Add(2*time.Hour))
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	again := media.Open(root, media.Options{})
	defer again.Close()
	if got := alive(rows(t, again, user)); len(got) != 1 || got["known"] != sha("known") {
		t.Error(got)
	}
	want := map[string]string{"known": "known", "older": "by hand", "later": "by hand", "other": "other"}
	if d := cmp.Diff(want, files(t, folder)); d != "" {
		t.Error(d)
	}
	if _, err := os.Stat(filepath.Join(root, user, "collection.anki2")); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(staging); len(left) > 0 {
		t.Error(left)
	}
}

// TestStagingRemoved removes the folder for incoming files between two uploads,
// as somebody who tidies up might.
func TestStagingRemoved(t *testing.T) {
	for _, content := range []string{"small", large} {
		s, root := newStore(t, media.Options{})
		folder := filepath.Join(root, user, "collection.media")
		mustApply(t, s, entry{"a", "a"})
		if err := os.RemoveAll(filepath.Join(folder, media.StagingDir)); err != nil {
			t.Fatal(err)
		}
		mustApply(t, s, entry{"b", content})
		agree(t, s, folder)
	}
}

// TestNULInName lists a database that has a name with a NUL, which no file can
// have: somebody else wrote it, and guessing where the name ends helps nobody.
func TestNULInName(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"a", "a"})
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	for _, nuls := range []string{`'x' || char(0) || 'y'`, `'x' || char(0) || 'y' || char(0) || 'z' || char(0) || 'w'`} {
		sqlOn(t, filepath.Join(root, user, "collection.media.server.db"), `DELETE FROM media WHERE usn = 2; INSERT INTO media VALUES (`+nuls+`, 2, '`+sha("x")+`')`)
		if list, err := s.Changes(ctx, user, 0, 0); err == nil {
			t.Errorf("listed: %q", list)
		}
		if err := s.Evict(user); err != nil {
			t.Fatal(err)
		}
	}
}
