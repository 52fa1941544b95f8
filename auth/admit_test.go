package auth

import (
	"context"
	"errors"
	"slices"
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

// TestAdmitLog: who is kept out has not logged in, and filters of logs see that.
func TestAdmitLog(t *testing.T) {
	for name, enter := range map[string]func(*Store) error{
		"Login":        func(s *Store) error { _, err := s.Login(t.Context(), "alice", "pw", home, ""); return err },
		"Authenticate": func(s *Store) error { return s.Authenticate(t.Context(), "alice", "pw", home, "") },
	} {
		t.Run(name, func(t *testing.T) {
			var log logBuffer
			var fault error
			o := dirOptions(t.TempDir())
			o.Log = log.logger()
			o.Admit = func(context.Context, string) (bool, error) { return false, fault }
			s := open(t, o)
			if err := s.AddUser(t.Context(), "alice", "pw"); err != nil {
				t.Fatal(err)
			}
			log.lines()
			want := []string{
				`msg="Authentication failed for user alice"`,
				`msg=login event=login result=failure user=alice addr=192.0.2.7 client=""`,
			}
			for range 2 { // the second time the password is known from before
				wantErr(t, enter(s), ErrBadCredentials)
				if got := log.lines(); !slices.Equal(got, want) {
					t.Errorf("log: %q", got)
				}
			}
			fault = errors.New("disk")
			wantErr(t, enter(s), fault)
			if got := log.lines(); len(got) != 1 || got[0] != "" {
				t.Errorf("log of a fault, which the caller logs: %q", got)
			}
		})
	}
}
