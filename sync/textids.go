package sync

import "sync"

// textIDClients remembers the syncs of clients that know notetype ids as text
// (docs/protocol.md §10): only meta tells the version, and the session key that
// follows in every step.
type textIDClients struct {
	mu    sync.Mutex
	known map[string]bool
	order []string
}

const maxTextIDClients = 1024

func (t *textIDClients) add(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[string]bool{}
	}
	if t.known[key] {
		return
	}
	if len(t.order) == maxTextIDClients {
		delete(t.known, t.order[0])
		t.order = t.order[1:]
	}
	t.known[key] = true
	t.order = append(t.order, key)
}

func (t *textIDClients) has(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[key]
}
