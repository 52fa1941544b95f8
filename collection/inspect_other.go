//go:build !unix

package collection

import (
	"context"
	"errors"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// lockedElsewhere reports whether another process holds a lock on the database
// file at path that keeps readers out.
func lockedElsewhere(path string) (bool, error) {
	if hasSides(path) {
		return false, nil // copying it fails where locks are mandatory
	}
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{ReadOnly: true, BusyTimeout: -1})
	if sqlite.IsBusy(err) {
		return true, nil
	}
	if err != nil {
		return false, nil //nolint:nilerr // opening it for reading will tell
	}
	return false, errors.Join(db.Close())
}
