package sync

import (
	"context"
	"encoding/json"

	"github.com/ankisyncd/ankisyncd/collection"
)

// changesMessage carries the objects besides rows, as schema-11 JSON
// (docs/protocol.md §6.4).
type changesMessage struct {
	Models []json.RawMessage          `json:"models"`
	Decks  [2][]json.RawMessage       `json:"decks"` // decks, then deck options
	Tags   []string                   `json:"tags"`
	Conf   map[string]json.RawMessage `json:"conf,omitempty"`
	CRT    *int64                     `json:"crt,omitempty"` // s
}

type applyChangesRequest struct {
	Changes *changesMessage `json:"changes"`
}

// applyChanges exchanges notetypes, decks, deck options, tags and the config.
func (s *Server) applyChanges(ctx context.Context, c *call, body []byte) (any, error) {
	var req applyChangesRequest
	if err := json.Unmarshal(body, &req); err != nil {
		return nil, bad("applyChanges", err)
	}
	if req.Changes == nil {
		return nil, badf("applyChanges: no changes")
	}
	in := req.Changes
	out, err := s.o.Collections.ApplyChanges(ctx, c.session.User, c.skey, collection.Changes{
		Notetypes: in.Models, Decks: in.Decks[0], DeckConfigs: in.Decks[1], Tags: in.Tags, Config: in.Conf, CRT: in.CRT,
	})
	if err != nil {
		return nil, err
	}
	return changesMessage{
		Models: out.Notetypes, Decks: [2][]json.RawMessage{out.Decks, out.DeckConfigs}, Tags: out.Tags, Conf: out.Config, CRT: out.CRT,
	}, nil
}
