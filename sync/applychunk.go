package sync

import (
	"context"
	"encoding/json"

	"github.com/ankisyncd/ankisyncd/collection"
)

// applyChunk takes rows of the client (docs/protocol.md §6.6).
func (s *Server) applyChunk(ctx context.Context, c *call, body []byte) (any, error) {
	chunk, err := parseApplyChunk(body)
	if err != nil {
		// A message that is no JSON does not touch the sync (§6). One with bad
		// rows is a failed step of it: nothing of it may stay.
		if json.Valid(body) {
			if aerr := s.o.Collections.AbortSync(ctx, c.session.User, c.skey); aerr != nil {
				return nil, aerr
			}
		}
		return nil, bad("applyChunk", err)
	}
	return null, s.o.Collections.ApplyChunk(ctx, c.session.User, c.skey, chunk)
}

func parseApplyChunk(body []byte) (collection.Chunk, error) {
	sc := &scanner{b: body}
	var chunk collection.Chunk
	found := false
	err := sc.object(func(key string) (err error) {
		if key != "chunk" {
			return sc.skip(0)
		}
		found = true
		chunk, err = parseChunk(sc)
		return err
	})
	if err == nil {
		err = sc.end()
	}
	if err == nil && !found {
		err = errJSON
	}
	if err != nil {
		return collection.Chunk{}, err
	}
	return chunk, nil
}
