package sync

import (
	"net/http"
	"strings"
	"sync"
)

// idForms remembers which form of notetype ids the clients of running syncs
// know, text or number (docs/protocol.md §10): only meta tells the version, and
// the session key that follows in every step.
type idForms struct {
	mu    sync.Mutex
	text  map[string]bool
	order []string
}

const maxIDForms = 1024

func (f *idForms) note(key string, text bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.text == nil {
		f.text = map[string]bool{}
	}
	if _, noted := f.text[key]; !noted {
		if len(f.order) == maxIDForms {
			delete(f.text, f.order[0])
			f.order = f.order[1:]
		}
		f.order = append(f.order, key)
	}
	f.text[key] = text
}

func (f *idForms) of(key string) (text, noted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, noted = f.text[key]
	return text, noted
}

// textIDs reports whether the client of a start knows notetype ids as text. Its
// meta may have gone to the process that ran before this one: then the name that
// it gives itself in every request has to do.
func (s *Server) textIDs(c *call) bool {
	if c.zstd() {
		return false // 2.1.57 and later
	}
	if text, noted := s.idForms.of(c.operation()); noted {
		return text
	}
	return agentTextIDs(c.r)
}

// agentTextIDs is textIDs for a User-Agent: that of Python's library in 2.0.x,
// "Anki 2.1.11" in 2.1.x. Others name no version, and get numbers.
func agentTextIDs(r *http.Request) bool {
	version, ok := strings.CutPrefix(r.UserAgent(), "Anki ")
	return isPython2(r) || ok && textIDs("ankidesktop,"+version)
}
