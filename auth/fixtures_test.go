package auth

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// fixture is what a real server left behind.
type fixture struct {
	dir     string
	column  string
	users   []string
	pw      map[string]string
	keys    map[string]string // host key -> user
	sk      map[string]string // media session key -> user
	session bool
}

var (
	ascii    = map[string]string{"alice": "alice-pw", "bob@example.com": "bobpw"}
	fixtures = []fixture{
		{
			dir: "ankisyncd-2.4.0", column: "username", users: []string{"alice", "bob@example.com", "carol"}, session: true,
			pw:   map[string]string{"alice": "alice-pw", "bob@example.com": "пароль 1", "carol": "carol-pw"},
			keys: map[string]string{"6fd7d62734fe1531bafe62fe4f4bceba": "alice", "f55c9ec5950014ce9c9a1fd4643b0051": "bob@example.com"},
			sk:   map[string]string{"1422e2d6": "alice", "889633d3": "bob@example.com"},
		}, {
			dir: "ankisyncd-2.4.0-running", column: "username", users: []string{"alice", "bob@example.com", "carol"}, session: true,
			pw:   map[string]string{"alice": "alice-pw", "bob@example.com": "пароль 1", "carol": "carol-pw"},
			keys: map[string]string{"6fd7d62734fe1531bafe62fe4f4bceba": "alice", "f55c9ec5950014ce9c9a1fd4643b0051": "bob@example.com"},
			sk:   map[string]string{"1422e2d6": "alice", "889633d3": "bob@example.com"},
		}, {
			dir: "ankisyncd-2.3.0", column: "username", users: []string{"alice", "bob@example.com"}, pw: ascii, session: true,
			keys: map[string]string{
				"397b87a53bd918149fbdbef91f3390f3": "alice", "ca27139b8e1f6593cc2e2d77e7159ac4": "alice",
				"ac9c694644f8d7ce2aa0f224d6de143c": "alice", "d231f5aced1304fcb08b14a33816da51": "alice",
				"f76cfe05a5f952002835534d00f35aca": "bob@example.com",
			},
			sk: map[string]string{"afc4f3be": "alice", "1513e635": "bob@example.com"},
		}, {
			dir: "ankisyncd-tsudoko", column: "username", users: []string{"alice", "bob@example.com"}, pw: ascii, session: true,
			keys: map[string]string{
				"24572eff0fc981e19426a4c67f255237": "alice", "80be7d6ed70216389b12e9fade651c52": "alice",
				"e0cb56b91978c2c3588183405d4b2fd1": "bob@example.com",
			},
			sk: map[string]string{"528c6f1d": "alice", "fa29a2f0": "bob@example.com"},
		}, {
			dir: "ankiserver-dsnopek-2.0.6", column: "user", users: []string{"alice", "bob@example.com"}, pw: ascii, session: true,
			keys: map[string]string{
				"9efb6c5fb690c2cc99e9dd18f2412e52": "alice", "53d51184ddf4f4c8998299b60a19830b": "alice",
				"a87d225ec85a6c785c56a128bf6c9a4b": "bob@example.com",
			},
			sk: map[string]string{"1edf7883": "alice", "a91e2869": "bob@example.com"},
		}, {
			dir: "ankisyncd-rs", column: "username", users: []string{"alice", "bob@example.com"}, pw: ascii,
			keys: map[string]string{
				"9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa": "alice",
				"c37cee041fbb9f925e9c63559c0aea680bf18f4707bb2efaa8db326d68f30cbcdeadbeefcafe0123": "bob@example.com",
			},
		},
	}
)

func TestFixtures(t *testing.T) {
	if ds, err := os.ReadDir("testdata"); err != nil || len(ds) < len(fixtures) {
		t.Fatalf("%d directories in testdata, %v", len(ds), err)
	}
	for _, f := range fixtures {
		t.Run(f.dir, func(t *testing.T) {
			o := dirOptions(copyData(t, f.dir))
			o.AcceptRSKeys = true
			s := open(t, o)
			ctx := t.Context()

			users, err := s.Users(ctx)
			if err != nil || !slices.Equal(users, f.users) {
				t.Fatalf("Users = %q, %v, want %q", users, err, f.users)
			}
			checkKeys := func() {
				t.Helper()
				for hkey, name := range f.keys {
					if sess := wantUser(t, s, hkey, name); sess.SK != hkey {
						t.Errorf("SK = %q", sess.SK)
					}
					if sess, err := s.SessionBySK(ctx, hkey); err != nil || sess.User != name {
						t.Errorf("SessionBySK(host key) = %q, %v", sess.User, err)
					}
					wantGone(t, s, strings.ToUpper(hkey))
					wantGone(t, s, hkey[:len(hkey)-1])
				}
				for sk, name := range f.sk {
					if sess, err := s.SessionBySK(ctx, sk); err != nil || sess.User != name || sess.SK != sk {
						t.Errorf("SessionBySK(%s) = %+v, %v, want %q", sk, sess, err, name)
					}
					wantGone(t, s, sk) // no host key
				}
			}
			checkKeys()
			for name, pw := range f.pw {
				for _, wrong := range []string{"", pw + "x", strings.ToUpper(pw)} {
					_, err := s.Login(ctx, name, wrong, home, anki)
					wantErr(t, err, ErrBadCredentials)
				}
				for range 2 { // with the old hash and with the new
					wantUser(t, s, login(t, s, name, pw), name)
				}
				stored := query(t, o.AuthDB, `SELECT hash FROM auth WHERE `+f.column+` = ?`, name)
				if !strings.HasPrefix(stored, "$argon2id$") {
					t.Errorf("hash of %s after login: %s", name, stored)
				}
			}
			checkKeys() // upgrading the hash does not log out
			for _, name := range []string{"", "nobody", "Alice", "..", "alice\x00", "a/b"} {
				_, err := s.Login(ctx, name, "alice-pw", away, anki)
				wantErr(t, err, ErrBadCredentials)
			}
			wantPythonTables(t, o, f)
		})
	}
}

// wantPythonTables: the Python servers insert by position, so their tables keep
// their columns, and session keeps its rows.
func wantPythonTables(t *testing.T, o Options, f fixture) {
	t.Helper()
	const list = `SELECT group_concat(name, ' ') FROM pragma_table_info(?)`
	if got, want := query(t, o.AuthDB, list, "auth"), f.column+" hash"; got != want {
		t.Errorf("columns of auth: %s, want %s", got, want)
	}
	if !f.session {
		return
	}
	if got, want := query(t, o.SessionDB, list, "session"), "hkey skey "+f.column+" path"; got != want {
		t.Errorf("columns of session: %s, want %s", got, want)
	}
	for hkey := range f.keys {
		if n := query(t, o.SessionDB, `SELECT count(*) FROM session WHERE hkey = ?`, hkey); n != "1" {
			t.Errorf("%s rows of %s", n, hkey)
		}
	}
	for _, path := range []string{o.AuthDB, o.SessionDB} {
		if got := query(t, path, `PRAGMA journal_mode`); got != "delete" {
			t.Errorf("journal mode of %s: %s", path, got)
		}
	}
}

func TestFixturesUntouchedByLookups(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	before, err := os.ReadFile(o.AuthDB)
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, o)
	wantUser(t, s, "6fd7d62734fe1531bafe62fe4f4bceba", "alice")
	after, err := os.ReadFile(o.AuthDB)
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("auth.db changed without a login (%v)", err)
	}
}

// Journals that a killed Python server leaves: SQLite's own business, but the
// file must be opened writable for it.
func TestStrayWAL(t *testing.T) {
	o := dirOptions(t.TempDir())
	db, err := sqlite.Open(t.Context(), o.AuthDB, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`PRAGMA journal_mode = wal`, `CREATE TABLE auth (username VARCHAR PRIMARY KEY, hash VARCHAR)`, `PRAGMA wal_checkpoint(TRUNCATE)`,
		`INSERT INTO auth VALUES ('alice', '9e8746b8937e83e8e49bfc5edccb73a14519943955f36721d1eadccb3b53cd6000112233445566aa')`,
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	// Closing folds the WAL: what a kill leaves is what lies there before.
	left := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		if left[suffix], err = os.ReadFile(o.AuthDB + suffix); err != nil || len(left[suffix]) == 0 {
			t.Fatalf("%d bytes of %q, %v", len(left[suffix]), suffix, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for suffix, b := range left {
		if err := os.WriteFile(o.AuthDB+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, o)
	login(t, s, "alice", "alice-pw")
	if got := query(t, o.AuthDB, `PRAGMA journal_mode`); got != "delete" {
		t.Errorf("journal mode %s", got)
	}
	if ms, _ := filepath.Glob(o.AuthDB + "-*"); len(ms) > 0 {
		t.Errorf("left beside it: %q", ms)
	}
}
