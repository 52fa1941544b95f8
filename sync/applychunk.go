package sync

import (
	"context"
	"encoding/json"

	"github.com/ankisyncd/ankisyncd/collection"
)

// applyChunk takes rows of the client (docs/protocol.md §6.6). They may be stored
// after the answer.
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
	return null, s.o.Collections.ApplyChunkLater(ctx, c.session.User, c.skey, chunk)
}

// applyLargeChunk is applyChunk for a message that is known to be JSON. Its rows
// are stored while they are read, in batches, all of which are one step to the
// client: if one fails the sync is over.
func (s *Server) applyLargeChunk(ctx context.Context, c *call, body *scanner) (any, error) {
	var refused error
	err := readApplyChunk(body, &rowBatch{handOn: func(ch collection.Chunk) error {
		refused = s.o.Collections.ApplyChunk(ctx, c.session.User, c.skey, ch)
		return refused
	}})
	if err == nil {
		return null, nil
	}
	// Also if the client is gone: that may be why it failed.
	over := s.o.Collections.AbortSync(context.WithoutCancel(ctx), c.session.User, c.skey)
	switch {
	case refused != nil:
		return nil, refused
	case body.broken() != nil:
		return nil, body.broken()
	case over != nil: // there was no such sync
		return nil, over
	}
	return nil, bad("applyChunk", err)
}

func parseApplyChunk(body []byte) (collection.Chunk, error) {
	var to rowBatch
	if err := readApplyChunk(&scanner{b: body}, &to); err != nil {
		return collection.Chunk{}, err
	}
	return to.Chunk, nil
}

func readApplyChunk(sc *scanner, to *rowBatch) error {
	found := false
	err := sc.object(func(key string) error {
		if key != "chunk" {
			return sc.skip(0)
		}
		found = true
		return parseChunk(sc, to)
	})
	if err == nil {
		err = sc.end()
	}
	if err == nil && !found {
		err = errJSON
	}
	if err == nil && to.handOn != nil {
		return to.rest() // also if it is empty: there must be a sync
	}
	return err
}
