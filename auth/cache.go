package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// loginCache remembers that a password was right, so that several devices (or a
// script, or an API client) logging in one after another cost one hash.
//
// What it holds is no password but an HMAC-SHA256 of it under a random key that
// never leaves the process. Whoever reads the process's memory could test
// passwords quickly with it, but could as well read them as they arrive; whoever
// reads the disk gains nothing. An entry names the stored hash it was verified
// against, so that any change of the password, by whatever process, makes it
// void. Wrong passwords are not remembered and take their full time, and
// throttling comes before the cache: it is no way around the limits.
type loginCache struct {
	ttl    time.Duration
	now    func() time.Time
	secret [sha256.Size]byte

	mu sync.Mutex
	m  map[string]cachedLogin
}

type cachedLogin struct {
	stored string
	mac    []byte
	until  time.Time
}

// maxCachedLogins bounds the cache: some 400 bytes each.
const maxCachedLogins = 1024

func newLoginCache(ttl time.Duration, now func() time.Time) *loginCache {
	c := &loginCache{ttl: ttl, now: now, m: make(map[string]cachedLogin)}
	rand.Read(c.secret[:]) //nolint:errcheck // never fails
	return c
}

func (c *loginCache) mac(password string) []byte {
	m := hmac.New(sha256.New, c.secret[:])
	m.Write([]byte(password))
	return m.Sum(nil)
}

// verdict of the cache on a password.
type verdict int

const (
	unknown verdict = iota // nothing is known about the stored hash
	right
	wrong // another password was verified against the stored hash
)

func (c *loginCache) check(name, stored, password string) verdict {
	if c.ttl <= 0 {
		return unknown
	}
	c.mu.Lock()
	e, ok := c.m[name]
	if now := c.now(); ok && (e.stored != stored || now.After(e.until) || now.Before(e.until.Add(-c.ttl))) {
		delete(c.m, name)
		ok = false
	}
	c.mu.Unlock()
	switch {
	case !ok:
		return unknown
	case hmac.Equal(e.mac, c.mac(password)):
		return right
	}
	return wrong
}

// put notes that password was verified against stored.
func (c *loginCache) put(name, stored, password string) {
	if c.ttl <= 0 {
		return
	}
	e := cachedLogin{stored: stored, mac: c.mac(password), until: c.now().Add(c.ttl)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.m[name]; !ok && len(c.m) >= maxCachedLogins {
		for old := range c.m {
			delete(c.m, old)
			break
		}
	}
	c.m[name] = e
}
