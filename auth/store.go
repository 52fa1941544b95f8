package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the official server's keys are made with it
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"
)

// Store holds users and host keys. Its methods may be called from many
// goroutines; several processes may have Stores on the same files.
type Store struct {
	o        Options
	log      *slog.Logger
	now      func() time.Time
	users    *userTable // nil without AuthDB
	keys     keyStore
	static   map[string]*user
	official map[keyHash]string // host keys of the official server -> user
	dummy    passwordHash       // see pad
	throttle *throttle
	cache    *loginCache
	slots    *slots
	active   activity
	guesses  guesses
}

// Open opens the tables, in whichever form they are, and makes those that are
// missing, readable by their owner only. It computes no hash.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, err
	}
	if o.AuthDB != "" {
		s.users = newUserTable(o.AuthDB)
		if err := s.users.open(ctx, !o.MustExist); err != nil {
			return nil, err
		}
	}
	s.keys = newMemoryKeys()
	if o.SessionDB != "" {
		f := newFileKeys(o.SessionDB)
		// If both are gone, their disk is: then no device may hear that it is unknown.
		f.remake = func() bool {
			if o.AuthDB == "" {
				return true
			}
			_, err := os.Stat(o.AuthDB)
			return err == nil
		}
		err := f.open(ctx, !o.MustExist)
		switch {
		case err == nil:
			s.keys = f
		case !o.MustExist || !errors.Is(err, fs.ErrNotExist):
			if s.users != nil {
				err = errors.Join(err, s.users.close())
			}
			return nil, err
		}
	}
	return s, nil
}

func newStore(o Options) (*Store, error) {
	switch {
	case o.AllowAnyone && (o.AuthDB != "" || len(o.StaticUsers) > 0):
		return nil, fmt.Errorf("auth: anyone is allowed in, but there are users with passwords: one of the two must go")
	case !o.AllowAnyone && o.AuthDB == "" && len(o.StaticUsers) == 0:
		return nil, fmt.Errorf("%w: without one everybody would be let in with any password, which must be asked for explicitly", ErrNoUserTable)
	}
	if o.MaxDevices <= 0 {
		o.MaxDevices = DefaultMaxDevices
	}
	if o.MaxHashes <= 0 {
		o.MaxHashes = min(runtime.GOMAXPROCS(0), 4)
	}
	if o.LoginCacheTTL == 0 {
		o.LoginCacheTTL = DefaultLoginCacheTTL
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		o: o, log: o.Log, now: o.Now,
		throttle: newThrottle(o.Now), cache: newLoginCache(o.LoginCacheTTL, o.Now), slots: newSlots(o.MaxHashes, o.GiveBack),
	}
	if o.AuthDB != "" {
		s.dummy = dummyArgon()
	}
	return s, s.addStatic(o.StaticUsers)
}

func (s *Store) addStatic(users []StaticUser) error {
	s.static = make(map[string]*user, len(users))
	s.official = make(map[keyHash]string, len(users))
	for _, su := range users {
		h, err := su.parse()
		if err != nil {
			return err
		}
		if s.static[su.Name] != nil {
			return fmt.Errorf("auth: user %q is defined twice in the environment", su.Name)
		}
		u := &user{static: true, stored: "plain " + su.Password, hash: h}
		secret := su.Password
		if su.PHC != "" {
			u.stored, secret = "phc "+su.PHC, su.PHC
			if s.users == nil && s.o.AuthDB == "" && (s.dummy.scheme == 0 || h.rounds > s.dummy.rounds) {
				s.dummy = h
			}
		}
		s.static[su.Name] = u
		sum := sha1.Sum([]byte(su.Name + ":" + secret)) //nolint:gosec // as above
		s.official[hashKey(hex.EncodeToString(sum[:]))] = su.Name
	}
	return nil
}

// Valid reports why Open would refuse this user, or nil. It computes no hash.
func (su StaticUser) Valid() error {
	_, err := su.parse()
	return err
}

func (su StaticUser) parse() (passwordHash, error) {
	if err := ValidUserName(su.Name); err != nil {
		return passwordHash{}, err
	}
	if su.PHC == "" {
		return plainHash(su.Password), nil
	}
	h, err := parseHash(su.PHC)
	if err != nil {
		return h, fmt.Errorf("user %q of the environment: %w", su.Name, err)
	}
	return h, nil
}

// Close writes what is still to be written and closes the tables.
func (s *Store) Close() error {
	err := s.flush(context.Background(), true)
	if s.users != nil {
		err = errors.Join(err, s.users.close())
	}
	return errors.Join(err, s.keys.close())
}

// Session returns the session of a host key, or ErrUnknownKey if there is none,
// if it was revoked, or if its user is gone. As long as nothing changed it costs
// two looks at file versions and two at maps.
func (s *Store) Session(ctx context.Context, hkey string) (Session, error) {
	if hkey == "" || len(hkey) > maxHostKey {
		return Session{}, ErrUnknownKey
	}
	k, err := s.find(ctx, hkey)
	if err != nil {
		return Session{}, err
	}
	sess, err := s.session(ctx, k, hkey)
	if k.cred != "" && errors.Is(err, ErrUnknownKey) {
		// Between the two looks the password may have got its new form (see upgrade).
		if k, err = s.find(ctx, hkey); err != nil {
			return Session{}, err
		}
		return s.session(ctx, k, hkey)
	}
	return sess, err
}

// find returns the key, whose user may not exist any more.
func (s *Store) find(ctx context.Context, hkey string) (*key, error) {
	if len(s.official) > 0 {
		h := hashKey(hkey)
		if name, ok := s.official[h]; ok {
			return s.keys.derived(ctx, h, name, KindOfficial, "")
		}
	}
	if s.o.AcceptRSKeys && s.users != nil && len(hkey) == legacyLen {
		name, err := s.users.owner(ctx, hkey)
		if err == nil {
			return s.keys.derived(ctx, hashKey(hkey), name, KindRS, hkey)
		}
		if !errors.Is(err, ErrNoUser) {
			return nil, err
		}
	}
	return s.keys.lookup(ctx, hkey)
}

// session checks a key against its user as of now.
func (s *Store) session(ctx context.Context, k *key, secret string) (Session, error) {
	cred := ""
	if !s.o.AllowAnyone {
		u, err := s.lookup(ctx, k.user)
		if errors.Is(err, ErrNoUser) {
			return Session{}, ErrUnknownKey
		}
		if err != nil {
			return Session{}, err
		}
		if k.follows != "" && k.follows != u.stored {
			return Session{}, ErrUnknownKey
		}
		if !u.static && !s.o.KeepSessionsOnPasswordChange {
			if k.cred != "" && !credHas(k.cred, u.cred) {
				return Session{}, ErrUnknownKey
			}
			cred = u.cred
		}
		if k.proof != "" && u.static && !s.o.KeepSessionsOnPasswordChange && !k.proven.Load() {
			if !hmac.Equal([]byte(keyProof(secret, u.stored)), []byte(k.proof)) {
				return Session{}, ErrUnknownKey
			}
			k.proven.Store(true)
		}
	} else if ValidUserName(k.user) != nil {
		return Session{}, ErrUnknownKey
	}
	if err := s.admit(ctx, k.user, ErrUnknownKey); err != nil {
		return Session{}, err
	}
	return Session{User: k.user, SK: secret, ID: k.id, seen: k.seen, cred: cred}, nil
}

// skLen is the length of the Python servers' media session keys.
const skLen = 8

// SessionBySK returns the session of a media session key: the host key itself,
// or one that a Python server gave out (docs/compat.md §2.5).
func (s *Store) SessionBySK(ctx context.Context, sk string) (Session, error) {
	if len(sk) != skLen {
		return s.Session(ctx, sk)
	}
	if !s.guesses.allowed(s.now()) {
		return Session{}, ErrUnknownKey
	}
	k, err := s.keys.lookupSK(ctx, sk)
	if errors.Is(err, ErrUnknownKey) {
		s.guesses.missed()
	}
	if err != nil {
		return Session{}, err
	}
	return s.session(ctx, k, sk)
}

// guesses bounds how often an unknown short key may be tried: they have 32 bits
// only, which can be guessed. They are needed for nothing but a media sync that
// was under way when the servers were changed, so a limit that an attacker can
// use up does no harm.
type guesses struct {
	mu    sync.Mutex
	since time.Time
	n     int
}

const maxGuesses = 1000 // an hour

func (g *guesses) allowed(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if d := now.Sub(g.since); d >= time.Hour || d < 0 {
		g.since, g.n = now, 0
	}
	return g.n < maxGuesses
}

func (g *guesses) missed() {
	g.mu.Lock()
	g.n++
	g.mu.Unlock()
}
