package sync

import (
	"context"
	"encoding/json"
)

type hostKeyRequest struct {
	User     *string `json:"u"`
	Password *string `json:"p"`
}

type hostKeyResponse struct {
	Key string `json:"key"`
}

// hostKey logs in (docs/protocol.md §5).
func (s *Server) hostKey(ctx context.Context, c *call, body []byte) (any, error) {
	var req hostKeyRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, bad("hostKey", err)
	}
	if req.User == nil || req.Password == nil {
		return nil, badf("hostKey: no user or no password")
	}
	c.session.User = *req.User
	key, err := s.o.Auth.Login(ctx, *req.User, *req.Password, c.addr, c.client)
	if err != nil {
		return nil, err
	}
	return hostKeyResponse{key}, nil
}
