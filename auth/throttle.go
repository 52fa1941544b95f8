package auth

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Limits of guessing. Failures are counted in three places:
//
//   - per address and user: freePair failures are free, then each next one
//     doubles the wait, from pairDelay to maxDelay
//   - per address (an IPv6 /64), over all users: likewise from freeAddr and
//     addrDelay. Not for loopback and unknown addresses, behind which a proxy
//     hides everybody.
//   - per user, over all addresses: beyond hotUser failures an address has only
//     one free failure and starts at hotDelay. This slows down many addresses
//     that guess one password, and never shuts out: an address that has not
//     failed is always let in, whatever others did.
//
// An address from which the user has logged in before is exempt from what other
// users and other addresses did. Success forgets the pair's failures, and an
// hour without one forgets all. Waiting is not enforced by holding the request:
// it is refused at once, before any hashing, and does not count as a failure.
const (
	freePair    = 5
	pairDelay   = time.Second
	freeAddr    = 20
	addrDelay   = 2 * time.Second
	hotUser     = 50
	freePairHot = 1
	hotDelay    = 30 * time.Second
	maxDelay    = 15 * time.Minute
	forget      = time.Hour
	// maxCounters bounds the memory: per map, some 100 bytes each.
	maxCounters = 10_000
)

type throttle struct {
	now  func() time.Time
	seed maphash.Seed

	mu    sync.Mutex
	pairs map[pairKey]*counter
	addrs map[netip.Prefix]*counter
	users map[uint64]*counter
}

// pairKey holds a hash of the user's name, so that long names cost nothing.
type pairKey struct {
	addr netip.Prefix
	user uint64
}

type counter struct {
	failures int
	last     time.Time // of a failure, or of a success
	good     bool      // pairs: the user logged in from here
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{
		now: now, seed: maphash.MakeSeed(),
		pairs: make(map[pairKey]*counter), addrs: make(map[netip.Prefix]*counter), users: make(map[uint64]*counter),
	}
}

// network is what counts as one address: an IPv6 customer has at least a /64.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() && !a.IsLoopback() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address at all, e.g. a unix socket
	}
	return p
}

func shared(p netip.Prefix) bool { return !p.IsValid() || p.Addr().IsLoopback() }

func (t *throttle) key(from netip.Addr, user string) pairKey {
	return pairKey{addr: network(from), user: maphash.String(t.seed, user)}
}

// wait returns how long the next attempt must wait; 0 is not at all.
func (t *throttle) wait(from netip.Addr, user string) time.Duration {
	k := t.key(from, user)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waitLocked(k, t.now())
}

func (t *throttle) waitLocked(k pairKey, now time.Time) time.Duration {
	pair := live(t.pairs, k, now)
	good := pair != nil && pair.good

	free, delay := freePair, pairDelay
	if c := live(t.users, k.user, now); c != nil && c.failures >= hotUser && !good {
		free, delay = freePairHot, hotDelay
	}
	wait := backOff(pair, free, delay, now)
	if !good && !shared(k.addr) {
		wait = max(wait, backOff(live(t.addrs, k.addr, now), freeAddr, addrDelay, now))
	}
	return wait
}

// backOff is what is left of the wait after a counter's last failure.
func backOff(c *counter, free int, delay time.Duration, now time.Time) time.Duration {
	if c == nil || c.failures < free {
		return 0
	}
	d := maxDelay
	if n := c.failures - free; n < 20 {
		d = min(delay<<n, maxDelay)
	}
	// The upper bound is for a clock that was set back.
	return min(max(0, c.last.Add(d).Sub(now)), d)
}

// live returns a counter that is not forgotten yet, or nil.
func live[K comparable](m map[K]*counter, k K, now time.Time) *counter {
	c := m[k]
	if c != nil && now.Sub(c.last) >= forget {
		if !c.good {
			delete(m, k)
			return nil
		}
		c.failures = 0
	}
	return c
}

// failed counts a wrong password.
func (t *throttle) failed(from netip.Addr, user string) {
	k := t.key(from, user)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failedLocked(k, t.now())
}

// failedUnlessWaiting is wait and, if that is 0, failed, with no other attempt
// in between.
func (t *throttle) failedUnlessWaiting(from netip.Addr, user string) time.Duration {
	k := t.key(from, user)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	d := t.waitLocked(k, now)
	if d == 0 {
		t.failedLocked(k, now)
	}
	return d
}

func (t *throttle) failedLocked(k pairKey, now time.Time) {
	pair := count(t.pairs, k, now)
	if !shared(k.addr) {
		count(t.addrs, k.addr, now)
	}
	if !pair.good {
		count(t.users, k.user, now)
	}
}

func count[K comparable](m map[K]*counter, k K, now time.Time) *counter {
	c := live(m, k, now)
	if c == nil {
		c = new(counter)
		makeRoom(m)
		m[k] = c
	}
	c.failures++
	c.last = now
	return c
}

// makeRoom drops the idlest of a few counters of a full map.
func makeRoom[K comparable](m map[K]*counter) {
	if len(m) < maxCounters {
		return
	}
	var victim K
	var idlest *counter
	n := 0
	for k, c := range m {
		if idlest == nil || c.last.Before(idlest.last) {
			victim, idlest = k, c
		}
		if n++; n == 16 {
			break
		}
	}
	delete(m, victim)
}

// succeeded forgets the failures of a pair. Those of the address stay: else an
// attacker with an account of his own could clear them at will.
func (t *throttle) succeeded(from netip.Addr, user string) {
	k := t.key(from, user)
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.pairs[k]
	if c == nil {
		c = new(counter)
		makeRoom(t.pairs)
		t.pairs[k] = c
	}
	*c = counter{good: true, last: t.now()}
}
