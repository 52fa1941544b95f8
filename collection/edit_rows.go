package collection

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ankisyncd/ankisyncd/scheduling"
)

// The columns as they are read, fractions of old clients and their add-ons cut to
// integers.
const (
	cardColumns = `id, nid, did, ord, CAST(mod AS INTEGER), usn, type, queue, CAST(due AS INTEGER), CAST(ivl AS INTEGER),
		CAST(factor AS INTEGER), CAST(reps AS INTEGER), CAST(lapses AS INTEGER), CAST(left AS INTEGER), CAST(odue AS INTEGER),
		odid, flags, data`
	noteColumns   = `id, guid, mid, CAST(mod AS INTEGER), usn, tags, flds, flags, data`
	revlogColumns = `id, cid, usn, ease, CAST(ivl AS INTEGER), CAST(lastIvl AS INTEGER), CAST(factor AS INTEGER),
		CAST(time AS INTEGER), type`
)

func scanCard(scan func(...any) error) (Card, error) {
	var c Card
	err := scan(&c.ID, &c.NID, &c.DID, &c.Ord, &c.Mod, &c.USN, &c.Type, &c.Queue, &c.Due, &c.Ivl, &c.Factor,
		&c.Reps, &c.Lapses, &c.Left, &c.ODue, &c.ODID, &c.Flags, &c.Data)
	return c, err
}

func scanNote(scan func(...any) error) (Note, error) {
	var n Note
	err := scan(&n.ID, &n.GUID, &n.MID, &n.Mod, &n.USN, &n.Tags, &n.Flds, &n.Flags, &n.Data)
	return n, err
}

func scanReview(scan func(...any) error) (RevlogEntry, error) {
	var r RevlogEntry
	err := scan(&r.ID, &r.CID, &r.USN, &r.Ease, &r.Ivl, &r.LastIvl, &r.Factor, &r.Time, &r.Type)
	return r, err
}

// collect returns the rows of a query.
func collect[T any](h *handle, scanRow func(scan func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	var out []T
	err := h.query(func(scan func(...any) error) error {
		v, err := scanRow(scan)
		out = append(out, v)
		return err
	}, query, args...)
	return out, err
}

func scanID(scan func(...any) error) (int64, error) {
	var id int64
	return id, scan(&id)
}

// idList is a list of ids as one argument of a query:
// "id IN (SELECT value FROM json_each(?))".
func idList(ids []int64) string {
	if len(ids) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(ids) // numbers cannot fail
	return string(b)
}

// Card returns a card.
func (t *Txn) Card(id int64) (Card, error) {
	cards, err := collect(t.h, scanCard, `SELECT `+cardColumns+` FROM cards WHERE id = ?`, id)
	if err != nil {
		return Card{}, err
	}
	if len(cards) == 0 {
		return Card{}, missing("card", id)
	}
	return cards[0], nil
}

// cards returns the cards with these ids that exist, each once, in the order in
// which the ids are given.
func (t *Txn) cards(ids []int64) ([]Card, error) {
	place := make(map[int64]int, len(ids))
	for i, id := range ids {
		if _, ok := place[id]; !ok {
			place[id] = i
		}
	}
	cards, err := collect(t.h, scanCard, `SELECT `+cardColumns+` FROM cards WHERE id IN (SELECT value FROM json_each(?))`, idList(ids))
	slices.SortFunc(cards, func(a, b Card) int { return cmp.Compare(place[a.ID], place[b.ID]) })
	return cards, err
}

// Note returns a note.
func (t *Txn) Note(id int64) (Note, error) {
	notes, err := collect(t.h, scanNote, `SELECT `+noteColumns+` FROM notes WHERE id = ?`, id)
	if err != nil {
		return Note{}, err
	}
	if len(notes) == 0 {
		return Note{}, missing("note", id)
	}
	return notes[0], nil
}

// NoteCards returns the cards of a note by ordinal.
func (t *Txn) NoteCards(id int64) ([]Card, error) {
	return collect(t.h, scanCard, `SELECT `+cardColumns+` FROM cards WHERE nid = ? ORDER BY ord, id`, id)
}

// saveCard writes a changed card.
func (t *Txn) saveCard(c *Card) error {
	if err := t.write(); err != nil {
		return err
	}
	c.Mod = t.now.Unix()
	return t.restoreCard(c)
}

// restoreCard writes a card with the mod that it has.
func (t *Txn) restoreCard(c *Card) error {
	if err := t.write(); err != nil {
		return err
	}
	c.USN = t.usn
	_, err := t.h.exec(`UPDATE cards SET nid = ?, did = ?, ord = ?, mod = ?, usn = ?, type = ?, queue = ?, due = ?,
		ivl = ?, factor = ?, reps = ?, lapses = ?, left = ?, odue = ?, odid = ?, flags = ?, data = ? WHERE id = ?`,
		c.NID, c.DID, c.Ord, c.Mod, c.USN, c.Type, c.Queue, c.Due,
		c.Ivl, c.Factor, c.Reps, c.Lapses, c.Left, c.ODue, c.ODID, c.Flags, c.Data, c.ID)
	if err != nil {
		return fmt.Errorf("save card: %w", err)
	}
	return nil
}

// insertCard adds a card under a new id.
func (t *Txn) insertCard(c *Card) error {
	if err := t.write(); err != nil {
		return err
	}
	var err error
	if c.ID, err = t.newID(`SELECT (SELECT max(id) FROM cards) FROM cards WHERE id = ?`); err != nil {
		return err
	}
	return t.storeCard(c)
}

// storeCard adds a card whose id is free.
func (t *Txn) storeCard(c *Card) error {
	c.Mod, c.USN = t.now.Unix(), t.usn
	_, err := t.h.exec(`INSERT INTO cards (id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses,
		left, odue, odid, flags, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		c.ID, c.NID, c.DID, c.Ord, c.Mod, c.USN, c.Type, c.Queue, c.Due, c.Ivl, c.Factor, c.Reps, c.Lapses,
		c.Left, c.ODue, c.ODID, c.Flags, c.Data)
	if err != nil {
		return fmt.Errorf("add card: %w", err)
	}
	t.delta.Cards++
	return nil
}

// newID is the id of a new row: the time in ms or, if that is taken, one more
// than the highest. taken asks for the highest id if a row has the id given. The
// id of what was deleted is not used again: the other devices would delete the
// new row with the old one.
func (t *Txn) newID(taken string) (int64, error) {
	for id := t.now.UnixMilli(); ; id++ {
		var highest int64
		err := t.h.row(taken, []any{id}, &highest)
		if err == nil {
			id = highest + 1
		} else if !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		var one int
		err = t.h.row(`SELECT 1 FROM graves WHERE oid = ?`, []any{id}, &one)
		if errors.Is(err, sql.ErrNoRows) {
			return id, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// addReview adds to the review log; the id is raised if it is taken. It returns
// the one it got.
func (t *Txn) addReview(e scheduling.RevlogEntry) (int64, error) {
	if err := t.write(); err != nil {
		return 0, err
	}
	var one int
	err := t.h.row(`SELECT 1 FROM revlog WHERE id = ?`, []any{e.ID}, &one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return 0, err
	default:
		if err := t.h.row(`SELECT max(id) + 1 FROM revlog`, nil, &e.ID); err != nil {
			return 0, err
		}
	}
	_, err = t.h.exec(`INSERT INTO revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, e.CardID, t.usn, e.Button, e.Interval, e.LastInterval, e.Factor, e.TakenMillis, int64(e.Kind))
	if err != nil {
		return 0, fmt.Errorf("add review: %w", err)
	}
	t.delta.Revlog++
	return e.ID, nil
}

// addGrave notes that an object was deleted.
func (t *Txn) addGrave(id int64, kind int) error {
	n, err := t.h.exec(`INSERT OR IGNORE INTO graves (oid, type, usn) VALUES (?, ?, ?)`, id, kind, t.usn)
	if err != nil {
		return fmt.Errorf("add grave: %w", err)
	}
	t.delta.Graves += n
	if n > 0 {
		return nil
	}
	// It was deleted once before and had come back.
	_, err = t.h.exec(`UPDATE graves SET usn = ? WHERE oid = ? AND type = ?`, t.usn, id, kind)
	return err
}

// removeCards deletes cards, and the notes that are left without any.
func (t *Txn) removeCards(cards []Card) error {
	if err := t.willRemove(len(cards)); err != nil {
		return err
	}
	for i := range cards {
		c := &cards[i]
		n, err := t.h.exec(`DELETE FROM cards WHERE id = ?`, c.ID)
		if err != nil {
			return fmt.Errorf("delete card: %w", err)
		}
		if n == 0 {
			continue
		}
		t.delta.Cards--
		if err := t.addGrave(c.ID, graveCard); err != nil {
			return err
		}
		n, err = t.h.exec(`DELETE FROM notes WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM cards WHERE nid = ?1)`, c.NID)
		if err != nil {
			return fmt.Errorf("delete note: %w", err)
		}
		if n == 0 {
			continue
		}
		t.delta.Notes--
		if err := t.addGrave(c.NID, graveNote); err != nil {
			return err
		}
	}
	return nil
}

// schedulingCard is c as the scheduler sees it.
func schedulingCard(c *Card) scheduling.Card {
	return scheduling.Card{
		ID: c.ID, NoteID: c.NID, DeckID: c.DID, OriginalDeckID: c.ODID, Ord: c.Ord, Mod: c.Mod,
		Type: scheduling.CardType(clampInt8(c.Type)), Queue: scheduling.Queue(clampInt8(c.Queue)), Due: c.Due, OriginalDue: c.ODue,
		Interval: c.Ivl, Factor: c.Factor, Reps: c.Reps, Lapses: c.Lapses, Left: c.Left, Flags: c.Flags, Data: c.Data,
	}
}

func clampInt8(v int64) int8 { return int8(min(max(v, -128), 127)) }

// take writes what the scheduler made of a card into the row.
func (c *Card) take(s *scheduling.Card) {
	c.DID, c.ODID, c.Ord, c.Type, c.Queue = s.DeckID, s.OriginalDeckID, s.Ord, int64(s.Type), int64(s.Queue)
	c.Due, c.ODue, c.Ivl, c.Factor = s.Due, s.OriginalDue, s.Interval, s.Factor
	c.Reps, c.Lapses, c.Left, c.Flags, c.Data = s.Reps, s.Lapses, s.Left, s.Flags, s.Data
}

func schedulingReview(r *RevlogEntry) scheduling.RevlogEntry {
	return scheduling.RevlogEntry{
		ID: r.ID, CardID: r.CID, Button: r.Ease, Interval: r.Ivl, LastInterval: r.LastIvl, Factor: r.Factor,
		TakenMillis: r.Time, Kind: scheduling.RevlogKind(clampInt8(r.Type)),
	}
}
