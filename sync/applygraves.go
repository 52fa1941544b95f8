package sync

import (
	"context"
	"encoding/json"
)

type applyGravesRequest struct {
	Chunk *gravesMessage `json:"chunk"`
}

// null is the answer of the steps that have nothing to say. Old clients read it
// as JSON.
var null = encodedJSON("null")

// applyGraves deletes what the client deleted (docs/protocol.md §6.3).
func (s *Server) applyGraves(ctx context.Context, c *call, body []byte) (any, error) {
	var req applyGravesRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, bad("applyGraves", err)
	}
	var g gravesMessage
	if req.Chunk != nil {
		g = *req.Chunk
	}
	return null, s.o.Collections.ApplyGraves(ctx, c.session.User, c.skey, g.graves())
}
