package collection

import (
	"context"
	"fmt"
)

// Kinds of graves (docs/collection-format.md §2.1).
const (
	graveCard = 0
	graveNote = 1
	graveDeck = 2
)

// gravesSince lists what was deleted since the sync that made usn.
func gravesSince(h *handle, usn USN) (Graves, error) {
	g := Graves{Cards: []int64{}, Notes: []int64{}, Decks: []int64{}}
	err := h.query(func(scan func(...any) error) error {
		var oid, kind int64
		if err := scan(&oid, &kind); err != nil {
			return err
		}
		switch kind {
		case graveCard:
			g.Cards = append(g.Cards, oid)
		case graveNote:
			g.Notes = append(g.Notes, oid)
		case graveDeck:
			g.Decks = append(g.Decks, oid)
		}
		return nil
	}, `SELECT oid, type FROM graves WHERE usn >= ?`, usn)
	return g, err
}

// ApplyGraves deletes what the client deleted (docs/protocol.md §6.3). What is
// not there is no error. Deleting a note does not delete its cards: they come
// as graves of their own.
func (s *Store) ApplyGraves(ctx context.Context, name, skey string, g Graves) error {
	return s.step(ctx, name, skey, func(u *user, se *session) error {
		return se.applyGraves(u.col, g)
	})
}

func (se *session) applyGraves(h *handle, g Graves) error {
	for _, k := range []struct {
		ids   []int64
		kind  int
		del   string
		count *int64
	}{
		{g.Notes, graveNote, `DELETE FROM notes WHERE id = ?`, &se.delta.Notes},
		{g.Cards, graveCard, `DELETE FROM cards WHERE id = ?`, &se.delta.Cards},
		{g.Decks, graveDeck, `DELETE FROM decks WHERE id = ?`, &se.delta.Decks},
	} {
		for _, id := range k.ids {
			n, err := h.exec(k.del, id)
			if err != nil {
				return fmt.Errorf("apply graves: %w", err)
			}
			*k.count -= n
			deleted := n > 0
			n, err = h.exec(`INSERT OR IGNORE INTO graves (oid, type, usn) VALUES (?, ?, ?)`, id, k.kind, se.serverUSN)
			if err != nil {
				return fmt.Errorf("apply graves: %w", err)
			}
			se.delta.Graves += n
			if n > 0 || !deleted {
				continue
			}
			// It was deleted once before and had come back (a client's undo).
			// An older grave keeps its usn on the official server, so that
			// devices which have seen that one never hear of this deletion, and
			// fail the sanity check.
			if _, err := h.exec(`UPDATE graves SET usn = ? WHERE oid = ? AND type = ?`, se.serverUSN, id, k.kind); err != nil {
				return fmt.Errorf("apply graves: %w", err)
			}
		}
	}
	return nil
}
