package collection

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strconv"

	crand "crypto/rand"

	"golang.org/x/text/unicode/norm"

	"github.com/ankisyncd/ankisyncd/schema"
)

// NewNote is a note to be added.
type NewNote struct {
	NotetypeID int64
	// DeckID is where its cards go, unless a template says otherwise; 0 is the
	// current deck. Cards of a note cannot be added to a filtered deck: they go
	// to the default one.
	DeckID int64
	// Fields are in the notetype's order.
	Fields []string
	Tags   []string
	// GUID is made if empty.
	GUID string
}

// FieldList are the note's fields.
func (n *Note) FieldList() []string { return schema.SplitFields(n.Flds) }

// TagList are the note's tags.
func (n *Note) TagList() []string { return schema.SplitTags(n.Tags) }

// AddNote adds a note and its cards (docs/collection-format.md §7, §8). An empty
// first field is no error here, nor a duplicate.
func (t *Txn) AddNote(n NewNote) (noteID int64, cardIDs []int64, err error) {
	if err := t.write(); err != nil {
		return 0, nil, err
	}
	nt, err := t.notetypeFor(n.NotetypeID)
	if err != nil {
		return 0, nil, err
	}
	if n.DeckID == 0 {
		if n.DeckID, err = t.currentDeckID(); err != nil {
			return 0, nil, err
		}
	} else if _, err := t.Deck(n.DeckID); err != nil {
		return 0, nil, err
	}
	note := Note{GUID: n.GUID, MID: n.NotetypeID}
	if note.GUID == "" {
		note.GUID = newGUID()
	}
	fields, err := t.cleanFields(nt, n.Fields)
	if err != nil {
		return 0, nil, err
	}
	tags, err := t.canonTags(n.Tags)
	if err != nil {
		return 0, nil, err
	}
	note.Flds, note.Tags = schema.JoinFields(fields), schema.JoinTags(tags)
	if note.ID, err = t.newID(`SELECT (SELECT max(id) FROM notes) FROM notes WHERE id = ?`); err != nil {
		return 0, nil, err
	}
	_, err = t.h.exec(`INSERT INTO notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '')`,
		note.ID, note.GUID, note.MID, t.now.Unix(), t.usn, note.Tags, note.Flds,
		schema.SortField(fields, int(nt.Config.SortFieldIdx)), int64(schema.Checksum(fields[0])))
	if err != nil {
		return 0, nil, fmt.Errorf("add note: %w", err)
	}
	t.delta.Notes++
	if cardIDs, err = t.makeCards(nt, &note, n.DeckID); err != nil {
		return 0, nil, err
	}
	return note.ID, cardIDs, t.rememberChoice(n.NotetypeID, n.DeckID)
}

// rememberChoice notes which notetype and deck were used for adding, for the
// next time.
func (t *Txn) rememberChoice(notetypeID, deckID int64) error {
	if err := t.SetConfig("curModel", notetypeID); err != nil {
		return err
	}
	if err := t.SetConfig(lastDeckKey(notetypeID), deckID); err != nil {
		return err
	}
	return t.SetConfig(lastNotetypeKey(deckID), notetypeID)
}

func lastDeckKey(notetypeID int64) string {
	return "_nt_" + strconv.FormatInt(notetypeID, 10) + "_lastDeck"
}

func lastNotetypeKey(deckID int64) string {
	return "_deck_" + strconv.FormatInt(deckID, 10) + "_lastNotetype"
}

func newGUID() string {
	var b [8]byte
	_, _ = crand.Read(b[:]) // never fails
	return schema.GUID(binary.LittleEndian.Uint64(b[:]))
}

// cleanFields checks the number of fields and brings their text into the form
// in which clients store what is typed.
func (t *Txn) cleanFields(nt *notetypeInUse, fields []string) ([]string, error) {
	if len(fields) != len(nt.Fields) {
		return nil, refuse("the notetype %q has %d fields, not %d", nt.Name, len(nt.Fields), len(fields))
	}
	clean, err := t.fieldCleaner()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = clean(f)
	}
	return out, nil
}

// fieldCleaner returns what brings a field into the form in which clients store
// what is typed. What stood between a letter and its accent goes first.
func (t *Txn) fieldCleaner() (func(string) string, error) {
	compose, err := t.configBool("normalize_note_text", true)
	if err != nil || !compose {
		return schema.CleanField, err
	}
	return func(s string) string { return norm.NFC.String(schema.CleanField(s)) }, nil
}

// NoteChange says what of a note is to change; nil leaves it.
type NoteChange struct {
	Fields []string // all of them, in the notetype's order
	Tags   *[]string
	// KeepMod leaves the note's mod as it is. The change is synced all the same.
	KeepMod bool
	// Mod is the note's new mod, epoch s, if the change was made elsewhere; 0 is
	// now, and so is the future.
	Mod int64
}

// UpdateNote changes a note and adds the cards that it now asks for. Cards that
// have become empty stay. A change that changes nothing writes nothing.
func (t *Txn) UpdateNote(id int64, c NoteChange) error {
	n, err := t.Note(id)
	if err != nil {
		return err
	}
	nt, err := t.notetypeFor(n.MID)
	if err != nil {
		return err
	}
	if t.readOnly {
		return ErrReadOnly
	}
	before := n
	if c.Fields != nil {
		fields, err := t.cleanFields(nt, c.Fields)
		if err != nil {
			return err
		}
		n.Flds = schema.JoinFields(fields)
	}
	if c.Tags != nil {
		tags, err := t.canonTags(*c.Tags)
		if err != nil {
			return err
		}
		n.Tags = schema.JoinTags(tags)
	}
	if n == before {
		return nil
	}
	if c.Mod > 0 {
		n.Mod = min(c.Mod, t.now.Unix())
	}
	if err := t.saveNote(nt, &n, c.KeepMod || c.Mod > 0); err != nil {
		return err
	}
	_, err = t.makeCards(nt, &n, 0)
	return err
}

// saveNote writes a changed note.
func (t *Txn) saveNote(nt *notetypeInUse, n *Note, keepMod bool) error {
	if err := t.write(); err != nil {
		return err
	}
	n.USN = t.usn
	if !keepMod {
		n.Mod = t.now.Unix()
	}
	fields := n.FieldList()
	_, err := t.h.exec(`UPDATE notes SET guid = ?, mid = ?, mod = ?, usn = ?, tags = ?, flds = ?, sfld = ?, csum = ? WHERE id = ?`,
		n.GUID, n.MID, n.Mod, n.USN, n.Tags, n.Flds,
		schema.SortField(fields, int(nt.Config.SortFieldIdx)), int64(schema.Checksum(fields[0])), n.ID)
	if err != nil {
		return fmt.Errorf("save note: %w", err)
	}
	return nil
}

// DeleteNotes deletes notes with their cards, and returns how many there were.
func (t *Txn) DeleteNotes(ids ...int64) (int, error) {
	if t.readOnly {
		return 0, ErrReadOnly
	}
	ids, err := collect(t.h, scanID, `SELECT id FROM notes WHERE id IN (SELECT value FROM json_each(?))`, idList(ids))
	if err != nil {
		return 0, err
	}
	cards, err := collect(t.h, scanCard, `SELECT `+cardColumns+` FROM cards WHERE nid IN (SELECT value FROM json_each(?))`, idList(ids))
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := t.removeCards(cards); err != nil {
		return 0, err
	}
	// What is left are notes that had no cards.
	for _, id := range ids {
		n, err := t.h.exec(`DELETE FROM notes WHERE id = ?`, id)
		if err != nil {
			return 0, fmt.Errorf("delete note: %w", err)
		}
		if n == 0 {
			continue
		}
		t.delta.Notes--
		if err := t.addGrave(id, graveNote); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// Duplicates returns the other notes of a notetype whose first field reads the
// same; except may be 0.
func (t *Txn) Duplicates(notetypeID int64, firstField string, except int64) ([]int64, error) {
	clean, err := t.fieldCleaner()
	if err != nil {
		return nil, err
	}
	first := clean(firstField)
	// By checksum, not by notetype, which most notes share (the "+").
	notes, err := collect(t.h, scanNote, `SELECT `+noteColumns+` FROM notes WHERE csum = ? AND +mid = ? AND id != ? ORDER BY id`,
		int64(schema.Checksum(first)), notetypeID, except)
	if err != nil {
		return nil, err
	}
	want := schema.StripHTML(first)
	var out []int64
	for i := range notes {
		if schema.StripHTML(notes[i].FieldList()[0]) == want {
			out = append(out, notes[i].ID)
		}
	}
	return out, nil
}

// makeCards adds the cards that a note asks for and does not have, to chosen
// unless their template or their siblings say otherwise; chosen 0 is the deck in
// which the notetype was last used (docs/collection-format.md §8).
func (t *Txn) makeCards(nt *notetypeInUse, n *Note, chosen int64) ([]int64, error) {
	siblings, err := t.NoteCards(n.ID)
	if err != nil {
		return nil, err
	}
	have := make([]int, len(siblings))
	for i := range siblings {
		have[i] = int(siblings[i].Ord)
	}
	fields, tagged := n.FieldList(), n.Tags != ""
	ords := nt.generator().Missing(fields, tagged, have)
	if len(ords) == 0 {
		return nil, nil
	}
	// A template is not asked about the card that a note has because it must have one.
	forced := len(have) == 0 && len(ords) == 1 && nt.targetDeck(ords[0]) != 0 && len(nt.generator().Ords(fields, tagged)) == 0
	if chosen == 0 {
		if chosen, err = t.configInt(lastDeckKey(n.MID), 0); err != nil {
			return nil, err
		}
	}
	if home := commonHome(siblings); home != 0 {
		chosen = home
	}
	place := newPlace{due: newSibling(siblings), nextPos: -1}
	var out []int64
	for _, ord := range ords {
		c := Card{NID: n.ID, DID: chosen, Ord: int64(ord), Data: "{}"}
		if target := nt.targetDeck(ord); target != 0 && !forced {
			c.DID = target
		}
		if c.DID, c.Due, err = t.placeNew(&place, c.DID); err != nil {
			return nil, err
		}
		if err := t.insertCard(&c); err != nil {
			return nil, err
		}
		out = append(out, c.ID)
	}
	return out, nil
}

// commonHome is the home deck that all cards share, 0 if there is none.
func commonHome(cards []Card) int64 {
	home := int64(0)
	for i := range cards {
		h := homeDeck(&cards[i])
		if i > 0 && h != home {
			return 0
		}
		home = h
	}
	return home
}

func homeDeck(c *Card) int64 {
	if c.ODID != 0 {
		return c.ODID
	}
	return c.DID
}

// newSibling is the position of a new card among siblings, -1 if there is none.
func newSibling(cards []Card) int64 {
	for i := range cards {
		if c := &cards[i]; c.Type == 0 {
			if c.ODID != 0 {
				return c.ODue
			}
			return c.Due
		}
	}
	return -1
}

// newPlace hands out positions to the cards of one note.
type newPlace struct {
	due     int64 // of a new sibling, or -1
	nextPos int64 // -1 until one was taken
}

// placeNew returns the deck and the position for a new card that is to go to
// deckID.
func (t *Txn) placeNew(p *newPlace, deckID int64) (did, due int64, err error) {
	d, err := t.deckOrNil(deckID)
	if err != nil {
		return 0, 0, err
	}
	if d == nil || d.Kind.Normal == nil {
		deckID = defaultDeckID
		if d, err = t.deckOrNil(deckID); err != nil {
			return 0, 0, err
		}
	}
	if p.due >= 0 {
		return deckID, p.due, nil
	}
	if p.nextPos < 0 {
		if p.nextPos, err = t.nextPosition(1); err != nil {
			return 0, 0, err
		}
	}
	random, err := t.insertsAtRandom(d)
	if err != nil || !random {
		return deckID, p.nextPos, err
	}
	// The cards of a note stay together.
	r := rand.New(rand.NewPCG(uint64(p.nextPos), 0)) //nolint:gosec // an order of cards, not a secret
	return deckID, 1 + r.Int64N(max(1000, p.nextPos)-1), nil
}

// insertsAtRandom reports whether a deck's options put new cards anywhere in
// the new queue.
func (t *Txn) insertsAtRandom(d *schema.Deck) (bool, error) {
	if d == nil || d.Kind.Normal == nil {
		return false, nil
	}
	c, err := t.presetOf(d)
	if err != nil || c == nil {
		return false, err
	}
	return c.Config.NewCardInsertOrder == 1, nil
}
