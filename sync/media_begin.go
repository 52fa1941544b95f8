package sync

import (
	"context"
	"encoding/json"
	"strconv"
)

// mediaResponse is the envelope of every media answer in JSON. Err must be
// there even if it is empty (docs/protocol.md §7).
type mediaResponse struct {
	Data any    `json:"data"`
	Err  string `json:"err"`
}

// mediaBegin opens a media sync: it tells the media usn, and the key ("sk") that
// legacy clients authenticate with from here on.
func (s *Server) mediaBegin(ctx context.Context, c *call, body []byte) (any, error) {
	if c.header {
		var req struct {
			V *string `json:"v"`
		}
		plain := plainObject(string(body), func(m member) bool {
			req.V = &m.text
			return m.key == "v" && m.isText
		})
		if !plain {
			req.V = nil
			if err := json.Unmarshal(body, &req); err != nil {
				return nil, bad("begin", err)
			}
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
	b := strconv.AppendInt(append(make([]byte, 0, 128), `{"data":{"usn":`...), int64(usn), 10)
	b = appendString(append(b, `,"sk":`...), c.session.SK)
	return encodedJSON(append(b, `},"err":""}`...)), nil
}
