package sync

import "context"

// chunk hands out the next rows that changed here (docs/protocol.md §6.5).
func (s *Server) chunk(ctx context.Context, c *call, _ []byte) (any, error) {
	ch, err := s.o.Collections.Chunk(ctx, c.session.User, c.skey)
	if err != nil {
		return nil, err
	}
	return encodedJSON(appendChunk(make([]byte, 0, chunkSize(&ch)), &ch)), nil
}
