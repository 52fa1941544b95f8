package sync

import (
	"context"
	"encoding/json"

	"github.com/ankisyncd/ankisyncd/collection"
)

type sanityRequest struct {
	// Client is [[new, learning, review], cards, notes, revlog, graves,
	// notetypes, decks, deck options], or a text if the client's own check
	// failed.
	Client json.RawMessage `json:"client"`
}

type sanityResponse struct {
	Status string          `json:"status"`
	Client json.RawMessage `json:"c"`
	Server []any           `json:"s"`
}

// sanityCheck compares the number of everything on both sides
// (docs/protocol.md §6.7). The due counts depend on each client's scheduler and
// never matter.
func (s *Server) sanityCheck(ctx context.Context, c *call, body []byte) (any, error) {
	var req sanityRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, bad("sanityCheck2", err)
	}
	client, ok, err := parseCounts(req.Client)
	if err != nil {
		return nil, err
	}
	if !ok {
		// The client says that it is not well: it may say so once, and then
		// its sync is over.
		if err := s.o.Collections.AbortSync(ctx, c.session.User, c.skey); err != nil {
			return nil, err
		}
		return sanityResponse{Status: "bad", Client: req.Client}, nil
	}
	ours, same, err := s.o.Collections.SanityCheck(ctx, c.session.User, c.skey, client)
	if err != nil {
		return nil, err
	}
	r := sanityResponse{
		Status: "ok", Client: req.Client,
		Server: []any{[3]int{}, ours.Cards, ours.Notes, ours.Revlog, ours.Graves, ours.Notetypes, ours.Decks, ours.DeckConfigs},
	}
	if !same {
		r.Status = "bad"
	}
	return r, nil
}

// parseCounts reads a client's counts; ok is false if it sent a text instead.
func parseCounts(raw json.RawMessage) (c collection.Counts, ok bool, err error) {
	var text string
	if len(raw) > 0 && raw[0] == '"' {
		return c, false, json.Unmarshal(raw, &text)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || len(list) != 8 {
		return c, false, bad("sanityCheck2: counts", err)
	}
	for i, dest := range []*int64{nil, &c.Cards, &c.Notes, &c.Revlog, &c.Graves, &c.Notetypes, &c.Decks, &c.DeckConfigs} {
		if dest == nil {
			continue
		}
		if err := json.Unmarshal(list[i], dest); err != nil {
			return c, false, bad("sanityCheck2: counts", err)
		}
	}
	return c, true, nil
}
