package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// ApplyChunk merges rows of the client (docs/protocol.md §6.6). There is no
// limit on their number. A card or note is taken if it is unknown here, was not
// changed here since the client's last sync, or was changed here earlier than
// there; reviews are only ever added.
func (s *Store) ApplyChunk(ctx context.Context, name, skey string, c Chunk) error {
	return s.step(ctx, name, skey, c.applyTo)
}

// ApplyChunkLater is ApplyChunk that does not wait for the rows to be stored: cards
// and reviews go in while the client makes its next request ready, and if that
// fails the next step has the error. Notes can be wrong in ways that only the
// collection knows (BadInputError), so with them it waits. c must not be changed
// afterwards.
func (s *Store) ApplyChunkLater(ctx context.Context, name, skey string, c Chunk) error {
	if len(c.Notes) > 0 || len(c.Cards)+len(c.Revlog) == 0 {
		return s.ApplyChunk(ctx, name, skey, c)
	}
	return s.stepLater(ctx, name, skey, c.applyTo)
}

func (c *Chunk) applyTo(u *user, se *session) error {
	if err := se.addRevlog(u.col, c.Revlog); err != nil {
		return err
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

var insertReviews = sqlite.NewInsert(`INSERT OR IGNORE INTO revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type)`, 9, "")

func (se *session) addRevlog(h *handle, list []RevlogEntry) error {
	put := insertReviews.On(h.conn)
	for _, r := range list {
		se.checkUSN(r.USN)
		if err := put.Add(r.ID, r.CID, int64(se.serverUSN), r.Ease, r.Ivl, r.LastIvl, r.Factor, r.Time, r.Type); err != nil {
			return fmt.Errorf("add reviews: %w", err)
		}
	}
	if err := put.Flush(); err != nil {
		return fmt.Errorf("add reviews: %w", err)
	}
	se.delta.Revlog += put.Changed
	return nil
}

// mustMerge is the condition under which a row of the client replaces ours: its
// id, the usn of the client's last sync, its mod.
const mustMerge = ` WHERE id = ? AND (usn < ? OR mod < ?)`

func (se *session) mergeCard(h *handle, c *Card) error {
	se.checkUSN(c.USN)
	// Most cards that come are known and reviewed. That leaves them with their
	// note; a statement that sets nid would write to the index of it all the same.
	n, err := h.exec(`UPDATE cards SET did = ?, ord = ?, mod = ?, usn = ?, type = ?, queue = ?, due = ?,
		ivl = ?, factor = ?, reps = ?, lapses = ?, left = ?, odue = ?, odid = ?, flags = ?, data = ?`+mustMerge+` AND nid = ?`,
		c.DID, c.Ord, c.Mod, int64(se.serverUSN), c.Type, c.Queue, c.Due,
		c.Ivl, c.Factor, c.Reps, c.Lapses, c.Left, c.ODue, c.ODID, c.Flags, c.Data,
		c.ID, int64(se.clientUSN), c.Mod, c.NID)
	if err != nil {
		return fmt.Errorf("merge card: %w", err)
	}
	if n > 0 {
		return nil
	}
	n, err = h.exec(`INSERT OR IGNORE INTO cards (id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses,
		left, odue, odid, flags, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.NID, c.DID, c.Ord, c.Mod, int64(se.serverUSN), c.Type, c.Queue, c.Due, c.Ivl, c.Factor, c.Reps, c.Lapses,
		c.Left, c.ODue, c.ODID, c.Flags, c.Data)
	if err != nil {
		return fmt.Errorf("merge card: %w", err)
	}
	if n == 0 { // known, and either ours stays or it has moved to another note
		_, err = h.exec(`UPDATE cards SET nid = ?, did = ?, ord = ?, mod = ?, usn = ?, type = ?, queue = ?, due = ?,
			ivl = ?, factor = ?, reps = ?, lapses = ?, left = ?, odue = ?, odid = ?, flags = ?, data = ?`+mustMerge,
			c.NID, c.DID, c.Ord, c.Mod, int64(se.serverUSN), c.Type, c.Queue, c.Due,
			c.Ivl, c.Factor, c.Reps, c.Lapses, c.Left, c.ODue, c.ODID, c.Flags, c.Data,
			c.ID, int64(se.clientUSN), c.Mod)
		if err != nil {
			return fmt.Errorf("merge card: %w", err)
		}
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
	tags := schema.CleanTags(t.Tags)
	sfld, csum := schema.SortField(fields, sh.sortField), int64(schema.Checksum(fields[0]))
	n, err := h.exec(`UPDATE notes SET guid = ?, mid = ?, mod = ?, usn = ?, tags = ?, flds = ?, sfld = ?, csum = ?,
		flags = 0, data = ''`+mustMerge,
		t.GUID, t.MID, t.Mod, int64(se.serverUSN), tags, flds, sfld, csum, t.ID, int64(se.clientUSN), t.Mod)
	if err != nil {
		return fmt.Errorf("merge note: %w", err)
	}
	if n > 0 {
		return nil
	}
	n, err = h.exec(`INSERT OR IGNORE INTO notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')`,
		t.ID, t.GUID, t.MID, t.Mod, int64(se.serverUSN), tags, flds, sfld, csum)
	if err != nil {
		return fmt.Errorf("merge note: %w", err)
	}
	se.delta.Notes += n
	return nil
}
