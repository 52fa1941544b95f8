package auth

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
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

func official(name, secret string) string {
	sum := sha1.Sum([]byte(name + ":" + secret))
	return hex.EncodeToString(sum[:])
}

func TestStaticUsers(t *testing.T) {
	const phc = "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$FeDyGeOyZnhTlgrib+QT0pknFs3JDZgcmm4QEFp1LjA"
	o := Options{
		SessionDB:   filepath.Join(t.TempDir(), "session.db"),
		StaticUsers: []StaticUser{{Name: "alice", Password: "alice-pw"}, {Name: "bob@example.com", Password: "bobpw"}, {Name: "carol", PHC: phc}},
	}
	s := open(t, o)
	ctx := t.Context()
	// The keys of the official server's own directory among the fixtures.
	wantUser(t, s, "4902026c610fdef51de057dfb1748b67cff55ed2", "alice")
	wantUser(t, s, "e903bf1c4fa276a746006582d0cdd74a102c85cf", "bob@example.com")
	wantUser(t, s, official("carol", phc), "carol")
	wantGone(t, s, official("alice", "other"))

	ka, kc := login(t, s, "alice", "alice-pw"), login(t, s, "carol", "пароль 1")
	wantUser(t, s, ka, "alice")
	for name, pw := range map[string]string{"alice": "alice-pW", "carol": phc, "bob@example.com": "", "dave": "x"} {
		_, err := s.Login(ctx, name, pw, home, anki)
		wantErr(t, err, ErrBadCredentials)
	}
	wantErr(t, s.AddUser(ctx, "dave", "x"), ErrNoUserTable)
	wantErr(t, s.SetPassword(ctx, "alice", "x"), ErrStaticUser)
	_, err := s.DeleteUser(ctx, "alice")
	wantErr(t, err, ErrStaticUser)

	// A restart with another password for alice: her keys are void, the
	// others' are not.
	changed := o
	changed.StaticUsers = []StaticUser{{Name: "alice", Password: "other"}, o.StaticUsers[2]}
	next := open(t, changed)
	wantGone(t, next, ka)
	wantGone(t, next, official("alice", "alice-pw"))
	wantGone(t, next, official("bob@example.com", "bobpw"))
	wantUser(t, next, official("alice", "other"), "alice")
	wantUser(t, next, kc, "carol")
	changed.KeepSessionsOnPasswordChange = true
	wantUser(t, open(t, changed), ka, "alice")

	// Revoking: the derived key does not come back, not even after a restart.
	if n, err := s.RevokeUser(ctx, "alice"); err != nil || n != 2 {
		t.Errorf("RevokeUser = %d, %v, want 2", n, err)
	}
	for _, st := range []*Store{s, open(t, o)} {
		wantGone(t, st, ka)
		wantGone(t, st, official("alice", "alice-pw"))
		wantUser(t, st, official("bob@example.com", "bobpw"), "bob@example.com")
	}
	wantUser(t, s, login(t, s, "alice", "alice-pw"), "alice")
	if err := s.RevokeDevice(ctx, "official:bob@example.com"); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, official("bob@example.com", "bobpw"))
	wantErr(t, s.RevokeDevice(ctx, "official:bob@example.com"), ErrNoDevice)
	wantErr(t, s.RevokeDevice(ctx, "official:nobody"), ErrNoDevice)
	wantErr(t, s.RevokeDevice(ctx, "official:"), ErrNoDevice)
}

func TestStaticBesideTable(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	o.StaticUsers = []StaticUser{{Name: "alice", Password: "from-env"}, {Name: "zed", Password: "z"}}
	s := open(t, o)
	ctx := t.Context()
	if got, err := s.Users(ctx); err != nil || strings.Join(got, " ") != "alice bob@example.com carol zed" {
		t.Errorf("Users = %q, %v", got, err)
	}
	login(t, s, "alice", "from-env")
	_, err := s.Login(ctx, "alice", "alice-pw", home, anki)
	wantErr(t, err, ErrBadCredentials)
	login(t, s, "carol", "carol-pw")
	wantErr(t, s.AddUser(ctx, "zed", "x"), ErrUserExists)
	if h := query(t, o.AuthDB, `SELECT hash FROM auth WHERE username = 'alice'`); len(h) != 80 {
		t.Errorf("row of the shadowed user: %s", h)
	}
}

func TestManyStaticUsersCostNothing(t *testing.T) {
	users := make([]StaticUser, 200)
	for i := range users {
		users[i] = StaticUser{Name: fmt.Sprintf("user%d", i), Password: "pw"}
	}
	start := time.Now()
	open(t, Options{StaticUsers: users})
	if d := time.Since(start); d > 20*time.Millisecond {
		t.Errorf("Open took %s", d)
	}
}

func TestRSKeys(t *testing.T) {
	const alice = "9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa"
	const bob = "c37cee041fbb9f925e9c63559c0aea680bf18f4707bb2efaa8db326d68f30cbcdeadbeefcafe0123"
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory %v", memory), func(t *testing.T) {
			o := dirOptions(copyData(t, "ankisyncd-rs"))
			if memory {
				o.SessionDB = ""
			}
			wantGone(t, open(t, o), alice) // only if asked for
			o.AcceptRSKeys = true
			s, command := open(t, o), open(t, o)
			ctx := t.Context()
			wantUser(t, s, alice, "alice")
			login(t, s, "alice", "alice-pw") // upgrades the hash, which was the key
			wantUser(t, s, alice, "alice")
			if ds, err := s.Devices(ctx, "alice"); err != nil || len(ds) != 2 || ds[0].Kind != KindRS {
				t.Errorf("Devices = %+v, %v", ds, err)
			}
			if err := s.SetPassword(ctx, "alice", "new"); err != nil {
				t.Fatal(err)
			}
			wantGone(t, s, alice)

			wantUser(t, s, bob, "bob@example.com")
			if err := command.SetPassword(ctx, "bob@example.com", "new"); err != nil {
				t.Fatal(err)
			}
			wantGone(t, s, bob)
		})
	}
	// Revoked without a change of password: gone for good.
	o := dirOptions(copyData(t, "ankisyncd-rs"))
	o.AcceptRSKeys = true
	s := open(t, o)
	wantUser(t, s, bob, "bob@example.com")
	if n, err := s.RevokeUser(t.Context(), "bob@example.com"); err != nil || n != 1 {
		t.Errorf("RevokeUser = %d, %v", n, err)
	}
	wantGone(t, s, bob)
	login(t, s, "bob@example.com", "bobpw")
	wantGone(t, s, bob)
	wantUser(t, s, alice, "alice")
	if err := s.Logout(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, alice)
}

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
			time.Sleep(statEvery)
			wantGone(t, s, k)
			wantUser(t, s, "9efb6c5fb690c2cc99e9dd18f2412e52", "alice")
			wantGone(t, s, "6fd7d62734fe1531bafe62fe4f4bceba")
			wantUser(t, s, login(t, s, "bob@example.com", "bobpw"), "bob@example.com")
		})
	}
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
	time.Sleep(statEvery)
	for range 2 {
		if _, err := s.Session(t.Context(), k); !errors.Is(err, fs.ErrNotExist) {
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
