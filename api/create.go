package api

import (
	"context"

	"github.com/ankisyncd/ankisyncd/collection"
)

// create makes a fresh collection, as a new client would.
func (a *API) create(ctx context.Context, user string) error {
	return a.o.Collections.EditWith(ctx, user, collection.EditOptions{CreateIfMissing: true},
		func(*collection.Txn) error { return nil })
}
