package sync

import "context"

// abort ends the user's sync; it is no error if there is none. A client that
// its user told to stop sends it with a session key of its own. One that was
// overtaken sends that of its sync, which is over: the other's goes on
// (docs/protocol.md §6).
func (s *Server) abort(ctx context.Context, c *call, _ []byte) (any, error) {
	return null, s.o.Collections.Abort(ctx, c.session.User, c.skey)
}
