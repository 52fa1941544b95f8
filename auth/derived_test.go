package auth

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

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

// TestImportedUsers: users of the environment that were put into the table keep
// the official server's keys as long as they are in the environment, and those
// of new logins after that.
func TestImportedUsers(t *testing.T) {
	dir := t.TempDir()
	o := dirOptions(dir)
	command := open(t, o)
	if err := command.AddUser(t.Context(), "alice", "alice-pw"); err != nil {
		t.Fatal(err)
	}
	withVariable := o
	withVariable.StaticUsers = []StaticUser{{Name: "alice", Password: "alice-pw"}}
	before := open(t, withVariable)
	wantUser(t, before, official("alice", "alice-pw"), "alice")
	own := login(t, before, "alice", "alice-pw")
	after := open(t, o)
	wantGone(t, after, official("alice", "alice-pw"))
	wantUser(t, after, own, "alice")
	wantUser(t, after, login(t, after, "alice", "alice-pw"), "alice")
	// Nothing in the files lets a reader try passwords against a quick hash.
	if n := query(t, o.SessionDB, `SELECT count(*) FROM ankisyncd_device WHERE key_hash = ?`, hashKey(official("alice", "alice-pw")).hex()); n != "0" {
		t.Errorf("%s rows of the official server's key", n)
	}
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
	before := memoryHard.Load()
	open(t, Options{StaticUsers: users})
	if n := memoryHard.Load() - before; n != 0 {
		t.Errorf("Open computed %d hashes", n)
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
