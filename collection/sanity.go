package collection

import "context"

func (c Counts) plus(d Counts) Counts {
	return Counts{
		Cards: c.Cards + d.Cards, Notes: c.Notes + d.Notes, Revlog: c.Revlog + d.Revlog, Graves: c.Graves + d.Graves,
		Notetypes: c.Notetypes + d.Notetypes, Decks: c.Decks + d.Decks, DeckConfigs: c.DeckConfigs + d.DeckConfigs,
	}
}

// sameObjects reports whether a sync has left both sides with the same number
// of everything. Graves are not compared (docs/protocol.md §6.7).
func (c Counts) sameObjects(d Counts) bool {
	c.Graves, d.Graves = 0, 0
	return c == d
}

// SanityCheck compares the client's counts with ours at the end of a sync. If
// they differ, or if the client sent rows that it still has marked as changed, ok is false, the sync is rolled back and over, and ours says
// what was found.
//
// Counting whole tables would make every sync cost what the collection is
// large: a table is counted once while the collection is open, and what syncs
// insert and delete is added up.
func (s *Store) SanityCheck(ctx context.Context, name, skey string, client Counts) (ours Counts, ok bool, err error) {
	err = s.step(ctx, name, skey, func(u *user, se *session) error {
		if u.col.counts == nil {
			if ours, err = countRows(u.col); err != nil {
				return err
			}
			// What this sync has done is in there already, but is not committed.
			base := ours.minus(se.delta)
			u.col.counts = &base
		}
		ours = u.col.counts.plus(se.delta)
		ok = ours.sameObjects(client) && !se.unsent
		if !ok {
			s.o.Log.Warn("sanity check failed", "user", u.name, "client", client, "server", ours, "unsent_rows", se.unsent)
			s.rollback(u)
		}
		return nil
	})
	return ours, ok, err
}

func (c Counts) minus(d Counts) Counts {
	return c.plus(Counts{-d.Cards, -d.Notes, -d.Revlog, -d.Graves, -d.Notetypes, -d.Decks, -d.DeckConfigs})
}

func countRows(h *handle) (Counts, error) {
	var c Counts
	err := h.row(`SELECT (SELECT count(*) FROM cards), (SELECT count(*) FROM notes), (SELECT count(*) FROM revlog),
		(SELECT count(*) FROM graves), (SELECT count(*) FROM notetypes), (SELECT count(*) FROM decks),
		(SELECT count(*) FROM deck_config)`, nil,
		&c.Cards, &c.Notes, &c.Revlog, &c.Graves, &c.Notetypes, &c.Decks, &c.DeckConfigs)
	return c, err
}
