package auth

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

func TestOneFileForBoth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "both.db")
	s := open(t, Options{AuthDB: path, SessionDB: path})
	mustAdd(t, s, "alice", "pw")
	k := login(t, s, "alice", "pw")
	wantUser(t, s, k, "alice")
	if err := s.SetPassword(t.Context(), "alice", "new"); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, k)
}

// A backup restored while the server runs: renamed into place, or copied over.
func TestReplacedFile(t *testing.T) {
	for _, how := range []string{"rename", "overwrite"} {
		t.Run(how, func(t *testing.T) {
			o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
			s := open(t, o)
			wantUser(t, s, "6fd7d62734fe1531bafe62fe4f4bceba", "alice")
			mustAdd(t, s, "dave", "pw")
			k := login(t, s, "dave", "pw")
			wantUser(t, s, k, "dave")
			old := copyData(t, "ankiserver-dsnopek-2.0.6") // has the other form, too
			for _, name := range []string{"auth.db", "session.db"} {
				from, to := filepath.Join(old, name), filepath.Join(filepath.Dir(o.AuthDB), name)
				b, err := os.ReadFile(from)
				if err != nil {
					t.Fatal(err)
				}
				if how == "rename" {
					err = os.Rename(from, to)
				} else {
					err = os.WriteFile(to, b, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			lookAgain(s)
			wantGone(t, s, k)
			wantUser(t, s, "9efb6c5fb690c2cc99e9dd18f2412e52", "alice")
			wantGone(t, s, "6fd7d62734fe1531bafe62fe4f4bceba")
			wantUser(t, s, login(t, s, "bob@example.com", "bobpw"), "bob@example.com")
		})
	}
}

// lookAgain makes the fast path ask the file system the next time, as it does
// when statEvery has passed.
func lookAgain(s *Store) {
	s.users.statted.Store(-int64(statEvery))
	s.keys.(*fileKeys).statted.Store(-int64(statEvery))
}

func TestMissingFile(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	s := open(t, o)
	const k = "6fd7d62734fe1531bafe62fe4f4bceba"
	wantUser(t, s, k, "alice")
	away := o.AuthDB + ".bak"
	if err := os.Rename(o.AuthDB, away); err != nil {
		t.Fatal(err)
	}
	lookAgain(s)
	for range 2 {
		if _, err := s.Session(t.Context(), k); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), o.AuthDB+" is not there any more; put it back") {
			t.Fatalf("err = %v, want fs.ErrNotExist", err)
		}
	}
	if _, err := os.Stat(o.AuthDB); err == nil {
		t.Error("an empty table took its place")
	}
	if err := os.Rename(away, o.AuthDB); err != nil {
		t.Fatal(err)
	}
	wantUser(t, s, k, "alice")
}

// TestMissingSessions: without its session table the server makes one, as at a
// start. Not if the users are gone as well: then a disk is, and devices that were
// told that they are unknown would ask for passwords.
func TestMissingSessions(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	s := open(t, o)
	k := login(t, s, "alice", "alice-pw")
	wantUser(t, s, k, "alice")
	away := map[string]string{o.AuthDB: o.AuthDB + ".bak", o.SessionDB: o.SessionDB + ".bak"}
	for path, to := range away {
		if err := os.Rename(path, to); err != nil {
			t.Fatal(err)
		}
	}
	lookAgain(s)
	for range 2 {
		if _, err := s.Session(t.Context(), k); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("err = %v, want fs.ErrNotExist", err)
		}
	}
	if err := os.Rename(away[o.AuthDB], o.AuthDB); err != nil {
		t.Fatal(err)
	}
	lookAgain(s)
	wantGone(t, s, k)
	fi, err := os.Stat(o.SessionDB)
	if err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Fatal(fi, err)
	}
	k2 := login(t, s, "alice", "alice-pw")
	wantUser(t, s, k2, "alice")
	if err := os.Rename(away[o.SessionDB], o.SessionDB); err != nil { // it is found after all
		t.Fatal(err)
	}
	lookAgain(s)
	wantUser(t, s, k, "alice")
	wantGone(t, s, k2)
	if err := os.Remove(o.SessionDB); err != nil {
		t.Fatal(err)
	}
	lookAgain(s)
	wantUser(t, s, login(t, s, "alice", "alice-pw"), "alice") // a login is what comes first
}

func TestLockedFile(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	s := open(t, o)
	k := login(t, s, "alice", "alice-pw")
	wantUser(t, s, k, "alice")
	db, err := sqlite.Open(t.Context(), o.SessionDB, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = s.Login(ctx, "alice", "alice-pw", home, anki)
	if !sqlite.IsBusy(err) || !strings.Contains(err.Error(), "locked by another process") {
		t.Errorf("err = %v", err)
	}
	wantUser(t, s, k, "alice") // reading goes on
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	login(t, s, "alice", "alice-pw")
}

func TestClosed(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	wantUser(t, s, "6fd7d62734fe1531bafe62fe4f4bceba", "alice")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Session(t.Context(), "6fd7d62734fe1531bafe62fe4f4bceba"); !errors.Is(err, errClosed) {
		t.Errorf("err = %v", err)
	}
	if err := s.AddUser(t.Context(), "x", "y"); !errors.Is(err, errClosed) {
		t.Errorf("err = %v", err)
	}
}
