package sync

import "context"

// HoldUploads has f called when it is known what became of an upload, before
// anything is said of it.
func (s *Server) HoldUploads(f func()) { s.holdUpload = f }

// MediaPage has answers of mediaChanges hold n changes.
func (s *Server) MediaPage(n int) { s.mediaPage = n }

// PageAhead waits until the page that was begun for a user is made, and reports
// whether there is one.
func (s *Server) PageAhead(user string) bool {
	s.pages.mu.Lock()
	p := s.pages.all[user]
	s.pages.mu.Unlock()
	if p == nil {
		return false
	}
	<-p.ready
	return p.answer != nil
}

// ForgetPages drops what was made ahead, as time does.
func (s *Server) ForgetPages() {
	s.pages.mu.Lock()
	defer s.pages.mu.Unlock()
	for user := range s.pages.all {
		s.pages.remove(user)
	}
}

// MediaUSN has meta ask f for a user's media usn, and not wait for what it says.
func (s *Server) MediaUSN(f func(ctx context.Context, user string) (int32, error)) {
	s.mediaUSN, s.mediaPatience = f, 0
}

// FillStrangers has strangers hold all the memory and files that they may.
func (s *Server) FillStrangers() {
	s.strangersHold.Store(strangersMemory)
	s.strangers.force("somebody", s.strangers.limit)
}
