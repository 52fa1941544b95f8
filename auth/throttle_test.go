package auth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestThrottlePair(t *testing.T) {
	c := newClock()
	th := newThrottle(c.now)
	for range freePair {
		if d := th.wait(home, "alice"); d != 0 {
			t.Fatalf("wait %s while free", d)
		}
		th.failed(home, "alice")
	}
	// Doubles up to the limit; each wait is served in full.
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900} {
		want *= time.Second
		if d := th.wait(home, "alice"); d != want {
			t.Fatalf("wait %s, want %s", d, want)
		}
		c.add(want - 1)
		if d := th.wait(home, "alice"); d != 1 {
			t.Fatalf("%s left, want 1ns", d)
		}
		c.add(1)
		if d := th.wait(home, "alice"); d != 0 {
			t.Fatalf("wait %s after waiting", d)
		}
		th.failed(home, "alice")
	}
	for _, other := range []struct {
		addr netip.Addr
		user string
	}{{away, "alice"}, {home, "bob"}} {
		if d := th.wait(other.addr, other.user); d != 0 {
			t.Errorf("wait of %v: %s", other, d)
		}
	}
	c.add(maxDelay)
	th.succeeded(home, "alice")
	for range freePair {
		th.failed(home, "alice")
	}
	if d := th.wait(home, "alice"); d != time.Second {
		t.Errorf("wait after a success and %d failures: %s", freePair, d)
	}
	c.add(forget)
	th.failed(home, "alice")
	if d := th.wait(home, "alice"); d != 0 {
		t.Errorf("wait an hour later: %s", d)
	}
}

func TestThrottleAddress(t *testing.T) {
	c := newClock()
	th := newThrottle(c.now)
	th.succeeded(home, "alice")
	for i := range freeAddr {
		th.failed(home, fmt.Sprint("user", i))
	}
	if d := th.wait(home, "somebody"); d != addrDelay {
		t.Errorf("wait %s, want %s", d, addrDelay)
	}
	if d := th.wait(home, "alice"); d != 0 {
		t.Errorf("a user known from this address waits %s", d)
	}
	if d := th.wait(away, "somebody"); d != 0 {
		t.Errorf("another address waits %s", d)
	}
	// An account of the attacker's own clears nothing.
	th.succeeded(home, "mallory")
	if d := th.wait(home, "somebody"); d != addrDelay {
		t.Errorf("wait after a success of another user: %s", d)
	}

	// An IPv6 customer has a /64.
	for i := range freeAddr {
		th.failed(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)), fmt.Sprint("user", i))
	}
	if d := th.wait(netip.MustParseAddr("2001:db8::ffff:1"), "somebody"); d == 0 {
		t.Error("another address of the same /64 does not wait")
	}
	if d := th.wait(netip.MustParseAddr("2001:db8:0:1::1"), "somebody"); d != 0 {
		t.Errorf("another /64 waits %s", d)
	}
	if network(netip.MustParseAddr("::ffff:192.0.2.7")) != network(home) {
		t.Error("an IPv4-mapped address is another")
	}

	// A proxy that says nothing hides everybody behind loopback.
	for _, a := range []netip.Addr{{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")} {
		for i := range 2 * freeAddr {
			th.failed(a, fmt.Sprint("user", i))
		}
		if d := th.wait(a, "somebody"); d != 0 {
			t.Errorf("somebody behind %v waits %s", a, d)
		}
		for range freePair {
			th.failed(a, "alice")
		}
		if d := th.wait(a, "alice"); d == 0 {
			t.Errorf("guessing one user behind %v is free", a)
		}
	}
}

// Many addresses that guess one user's password are slowed down; the user is
// not shut out.
func TestThrottleUser(t *testing.T) {
	c := newClock()
	th := newThrottle(c.now)
	th.succeeded(home, "alice")
	for i := range hotUser {
		th.failed(netip.AddrFrom4([4]byte{10, 0, byte(i / 250), byte(i % 250)}), "alice")
	}
	if d := th.wait(home, "alice"); d != 0 {
		t.Errorf("the user waits %s at a known address", d)
	}
	if d := th.wait(away, "alice"); d != 0 {
		t.Errorf("the user waits %s at a new address", d)
	}
	th.failed(away, "alice")
	if d := th.wait(away, "alice"); d != hotDelay {
		t.Errorf("after one failure from a new address: wait %s, want %s", d, hotDelay)
	}
	if d := th.wait(away, "bob"); d != 0 {
		t.Errorf("another user waits %s", d)
	}
	th.failed(home, "alice")
	if d := th.wait(home, "alice"); d != 0 {
		t.Errorf("one slip at a known address: wait %s", d)
	}
	c.add(forget)
	th.failed(away, "alice")
	if d := th.wait(away, "alice"); d != 0 {
		t.Errorf("an hour later: wait %s", d)
	}
}

func TestThrottleMemory(t *testing.T) {
	c := newClock()
	th := newThrottle(c.now)
	for i := range maxCounters + 5000 {
		c.add(time.Millisecond)
		a := netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 1})
		th.failed(a, fmt.Sprint(i))
		th.succeeded(a, fmt.Sprint(i, "x"))
	}
	for name, n := range map[string]int{"pairs": len(th.pairs), "addrs": len(th.addrs), "users": len(th.users)} {
		if n > maxCounters {
			t.Errorf("%d %s", n, name)
		}
	}
}

func TestThrottleClockSetBack(t *testing.T) {
	c := newClock()
	th := newThrottle(c.now)
	for range freePair {
		th.failed(home, "alice")
	}
	c.add(-24 * time.Hour)
	if d := th.wait(home, "alice"); d != pairDelay {
		t.Errorf("wait %s after the clock was set back", d)
	}
}
