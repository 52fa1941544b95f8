package sync

import (
	"context"
	"encoding/json"
)

// mediaResponse is the envelope of every media answer in JSON. Err must be
// there even if it is empty (docs/protocol.md §7).
type mediaResponse struct {
	Data any    `json:"data"`
	Err  string `json:"err"`
}

type mediaBeginResponse struct {
	USN int32 `json:"usn"`
	// SK is what legacy clients authenticate with from here on.
	SK string `json:"sk"`
}

// mediaBegin opens a media sync: it tells the media usn.
func (s *Server) mediaBegin(ctx context.Context, c *call, body []byte) (any, error) {
	if c.header {
		var req struct {
			V *string `json:"v"`
		}
		if err := json.Unmarshal(body, &req); err != nil {
			return nil, bad("begin", err)
		}
		if req.V == nil {
			return nil, badf("begin: no client version")
		}
	} else if c.client == "" {
		return nil, badf("begin: no client version")
	}
	usn, err := s.o.Media.LastUSN(ctx, c.session.User)
	if err != nil {
		return nil, err
	}
	return mediaResponse{Data: mediaBeginResponse{usn, c.session.SK}}, nil
}
