package sync

// HoldUploads has f called when it is known what became of an upload, before
// anything is said of it.
func (s *Server) HoldUploads(f func()) { s.holdUpload = f }
