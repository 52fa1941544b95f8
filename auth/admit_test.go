package auth

import (
	"context"
	"errors"
	"testing"
)

// TestAdmit: who is not admitted is answered as with a wrong password or key; a
// fault of the asking is the server's.
func TestAdmit(t *testing.T) {
	o := dirOptions(t.TempDir())
	var in bool
	var fault error
	o.Admit = func(_ context.Context, user string) (bool, error) { return in || user != "alice", fault }
	s := open(t, o)
	for _, name := range []string{"alice", "bob"} {
		if err := s.AddUser(t.Context(), name, "pw"); err != nil {
			t.Fatal(err)
		}
	}
	login(t, s, "bob", "pw")
	in = true
	hkey := login(t, s, "alice", "pw")
	in = false
	enter := func() []error {
		_, lerr := s.Login(t.Context(), "alice", "pw", home, anki)
		_, serr := s.Session(t.Context(), hkey)
		return []error{lerr, s.Authenticate(t.Context(), "alice", "pw", home, anki), serr}
	}
	for i, err := range enter() {
		wantErr(t, err, []error{ErrBadCredentials, ErrBadCredentials, ErrUnknownKey}[i])
	}
	fault = errors.New("disk")
	for _, err := range enter() {
		wantErr(t, err, fault)
	}
	fault, in = nil, true
	for _, err := range enter() {
		wantErr(t, err, nil)
	}
}

func TestWindowsNames(t *testing.T) {
	for name, want := range map[string]bool{
		"alice": true, "bob@example.com": true, "zoë": true, "console": true, ".hidden": true, "a b": true,
		"alice.": false, "alice ": false, "con": false, "NUL.txt": false, "com1": false, "a?": false, "a<b": false, "a\tb": false, "...": false,
	} {
		if storableOnWindows(name) != want {
			t.Error(name)
		}
	}
}
