package auth

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func describe(ds []Device) string {
	var b strings.Builder
	day := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format("01-02")
	}
	for _, d := range ds {
		fmt.Fprintf(&b, "%s %s %s %s %q %s\n", d.User, d.Kind, day(d.Created), day(d.LastSeen), d.Client, d.Addr)
	}
	return b.String()
}

func TestDevices(t *testing.T) {
	for _, dir := range []string{"ankisyncd-2.4.0", "ankiserver-dsnopek-2.0.6", "", "memory"} {
		t.Run("on "+dir, func(t *testing.T) {
			var o Options
			switch dir {
			case "", "memory":
				o = dirOptions(t.TempDir())
			default:
				o = dirOptions(copyData(t, dir))
			}
			if dir == "memory" {
				o.SessionDB = ""
			}
			c := newClock()
			o.Now = c.now
			s := open(t, o)
			ctx := t.Context()
			mustAdd(t, s, "dave", "pw")
			mustAdd(t, s, "eve", "pw")
			k := login(t, s, "dave", "pw")
			c.add(24 * time.Hour)
			k2, err := s.Login(ctx, "dave", "pw", away, strings.Repeat("x", 500)+"\x00")
			if err != nil {
				t.Fatal(err)
			}
			login(t, s, "eve", "pw")
			check := func(want string) {
				t.Helper()
				ds, err := s.Devices(ctx, "dave")
				if err != nil {
					t.Fatal(err)
				}
				if got := describe(ds); got != want {
					t.Errorf("devices:\n%swant\n%s", got, want)
				}
			}
			second := `dave device 05-02 05-02 "` + strings.Repeat("x", maxClient) + `" 198.51.100.9` + "\n"
			check(`dave device 05-01 05-01 "` + anki + `" 192.0.2.7` + "\n" + second)

			// Another client, another place, another day; and once a day only.
			s.Seen(wantUser(t, s, k, "dave"), away, "anki,27.1,mac")
			c.add(time.Hour)
			s.Seen(wantUser(t, s, k, "dave"), home, "anki,28,mac")
			first := `dave device 05-01 05-02 "anki,27.1,mac" 198.51.100.9` + "\n"
			check(first + second) // before it is written
			if err := s.flush(ctx, false); err != nil {
				t.Fatal(err)
			}
			check(first + second)

			ds, err := s.Devices(ctx, "dave")
			if err != nil || ds[0].ID != wantUser(t, s, k, "dave").ID || ds[1].ID != wantUser(t, s, k2, "dave").ID {
				t.Fatalf("ids %+v, %v", ds, err)
			}
			if err := s.RevokeDevice(ctx, ds[0].ID); err != nil {
				t.Fatal(err)
			}
			check(second)
			wantErr(t, s.RevokeDevice(ctx, ds[0].ID), ErrNoDevice)
			wantErr(t, s.RevokeDevice(ctx, ""), ErrNoDevice)
			if _, err := s.DeleteUser(ctx, "dave"); err != nil {
				t.Fatal(err)
			}
			check("")
			all, err := s.Devices(ctx, "")
			if err != nil || len(all) == 0 || all[0].User == "dave" {
				t.Errorf("all devices: %s%v", describe(all), err)
			}
			_, err = s.RevokeUser(ctx, "dave")
			wantErr(t, err, ErrNoUser)
		})
	}
}

func TestPythonDevices(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.3.0"))
	c := newClock()
	o.Now = c.now
	s := open(t, o)
	ctx := t.Context()
	const k = "ca27139b8e1f6593cc2e2d77e7159ac4"
	s.Seen(wantUser(t, s, k, "alice"), home, "anki,2.1.11,linux")
	if err := s.flush(ctx, false); err != nil {
		t.Fatal(err)
	}
	want := "alice python - - \"\" \nalice python - 05-01 \"anki,2.1.11,linux\" 192.0.2.7\nalice python - - \"\" \nalice python - - \"\" \n"
	ds, err := s.Devices(ctx, "alice")
	if err != nil || describe(ds) != want {
		t.Fatalf("devices:\n%s%v, want\n%s", describe(ds), err, want)
	}
	// Its key is not on disk a second time, and still valid in a new process.
	if n := query(t, o.SessionDB, `SELECT count(*) FROM ankisyncd_device WHERE key_hash = ?`, hashKey(k).hex()); n != "1" {
		t.Errorf("%s rows", n)
	}
	wantUser(t, open(t, o), k, "alice")
	for _, id := range []string{ds[1].ID, ds[0].ID} {
		if err := s.RevokeDevice(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	wantGone(t, s, k)
	wantGone(t, s, "397b87a53bd918149fbdbef91f3390f3")
	if n := query(t, o.SessionDB, `SELECT count(*) FROM session`); n != "3" {
		t.Errorf("%s rows of session left, want 3", n)
	}
	// A key the admin deletes in session is gone, whatever we noted about it.
	const k2 = "ac9c694644f8d7ce2aa0f224d6de143c"
	s.Seen(wantUser(t, s, k2, "alice"), home, "")
	if err := s.flush(ctx, false); err != nil {
		t.Fatal(err)
	}
	outside(t, o.SessionDB, `DELETE FROM session WHERE hkey = '`+k2+`'`)
	wantGone(t, s, k2)
	// A sighting that comes after the revocation does not bring it back.
	const k3 = "d231f5aced1304fcb08b14a33816da51"
	sess := wantUser(t, s, k3, "alice")
	s.Seen(sess, home, "")
	if n, err := s.RevokeUser(ctx, "alice"); err != nil || n != 1 {
		t.Errorf("RevokeUser = %d, %v", n, err)
	}
	if err := s.flush(ctx, false); err != nil {
		t.Fatal(err)
	}
	wantGone(t, s, k3)
	if ds, err := s.Devices(ctx, "alice"); err != nil || len(ds) != 0 {
		t.Errorf("devices %v, %v", ds, err)
	}
}

func TestOfficialDevices(t *testing.T) {
	c := newClock()
	s := open(t, Options{
		SessionDB: filepath.Join(t.TempDir(), "session.db"), Now: c.now,
		StaticUsers: []StaticUser{{Name: "alice", Password: "alice-pw"}, {Name: "bob", Password: "x"}},
	})
	s.Seen(wantUser(t, s, official("alice", "alice-pw"), "alice"), home, anki)
	want := `alice official - 05-01 "` + anki + "\" 192.0.2.7\nbob official - - \"\" \n"
	if ds, err := s.Devices(t.Context(), ""); err != nil || describe(ds) != want {
		t.Errorf("devices:\n%s%v, want\n%s", describe(ds), err, want)
	}
	if err := s.Logout(t.Context(), official("alice", "alice-pw")); err != nil {
		t.Fatal(err)
	}
	if ds, err := s.Devices(t.Context(), "alice"); err != nil || len(ds) != 0 {
		t.Errorf("devices %v, %v", ds, err)
	}
}

// Close writes what a timer would have written.
func TestSeenIsWrittenAtClose(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	sess := wantUser(t, s, "6fd7d62734fe1531bafe62fe4f4bceba", "alice")
	counter := func() uint32 {
		v, err := s.keys.(*fileKeys).current()
		if err != nil {
			t.Fatal(err)
		}
		return v.counter
	}
	before := counter()
	for range 100 {
		s.Seen(sess, home, anki)
		s.Seen(wantUser(t, s, "f55c9ec5950014ce9c9a1fd4643b0051", "bob@example.com"), home, anki)
	}
	if n := counter() - before; n != 0 {
		t.Errorf("%d writes", n)
	}
	s.Seen(Session{}, home, anki) // of no use, and harmless
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := query(t, o.SessionDB, `SELECT count(*) FROM ankisyncd_device WHERE seen > 0 AND client = ?`, anki); got != "2" {
		t.Errorf("%s devices were seen", got)
	}
	if n := query(t, o.SessionDB, `SELECT count(*) FROM session`); n != "2" {
		t.Errorf("%s rows of session", n)
	}
	s.Seen(sess, home, anki) // after Close
}

// TestLoginsDoNotLogOutDevices: however often a program logs in, the device that
// syncs keeps its key.
func TestLoginsDoNotLogOutDevices(t *testing.T) {
	c := newClock()
	o := dirOptions(t.TempDir())
	o.KeepLegacyHashes, o.MaxDevices, o.Now = true, 5, c.now
	s := open(t, o)
	mustAdd(t, s, "alice", "pw")
	phone := login(t, s, "alice", "pw")
	sess, err := s.Session(t.Context(), phone)
	if err != nil {
		t.Fatal(err)
	}
	s.Seen(sess, home, anki)
	for range 20 {
		login(t, s, "alice", "pw")
	}
	if _, err := s.Session(t.Context(), phone); err != nil {
		t.Errorf("the device that syncs: %v", err)
	}
	ds, err := s.Devices(t.Context(), "alice")
	if err != nil || len(ds) != 5 {
		t.Errorf("%d devices, %v; want 5", len(ds), err)
	}
}
