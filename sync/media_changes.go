package sync

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/ankisyncd/ankisyncd/media"
)

type mediaChangesRequest struct {
	LastUSN *int32 `json:"lastUsn"`
}

// mediaChanges lists what changed since a usn, ascending (docs/protocol.md §7).
func (s *Server) mediaChanges(ctx context.Context, c *call, body []byte) (any, error) {
	var req mediaChangesRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, bad("mediaChanges", err)
	}
	if req.LastUSN == nil {
		return nil, badf("mediaChanges: no lastUsn")
	}
	list, err := s.o.Media.Changes(ctx, c.session.User, *req.LastUSN, media.MaxChanges)
	if err != nil {
		return nil, err
	}
	size := 32
	for _, ch := range list {
		size += len(ch.Name) + len(ch.Sum) + 20
	}
	b := append(make([]byte, 0, size), `{"data":[`...)
	for i, ch := range list {
		b = append(comma(b, i), '[')
		b = appendString(b, ch.Name)
		b = append(b, ',')
		b = strconv.AppendInt(b, int64(ch.USN), 10)
		b = append(b, ',')
		b = appendString(b, ch.Sum)
		b = append(b, ']')
	}
	return encodedJSON(append(b, `],"err":""}`...)), nil
}
