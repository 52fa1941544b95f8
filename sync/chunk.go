package sync

import (
	"context"
	"strings"
)

// chunk hands out the next rows that changed here (docs/protocol.md §6.5).
func (s *Server) chunk(ctx context.Context, c *call, _ []byte) (any, error) {
	ch, err := s.o.Collections.ChunkFor(ctx, c.session.User, c.skey, c.mayRepeat())
	if err != nil {
		return nil, err
	}
	return encodedJSON(appendChunk(make([]byte, 0, chunkSize(&ch)), &ch)), nil
}

// chunkLost is told that the answer could not be sent.
func (s *Server) chunkLost(c *call) {
	// An error is the next step's to meet.
	_ = s.o.Collections.ChunkLost(context.WithoutCancel(c.r.Context()), c.session.User, c.skey)
}

// mayRepeat names the connection of a client that by itself sends a request again
// if its connection breaks: AnkiDroid before 2.16, by its HTTP library
// (docs/protocol.md §6.5). It is "" for the others.
func (c *call) mayRepeat() string {
	agent := c.r.UserAgent()
	if !c.header && (strings.HasPrefix(agent, "AnkiDroid") || strings.HasPrefix(agent, "okhttp")) {
		return c.r.RemoteAddr
	}
	return ""
}
