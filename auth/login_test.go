package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func storedHash(t *testing.T, s *Store, name string) string {
	t.Helper()
	return query(t, s.o.AuthDB, `SELECT hash FROM auth WHERE username = ?`, name)
}

func TestKeepLegacyHashes(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	plain := open(t, o)
	o.KeepLegacyHashes = true
	s := open(t, o)
	before := storedHash(t, s, "alice")
	login(t, s, "alice", "alice-pw")
	if after := storedHash(t, s, "alice"); after != before {
		t.Errorf("hash changed to %s", after)
	}
	mustAdd(t, s, "dave", "davepw")
	if err := s.SetPassword(t.Context(), "carol", "new"); err != nil {
		t.Fatal(err)
	}
	for name, pw := range map[string]string{"dave": "davepw", "carol": "new"} {
		if h := storedHash(t, s, name); len(h) != 80 {
			t.Errorf("hash of %s: %s", name, h)
		}
		login(t, s, name, pw)
	}
	// The way back: a hash of today's form becomes an old one at the next login.
	login(t, plain, "bob@example.com", "пароль 1")
	if h := storedHash(t, s, "bob@example.com"); !strings.HasPrefix(h, "$argon2id$") {
		t.Fatalf("hash %s", h)
	}
	login(t, s, "bob@example.com", "пароль 1")
	if h := storedHash(t, s, "bob@example.com"); len(h) != 80 {
		t.Errorf("hash %s", h)
	}
	login(t, s, "bob@example.com", "пароль 1")
}

// The lines that fail2ban filters of the originals look for, and ours.
func TestLogLines(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	var log logBuffer
	o.Log = log.logger()
	s := open(t, o)
	ctx := t.Context()
	try := func(name, password, client string, want ...string) {
		t.Helper()
		_, _ = s.Login(ctx, name, password, home, client)
		if got := log.lines(); !slices.Equal(got, want) {
			t.Errorf("log of a login of %q:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	try("alice", "alice-pw", "anki,2.1.49,linux",
		`msg="Authentication succeeded for user alice"`,
		`msg=login event=login result=success user=alice addr=192.0.2.7 client=anki,2.1.49,linux`)
	try("alice", "secret", "x\ny",
		`msg="Authentication failed for user alice"`,
		`msg=login event=login result=failure user=alice addr=192.0.2.7 client=x\u000ay`)
	try("nobody", "secret", "",
		`msg="Authentication failed for nonexistent user nobody."`,
		`msg=login event=login result=failure user=nobody addr=192.0.2.7 client=""`)
	try("bob@example.com", "пароль 1", "",
		`msg="Authentication succeeded for user bob@example.com"`,
		`msg=login event=login result=success user=bob@example.com addr=192.0.2.7 client=""`)
	for range freePair {
		_, _ = s.Login(ctx, "carol", "no", home, "")
	}
	log.lines()
	try("carol", "carol-pw", "",
		`msg=login event=login result=throttled user=carol addr=192.0.2.7 client=""`)

	if err := s.Authenticate(ctx, "alice", "alice-pw", home, ""); err != nil {
		t.Error(err)
	}
	if got := log.lines(); len(got) != 1 || got[0] != "" {
		t.Errorf("log of a password known from before: %q", got)
	}
	wantErr(t, s.Authenticate(ctx, "alice", "no", home, ""), ErrBadCredentials)
	if got := log.lines(); len(got) != 2 {
		t.Errorf("log of a failed Authenticate: %q", got)
	}
}

// TestFailedLoginsAreWarnings: a log of warnings has what fail2ban looks for.
func TestFailedLoginsAreWarnings(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	var log logBuffer
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s := open(t, o)
	login(t, s, "alice", "alice-pw")
	if got := log.lines(); len(got) != 1 || got[0] != "" {
		t.Errorf("a login that succeeded: %q", got)
	}
	for i := range freePair + 1 {
		_, _ = s.Login(t.Context(), "carol", "no", home, "")
		want := " level=WARN msg=login event=login result=failure user=carol addr=192.0.2.7 "
		if i == freePair {
			want = strings.Replace(want, "failure", "throttled", 1)
		}
		if got := log.lines(); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("attempt %d: %q", i+1, got)
		}
	}
}

func TestLogName(t *testing.T) {
	for in, want := range map[string]string{
		"alice": "alice", "Jürgen Müller": "Jürgen Müller", "日本": "日本", "": "",
		"a\nAuthentication succeeded for user root": `a\u000aAuthentication succeeded for user root`,
		"a\r\x1b[31m": `a\u000d\u001b[31m`, "a\u2028b": `a\u2028b`, "a\u202eb": `a\u202eb`, "\xff\x00": `\xff\u0000`,
		"\uFFFD":                 "\uFFFD",
		strings.Repeat("ä", 200): strings.Repeat("ä", 127) + "…",
	} {
		if got := logName(in); got != want {
			t.Errorf("logName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestConcurrentLogins(t *testing.T) {
	for _, ttl := range []time.Duration{0, -1} {
		t.Run(fmt.Sprintf("ttl %d", ttl), func(t *testing.T) {
			o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
			o.LoginCacheTTL = ttl
			s := open(t, o)
			pw := map[string]string{"alice": "alice-pw", "bob@example.com": "пароль 1", "carol": "carol-pw"}
			var wg sync.WaitGroup
			var mu sync.Mutex
			keys := make(map[string]string)
			for range 16 {
				for name, pw := range pw {
					wg.Go(func() {
						k, err := s.Login(t.Context(), name, pw, home, anki)
						if err == nil {
							_, err = s.Session(t.Context(), k)
						}
						if err != nil {
							t.Errorf("%s: %v", name, err)
						}
						mu.Lock()
						keys[k] = name
						mu.Unlock()
					})
				}
			}
			wg.Wait()
			if len(keys) != 48 {
				t.Errorf("%d keys", len(keys))
			}
			for k, name := range keys {
				wantUser(t, s, k, name)
			}
		})
	}
}

// Whatever the order, no key that an old password opened outlives its change.
func TestLoginWhilePasswordChanges(t *testing.T) {
	o := dirOptions(t.TempDir())
	s, command := open(t, o), open(t, o)
	ctx := t.Context()
	mustAdd(t, s, "alice", "pw0")
	for i := range 10 {
		old, next := fmt.Sprintf("pw%d", i), fmt.Sprintf("pw%d", i+1)
		login(t, s, "alice", old) // logins from now on are quick
		var wg sync.WaitGroup
		var mu sync.Mutex
		var keys []string
		var stop atomic.Bool
		first := make(chan struct{}) // closed when there is a key, or will be none
		var once sync.Once
		for range 2 {
			wg.Go(func() {
				defer once.Do(func() { close(first) })
				for !stop.Load() {
					k, err := s.Login(ctx, "alice", old, home, anki)
					if err != nil {
						return
					}
					mu.Lock()
					keys = append(keys, k)
					mu.Unlock()
					once.Do(func() { close(first) })
				}
			})
		}
		<-first
		if err := command.SetPassword(ctx, "alice", next); err != nil {
			t.Fatal(err)
		}
		stop.Store(true)
		wg.Wait()
		if len(keys) == 0 {
			t.Error("nobody logged in meanwhile")
		}
		for _, k := range keys {
			wantGone(t, s, k)
		}
		s.throttle = newThrottle(time.Now)
	}
}

// Many requests with many keys while other processes write: nobody gets a wrong
// answer, and what was revoked stays so.
func TestConcurrentSessions(t *testing.T) {
	o := dirOptions(t.TempDir())
	o.KeepLegacyHashes = true // quick
	s, command := open(t, o), open(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var keys []string
	for i := range 8 {
		name := fmt.Sprintf("user%d", i)
		mustAdd(t, command, name, "pw")
		keys = append(keys, login(t, s, name, "pw"))
	}
	var revoked [8]atomic.Bool
	var wg sync.WaitGroup
	rounds := make(chan struct{}) // one for each round over all keys, if somebody waits for it
	for range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i = (i + 1) % len(keys) {
				was := revoked[i].Load()
				sess, err := s.Session(t.Context(), keys[i])
				switch {
				case err == nil && (was || sess.User != fmt.Sprintf("user%d", i)):
					t.Errorf("key %d: user %q, revoked %v", i, sess.User, was)
				case err != nil && (i >= 4 || !errors.Is(err, ErrUnknownKey)):
					t.Errorf("key %d: %v", i, err)
				}
				if i == 0 {
					select {
					case rounds <- struct{}{}:
					default:
						runtime.Gosched()
					}
				}
			}
		})
	}
	for i := range 4 {
		if _, err := s.Login(ctx, "user7", "pw", home, anki); err != nil {
			t.Error(err)
		}
		if i%2 == 0 {
			_, err := command.DeleteUser(ctx, fmt.Sprintf("user%d", i))
			if err != nil {
				t.Error(err)
			}
		} else if _, err := s.RevokeUser(ctx, fmt.Sprintf("user%d", i)); err != nil {
			t.Error(err)
		}
		revoked[i].Store(true)
		for range 20 {
			<-rounds
		}
	}
	cancel()
	wg.Wait()
	for i, k := range keys {
		if i < 4 {
			wantGone(t, s, k)
		} else {
			wantUser(t, s, k, fmt.Sprintf("user%d", i))
		}
	}
}

// TestNoUserEnumeration: whoever a failed login names, it costs one memory-hard
// hash, so its time tells nothing.
func TestNoUserEnumeration(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	o.StaticUsers = []StaticUser{{Name: "env", Password: "x"}}
	s := open(t, o)
	mustAdd(t, s, "new", "pw")
	login(t, s, "carol", "carol-pw") // in the cache
	for i, name := range []string{"new", "alice" /* old hash */, "carol", "env", "nobody", "../x", ""} {
		before := memoryHard.Load()
		_, err := s.Login(t.Context(), name, "wrong", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), anki)
		wantErr(t, err, ErrBadCredentials)
		if n := memoryHard.Load() - before; n != 1 {
			t.Errorf("%q: %d memory-hard hashes, want 1", name, n)
		}
	}
}

func TestThrottledLogin(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	o.KeepLegacyHashes = true
	c := newClock()
	o.Now = c.now
	s := open(t, o)
	ctx := t.Context()
	k := login(t, s, "alice", "alice-pw") // from home
	for range freePair {
		_, err := s.Login(ctx, "alice", "wrong", away, anki)
		wantErr(t, err, ErrBadCredentials)
	}
	_, err := s.Login(ctx, "alice", "alice-pw", away, anki)
	var throttled *ThrottledError
	if !errors.As(err, &throttled) || throttled.RetryAfter != time.Second {
		t.Fatalf("err = %v", err)
	}
	login(t, s, "alice", "alice-pw") // from home: not locked out
	wantUser(t, s, k, "alice")
	c.add(time.Second)
	if _, err := s.Login(ctx, "alice", "alice-pw", away, anki); err != nil {
		t.Fatal(err)
	}
}

// Attempts at the same time must not all be let through before the first has
// failed.
func TestThrottleConcurrent(t *testing.T) {
	for _, cached := range []bool{false, true} {
		o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
		o.MaxHashes = 2
		o.Now = newClock().now // stands still: no wait ends meanwhile
		s := open(t, o)
		if cached {
			login(t, s, "alice", "alice-pw")
		}
		var looked atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				_, err := s.Login(t.Context(), "alice", fmt.Sprint("guess", i), away, anki)
				if errors.Is(err, ErrBadCredentials) {
					looked.Add(1)
				} else if !errors.As(err, new(*ThrottledError)) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// One that is being hashed while another fails was let through before.
		most := freePair + o.MaxHashes - 1
		if cached {
			most = freePair
		}
		if n := int(looked.Load()); n < freePair || n > most {
			t.Errorf("cached %v: %d of 100 guesses were looked at, want %d to %d", cached, n, freePair, most)
		}
	}
}

func TestHashingIsBounded(t *testing.T) { synctest.Test(t, testHashingIsBounded) }

func testHashingIsBounded(t *testing.T) {
	s := newSlots(2, nil)
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		if err := s.acquire(ctx); err != nil {
			t.Fatal(err)
		}
	}
	errs := make(chan error, maxWaiting)
	for range maxWaiting {
		go func() { errs <- s.acquire(ctx) }()
	}
	synctest.Wait() // all of them wait
	if err := s.acquire(ctx); !errors.As(err, new(*ThrottledError)) {
		t.Errorf("a full queue: %v", err)
	}
	cancel()
	for range maxWaiting {
		wantErr(t, <-errs, context.Canceled)
	}
	s.release()
	if err := s.acquire(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLoginCache(t *testing.T) {
	clk := newClock()
	c := newLoginCache(time.Minute, clk.now)
	want := func(name, stored, password string, v verdict) {
		t.Helper()
		if got := c.check(name, stored, password); got != v {
			t.Errorf("check(%q, %q, %q) = %v, want %v", name, stored, password, got, v)
		}
	}
	want("alice", "h1", "pw", unknown)
	c.put("alice", "h1", "pw")
	want("alice", "h1", "pw", right)
	want("alice", "h1", "pW", wrong)
	want("bob", "h1", "pw", unknown)
	want("alice", "h2", "pw", unknown) // another hash: the password changed
	want("alice", "h1", "pw", unknown)
	c.put("alice", "h1", "pw")
	clk.add(time.Minute + 1)
	want("alice", "h1", "pw", unknown)
	c.put("alice", "h1", "pw")
	clk.add(-time.Hour) // set back: no longer life for it
	want("alice", "h1", "pw", unknown)
	for i := range 3 * maxCachedLogins {
		c.put(fmt.Sprint(i), "h", "pw")
	}
	if len(c.m) != maxCachedLogins {
		t.Errorf("%d entries", len(c.m))
	}
	off := newLoginCache(-1, clk.now)
	off.put("alice", "h1", "pw")
	if off.check("alice", "h1", "pw") != unknown || len(off.m) != 0 {
		t.Error("a cache that is off remembers")
	}
}
