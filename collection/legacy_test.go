package collection

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// putLegacy stores a recorded user folder of another server.
func (r *rig) putLegacy(name string) {
	r.t.Helper()
	files, err := filepath.Glob("testdata/legacy/" + name + ".anki2*.gz")
	if err != nil || len(files) == 0 {
		r.t.Fatalf("%s: %v", name, err)
	}
	if err := os.MkdirAll(r.dir(testUser), 0o700); err != nil {
		r.t.Fatal(err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			r.t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			r.t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		f.Close()
		if err != nil {
			r.t.Fatal(err)
		}
		suffix := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), name+".anki2"), ".gz")
		if err := os.WriteFile(r.file(testUser)+suffix, b, 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Data directories of the Python servers and of the official one are opened in
// place. What lies in a WAL counts, other leftovers do not.
func TestLegacyFolders(t *testing.T) {
	for _, tt := range []struct {
		name     string
		ver      int64
		counts   Counts
		usn      USN
		mod, scm int64
	}{
		{"anki-syncserver-killed-alice", 18, Counts{Notes: 3, Cards: 3, Revlog: 1, Graves: 3, Decks: 3}, 5, 1795393933589, 1795393933028},
		{"anki-syncserver-killed-bob", 18, Counts{Notes: 1, Cards: 1, Decks: 1}, 1, 1795393935474, 1795393935474},
		{"ankiserver-dsnopek-alice", 11, Counts{Notes: 3, Cards: 3, Revlog: 1, Graves: 2, Decks: 3}, 3, 1795393732330, 1795393725425},
		{"ankisyncd-2.3.0-alice", 16, Counts{Notes: 3, Cards: 3, Revlog: 1, Graves: 2, Decks: 3}, 3, 1795394711460, 1795394708454},
		{"ankisyncd-2.4.0-running-alice", 18, Counts{Notes: 3, Cards: 3, Revlog: 1, Graves: 3, Decks: 3}, 6, 1795393884410, 1795393875680},
		{"ankisyncd-2.4.0-running-bob", 18, Counts{Notes: 1, Cards: 1, Decks: 1}, 1, 1795393886123, 1795393886123},
		{"ankisyncd-2.4.0-stopped-alice", 18, Counts{Notes: 3, Cards: 3, Revlog: 1, Graves: 3, Decks: 3}, 6, 1795393884410, 1795393875680},
		{"ankisyncd-tsudoko-alice", 11, Counts{Notes: 3, Cards: 3, Revlog: 1, Graves: 2, Decks: 3}, 4, 1795393869432, 1795393831971},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.putLegacy(tt.name)
			check := func(when string) {
				t.Helper()
				m := r.meta()
				if m.USN != tt.usn || m.Mod != tt.mod || m.SCM != tt.scm || m.Empty || !m.Exists {
					t.Errorf("%s: meta %+v", when, m)
				}
				var got Counts
				err := r.s.withUser(t.Context(), testUser, func(u *user) error {
					h, err := r.s.opened(t.Context(), u)
					if err == nil {
						got, err = countRows(h)
					}
					return err
				})
				got.Notetypes, got.DeckConfigs = 0, 0
				if err != nil || got != tt.counts {
					t.Errorf("%s: counts %+v, %v", when, got, err)
				}
			}
			check("first")
			r.reopen()
			check("reopened")
			if err := r.objectsDecode(); err != nil {
				t.Error(err)
			}
			sn, err := r.s.Snapshots(testUser)
			if err != nil {
				t.Fatal(err)
			}
			if tt.ver == 18 {
				if len(sn) != 0 {
					t.Errorf("snapshots of a file that was not converted: %v", sn)
				}
			} else if len(sn) != 1 || sn[0].Reason != "upgrade" {
				t.Errorf("snapshots %v", sn)
			} else {
				// The original, whole: with what was in its WAL.
				db := convOpen(t, r.snapshot(sn[0].ID))
				var ver, mod, notes int64
				if err := db.QueryRow(`SELECT ver, mod, (SELECT count(*) FROM notes) FROM col`).Scan(&ver, &mod, &notes); err != nil || ver != tt.ver || mod != tt.mod || notes != tt.counts.Notes {
					t.Errorf("the original was kept as schema %d, mod %d, %d notes, %v", ver, mod, notes, err)
				}
			}
			for _, l := range r.leftovers(testUser) {
				if !slices.Contains([]string{FileName + ".tmp", FileName + "-shm"}, l) {
					t.Errorf("left %q", l)
				}
			}
			// A device goes on where it was.
			r.start(tt.usn, false)
			if c, err := r.s.Chunk(t.Context(), testUser, "k"); err != nil || !c.Done || len(c.Notes)+len(c.Cards)+len(c.Revlog) > 0 {
				t.Errorf("sent again: %+v, %v", c, err)
			}
			r.finish()
			if m := r.meta(); m.USN != tt.usn+1 || m.SCM != tt.scm || m.Mod <= tt.mod {
				t.Errorf("synced: %+v", m)
			}
		})
	}
}

// A WAL that lies about without its collection is not replayed onto a new one.
func TestOrphanedWAL(t *testing.T) {
	for _, first := range []string{"start", "upload", "restore"} {
		r := newRig(t, Options{})
		r.putLegacy("ankisyncd-2.4.0-running-alice")
		if first == "restore" {
			if err := r.upload(newFile(t)); err != nil {
				t.Fatal(err)
			}
			r.reopen()
			if err := r.s.Close(); err != nil {
				t.Fatal(err)
			}
			r.s = New(r.root, r.o)
			r.putLegacy("ankisyncd-2.4.0-running-alice")
		}
		if err := os.Remove(r.file(testUser)); err != nil {
			t.Fatal(err)
		}
		notes := "0"
		switch first {
		case "start":
			r.start(0, true)
			r.finish()
		case "upload":
			if err := r.upload(smallUpload(t)); err != nil {
				t.Fatal(err)
			}
			notes = "60"
		case "restore":
			sn, err := r.s.Snapshots(testUser)
			if err != nil || len(sn) != 1 {
				t.Fatal(sn, err)
			}
			if err := r.s.Restore(t.Context(), testUser, sn[0].ID); err != nil {
				t.Fatal(err)
			}
			notes = "3"
		}
		r.wantRows(`SELECT count(*) FROM notes`, notes)
	}
}
