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
	if a := s.pages.take(c.session.User, *req.LastUSN, c.zstd()); a != nil {
		if usn, err := s.o.Media.LastUSN(ctx, c.session.User); err == nil && usn == a.last {
			s.readAhead(c, a.end)
			return a.answer, nil
		}
	}
	list, err := s.o.Media.Changes(ctx, c.session.User, *req.LastUSN, s.mediaPage)
	if err != nil {
		return nil, err
	}
	s.readAhead(c, s.endOfPage(list))
	return encodeChanges(list), nil
}

// endOfPage is the usn after which the next page begins, 0 if list is the last.
func (s *Server) endOfPage(list []media.Change) int32 {
	if len(list) < s.mediaPage {
		return 0
	}
	return list[len(list)-1].USN
}

func encodeChanges(list []media.Change) encodedJSON {
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
	return encodedJSON(append(b, `],"err":""}`...))
}
