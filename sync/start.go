package sync

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/ankisyncd/ankisyncd/collection"
)

type startRequest struct {
	MinUSN *int64          `json:"minUsn"`
	LNewer *bool           `json:"lnewer"`
	Graves *gravesMessage  `json:"graves"`
	Offset json.RawMessage `json:"offset"` // minutes west; of no use to us
}

// gravesMessage are ids of deleted objects: numbers, or text from some clients.
type gravesMessage struct {
	Cards looseIDs `json:"cards"`
	Decks looseIDs `json:"decks"`
	Notes looseIDs `json:"notes"`
}

func (g gravesMessage) graves() collection.Graves {
	return collection.Graves{Cards: g.Cards, Notes: g.Notes, Decks: g.Decks}
}

// looseIDs are ids that may be written as text.
type looseIDs []int64

// UnmarshalJSON accepts [1, "2"] and null. It makes nothing of each id but a
// number: there may be a million of them.
func (l *looseIDs) UnmarshalJSON(b []byte) error {
	s := &scanner{b: b}
	*l = looseIDs{}
	if s.null() {
		return nil
	}
	return s.array(func(int) error {
		if s.peek() != '"' {
			id, err := s.number()
			*l = append(*l, id)
			return err
		}
		text, err := s.str()
		if err != nil {
			return err
		}
		id, err := strconv.ParseInt(text, 10, 64)
		*l = append(*l, id)
		return err
	})
}

// start begins a sync (docs/protocol.md §6.2) and takes over from any other
// device's. The answer is what was deleted here; clients before 2.1 send what
// they deleted along, others say it in applyGraves.
func (s *Server) start(ctx context.Context, c *call, body []byte) (any, error) {
	var req startRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, bad("start", err)
	}
	if req.MinUSN == nil || req.LNewer == nil || *req.MinUSN < math.MinInt32 || *req.MinUSN > math.MaxInt32 {
		return nil, badf("start: minUsn or lnewer")
	}
	if c.skey == "" {
		return nil, badf("start: no session key")
	}
	o := collection.StartOptions{
		SKey: c.skey, ClientUSN: collection.USN(*req.MinUSN), ClientNewer: *req.LNewer, TextIDs: s.textIDs(c),
	}
	if req.Graves != nil {
		g := req.Graves.graves()
		o.Graves = &g
	}
	g, err := s.o.Collections.Start(ctx, c.session.User, o)
	if err != nil {
		return nil, err
	}
	return gravesMessage{Cards: g.Cards, Decks: g.Decks, Notes: g.Notes}, nil
}
