package collection

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// ImportedNote is a note of another collection that is to be added as it was
// there.
type ImportedNote struct {
	// ID is kept if it is free and was never deleted here, else it is a new one.
	ID int64
	// Mod is epoch s, so that a later version of the same note can be told from
	// this one; of the future it is now.
	Mod        int64
	GUID       string
	NotetypeID int64
	Fields     []string // in the notetype's order
	Tags       []string
}

// ImportNote adds a note without its cards: ImportCard adds those that it had.
// The caller must see to it that it gets one (EnsureCards).
func (t *Txn) ImportNote(n ImportedNote) (int64, error) {
	if err := t.write(); err != nil {
		return 0, err
	}
	nt, err := t.notetypeFor(n.NotetypeID)
	if err != nil {
		return 0, err
	}
	fields, err := t.cleanFields(nt, n.Fields)
	if err != nil {
		return 0, err
	}
	tags, err := t.canonTags(n.Tags)
	if err != nil {
		return 0, err
	}
	if n.GUID == "" {
		n.GUID = newGUID()
	}
	id, err := t.importedID(n.ID, "notes", graveNote)
	if err != nil {
		return 0, err
	}
	_, err = t.h.exec(`INSERT INTO notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')`,
		id, n.GUID, n.NotetypeID, min(max(n.Mod, 0), t.now.Unix()), t.usn, schema.JoinTags(tags), schema.JoinFields(fields),
		schema.SortField(fields, int(nt.Config.SortFieldIdx)), int64(schema.Checksum(fields[0])))
	if err != nil {
		return 0, fmt.Errorf("import note: %w", err)
	}
	t.delta.Notes++
	return id, nil
}

// EnsureCards gives a note without any card those that it asks for, in a deck.
func (t *Txn) EnsureCards(noteID, deckID int64) error {
	cards, err := t.NoteCards(noteID)
	if err != nil || len(cards) > 0 {
		return err
	}
	n, err := t.Note(noteID)
	if err != nil {
		return err
	}
	nt, err := t.notetypeFor(n.MID)
	if err != nil {
		return err
	}
	_, err = t.makeCards(nt, &n, deckID)
	return err
}

// importedID is the id for a row that had one elsewhere: the same if it is free
// here. One that was deleted is not: devices would delete it again.
func (t *Txn) importedID(id int64, table string, graveKind int) (int64, error) {
	free := id > 0 && id <= t.now.UnixMilli()
	if free {
		var used bool
		err := t.h.row(`SELECT EXISTS (SELECT 1 FROM `+table+` WHERE id = ?1)
			OR EXISTS (SELECT 1 FROM graves WHERE oid = ?1 AND type = ?2)`, []any{id, graveKind}, &used)
		if err != nil {
			return 0, err
		}
		free = !used
	}
	if free {
		return id, nil
	}
	return t.newID(`SELECT (SELECT max(id) FROM ` + table + `) FROM ` + table + ` WHERE id = ?`)
}

// CheckScheduling tells whether a card's scheduling is one that a card can have:
// fields in range, and a queue that fits the type. That of a card in a filtered
// deck must fit once it goes home.
func CheckScheduling(c *Card) error {
	home := *c
	if c.ODID != 0 {
		s := schedulingCard(c)
		if c.Queue < -3 || c.Queue > 4 || c.Due < math.MinInt32 || c.Due > math.MaxInt32 || !scheduling.ReturnHome(&s) {
			return refuse("a card of a filtered deck is out of range")
		}
		home.take(&s)
		home.ODID, home.ODue = 0, 0
	}
	return checkAtHome(&home)
}

// checkAtHome is CheckScheduling for a card outside of filtered decks.
func checkAtHome(c *Card) error {
	fits := false
	switch c.Queue {
	case -3, -2, -1:
		fits = c.Type >= 0 && c.Type <= 3
	case 0, 2:
		fits = c.Type == c.Queue
	case 1, 3:
		fits = c.Type == 1 || c.Type == 3
	}
	if !fits {
		return refuse("a card of type %d cannot be in queue %d", c.Type, c.Queue)
	}
	if c.ODID != 0 || c.ODue != 0 {
		return refuse("the card is in a filtered deck")
	}
	if c.Due < math.MinInt32 || c.Due > math.MaxInt32 || c.Factor > math.MaxUint16 || c.Flags > math.MaxUint8 {
		return refuse("the card's scheduling is out of range")
	}
	for _, v := range []int64{c.Ivl, c.Factor, c.Reps, c.Lapses, c.Left, c.Flags} {
		if v < 0 || v > math.MaxInt32 {
			return refuse("the card's scheduling is out of range")
		}
	}
	if c.Data != "" {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(c.Data), &object) != nil {
			return refuse("the card's data is no JSON object")
		}
	}
	return nil
}

// ImportCard adds a card with the scheduling that it had elsewhere
// (CheckScheduling; it may be in a filtered deck) to a note that has none of
// that ordinal. Its id is kept as a note's is; mod and usn are set. It returns
// the id.
func (t *Txn) ImportCard(c Card) (int64, error) {
	if err := t.write(); err != nil {
		return 0, err
	}
	if err := CheckScheduling(&c); err != nil {
		return 0, err
	}
	n, err := t.Note(c.NID)
	if err != nil {
		return 0, err
	}
	nt, err := t.notetypeFor(n.MID)
	if err != nil {
		return 0, err
	}
	if c.Ord < 0 || c.Ord > math.MaxUint16 || nt.template(int(c.Ord)) == nil {
		return 0, refuse("the notetype %q has no card %d", nt.Name, c.Ord)
	}
	if err := t.checkPlace(&c); err != nil {
		return 0, err
	}
	var there bool
	if err := t.h.row(`SELECT EXISTS (SELECT 1 FROM cards WHERE nid = ? AND ord = ?)`, []any{c.NID, c.Ord}, &there); err != nil {
		return 0, err
	}
	if there {
		return 0, refuse("the note has the card %d already", c.Ord)
	}
	if c.ID, err = t.importedID(c.ID, "cards", graveCard); err != nil {
		return 0, err
	}
	return c.ID, t.storeCard(&c)
}

// checkPlace sees to it that a card's home is a normal deck, and that only a
// card in a filtered deck has another one.
func (t *Txn) checkPlace(c *Card) error {
	d, err := t.Deck(c.DID)
	if err != nil {
		return err
	}
	if (d.Kind.Normal == nil) != (c.ODID != 0) {
		return refuse("only cards of filtered decks have another home")
	}
	if c.ODID == 0 {
		return nil
	}
	if d, err = t.Deck(c.ODID); err == nil && d.Kind.Normal == nil {
		return refuse("a filtered deck is nobody's home")
	}
	return err
}

// ImportReviews adds to the log what was logged elsewhere of a card. Entries
// whose id is there already, or that no client could have written, are passed
// over. It returns how many were added.
func (t *Txn) ImportReviews(cardID int64, reviews []RevlogEntry) (int, error) {
	if err := t.write(); err != nil {
		return 0, err
	}
	if _, err := t.Card(cardID); err != nil {
		return 0, err
	}
	added := 0
	for i := range reviews {
		r := &reviews[i]
		if !t.plausible(r) {
			continue
		}
		n, err := t.h.exec(`INSERT OR IGNORE INTO revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			r.ID, cardID, t.usn, r.Ease, r.Ivl, r.LastIvl, r.Factor, r.Time, r.Type)
		if err != nil {
			return added, fmt.Errorf("import review: %w", err)
		}
		t.delta.Revlog += n
		added += int(n)
	}
	return added, nil
}

func (t *Txn) plausible(r *RevlogEntry) bool {
	const day = 86_400_000 // clocks differ
	for _, v := range []int64{r.Ivl, r.LastIvl, r.Factor, r.Time} {
		if v < math.MinInt32 || v > math.MaxInt32 {
			return false
		}
	}
	return r.ID > 0 && r.ID <= t.now.UnixMilli()+day && r.Ease >= 0 && r.Ease <= 4 && r.Type >= 0 && r.Type <= 5 &&
		r.Factor >= 0 && r.Time >= 0
}

// NotesByGUID finds notes by their guids, however many, in one pass over the
// notes. Of several with one guid it is the oldest.
func (t *Txn) NotesByGUID(guids []string) (map[string]int64, error) {
	out := map[string]int64{}
	if len(guids) == 0 {
		return out, nil
	}
	list, err := json.Marshal(guids)
	if err != nil {
		return nil, errors.Join(refuse("a guid is no text"), err)
	}
	err = t.h.query(func(scan func(...any) error) error {
		var guid string
		var id int64
		err := scan(&guid, &id)
		if _, ok := out[guid]; !ok {
			out[guid] = id
		}
		return err
	}, `SELECT guid, id FROM notes WHERE guid IN (SELECT value FROM json_each(?)) ORDER BY id`, string(list))
	return out, err
}
