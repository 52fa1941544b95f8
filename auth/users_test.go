package auth

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestUsers(t *testing.T) {
	for _, column := range []string{"", "username", "user"} {
		t.Run("column "+column, func(t *testing.T) {
			o := dirOptions(t.TempDir())
			if column != "" {
				outside(t, o.AuthDB, `CREATE TABLE auth (`+column+` VARCHAR PRIMARY KEY, hash VARCHAR)`)
			}
			s := open(t, o)
			ctx := t.Context()
			// The order of the original's lsuser (docs/compat.md §4.1).
			want := []string{"Bob", "adam", "bob", "mia", "zoe", "ünal"}
			for _, name := range []string{"zoe", "ünal", "bob", "Bob", "mia", "adam"} {
				mustAdd(t, s, name, name+"-pw")
			}
			if got, err := s.Users(ctx); err != nil || !slices.Equal(got, want) {
				t.Errorf("Users = %q, %v, want %q", got, err, want)
			}
			wantErr(t, s.AddUser(ctx, "bob", "other"), ErrUserExists)
			login(t, s, "bob", "bob-pw")
			wantErr(t, s.SetPassword(ctx, "nobody", "x"), ErrNoUser)
			if err := s.SetPassword(ctx, "bob", ""); err != nil {
				t.Fatal(err)
			}
			_, err := s.Login(ctx, "bob", "bob-pw", home, anki)
			wantErr(t, err, ErrBadCredentials)
			login(t, s, "bob", "")

			for _, want := range []bool{true, false} {
				if existed, err := s.DeleteUser(ctx, "bob"); err != nil || existed != want {
					t.Errorf("DeleteUser = %v, %v, want %v", existed, err, want)
				}
			}
			if ok, err := s.HasUser(ctx, "bob"); ok || err != nil {
				t.Errorf("HasUser(deleted) = %v, %v", ok, err)
			}
			if ok, err := s.HasUser(ctx, "Bob"); !ok || err != nil {
				t.Errorf("HasUser = %v, %v", ok, err)
			}
			// The Python servers and ankisyncctl insert by position.
			outside(t, o.AuthDB, `INSERT INTO auth VALUES ('py', '9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa')`)
			if ok, err := s.HasUser(ctx, "py"); !ok || err != nil {
				t.Errorf("HasUser(added by another program) = %v, %v", ok, err)
			}
		})
	}
}

func TestImportUser(t *testing.T) {
	s := open(t, dirOptions(t.TempDir()))
	ctx := t.Context()
	const phc = "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$FeDyGeOyZnhTlgrib+QT0pknFs3JDZgcmm4QEFp1LjA"
	if err := s.ImportUser(ctx, "alice", phc); err != nil {
		t.Fatal(err)
	}
	wantErr(t, s.ImportUser(ctx, "alice", phc), ErrUserExists)
	wantErr(t, s.ImportUser(ctx, "bob", "bobpw"), ErrInvalidHash)
	wantErr(t, s.ImportUser(ctx, "b/b", phc), ErrInvalidName)
	login(t, s, "alice", "пароль 1")
	if h := query(t, s.o.AuthDB, `SELECT hash FROM auth`); !strings.HasPrefix(h, "$argon2id$") {
		t.Errorf("not upgraded: %s", h)
	}
	login(t, s, "alice", "пароль 1")
}

func TestUserNames(t *testing.T) {
	good := func(name string) {
		t.Helper()
		if err := ValidUserName(name); err != nil {
			t.Error(err)
		}
	}
	bad := func(name string) {
		t.Helper()
		if err := ValidUserName(name); !errors.Is(err, ErrInvalidName) {
			t.Errorf("ValidUserName(%q) = %v", name, err)
		}
	}
	for _, name := range []string{
		"alice", "Bob@Example.com", "a b", " ", "a:b", "日本語", "e\u0301", "...", ".hidden", "-", "+", "con", "a\nb", "auth.database",
		strings.Repeat("x", 255), "collections", "snapshots",
	} {
		good(name)
	}
	for _, name := range []string{
		"", ".", "..", "/", "a/b", "../alice", "a\x00", strings.Repeat("x", 256), "\xff", "auth.db", "Auth.DB", "session.db-journal",
		"auth.db-wal", "session.db-shm", "ankisyncd.conf", ".ankisyncd", ".ankisyncd-lock",
	} {
		bad(name)
	}
	s := open(t, dirOptions(t.TempDir()))
	wantErr(t, s.AddUser(t.Context(), "../x", "pw"), ErrInvalidName)
}

// A row that an original let in with a name that leads out of the data
// directory can be listed and deleted, but not used.
func TestInvalidNameInTable(t *testing.T) {
	o := dirOptions(t.TempDir())
	outside(t, o.AuthDB, `CREATE TABLE auth (username VARCHAR PRIMARY KEY, hash VARCHAR)`)
	outside(t, o.SessionDB, `CREATE TABLE session (hkey VARCHAR PRIMARY KEY, skey VARCHAR, username VARCHAR, path VARCHAR)`,
		`INSERT INTO session VALUES ('k1', 'abcdef01', '../x', '/srv/x')`, `INSERT INTO session VALUES ('k2', 'abcdef02', NULL, NULL)`)
	s := open(t, o)
	ctx := t.Context()
	outside(t, o.AuthDB, `INSERT INTO auth VALUES ('../x', '`+newHash("../x", "pw", true)+`')`)
	_, err := s.Login(ctx, "../x", "pw", home, anki)
	wantErr(t, err, ErrBadCredentials)
	wantGone(t, s, "k1")
	wantGone(t, s, "k2")
	_, err = s.SessionBySK(ctx, "abcdef01")
	wantErr(t, err, ErrUnknownKey)
	if got, err := s.Users(ctx); err != nil || !slices.Equal(got, []string{"../x"}) {
		t.Errorf("Users = %q, %v", got, err)
	}
	if ds, err := s.Devices(ctx, ""); err != nil || len(ds) != 0 {
		t.Errorf("Devices = %v, %v", ds, err)
	}
	if existed, err := s.DeleteUser(ctx, "../x"); err != nil || !existed {
		t.Errorf("DeleteUser = %v, %v", existed, err)
	}
}

func TestUnusableHash(t *testing.T) {
	o := dirOptions(t.TempDir())
	var log logBuffer
	o.Log = log.logger()
	s := open(t, o)
	outside(t, o.AuthDB, `INSERT INTO auth VALUES ('plain', 'secret')`, `INSERT INTO auth VALUES ('null', NULL)`)
	for name, pw := range map[string]string{"plain": "secret", "null": ""} {
		_, err := s.Login(t.Context(), name, pw, home, anki)
		wantErr(t, err, ErrBadCredentials)
	}
	if lines := strings.Join(log.lines(), "\n"); !strings.Contains(lines, "stored password cannot be used") || strings.Contains(lines, "secret") {
		t.Errorf("log:\n%s", lines)
	}
}
