package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ankisyncd/ankisyncd/schema"
)

// ApplyChunk merges rows of the client (docs/protocol.md §6.6). There is no
// limit on their number. A card or note is taken if it is unknown here, was not
// changed here since the client's last sync, or was changed here earlier than
// there; reviews are only ever added.
func (s *Store) ApplyChunk(ctx context.Context, name, skey string, c Chunk) error {
	return s.step(ctx, name, skey, func(u *user, se *session) error {
		for i := range c.Revlog {
			if err := se.addRevlog(u.col, &c.Revlog[i]); err != nil {
				return err
			}
		}
		for i := range c.Cards {
			if err := se.mergeCard(u.col, &c.Cards[i]); err != nil {
				return err
			}
		}
		for i := range c.Notes {
			if err := se.mergeNote(u.col, &c.Notes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkUSN notes whether the client still has a row marked as changed. It must
// have stamped what it sends with the server's usn; one that has not would send
// the row again for ever, so its sync fails at the sanity check, as on the
// official server. What else it stamped does not matter: the usn is ours to set.
func (se *session) checkUSN(u USN) {
	if u < 0 {
		se.unsent = true
	}
}

func (se *session) addRevlog(h *handle, r *RevlogEntry) error {
	se.checkUSN(r.USN)
	n, err := h.exec(`INSERT OR IGNORE INTO revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.CID, se.serverUSN, r.Ease, r.Ivl, r.LastIvl, r.Factor, r.Time, r.Type)
	if err != nil {
		return fmt.Errorf("add review: %w", err)
	}
	se.delta.Revlog += n
	return nil
}

// mustMerge is the condition under which a row of the client replaces ours: ?1
// its id, ?2 the usn of the client's last sync, ?3 its mod.
const mustMerge = ` WHERE id = ?1 AND (usn < ?2 OR mod < ?3)`

func (se *session) mergeCard(h *handle, c *Card) error {
	se.checkUSN(c.USN)
	// Most cards that come are known and reviewed.
	n, err := h.exec(`UPDATE cards SET nid = ?4, did = ?5, ord = ?6, mod = ?3, usn = ?7, type = ?8, queue = ?9, due = ?10,
		ivl = ?11, factor = ?12, reps = ?13, lapses = ?14, left = ?15, odue = ?16, odid = ?17, flags = ?18, data = ?19`+mustMerge,
		c.ID, se.clientUSN, c.Mod, c.NID, c.DID, c.Ord, se.serverUSN, c.Type, c.Queue, c.Due,
		c.Ivl, c.Factor, c.Reps, c.Lapses, c.Left, c.ODue, c.ODID, c.Flags, c.Data)
	if err != nil {
		return fmt.Errorf("merge card: %w", err)
	}
	if n > 0 {
		return nil
	}
	n, err = h.exec(`INSERT OR IGNORE INTO cards (id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses,
		left, odue, odid, flags, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.NID, c.DID, c.Ord, c.Mod, se.serverUSN, c.Type, c.Queue, c.Due, c.Ivl, c.Factor, c.Reps, c.Lapses,
		c.Left, c.ODue, c.ODID, c.Flags, c.Data)
	if err != nil {
		return fmt.Errorf("merge card: %w", err)
	}
	se.delta.Cards += n
	return nil
}

// noteShape is what storing a note needs of its notetype.
type noteShape struct {
	fields    int
	sortField int
}

func (se *session) shape(h *handle, mid int64) (*noteShape, error) {
	if sh, ok := se.notetypes[mid]; ok {
		return sh, nil
	}
	var sh *noteShape
	var blob []byte
	err := h.row(`SELECT config FROM notetypes WHERE id = ?`, []any{mid}, &blob)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	default:
		c, err := schema.DecodeNotetypeConfig(blob)
		if err != nil {
			return nil, fmt.Errorf("notetype %d: %w", mid, err)
		}
		sh = &noteShape{sortField: int(c.SortFieldIdx)}
		if err := h.row(`SELECT count(*) FROM fields WHERE ntid = ?`, []any{mid}, &sh.fields); err != nil {
			return nil, err
		}
	}
	se.notetypes[mid] = sh
	return sh, nil
}

func (se *session) mergeNote(h *handle, t *Note) error {
	se.checkUSN(t.USN)
	sh, err := se.shape(h, t.MID)
	if err != nil {
		return err
	}
	if sh == nil {
		return &BadInputError{Step: "applyChunk", Reason: "a note's notetype does not exist"}
	}
	fields := schema.SplitFields(t.Flds)
	if len(fields) != sh.fields {
		return &BadInputError{Step: "applyChunk", Reason: "a note's field count is not that of its notetype"}
	}
	for i := range fields {
		fields[i] = schema.CleanField(fields[i])
	}
	flds := schema.JoinFields(fields)
	sfld, csum := schema.SortField(fields, sh.sortField), int64(schema.Checksum(fields[0]))
	n, err := h.exec(`UPDATE notes SET guid = ?4, mid = ?5, mod = ?3, usn = ?6, tags = ?7, flds = ?8, sfld = ?9, csum = ?10,
		flags = 0, data = ''`+mustMerge,
		t.ID, se.clientUSN, t.Mod, t.GUID, t.MID, se.serverUSN, t.Tags, flds, sfld, csum)
	if err != nil {
		return fmt.Errorf("merge note: %w", err)
	}
	if n > 0 {
		return nil
	}
	n, err = h.exec(`INSERT OR IGNORE INTO notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')`,
		t.ID, t.GUID, t.MID, t.Mod, se.serverUSN, t.Tags, flds, sfld, csum)
	if err != nil {
		return fmt.Errorf("merge note: %w", err)
	}
	se.delta.Notes += n
	return nil
}
