package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("text"), bytes.Repeat([]byte("no database\n"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	outside(t, path("other"), `CREATE TABLE auth (name TEXT, password TEXT)`, `CREATE TABLE session (id INT)`)
	outside(t, path("nouser"), `CREATE TABLE auth (name TEXT, hash TEXT)`)
	good, err := os.ReadFile("testdata/ankisyncd-2.4.0/auth.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("cut"), good[:5000], 0o600); err != nil {
		t.Fatal(err)
	}
	static := []StaticUser{{Name: "alice", Password: "pw"}}
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"no users", Options{}, "no user table"},
		{"no users but sessions", Options{SessionDB: path("session.db")}, "asked for explicitly"},
		{"anyone and a table", Options{AllowAnyone: true, AuthDB: path("a.db")}, "one of the two"},
		{"anyone and static", Options{AllowAnyone: true, StaticUsers: static}, "one of the two"},
		{"no folder", Options{AuthDB: path("none/auth.db")}, "create user table"},
		{"a folder", Options{AuthDB: dir}, "user table"},
		{"no database", Options{AuthDB: path("text")}, "is damaged or no SQLite database"},
		{"cut off", Options{AuthDB: path("cut")}, "is damaged"},
		{"other columns", Options{AuthDB: path("other")}, "no column hash"},
		{"no user column", Options{AuthDB: path("nouser")}, "neither a column username nor user"},
		{"sessions no database", Options{AuthDB: path("ok.db"), SessionDB: path("text")}, "session table: "},
		{"sessions other columns", Options{AuthDB: path("ok.db"), SessionDB: path("other")}, "no columns hkey"},
		{"missing", Options{AuthDB: path("missing"), MustExist: true}, "no such file"},
		{"static name", Options{StaticUsers: []StaticUser{{Name: "a/b"}}}, "invalid user name"},
		{"static twice", Options{StaticUsers: append(static, static...)}, "defined twice"},
		{"static hash", Options{StaticUsers: []StaticUser{{Name: "a", PHC: "pw"}}}, `user "a" of the environment`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(t.Context(), tt.o)
			if err == nil {
				_ = s.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q lacks %q", err, tt.want)
			}
		})
	}
	_, err = Open(t.Context(), Options{AuthDB: path("missing"), MustExist: true})
	wantErr(t, err, fs.ErrNotExist)
	_, err = Open(t.Context(), Options{})
	wantErr(t, err, ErrNoUserTable)
	if _, err := os.Stat(path("missing")); err == nil {
		t.Error("MustExist made the file")
	}
}

func TestNewFilesArePrivate(t *testing.T) {
	o := dirOptions(t.TempDir())
	open(t, o)
	for _, path := range []string{o.AuthDB, o.SessionDB} {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if os.PathSeparator == '/' && fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, fi.Mode())
		}
	}
}

func TestMustExistWithoutSessions(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-rs"))
	o.MustExist = true
	s := open(t, o)
	if _, err := s.DeleteUser(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(o.SessionDB); err == nil {
		t.Error("MustExist made session.db")
	}
}

func TestAllowAnyone(t *testing.T) {
	s := open(t, Options{AllowAnyone: true, SessionDB: filepath.Join(t.TempDir(), "session.db")})
	ctx := t.Context()
	k := login(t, s, "whoever", "anything")
	wantUser(t, s, k, "whoever")
	if err := s.Authenticate(ctx, "other", "", home, anki); err != nil {
		t.Error(err)
	}
	_, err := s.Login(ctx, "../up", "x", home, anki)
	wantErr(t, err, ErrBadCredentials)
	wantErr(t, s.AddUser(ctx, "u", "p"), ErrNoUserTable)
	if err := s.Logout(ctx, k); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, k)
}

func TestHostKeysAreStoredHashed(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	s := open(t, o)
	a, b := login(t, s, "alice", "alice-pw"), login(t, s, "alice", "alice-pw")
	if a == b || len(a) != 40 {
		t.Errorf("keys %q, %q", a, b)
	}
	for _, path := range []string{o.AuthDB, o.SessionDB} {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{a, b, "alice-pw"} {
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s has a secret in it", path)
			}
		}
	}
	if n := query(t, o.SessionDB, `SELECT count(*) FROM session`); n != "2" {
		t.Errorf("%s rows in session, want the 2 of before", n)
	}
	// They outlive the process.
	again := open(t, o)
	wantUser(t, again, a, "alice")
}

// TestTwoProcesses: what one Store does, another on the same files sees in its
// next call.
func TestTwoProcesses(t *testing.T) {
	for _, dir := range []string{"ankisyncd-2.4.0", "ankiserver-dsnopek-2.0.6"} {
		t.Run(dir, func(t *testing.T) {
			o := dirOptions(copyData(t, dir))
			server, command := open(t, o), open(t, o)
			ctx := t.Context()
			legacy := map[string]string{"ankisyncd-2.4.0": "6fd7d62734fe1531bafe62fe4f4bceba", "ankiserver-dsnopek-2.0.6": "9efb6c5fb690c2cc99e9dd18f2412e52"}[dir]
			k := login(t, server, "alice", "alice-pw")
			for range 3 {
				wantUser(t, server, k, "alice")
				wantUser(t, server, legacy, "alice")
			}

			if err := command.SetPassword(ctx, "alice", "new"); err != nil {
				t.Fatal(err)
			}
			wantGone(t, server, k)
			wantGone(t, server, legacy)
			_, err := server.Login(ctx, "alice", "alice-pw", home, anki)
			wantErr(t, err, ErrBadCredentials)
			k = login(t, server, "alice", "new")
			wantUser(t, server, k, "alice")
			wantUser(t, command, k, "alice")

			if existed, err := command.DeleteUser(ctx, "alice"); err != nil || !existed {
				t.Fatalf("DeleteUser = %v, %v", existed, err)
			}
			wantGone(t, server, k)
			_, err = server.Login(ctx, "alice", "new", home, anki)
			wantErr(t, err, ErrBadCredentials)
			mustAdd(t, command, "alice", "third")
			wantGone(t, server, k) // another person, perhaps
			k = login(t, server, "alice", "third")

			n, err := command.RevokeUser(ctx, "alice")
			if err != nil || n != 1 {
				t.Fatalf("RevokeUser = %d, %v", n, err)
			}
			wantGone(t, server, k)
			k, k2 := login(t, server, "alice", "third"), login(t, server, "alice", "third")
			id := wantUser(t, server, k, "alice").ID
			if err := command.RevokeDevice(ctx, id); err != nil {
				t.Fatal(err)
			}
			wantGone(t, server, k)
			wantUser(t, server, k2, "alice")
			wantErr(t, command.RevokeDevice(ctx, id), ErrNoDevice)
			if err := command.Logout(ctx, k2); err != nil {
				t.Fatal(err)
			}
			wantGone(t, server, k2)
			wantErr(t, command.Logout(ctx, k2), ErrUnknownKey)
			// Somebody with the sqlite3 tool.
			k = login(t, server, "bob@example.com", map[string]string{"ankisyncd-2.4.0": "пароль 1"}[dir]+map[string]string{"ankiserver-dsnopek-2.0.6": "bobpw"}[dir])
			wantUser(t, server, k, "bob@example.com")
			outside(t, o.AuthDB, `DELETE FROM auth WHERE hash IS NOT NULL`)
			wantGone(t, server, k)
		})
	}
}

func TestKeepSessionsOnPasswordChange(t *testing.T) {
	for _, memory := range []bool{false, true} {
		o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
		o.KeepSessionsOnPasswordChange = true
		if memory {
			o.SessionDB = ""
		}
		s, command := open(t, o), open(t, o)
		k := login(t, s, "alice", "alice-pw")
		if err := command.SetPassword(t.Context(), "alice", "new"); err != nil {
			t.Fatal(err)
		}
		wantUser(t, s, k, "alice")
		if _, err := command.DeleteUser(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		wantGone(t, s, k)
	}
}

func TestMemorySessions(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	o.SessionDB = ""
	o.MaxDevices = 3
	s, command := open(t, o), open(t, o)
	ctx := t.Context()
	k := login(t, s, "alice", "alice-pw") // upgrades the hash
	k2 := login(t, s, "alice", "alice-pw")
	wantUser(t, s, k, "alice")
	wantErr(t, s.RevokeDevice(ctx, "0123456789abcdef"), ErrNoDevice)
	if err := s.RevokeDevice(ctx, wantUser(t, s, k2, "alice").ID); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, k2)
	wantUser(t, s, k, "alice")
	if _, err := s.SessionBySK(ctx, "1422e2d6"); !errors.Is(err, ErrUnknownKey) {
		t.Error(err)
	}
	// Another process cannot reach our memory, yet its change counts.
	if err := command.SetPassword(ctx, "alice", "new"); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, k)
	var keys []string
	for range 5 {
		keys = append(keys, login(t, s, "alice", "new"))
	}
	for i, k := range keys {
		if i < 2 {
			wantGone(t, s, k)
		} else {
			wantUser(t, s, k, "alice")
		}
	}
	if n, err := s.RevokeUser(ctx, "alice"); err != nil || n != 3 {
		t.Errorf("RevokeUser = %d, %v", n, err)
	}
	wantGone(t, s, keys[4])
}

// An upgrade of the hash is no change of the password.
func TestMemorySessionSurvivesUpgrade(t *testing.T) {
	o := Options{AuthDB: dirOptions(copyData(t, "ankisyncd-2.4.0")).AuthDB, KeepLegacyHashes: true}
	s := open(t, o)
	k := login(t, s, "alice", "alice-pw")
	s.o.KeepLegacyHashes = false
	s.cache.m = map[string]cachedLogin{}
	login(t, s, "alice", "alice-pw")
	if h := query(t, o.AuthDB, `SELECT hash FROM auth WHERE username = 'alice'`); !strings.HasPrefix(h, "$argon2id$") {
		t.Fatalf("hash %s", h)
	}
	wantUser(t, s, k, "alice")
}

func TestMaxDevices(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	o.MaxDevices = 3
	c := newClock()
	o.Now = c.now
	s := open(t, o)
	var keys []string
	for range 3 {
		keys = append(keys, login(t, s, "alice", "alice-pw"))
		c.add(time.Second)
	}
	c.add(48 * time.Hour)
	s.Seen(wantUser(t, s, keys[0], "alice"), home, anki) // the oldest is in use
	if err := s.flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	keys = append(keys, login(t, s, "alice", "alice-pw"))
	for i, k := range keys {
		if i == 1 {
			wantGone(t, s, k)
		} else {
			wantUser(t, s, k, "alice")
		}
	}
	wantUser(t, s, "6fd7d62734fe1531bafe62fe4f4bceba", "alice") // none of ours to drop
}

func TestGuessingMediaKeys(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	c := newClock()
	o.Now = c.now
	s := open(t, o)
	ctx := t.Context()
	for i := range maxGuesses {
		_, err := s.SessionBySK(ctx, fmt.Sprintf("%08x", i))
		wantErr(t, err, ErrUnknownKey)
	}
	_, err := s.SessionBySK(ctx, "1422e2d6")
	wantErr(t, err, ErrUnknownKey)
	wantUser(t, s, "6fd7d62734fe1531bafe62fe4f4bceba", "alice")
	c.add(time.Hour)
	if sess, err := s.SessionBySK(ctx, "1422e2d6"); err != nil || sess.User != "alice" {
		t.Errorf("an hour later: %+v, %v", sess, err)
	}
}

func TestBadKeys(t *testing.T) {
	s := open(t, dirOptions(copyData(t, "ankisyncd-2.4.0")))
	for _, k := range []string{"", "x", strings.Repeat("x", 129), strings.Repeat("x", 1<<20), "' OR 1=1 --", "\x00", "6fd7d62734fe1531bafe62fe4f4bceba\x00"} {
		wantGone(t, s, k)
		if _, err := s.SessionBySK(t.Context(), k); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("SessionBySK(%.20q): %v", k, err)
		}
	}
}
