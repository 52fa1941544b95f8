package media_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
)

const (
	onePNG  = "752b255414f407588018dac538926cea528ab8c7"
	cafe    = "3cf93d6e37822486d041148b873e6345c3847ba1"
	fontCSS = "fa8b41763ec9333608a62073f52f14b84bb8ee7f"
	bobTXT  = "48181acd22b3edaebc8a447868a7df7ce629920a"
)

// legacyFolder is a folder that another server left, and what is in it.
type legacyFolder struct {
	dir, user, folder string
	usn               int32
	rows              map[string]int32 // name and checksum to usn
	original          string           // must stay as it is, byte for byte
}

func legacyFolders() []legacyFolder {
	full := map[string]int32{"_font.css " + fontCSS: 1, "café 日本.txt " + cafe: 2, "one.png " + onePNG: 4, "gone.txt ": 5}
	bob := map[string]int32{"bob.txt " + bobTXT: 1}
	two := map[string]int32{"one.png " + onePNG: 1, "café 日本.txt " + cafe: 2, "gone.txt ": 4}
	same := map[string]int32{"one.png " + onePNG: 4, "café 日本.txt " + cafe: 4, "gone.txt ": 4}
	return []legacyFolder{
		{"240-stopped", "alice", "collection.media", 5, full, ""},
		{"240-stopped", "bob@example.com", "collection.media", 1, bob, ""},
		{"240-running", "alice", "collection.media", 5, full, ""},
		{"240-running", "bob@example.com", "collection.media", 1, bob, ""},
		{"230", "alice", "collection.media", 4, two, ""},
		{"230", "bob@example.com", "collection.media", 0, map[string]int32{}, ""},
		{"tsudoko", "alice", "collection.media", 4, two, "collection.media.db2"},
		{"tsudoko", "bob@example.com", "collection.media", 0, map[string]int32{}, "collection.media.db2"},
		{"dsnopek", "alice", "collection.media", 4, same, "collection.media.db2"},
		{"dsnopek", "bob@example.com", "collection.media", 0, map[string]int32{}, "collection.media.db2"},
		{"official-settled", "alice", "media", 5, full, "media.db"},
		{"official-settled", "bob@example.com", "media", 1, bob, "media.db"},
		{"official-killed", "alice", "media", 5, full, "media.db media.db-wal"},
		{"official-killed", "bob@example.com", "media", 1, bob, "media.db media.db-wal"},
		{"rs", "alice", "media", 5, full, "media.db"},
		{"rs", "bob@example.com", "media", 1, bob, "media.db"},
	}
}

// TestLegacyFolders opens the folders that the other servers left, in place.
func TestLegacyFolders(t *testing.T) {
	for _, c := range legacyFolders() {
		t.Run(c.dir+" "+c.user, func(t *testing.T) {
			root := t.TempDir()
			copyTree(t, "testdata/legacy/"+c.dir, root)
			dir := filepath.Join(root, c.user)
			originals := map[string][]byte{}
			for _, n := range strings.Fields(c.original) {
				b, err := os.ReadFile(filepath.Join(dir, n))
				if err != nil {
					t.Fatal(err)
				}
				originals[n] = b
			}
			for range 2 { // the second time with our own database
				s := media.Open(root, media.Options{})
				usn, err := s.LastUSN(ctx, c.user)
				if err != nil || usn != c.usn {
					t.Errorf("usn %d, %v; want %d", usn, err, c.usn)
				}
				got := map[string]int32{}
				var names []string
				for _, r := range rows(t, s, c.user) {
					got[r.Name+" "+r.Sum] = r.USN
					if r.Sum != "" {
						names = append(names, r.Name)
					}
				}
				if d := cmp.Diff(c.rows, got); d != "" {
					t.Error(d)
				}
				if ok, err := s.Sanity(ctx, c.user, len(names)); !ok || err != nil {
					t.Error("sanity", ok, err)
				}
				for n, data := range download(t, s, c.user, names...) {
					if _, ok := c.rows[n+" "+sha(data)]; !ok {
						t.Errorf("%s has %s", n, sha(data))
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			for n, want := range originals {
				if got, err := os.ReadFile(filepath.Join(dir, n)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s was changed (%v)", n, err)
				}
			}
			// It goes on in place, and the Python servers would understand it.
			s := media.Open(root, media.Options{})
			raw := makeZip(t, 8, entry{"new.txt", "new"}, entry{"one.png", ""})
			if _, usn, err := s.ApplyZip(ctx, c.user, bytes.NewReader(raw), int64(len(raw))); err != nil || usn <= c.usn {
				t.Error(usn, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if b, err := os.ReadFile(filepath.Join(dir, c.folder, "new.txt")); err != nil || string(b) != "new" {
				t.Error(string(b), err)
			}
			if got := query(t, filepath.Join(dir, "collection.media.server.db"), `SELECT csum FROM media WHERE fname='new.txt'`); got != sha("new") {
				t.Error(got)
			}
			entries, _ := os.ReadDir(dir)
			for _, d := range entries {
				if strings.Contains(d.Name(), "shm") || strings.Contains(d.Name(), ".new") || strings.Contains(d.Name(), "server.db-wal") {
					t.Errorf("%s is left", d.Name())
				}
			}
		})
	}
}

func TestNoFolderYet(t *testing.T) {
	root := t.TempDir()
	copyTree(t, "testdata/legacy/240-stopped", root)
	s := media.Open(root, media.Options{})
	defer s.Close()
	for _, u := range []string{"carol", "nobody"} {
		if usn, err := s.LastUSN(ctx, u); usn != 0 || err != nil {
			t.Error(usn, err)
		}
		if l := rows(t, s, u); len(l) != 0 {
			t.Error(l)
		}
		if _, err := os.Stat(filepath.Join(root, u, "collection.media.server.db")); err == nil {
			t.Error("asking made a database")
		}
	}
}

// TestVersion3 reads the older form of the official server's database.
func TestVersion3(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, user)
	_ = os.MkdirAll(filepath.Join(dir, "media"), 0o700)
	_ = os.WriteFile(filepath.Join(dir, "media", "a"), []byte("a"), 0o600)
	sqlOn(t, filepath.Join(dir, "media.db"), `CREATE TABLE media (fname text primary key, csum blob, sz int, usn int, deleted int)`, `CREATE TABLE meta (usn int, sz int)`,
		`INSERT INTO meta VALUES (9, 1)`, `PRAGMA user_version = 3`,
		`INSERT INTO media VALUES ('a', x'`+sha("a")+`', 1, 3, 0), ('b', x'`+sha("b")+`', 0, 7, 123), ('junk', NULL, 0, 2, 1)`)
	s := media.Open(root, media.Options{})
	defer s.Close()
	want := []media.Change{{Name: "a", USN: 3, Sum: sha("a")}, {Name: "b", USN: 7}}
	if d := cmp.Diff(want, rows(t, s, user)); d != "" {
		t.Error(d)
	}
	if usn, err := s.LastUSN(ctx, user); usn != 9 || err != nil {
		t.Error(usn, err)
	}
	if usn := mustApply(t, s, entry{"c", "c"}); usn != 10 {
		t.Error(usn)
	}
}

// TestAncient rebuilds from files beside a database of 2013.
func TestAncient(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, user)
	_ = os.MkdirAll(filepath.Join(dir, "collection.media", "sub"), 0o700)
	for n, data := range map[string]string{"b": "B", "a": "A", "empty": "", "cafe\u0301": "nfd"} {
		_ = os.WriteFile(filepath.Join(dir, "collection.media", n), []byte(data), 0o600)
	}
	sqlOn(t, filepath.Join(dir, "collection.media.db"), `CREATE TABLE media (fname text primary key, csum text, mod int)`, `CREATE TABLE meta (dirMod int, usn int)`, `INSERT INTO meta VALUES (1, 40)`)
	s := media.Open(root, media.Options{})
	defer s.Close()
	want := []media.Change{{Name: "a", USN: 41, Sum: sha("A")}, {Name: "b", USN: 42, Sum: sha("B")}}
	if d := cmp.Diff(want, rows(t, s, user)); d != "" {
		t.Error(d)
	}
}

// TestLogOfRemovedDatabase removes the database of a killed server, as somebody
// does who wants it made again from the files, but not the log beside it.
func TestLogOfRemovedDatabase(t *testing.T) {
	for _, left := range []string{"-wal", "-journal"} {
		s, root := newStore(t, media.Options{SyncDelay: time.Hour})
		mustApply(t, s, entry{"a", "a"}, entry{"b", "b"}, entry{"c", "c"}, entry{"c", ""})
		killed := t.TempDir()
		copyTree(t, root, killed)
		dir := filepath.Join(killed, user)
		db := filepath.Join(dir, "collection.media.server.db")
		if err := os.Remove(db); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(db+"-wal", db+left); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(dir, "collection.media")
		if err := errors.Join(os.Remove(filepath.Join(folder, "a")), os.WriteFile(filepath.Join(folder, "d"), []byte("d"), 0o600)); err != nil {
			t.Fatal(err)
		}
		again := media.Open(killed, media.Options{})
		defer again.Close()
		agree(t, again, folder)
		if usn, err := again.LastUSN(ctx, user); usn != 2 || err != nil {
			t.Errorf("%s: usn %d, %v; two files are there", left, usn, err)
		}
		if _, err := os.Lstat(db + "-journal"); err == nil {
			t.Error("the old journal is still there")
		}
	}
}

// TestPythonAgain goes back to the Python server, which adds, replaces and
// deletes, and returns.
func TestPythonAgain(t *testing.T) {
	s, root := newStore(t, media.Options{})
	dir := filepath.Join(root, user)
	mustApply(t, s, entry{"a", "a"}, entry{"b", "b"}, entry{"c", "c"})
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	sqlOn(t, filepath.Join(dir, "collection.media.server.db"),
		`INSERT OR REPLACE INTO media VALUES ('a', 4, '`+sha("A2")+`')`, `UPDATE media SET csum = NULL, usn = 5 WHERE fname = 'b'`, `INSERT INTO media VALUES ('d', 6, '`+sha("d")+`')`)
	folder := filepath.Join(dir, "collection.media")
	_ = os.WriteFile(filepath.Join(folder, "a"), []byte("A2"), 0o600)
	_ = os.WriteFile(filepath.Join(folder, "d"), []byte("d"), 0o600)
	_ = os.Remove(filepath.Join(folder, "b"))
	if usn, err := s.LastUSN(ctx, user); usn != 6 || err != nil {
		t.Error(usn, err)
	}
	agree(t, s, folder)
	if got := download(t, s, user, "a", "d"); got["a"] != "A2" || got["d"] != "d" {
		t.Error(got)
	}
	if usn := mustApply(t, s, entry{"d", ""}, entry{"e", "e"}); usn != 8 {
		t.Error(usn)
	}
	agree(t, s, folder)
}

// TestOfficialAgain runs the official server once more on its folder after it
// was taken over; both have added and deleted.
func TestOfficialAgain(t *testing.T) {
	root := t.TempDir()
	copyTree(t, "testdata/legacy/official-settled", root)
	dir := filepath.Join(root, user)
	folder := filepath.Join(dir, "media")
	s := media.Open(root, media.Options{})
	defer s.Close()
	mustApply(t, s, entry{"ours.txt", "ours"}, entry{"one.png", ""}, entry{"_font.css", "changed by us"}) // usn 6..8
	if _, err := s.LastUSN(ctx, user); err != nil {
		t.Fatal(err)
	}
	// The official server adds theirs.txt, deletes café.
	_ = os.WriteFile(filepath.Join(folder, "theirs.txt"), []byte("theirs"), 0o600)
	_ = os.Remove(filepath.Join(folder, "café 日本.txt"))
	sqlOn(t, filepath.Join(dir, "media.db"), `INSERT INTO media VALUES ('theirs.txt', x'`+sha("theirs")+`', 6, 6, 1)`,
		`UPDATE media SET size = 0, usn = 12 WHERE fname LIKE 'caf%'`, `UPDATE meta SET last_usn = 12`)
	before, err := s.LastUSN(ctx, user)
	if err != nil || before != 14 {
		t.Errorf("usn %d, %v; want 14: both changes above both servers' usns", before, err)
	}
	agree(t, s, folder)
	got := alive(rows(t, s, user))
	want := map[string]string{"ours.txt": sha("ours"), "theirs.txt": sha("theirs"), "_font.css": sha("changed by us")}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	if usn, err := s.LastUSN(ctx, user); usn != before || err != nil {
		t.Error("taken over twice", usn, err)
	}
}

// TestSharedUSN lists a database whose rows all have one usn.
func TestSharedUSN(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, user)
	_ = os.MkdirAll(dir, 0o700)
	sqlOn(t, filepath.Join(dir, "collection.media.db2"), `CREATE TABLE media (fname text not null primary key, csum text, mtime int not null, dirty int not null)`,
		`CREATE TABLE meta (dirMod int, lastUsn int)`, `INSERT INTO meta VALUES (0, 2500)`,
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2500) INSERT INTO media SELECT 'f' || i, '`+sha("x")+`', 1, 0 FROM n`)
	s := media.Open(root, media.Options{})
	defer s.Close()
	if n := len(rows(t, s, user)); n != 2500 {
		t.Errorf("%d rows", n)
	}
}
