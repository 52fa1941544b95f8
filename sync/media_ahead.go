package sync

import (
	"context"
	"sync"
	"time"
)

// While a client reads one page of a long list of media, the next one is made: a
// new device with 50,000 files otherwise waits for the server, and the server for
// the device, in turn.

// aheadPage is a page of mediaChanges as it will be sent.
type aheadPage struct {
	user   string
	after  int32 // the usn that it follows
	zstd   bool
	ready  chan struct{} // closed when the rest is there
	last   int32         // the user's media usn when it was made
	end    int32         // see endOfPage
	answer *encodedAnswer
	ends   *time.Timer
}

// Limits of what is made ahead: of how many users, and for how long.
const (
	maxAhead = 32
	aheadFor = 30 * time.Second
)

// aheadPages has one page a user. The zero value is empty.
type aheadPages struct {
	mu  sync.Mutex
	all map[string]*aheadPage
}

// put makes room for p, unless there is too much already, or the user's last one is
// still being made: there is one at work for each user.
func (a *aheadPages) put(p *aheadPage) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[string]*aheadPage{}
	}
	if old := a.all[p.user]; old != nil {
		select {
		case <-old.ready:
		default:
			return false
		}
	}
	a.remove(p.user)
	if len(a.all) >= maxAhead {
		return false
	}
	p.ends = time.AfterFunc(aheadFor, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.all[p.user] == p {
			a.remove(p.user)
		}
	})
	a.all[p.user] = p
	return true
}

// remove removes and returns a user's page, nil if there is none. A timer that ran
// on would hold it. Called with mu held.
func (a *aheadPages) remove(user string) *aheadPage {
	p := a.all[user]
	if p != nil {
		p.ends.Stop()
		delete(a.all, user)
	}
	return p
}

// take removes and returns the page after a usn, or nil.
func (a *aheadPages) take(user string, after int32, zstd bool) *aheadPage {
	a.mu.Lock()
	p := a.remove(user)
	a.mu.Unlock()
	if p == nil || p.after != after || p.zstd != zstd {
		return nil
	}
	<-p.ready
	if p.answer == nil {
		return nil
	}
	return p
}

// readAhead begins to make the page after a usn for the client of c; 0 is none.
func (s *Server) readAhead(c *call, after int32) {
	if after == 0 {
		return
	}
	p := &aheadPage{user: c.session.User, after: after, zstd: c.zstd(), ready: make(chan struct{})}
	if !s.pages.put(p) {
		return
	}
	// The call's own context ends with its answer.
	ctx := context.WithoutCancel(c.r.Context())
	go func() {
		defer close(p.ready)
		defer func() {
			if v := recover(); v != nil { // who asks for the page will meet it again
				p.answer = nil
				s.logPanic(c, v)
			}
		}()
		s.makeAhead(ctx, p)
	}()
}

// makeAhead fills p, or leaves it without an answer: who asks for it will be told
// why.
func (s *Server) makeAhead(ctx context.Context, p *aheadPage) {
	last, err := s.o.Media.LastUSN(ctx, p.user)
	if err != nil {
		return
	}
	list, err := s.o.Media.Changes(ctx, p.user, p.after, s.mediaPage)
	if err != nil {
		return
	}
	p.last, p.end = last, s.endOfPage(list)
	p.answer = encodeAnswer(encodeChanges(list), p.zstd)
}
