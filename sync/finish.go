package sync

import (
	"context"
	"strconv"
)

// finish commits the sync and answers with the new mod, ms (docs/protocol.md
// §6.8).
func (s *Server) finish(ctx context.Context, c *call, _ []byte) (any, error) {
	mod, err := s.o.Collections.Finish(ctx, c.session.User, c.skey)
	if err != nil {
		return nil, err
	}
	return encodedJSON(strconv.AppendInt(nil, mod, 10)), nil
}
