package sync

import (
	"context"
	"encoding/json"
)

type mediaSanityRequest struct {
	Local *int `json:"local"`
}

// mediaSanity compares the number of files (docs/protocol.md §7). A client that
// is told they differ lists everything anew at its next sync.
func (s *Server) mediaSanity(ctx context.Context, c *call, body []byte) (any, error) {
	var req mediaSanityRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, bad("mediaSanity", err)
	}
	if req.Local == nil {
		return nil, badf("mediaSanity: no count")
	}
	ok, err := s.o.Media.Sanity(ctx, c.session.User, *req.Local)
	if err != nil {
		return nil, err
	}
	answer := "mediaSanity"
	if ok {
		answer = "OK"
	}
	return mediaResponse{Data: answer}, nil
}
