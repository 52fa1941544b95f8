package media_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// inspect returns the rows, with those of deleted files.
func inspect(t *testing.T, dir string) (*media.Report, []media.Change) {
	t.Helper()
	r, err := media.Inspect(ctx, dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := r.Verify(ctx, dir, nil)
	if err != nil || len(damaged) > 0 || len(r.Missing()) > 0 {
		t.Errorf("damaged %q, missing %q, %v", damaged, r.Missing(), err)
	}
	list := []media.Change{}
	for _, row := range r.Rows {
		list = append(list, row.Change)
	}
	return r, list
}

// TestConvertLegacyFolders takes each server's folder to the official layout and
// back, and to ours.
func TestConvertLegacyFolders(t *testing.T) {
	dirs, err := os.ReadDir("testdata/legacy")
	if err != nil || len(dirs) < 7 {
		t.Fatal(dirs, err)
	}
	for _, d := range dirs {
		for _, user := range []string{"alice", "bob@example.com"} {
			t.Run(d.Name()+" "+user, func(t *testing.T) {
				root := t.TempDir()
				copyTree(t, filepath.Join("testdata/legacy", d.Name()), root)
				dir := filepath.Join(root, user)
				first, want := inspect(t, dir)
				if user == "alice" && (first.Files() < 2 || len(want) != first.Files()+1) {
					t.Errorf("%d files, rows %v", first.Files(), want)
				}
				for _, layout := range []media.Layout{media.Native, media.Official, media.Official, media.Native} {
					if err := media.Convert(ctx, dir, layout); err != nil {
						t.Fatal(err)
					}
					r, got := inspect(t, dir)
					if diff := cmp.Diff(want, got); diff != "" || r.LastUSN != first.LastUSN {
						t.Errorf("layout %d: usn %d, want %d: %s", layout, r.LastUSN, first.LastUSN, diff)
					}
					folder, other, source := "collection.media", "media", "collection.media.server.db"
					if layout == media.Official {
						folder, other, source = other, folder, "media.db"
					}
					if _, err := os.Stat(filepath.Join(dir, other)); err == nil {
						t.Errorf("layout %d: %s is left", layout, other)
					}
					if len(want) > 0 && (r.Folder != folder || r.Source != source) {
						t.Errorf("layout %d: %s in %s", layout, r.Source, r.Folder)
					}
				}
				// The store goes on with it.
				s := media.Open(root, media.Options{})
				defer s.Close()
				if diff := cmp.Diff(want, append([]media.Change{}, rows(t, s, user)...)); diff != "" && first.LastUSN > 0 && d.Name() != "dsnopek" {
					t.Error(diff)
				}
				raw := makeZip(t, 8, entry{"new.txt", "new"})
				if _, usn, err := s.ApplyZip(ctx, user, bytes.NewReader(raw), int64(len(raw))); err != nil || usn != first.LastUSN+1 {
					t.Error(usn, err)
				}
			})
		}
	}
}

func TestInspectTellsWhatIsWrong(t *testing.T) {
	root := t.TempDir()
	copyTree(t, "testdata/legacy/240-stopped", root)
	dir := filepath.Join(root, "alice")
	folder := filepath.Join(dir, "collection.media")
	for name, data := range map[string]string{"one.png": "changed", "stray.txt": "x"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(folder, "link.txt")); err != nil {
		t.Log(err) // not on every system
	}
	if err := os.Remove(filepath.Join(folder, "_font.css")); err != nil {
		t.Fatal(err)
	}
	r, err := media.Inspect(ctx, dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := r.Verify(ctx, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := [][]string{damaged, r.Missing(), r.Stray}
	if diff := cmp.Diff([][]string{{"one.png"}, {"_font.css"}, {"stray.txt"}}, got); diff != "" {
		t.Error(diff)
	}
	// The row without a file is not in the official database.
	if err := media.Convert(ctx, dir, media.Official); err != nil {
		t.Fatal(err)
	}
	if r, err = media.Inspect(ctx, dir, dir); err != nil || r.Files() != 2 || r.LastUSN != 5 {
		t.Errorf("%+v %v", r, err)
	}
}

// TestInspectFilesOnly: without a database the rows are those that opening makes.
func TestInspectFilesOnly(t *testing.T) {
	root := t.TempDir()
	copyTree(t, "testdata/legacy/240-stopped", root)
	dir := filepath.Join(root, "alice")
	if err := os.Remove(filepath.Join(dir, "collection.media.server.db")); err != nil {
		t.Fatal(err)
	}
	r, got := inspect(t, dir)
	s := media.Open(root, media.Options{})
	defer s.Close()
	if diff := cmp.Diff(rows(t, s, "alice"), got); diff != "" || r.Source != "" {
		t.Error(r.Source, diff)
	}
}

// TestConvertAnkiServer: the same rows, with one usn, in the tables that AnkiServer
// itself has.
func TestConvertAnkiServer(t *testing.T) {
	dirs, err := os.ReadDir("testdata/legacy")
	if err != nil || len(dirs) < 7 {
		t.Fatal(dirs, err)
	}
	columns := func(path string) (list []string) {
		t.Helper()
		db, err := sqlite.Open(ctx, path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.QueryContext(ctx, `SELECT m.name || ' ' || c.name || ' ' || lower(c.type) || c."notnull" || c.pk FROM sqlite_master m, pragma_table_info(m.name) c
			UNION SELECT name || ' on ' || tbl_name FROM sqlite_master WHERE type = 'index' ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			list = append(list, text)
		}
		return list
	}
	for _, d := range dirs {
		t.Run(d.Name(), func(t *testing.T) {
			root := t.TempDir()
			copyTree(t, filepath.Join("testdata/legacy", d.Name()), root)
			dir := filepath.Join(root, "alice")
			first, want := inspect(t, dir)
			for i := range want {
				want[i].USN = first.LastUSN
			}
			byName := func(a, b media.Change) int { return strings.Compare(a.Name, b.Name) }
			slices.SortFunc(want, byName)
			for range 2 {
				if err := media.Convert(ctx, dir, media.AnkiServer); err != nil {
					t.Fatal(err)
				}
				r, got := inspect(t, dir)
				slices.SortFunc(got, byName)
				if diff := cmp.Diff(want, got); diff != "" || r.LastUSN != first.LastUSN {
					t.Errorf("usn %d, want %d: %s", r.LastUSN, first.LastUSN, diff)
				}
				if r.Source != "collection.media.db2" || r.Folder != "collection.media" {
					t.Errorf("%s in %s", r.Source, r.Folder)
				}
				if diff := cmp.Diff(columns("testdata/legacy/dsnopek/alice/collection.media.db2"), columns(filepath.Join(dir, r.Source))); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
