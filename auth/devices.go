package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// flushDelay is how long sightings are gathered, to be written together.
const flushDelay = time.Minute

// maxSightings is how many are gathered at most.
const maxSightings = 1000

// activity gathers which devices were active, for one write a day and device:
// memory cards wear out.
type activity struct {
	mu      sync.Mutex
	pending []sighting
	derived map[string]sighting // by id; these have no row to write to
	timer   *time.Timer
	closed  bool
}

// Seen notes that a device was active. It is cheap, and written to disk at most
// once a day for each device, together with others, within a minute. Call it
// when a sync begins.
func (s *Store) Seen(sess Session, from netip.Addr, client string) {
	if sess.seen == nil {
		return
	}
	now := s.now()
	today := now.Unix() / secondsPerDay
	bind := sess.cred != "" && sess.seen.unbound.Load() && sess.seen.unbound.CompareAndSwap(true, false)
	// Another day, not a later one: a clock may have been far ahead.
	if was := sess.seen.day.Load(); !bind && (was == today || !sess.seen.day.CompareAndSwap(was, today)) {
		return
	}
	g := sighting{seen: sess.seen, at: now, client: cleanClient(client), addr: addrString(from)}
	if bind {
		sess.seen.day.Store(today)
		g.cred = sess.cred
	}
	a := &s.active
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if _, _, ok := parseDerivedID(g.id); ok {
		if a.derived == nil {
			a.derived = make(map[string]sighting)
		}
		if len(a.derived) < maxSightings {
			a.derived[g.id] = g
		}
		return
	}
	a.pending = append(a.pending, g)
	delay := flushDelay
	if len(a.pending) >= maxSightings {
		delay = 0
	}
	if a.timer == nil {
		a.timer = time.AfterFunc(delay, func() { _ = s.flush(context.Background(), false) })
	} else if delay == 0 {
		a.timer.Reset(0)
	}
}

// flush writes what was gathered. What cannot be written is dropped: it is only
// worth a line in the log.
func (s *Store) flush(ctx context.Context, closing bool) error {
	a := &s.active
	a.mu.Lock()
	pending := a.pending
	a.pending = nil
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	a.closed = a.closed || closing
	a.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	err := s.keys.saw(ctx, pending)
	if err != nil && !(errors.Is(err, errClosed) && !closing) {
		s.log.WarnContext(ctx, "last use of devices not stored", "devices", len(pending), "err", err)
	}
	return err
}

// Devices returns the devices of a user, or of all users if the name is empty,
// in the order they were made. Keys of users who are gone are not among them.
func (s *Store) Devices(ctx context.Context, user string) ([]Device, error) {
	ds, refused, err := s.keys.list(ctx, user)
	if err != nil {
		return nil, err
	}
	derived, err := s.derivedDevices(ctx, user)
	if err != nil {
		return nil, err
	}
	out := make([]Device, 0, len(ds)+len(derived))
	for _, d := range append(ds, derived...) {
		ok, err := s.HasUser(ctx, d.User)
		if err != nil {
			return nil, err
		}
		if ok && !refused[d.ID] {
			out = append(out, d)
		}
	}
	s.active.mu.Lock()
	defer s.active.mu.Unlock()
	latest := make(map[string]sighting, len(s.active.pending))
	for _, g := range s.active.pending {
		latest[g.id] = g
	}
	for i := range out {
		g, ok := s.active.derived[out[i].ID]
		if !ok {
			g, ok = latest[out[i].ID]
		}
		if !ok {
			continue
		}
		out[i].LastSeen, out[i].Addr = g.at.UTC().Truncate(time.Second), g.addr
		if g.client != "" {
			out[i].Client = g.client
		}
	}
	return out, nil
}

// derivedDevices lists the keys that follow from passwords: one for all devices
// of a user that still hold it.
func (s *Store) derivedDevices(ctx context.Context, user string) ([]Device, error) {
	var out []Device
	for name := range s.static {
		if user == "" || user == name {
			out = append(out, Device{ID: derivedID(KindOfficial, name), User: name, Kind: KindOfficial})
		}
	}
	if s.o.AcceptRSKeys && s.users != nil {
		names := []string{user}
		if user == "" {
			var err error
			if names, err = s.Users(ctx); err != nil {
				return nil, err
			}
		}
		for _, name := range names {
			u, err := s.lookup(ctx, name)
			if errors.Is(err, ErrNoUser) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if !u.static && u.err == nil && u.hash.scheme == schemeLegacy {
				out = append(out, Device{ID: derivedID(KindRS, name), User: name, Kind: KindRS})
			}
		}
	}
	slices.SortFunc(out, func(a, b Device) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out, nil
}

// RevokeDevice makes the host key of a device invalid at once. The id is that
// of Devices or Session; ErrNoDevice if there is none.
func (s *Store) RevokeDevice(ctx context.Context, id string) error {
	kind, name, ok := parseDerivedID(id)
	if !ok {
		return s.keys.removeID(ctx, id)
	}
	ds, err := s.Devices(ctx, name)
	if err != nil {
		return err
	}
	if name == "" || !slices.ContainsFunc(ds, func(d Device) bool { return d.ID == id }) {
		return ErrNoDevice
	}
	return s.keys.refuse(ctx, name, kind)
}

// RevokeUser makes all host keys of a user invalid at once and says how many
// there were. Keys that follow from the password (of the official server and of
// ankisyncd-rs) stay invalid for good; a new login gives a new key.
func (s *Store) RevokeUser(ctx context.Context, name string) (n int, err error) {
	ok, err := s.HasUser(ctx, name)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, ErrNoUser
	}
	ds, err := s.derivedDevices(ctx, name)
	if err != nil {
		return 0, err
	}
	kinds := make([]Kind, 0, 2)
	for _, d := range ds {
		kinds = append(kinds, d.Kind)
	}
	_, refused, err := s.keys.list(ctx, name)
	if err != nil {
		return 0, err
	}
	for _, d := range ds {
		if !refused[d.ID] {
			n++
		}
	}
	if err := s.keys.refuse(ctx, name, kinds...); err != nil {
		return 0, fmt.Errorf("revoke keys of %q: %w", name, err)
	}
	rows, err := s.keys.removeUser(ctx, name)
	return n + rows, err
}

// Logout makes one host key invalid; ErrUnknownKey if it is not valid.
func (s *Store) Logout(ctx context.Context, hkey string) error {
	sess, err := s.Session(ctx, hkey)
	if err != nil {
		return err
	}
	if kind, name, ok := parseDerivedID(sess.ID); ok {
		return s.keys.refuse(ctx, name, kind)
	}
	return s.keys.remove(ctx, hkey)
}
