package auth

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// memoryKeys keeps host keys as long as the process lives, as the Python servers
// do without session_db_path.
type memoryKeys struct {
	mu      sync.RWMutex
	m       map[keyHash]*memoryKey
	byUser  map[string]map[keyHash]bool
	refused map[string]bool // by derivedID
	made    int64           // orders keys of the same second
}

type memoryKey struct {
	key    *key
	device Device
	n      int64
}

func newMemoryKeys() *memoryKeys {
	return &memoryKeys{m: make(map[keyHash]*memoryKey), byUser: make(map[string]map[keyHash]bool), refused: make(map[string]bool)}
}

func (m *memoryKeys) lookup(_ context.Context, hkey string) (*key, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if k, ok := m.m[hashKey(hkey)]; ok {
		return k.key, nil
	}
	return nil, ErrUnknownKey
}

func (m *memoryKeys) derived(_ context.Context, h keyHash, user string, kind Kind, stored string) (*key, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.refused[derivedID(kind, user)] {
		return nil, ErrUnknownKey
	}
	k := newKey(h, user, kind, -1)
	k.follows = stored
	return k, nil
}

func (m *memoryKeys) lookupSK(context.Context, string) (*key, error) { return nil, ErrUnknownKey }

func (m *memoryKeys) add(_ context.Context, d newDevice, limit int) error {
	k := newKey(d.hash, d.user, KindDevice, d.at.Unix())
	k.cred, k.proof = d.cred, d.proof
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(d.hash, k, d.at, d.client, d.addr)
	own := m.byUser[d.user]
	for len(own) > limit {
		idlest := d.hash
		for h := range own {
			a, b := m.m[h], m.m[idlest]
			if cmp.Or(a.device.LastSeen.Compare(b.device.LastSeen), cmp.Compare(a.n, b.n)) < 0 {
				idlest = h
			}
		}
		m.drop(idlest)
	}
	return nil
}

func (m *memoryKeys) put(h keyHash, k *key, at time.Time, client, addr string) {
	m.made++
	m.m[h] = &memoryKey{key: k, n: m.made, device: Device{
		ID: k.id, User: k.user, Kind: k.kind, Created: at.Truncate(time.Second), LastSeen: at.Truncate(time.Second), Client: client, Addr: addr,
	}}
	if m.byUser[k.user] == nil {
		m.byUser[k.user] = make(map[keyHash]bool)
	}
	m.byUser[k.user][h] = true
}

func (m *memoryKeys) drop(h keyHash) {
	k, ok := m.m[h]
	if !ok {
		return
	}
	delete(m.m, h)
	delete(m.byUser[k.key.user], h)
	if len(m.byUser[k.key.user]) == 0 {
		delete(m.byUser, k.key.user)
	}
}

func (m *memoryKeys) adopt(_ context.Context, user, hkey string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := hashKey(hkey)
	if m.refused[derivedID(KindRS, user)] || m.m[h] != nil {
		return nil
	}
	k := newKey(h, user, KindRS, at.Unix())
	k.cred = credOf(hkey)
	m.put(h, k, at, "", "")
	return nil
}

func (m *memoryKeys) rehash(_ context.Context, user, old, stored string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := credOf(old)
	for h := range m.byUser[user] {
		if k := m.m[h]; credHas(k.key.cred, was) {
			k.key = &key{user: k.key.user, kind: k.key.kind, id: k.key.id, cred: credAlso(was, credOf(stored)), proof: k.key.proof, seen: k.key.seen}
		}
	}
	return nil
}

func (m *memoryKeys) refuse(_ context.Context, user string, kinds ...Kind) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range kinds {
		m.refused[derivedID(k, user)] = true
	}
	return nil
}

func (m *memoryKeys) remove(_ context.Context, hkey string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(hashKey(hkey))
	return nil
}

func (m *memoryKeys) removeID(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for h, k := range m.m {
		if k.key.id == id {
			m.drop(h)
			return nil
		}
	}
	return ErrNoDevice
}

func (m *memoryKeys) removeUser(_ context.Context, user string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.byUser[user])
	for h := range m.byUser[user] {
		delete(m.m, h)
	}
	delete(m.byUser, user)
	return n, nil
}

func (m *memoryKeys) list(_ context.Context, user string) ([]Device, map[string]bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var ks []*memoryKey
	for _, k := range m.m {
		if user == "" || k.key.user == user {
			ks = append(ks, k)
		}
	}
	slices.SortFunc(ks, func(a, b *memoryKey) int { return cmp.Compare(a.n, b.n) })
	out := make([]Device, 0, len(ks))
	for _, k := range ks {
		out = append(out, k.device)
	}
	refused := make(map[string]bool)
	for id := range m.refused {
		refused[id] = true
	}
	return out, refused, nil
}

func (m *memoryKeys) saw(_ context.Context, sightings []sighting) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range sightings {
		k, ok := m.m[g.hash]
		if !ok {
			continue
		}
		k.device.LastSeen, k.device.Addr = g.at.Truncate(time.Second), g.addr
		if g.client != "" {
			k.device.Client = g.client
		}
	}
	return nil
}

func (m *memoryKeys) close() error { return nil }
