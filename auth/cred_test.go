package auth

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"
)

// bothKeyStores runs f with host keys in a file and in memory.
func bothKeyStores(t *testing.T, f func(t *testing.T, o Options)) {
	for _, where := range []string{"file", "memory"} {
		t.Run(where, func(t *testing.T) {
			o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
			if where == "memory" {
				o.SessionDB = ""
			}
			f(t, o)
		})
	}
}

// TestChangedElsewhere: another program, as the Python servers' ankisyncctl, changes
// what stands in auth.db. Who has a key from before is out, until it is back.
func TestChangedElsewhere(t *testing.T) {
	elsewhere := newHash("alice", "other", true)
	for name, c := range map[string]struct {
		change []string
		keep   bool // KeepSessionsOnPasswordChange
		in     bool
	}{
		"a new password":                 {change: []string{`UPDATE auth SET hash = '` + elsewhere + `' WHERE username = 'alice'`}},
		"a new password, sessions kept":  {change: []string{`UPDATE auth SET hash = '` + elsewhere + `' WHERE username = 'alice'`}, keep: true, in: true},
		"deleted and made again":         {change: []string{`DELETE FROM auth WHERE username = 'alice'`, `INSERT INTO auth VALUES ('alice', '` + elsewhere + `')`}},
		"another user's password":        {change: []string{`UPDATE auth SET hash = '` + elsewhere + `' WHERE username <> 'alice'`}, in: true},
		"written anew, as it was before": {change: []string{`CREATE TEMP TABLE a AS SELECT * FROM auth`, `DELETE FROM auth`, `INSERT INTO auth SELECT * FROM a`}, in: true},
	} {
		t.Run(name, func(t *testing.T) {
			bothKeyStores(t, func(t *testing.T, o Options) {
				o.KeepSessionsOnPasswordChange = c.keep
				s := open(t, o)
				k := login(t, s, "alice", "alice-pw")
				before := query(t, o.AuthDB, `SELECT hash FROM auth WHERE username = 'alice'`)
				outside(t, o.AuthDB, strings.Join(c.change, ";"))
				if c.in {
					wantUser(t, s, k, "alice")
					return
				}
				wantGone(t, s, k)
				wantGone(t, s, k)
				outside(t, o.AuthDB, `UPDATE auth SET hash = '`+before+`' WHERE username = 'alice'`)
				wantUser(t, s, k, "alice")
				if o.SessionDB == "" {
					return
				}
				outside(t, o.AuthDB, `UPDATE auth SET hash = '`+elsewhere+`' WHERE username = 'alice'`)
				wantGone(t, open(t, o), k) // also after a restart
			})
		})
	}
}

// TestUpgradeKeepsDevices: a new form of the same password logs nobody out, in no
// process, and neither does going back to the old form with a backup.
func TestUpgradeKeepsDevices(t *testing.T) {
	bothKeyStores(t, func(t *testing.T, o Options) {
		o.KeepLegacyHashes = true
		s := open(t, o)
		k, k2 := login(t, s, "alice", "alice-pw"), login(t, s, "alice", "alice-pw")
		old := query(t, o.AuthDB, `SELECT hash FROM auth WHERE username = 'alice'`)
		s.o.KeepLegacyHashes = false
		s.cache.m = map[string]cachedLogin{}
		k3 := login(t, s, "alice", "alice-pw")
		if h := query(t, o.AuthDB, `SELECT hash FROM auth WHERE username = 'alice'`); !strings.HasPrefix(h, "$argon2id$") {
			t.Fatalf("hash %s", h)
		}
		for _, k := range []string{k, k2, k3} {
			wantUser(t, s, k, "alice")
		}
		if o.SessionDB != "" {
			wantUser(t, open(t, o), k, "alice")
		}
		outside(t, o.AuthDB, `UPDATE auth SET hash = '`+old+`' WHERE username = 'alice'`)
		wantUser(t, s, k, "alice")
		s.cache.m = map[string]cachedLogin{}
		login(t, s, "alice", "alice-pw") // once more
		wantUser(t, s, k, "alice")
		outside(t, o.AuthDB, `UPDATE auth SET hash = '`+newHash("alice", "other", false)+`' WHERE username = 'alice'`)
		for _, k := range []string{k, k2, k3} {
			wantGone(t, s, k)
		}
	})
}

// TestDevicesOfBefore: rows that say nothing of the password stay valid, and say it
// once the device has been seen.
func TestDevicesOfBefore(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	k := login(t, s, "alice", "alice-pw")
	s.Seen(wantUser(t, s, k, "alice"), home, anki)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	outside(t, o.SessionDB, `ALTER TABLE ankisyncd_device DROP COLUMN cred`)
	s = open(t, o)
	wantUser(t, s, k, "alice")
	s.Seen(wantUser(t, s, k, "alice"), home, anki) // on the same day
	if err := s.flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	wantUser(t, s, k, "alice")
	stored := storedHash(t, s, "alice")
	if got := query(t, o.SessionDB, `SELECT cred FROM ankisyncd_device`); got != credOf(stored) || strings.Contains(stored, got) {
		t.Errorf("cred is %q", got)
	}
	outside(t, o.AuthDB, `UPDATE auth SET hash = '`+newHash("alice", "other", false)+`' WHERE username = 'alice'`)
	wantGone(t, s, k)
}

// TestPythonRowsStay: whoever logged in to a Python server stays logged in, as
// there.
func TestPythonRowsStay(t *testing.T) {
	o := dirOptions(copyData(t, "ankisyncd-2.4.0"))
	c := newClock()
	o.Now = c.now
	s := open(t, o)
	const k = "6fd7d62734fe1531bafe62fe4f4bceba"
	s.Seen(wantUser(t, s, k, "alice"), home, anki)
	if err := s.flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	c.add(24 * time.Hour)
	outside(t, o.AuthDB, `UPDATE auth SET hash = '`+newHash("alice", "other", false)+`' WHERE username = 'alice'`)
	wantUser(t, s, k, "alice")
}

// TestSyncsDuringUpgrade: devices that sync at the moment at which a login gives the
// password its new form hear nothing of it.
func TestSyncsDuringUpgrade(t *testing.T) {
	bothKeyStores(t, func(t *testing.T, o Options) {
		o.KeepLegacyHashes = true
		s := open(t, o)
		k := login(t, s, "alice", "alice-pw")
		old := storedHash(t, s, "alice")
		for range 20 {
			later := newHash("alice", "alice-pw", true)
			var wg sync.WaitGroup
			upgraded := make(chan struct{})
			for range 4 {
				wg.Go(func() {
					for over := false; !over; {
						select {
						case <-upgraded:
							over = true
						default:
						}
						if _, err := s.Session(t.Context(), k); err != nil {
							t.Error(err)
						}
					}
				})
			}
			if same, err := s.upgrade(t.Context(), "alice", old, later); err != nil || !same {
				t.Error(same, err)
			}
			close(upgraded)
			wg.Wait()
			old = later
		}
	})
}

// TestUpgradeBetweenTwoLooks: the same, at the very moment between the look at the
// key and that at its user.
func TestUpgradeBetweenTwoLooks(t *testing.T) {
	bothKeyStores(t, func(t *testing.T, o Options) {
		o.KeepLegacyHashes = true
		s := open(t, o)
		k := login(t, s, "alice", "alice-pw")
		old := storedHash(t, s, "alice")
		s.keys = &slowKeys{keyStore: s.keys, then: func() {
			if same, err := s.upgrade(t.Context(), "alice", old, newHash("alice", "alice-pw", true)); err != nil || !same {
				t.Error(same, err)
			}
		}}
		wantUser(t, s, k, "alice")
	})
}

// slowKeys lets something happen once a key was found.
type slowKeys struct {
	keyStore
	then func()
}

func (s *slowKeys) lookup(ctx context.Context, hkey string) (*key, error) {
	k, err := s.keyStore.lookup(ctx, hkey)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return k, err
}
