package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"
)

// Login checks a password and makes a new host key for the device that asks.
// from is the client's address (the zero Addr if there is none, as on a unix
// socket), client what it calls itself; both end up in the log and in Devices.
//
// Errors: ErrBadCredentials, *ThrottledError; anything else is the server's
// fault. Names that nobody can have are bad credentials like any other.
//
// A login writes two lines to the log. The first is the originals', word for
// word, which filters of fail2ban look for: "Authentication succeeded for user
// U", "Authentication failed for user U" or "Authentication failed for
// nonexistent user U." The second has the constant message "login" and the
// attributes event=login, result (success, failure, throttled), user, addr,
// client; it is a warning unless the result is success, so that filters find it
// in a log of warnings too. A throttled attempt writes the second only. Whom
// Options.Admit keeps out has failed, with whatever password.
func (s *Store) Login(ctx context.Context, name, password string, from netip.Addr, client string) (hkey string, err error) {
	client = cleanClient(client)
	for range 3 {
		u, _, err := s.authenticate(ctx, name, password, from)
		if err == nil {
			err = s.admit(ctx, name, ErrBadCredentials)
		}
		if err != nil {
			s.logLogin(ctx, name, from, client, err)
			return "", err
		}
		hkey, err := s.newSession(ctx, name, u, from, client)
		if err == nil {
			s.logLogin(ctx, name, from, client, nil)
			return hkey, nil
		}
		if !errors.Is(err, ErrNoUser) {
			return "", err
		}
	}
	s.logLogin(ctx, name, from, client, ErrBadCredentials)
	return "", ErrBadCredentials
}

// Authenticate checks a password as Login does, with the same errors, limits
// and log lines, but makes no host key. That a password was right is logged only
// when it was not known from before: it may come with every request.
func (s *Store) Authenticate(ctx context.Context, name, password string, from netip.Addr, client string) error {
	_, cached, err := s.authenticate(ctx, name, password, from)
	if err == nil {
		err = s.admit(ctx, name, ErrBadCredentials)
	}
	if err != nil || !cached {
		s.logLogin(ctx, name, from, cleanClient(client), err)
	}
	return err
}

// admit asks Options.Admit; no is the error that it stands for.
func (s *Store) admit(ctx context.Context, name string, no error) error {
	if s.o.Admit == nil {
		return nil
	}
	ok, err := s.o.Admit(ctx, name)
	if err == nil && !ok {
		err = no
	}
	return err
}

// newSession stores a host key for a user whose password is verified. If the
// user changed meanwhile it is ErrNoUser: whoever changes a password revokes the
// keys after that, so one of the two sees the other.
func (s *Store) newSession(ctx context.Context, name string, u *user, from netip.Addr, client string) (string, error) {
	hkey := newHostKey()
	d := newDevice{hash: hashKey(hkey), user: name, at: s.now(), client: client, addr: addrString(from)}
	switch {
	case u.static && !s.o.KeepSessionsOnPasswordChange:
		d.proof = keyProof(hkey, u.stored)
	case !u.static && !s.o.AllowAnyone && !s.o.KeepSessionsOnPasswordChange:
		d.cred = u.cred
	}
	_ = s.flush(ctx, false) // for add to know which keys are in use; it logs
	if err := s.keys.add(ctx, d, s.o.MaxDevices); err != nil {
		return "", err
	}
	if s.o.AllowAnyone {
		return hkey, nil
	}
	now, err := s.lookup(ctx, name)
	if err == nil && now.stored == u.stored {
		return hkey, nil
	}
	if err == nil {
		err = ErrNoUser
	}
	return "", errors.Join(err, s.keys.remove(ctx, hkey))
}

// authenticate returns the user as verified; cached says that it cost nothing.
func (s *Store) authenticate(ctx context.Context, name, password string, from netip.Addr) (u *user, cached bool, err error) {
	if s.o.AllowAnyone {
		if ValidUserName(name) != nil {
			return nil, false, ErrBadCredentials
		}
		return new(user), false, nil
	}
	if err := s.throttled(from, name); err != nil {
		return nil, false, err
	}
	u, err = s.lookup(ctx, name)
	if err != nil && !errors.Is(err, ErrNoUser) {
		return nil, false, err
	}
	counted := false
	if u != nil {
		switch s.cache.check(name, u.stored, password) {
		case right:
			s.throttle.succeeded(from, name)
			return u, true, nil
		case wrong:
			// Counted at once, and looked at again in the same step, or many
			// attempts at the same time would all be compared before the first
			// is refused.
			if d := s.throttle.failedUnlessWaiting(from, name); d > 0 {
				return nil, false, throttledFor(d)
			}
			counted = true
		}
	}
	if err := s.slots.acquire(ctx); err != nil {
		return nil, false, err
	}
	defer s.slots.release()
	if !counted {
		// Those before us in the queue may have failed.
		if err := s.throttled(from, name); err != nil {
			return nil, false, err
		}
	}
	u, err = s.verify(ctx, name, password)
	switch {
	case err == nil:
		s.throttle.succeeded(from, name)
	case isBad(err) && !counted:
		s.throttle.failed(from, name)
	}
	return u, false, err
}

// badLogin is ErrBadCredentials with what only the log may know.
type badLogin struct{ noUser bool }

func (badLogin) Error() string { return ErrBadCredentials.Error() }
func (badLogin) Unwrap() error { return ErrBadCredentials }

func isBad(err error) bool { return errors.Is(err, ErrBadCredentials) }

func (s *Store) throttled(from netip.Addr, name string) error {
	if d := s.throttle.wait(from, name); d > 0 {
		return throttledFor(d)
	}
	return nil
}

// throttledFor rounds up to whole seconds, as Retry-After has them.
func throttledFor(d time.Duration) error {
	return &ThrottledError{RetryAfter: (d + time.Second - 1).Truncate(time.Second)}
}

// verify computes the hash and brings its stored form up to date. It runs with a
// slot held.
func (s *Store) verify(ctx context.Context, name, password string) (*user, error) {
	for range 3 {
		u, err := s.lookup(ctx, name)
		if errors.Is(err, ErrNoUser) {
			s.pad(nil, name, password)
			return nil, badLogin{noUser: true}
		}
		if err != nil {
			return nil, err
		}
		if s.cache.check(name, u.stored, password) == right { // by a login before us in the queue
			return u, nil
		}
		if u.err != nil {
			s.log.ErrorContext(ctx, "stored password cannot be used", "user", logName(name), "err", u.err)
		}
		if u.err != nil || !u.hash.verify(name, password) {
			s.pad(u, name, password)
			return nil, badLogin{}
		}
		if !u.static && !u.hash.current(s.o.KeepLegacyHashes) {
			stored := newHash(name, password, s.o.KeepLegacyHashes)
			same, err := s.upgrade(ctx, name, u.stored, stored)
			if !same {
				continue // somebody else changed it: look again
			}
			if err != nil {
				s.log.WarnContext(ctx, "password hash not upgraded", "user", logName(name), "err", err)
			} else {
				u = newUser(stored)
			}
		}
		s.cache.put(name, u.stored, password)
		return u, nil
	}
	return nil, badLogin{}
}

// pad makes a failed login take as long for a user who does not exist, or whose
// hash is quick, as for one whose hash is of today's form. With users of the
// environment only, the slowest of theirs is the measure.
func (s *Store) pad(u *user, name, password string) {
	if s.dummy.scheme == 0 || u != nil && u.err == nil && u.hash.scheme == s.dummy.scheme {
		return
	}
	s.dummy.verify(name, password)
}

// hash makes a stored password, in a slot of those that bound hashing.
func (s *Store) hash(ctx context.Context, name, password string) (string, error) {
	if err := s.slots.acquire(ctx); err != nil {
		return "", err
	}
	defer s.slots.release()
	return newHash(name, password, s.o.KeepLegacyHashes), nil
}

// slots bounds how many hashes are computed at once, and how many wait for it.
type slots struct {
	free    chan struct{}
	waiting atomic.Int32
	ended   func() // called when the last hash has ended
}

// maxWaiting logins queue for a slot; at 25 ms each that is some 10 s of work
// for one CPU, less than any client's patience.
const maxWaiting = 400

func newSlots(n int, ended func()) *slots { return &slots{free: make(chan struct{}, n), ended: ended} }

func (s *slots) acquire(ctx context.Context) error {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaiting {
		return &ThrottledError{RetryAfter: 5 * time.Second}
	}
	select {
	case s.free <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release ends a hash. One leaves megabytes of garbage, which matters to a small
// server when no other hash is about to use them.
func (s *slots) release() {
	<-s.free
	if len(s.free) == 0 && s.waiting.Load() == 0 && s.ended != nil {
		s.ended()
	}
}

// logLogin writes the lines that Login documents.
func (s *Store) logLogin(ctx context.Context, name string, from netip.Addr, client string, err error) {
	level := slog.LevelWarn
	if err == nil {
		level = slog.LevelInfo
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	name = logName(name)
	result := "failure"
	var bad badLogin
	var throttled *ThrottledError
	switch {
	case err == nil:
		result = "success"
		s.log.InfoContext(ctx, "Authentication succeeded for user "+name)
	case errors.As(err, &throttled):
		result = "throttled"
	case errors.As(err, &bad) && bad.noUser:
		s.log.InfoContext(ctx, "Authentication failed for nonexistent user "+name+".")
	case isBad(err):
		s.log.InfoContext(ctx, "Authentication failed for user "+name)
	default: // the server's fault: the caller logs it
		return
	}
	s.log.Log(ctx, level, "login", "event", "login", "result", result, "user", name, "addr", addrString(from), "client", logName(client))
}
