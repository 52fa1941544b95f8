package collection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// defaultDeckID is the deck that every collection has, and defaultConfigID its
// options.
const (
	defaultDeckID   = 1
	defaultConfigID = 1
)

const (
	deckSeparator = "\x1f"
	// maxDeckName bounds the length of a whole deck name, in bytes.
	maxDeckName = 4 << 10
	// maxDeckDepth bounds how many decks lie above each other: each of them is
	// made, and looked for among all others.
	maxDeckDepth = 100
)

// Decks lists all decks, sorted by name as clients sort them.
func (t *Txn) Decks() ([]*schema.Deck, error) {
	all, err := t.allDecks()
	return slices.Clone(all), err
}

// allDecks is Decks for who only looks: the list changes with the next deck that is
// saved or deleted.
func (t *Txn) allDecks() ([]*schema.Deck, error) {
	if t.decks != nil {
		return t.decks, nil
	}
	decks, err := collect(t.h, scanDeck, `SELECT id, name, mtime_secs, usn, common, kind FROM decks ORDER BY name`)
	if err != nil {
		return nil, err
	}
	t.decks = decks
	return decks, nil
}

// dropDeck takes a deck out of what was read.
func (t *Txn) dropDeck(id int64) {
	t.decks = slices.DeleteFunc(t.decks, func(o *schema.Deck) bool { return o.ID == id })
}

// noteDeck puts a deck that was saved into what was read, which is not read again:
// that would take longer with each deck of a loop.
func (t *Txn) noteDeck(d *schema.Deck) {
	if t.decks == nil {
		return
	}
	own := *d
	t.dropDeck(d.ID)
	i, _ := slices.BinarySearchFunc(t.decks, own.Name, func(o *schema.Deck, name string) int { return sqlite.CompareFold(o.Name, name) })
	t.decks = slices.Insert(t.decks, i, &own)
}

// Deck returns a deck by id.
func (t *Txn) Deck(id int64) (*schema.Deck, error) {
	d, err := t.deckOrNil(id)
	if err == nil && d == nil {
		return nil, missing("deck", id)
	}
	return d, err
}

// deckOrNil returns a deck of the caller's own, nil if there is none of that id.
func (t *Txn) deckOrNil(id int64) (*schema.Deck, error) {
	all, err := t.allDecks()
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if d.ID == id {
			own := *d
			return &own, nil
		}
	}
	return nil, nil //nolint:nilnil // the name says so
}

// DeckByName returns a deck by its human name ("A::B"), whatever the case.
func (t *Txn) DeckByName(name string) (*schema.Deck, error) {
	native := schema.NormalizeDeckName(name)
	all, err := t.allDecks()
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		if sqlite.EqualFold(d.Name, native) {
			own := *d
			return &own, nil
		}
	}
	return nil, missing("deck", name)
}

// saveDeck writes a deck, new or changed. Its name must be free.
func (t *Txn) saveDeck(d *schema.Deck) error {
	if err := t.write(); err != nil {
		return err
	}
	d.Mtime, d.USN = t.now.Unix(), int32(t.usn)
	n, err := t.h.exec(`UPDATE decks SET name = ?, mtime_secs = ?, usn = ?, common = ?, kind = ? WHERE id = ?`,
		d.Name, d.Mtime, d.USN, d.Common.Encode(), d.Kind.Encode(), d.ID)
	if err == nil && n == 0 {
		t.delta.Decks++
		_, err = t.h.exec(`INSERT INTO decks (id, name, mtime_secs, usn, common, kind) VALUES (?, ?, ?, ?, ?, ?)`,
			d.ID, d.Name, d.Mtime, d.USN, d.Common.Encode(), d.Kind.Encode())
	}
	if err != nil {
		return fmt.Errorf("save deck: %w", err)
	}
	t.noteDeck(d)
	return nil
}

// CreateDeck returns the normal deck of that human name. It makes it, and the
// decks above it, if they are missing. A filtered deck of that name, or above
// it, is an EditError.
func (t *Txn) CreateDeck(name string) (*schema.Deck, error) {
	d, err := t.DeckByName(name)
	if err == nil {
		if d.Kind.Normal == nil {
			return nil, refuse("the deck %q is a filtered one", name)
		}
		return d, nil
	}
	if !errors.Is(err, ErrNoObject) {
		return nil, err
	}
	native, err := t.placeDeck(schema.NormalizeDeckName(name), 0)
	if err != nil {
		return nil, err
	}
	return t.addNormalDeck(native)
}

func (t *Txn) addNormalDeck(native string) (*schema.Deck, error) {
	id, err := t.newID(`SELECT (SELECT max(id) FROM decks) FROM decks WHERE id = ?`)
	if err != nil {
		return nil, err
	}
	d := &schema.Deck{
		ID: id, Name: native,
		Common: schema.DeckCommon{StudyCollapsed: true, BrowserCollapsed: true},
		Kind:   schema.DeckKind{Normal: &schema.NormalDeck{ConfigID: defaultConfigID}},
	}
	return d, t.saveDeck(d)
}

// checkDeckName refuses native names that are too long or too deep.
func checkDeckName(native string) error {
	if len(native) > maxDeckName {
		return refuse("the name of the deck is too long")
	}
	if strings.Count(native, deckSeparator) >= maxDeckDepth {
		return refuse("the deck lies below too many others")
	}
	return nil
}

// placeDeck prepares the place for a deck of a native name: it makes the decks
// above it that are missing, and returns the name spelt as theirs. The decks
// above must be normal ones, and the name free but for the deck except.
func (t *Txn) placeDeck(native string, except int64) (string, error) {
	if err := checkDeckName(native); err != nil {
		return "", err
	}
	parts := strings.Split(native, deckSeparator)
	parent := ""
	for i := 1; i < len(parts); i++ {
		p, err := t.DeckByName(schema.HumanDeckName(strings.Join(parts[:i], deckSeparator)))
		switch {
		case errors.Is(err, ErrNoObject):
			if p, err = t.addNormalDeck(strings.Join(parts[:i], deckSeparator)); err != nil {
				return "", err
			}
		case err != nil:
			return "", err
		case p.Kind.Normal == nil:
			return "", refuse("the deck %q is a filtered one and cannot have decks below it", schema.HumanDeckName(p.Name))
		}
		parent = p.Name
		copy(parts, strings.Split(parent, deckSeparator))
	}
	native = strings.Join(parts, deckSeparator)
	d, err := t.DeckByName(schema.HumanDeckName(native))
	if errors.Is(err, ErrNoObject) || err == nil && d.ID == except {
		return native, nil
	}
	if err != nil {
		return "", err
	}
	return "", refuse("there is a deck %q already", schema.HumanDeckName(d.Name))
}

// below lists the decks below d by name.
func (t *Txn) below(d *schema.Deck) ([]*schema.Deck, error) {
	all, err := t.allDecks()
	if err != nil {
		return nil, err
	}
	prefix := sqlite.Fold(d.Name) + deckSeparator
	var out []*schema.Deck
	for _, o := range all {
		if strings.HasPrefix(sqlite.Fold(o.Name), prefix) {
			own := *o
			out = append(out, &own)
		}
	}
	return out, nil
}

// deckIDs are the ids of decks and of those below them, each once.
func (t *Txn) deckIDs(roots ...int64) ([]int64, error) {
	var out []int64
	for _, id := range roots {
		d, err := t.Deck(id)
		if err != nil {
			return nil, err
		}
		below, err := t.below(d)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
		for _, c := range below {
			out = append(out, c.ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// RenameDeck gives a deck another whole name ("A::B"), and moves those below it
// with it. Decks above the new name are made if they are missing.
func (t *Txn) RenameDeck(ctx context.Context, id int64, to string) error {
	d, err := t.Deck(id)
	if err != nil {
		return err
	}
	native := schema.NormalizeDeckName(to)
	if native == d.Name {
		return nil
	}
	if strings.HasPrefix(sqlite.Fold(native), sqlite.Fold(d.Name)+deckSeparator) {
		return refuse("a deck cannot be moved below itself")
	}
	below, err := t.below(d)
	if err != nil {
		return err
	}
	if native, err = t.placeDeck(native, id); err != nil {
		return err
	}
	taken, err := t.namesBeside(d, below)
	if err != nil {
		return err
	}
	depth := strings.Count(d.Name, deckSeparator) + 1
	d.Name = native
	if err := t.saveDeck(d); err != nil {
		return err
	}
	for _, c := range below {
		if err := ctx.Err(); err != nil {
			return err
		}
		parts := strings.Split(c.Name, deckSeparator)
		c.Name = native + deckSeparator + strings.Join(parts[depth:], deckSeparator)
		if err := checkDeckName(c.Name); err != nil {
			return err
		}
		if taken[sqlite.Fold(c.Name)] {
			return refuse("there is a deck %q already", schema.HumanDeckName(c.Name))
		}
		if err := t.saveDeck(c); err != nil {
			return err
		}
	}
	return nil
}

// namesBeside are the names, folded, of all decks but one and those below it. A deck
// may be without the one above it: then names below a free one are taken.
func (t *Txn) namesBeside(d *schema.Deck, below []*schema.Deck) (map[string]bool, error) {
	all, err := t.allDecks()
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(all))
	for _, o := range all {
		names[sqlite.Fold(o.Name)] = true
	}
	for _, o := range append(below, d) {
		delete(names, sqlite.Fold(o.Name))
	}
	return names, nil
}

// ReparentDeck moves a deck, with those below it, below another one; parent 0
// is the top.
func (t *Txn) ReparentDeck(ctx context.Context, id, parent int64) error {
	d, err := t.Deck(id)
	if err != nil {
		return err
	}
	name := d.Name[strings.LastIndex(d.Name, deckSeparator)+1:]
	if parent != 0 {
		p, err := t.Deck(parent)
		if err != nil {
			return err
		}
		if p.ID == d.ID {
			return refuse("a deck cannot be moved below itself")
		}
		name = p.Name + deckSeparator + name
	}
	return t.RenameDeck(ctx, id, schema.HumanDeckName(name))
}

// DeleteDeck deletes a deck and those below it with their cards, also those
// that are in a filtered deck at the moment, and the notes that are left without
// cards. With keepCards the cards move to the default deck instead. Cards of a
// filtered deck always go home. It returns how many cards were deleted or moved to
// the default deck.
//
// The default deck stays, under its old name and without its cards.
func (t *Txn) DeleteDeck(id int64, keepCards bool) (cards int, err error) {
	d, err := t.Deck(id)
	if err != nil {
		return 0, err
	}
	if err := t.write(); err != nil {
		return 0, err
	}
	below, err := t.below(d)
	if err != nil {
		return 0, err
	}
	for _, d := range append(below, d) {
		n, err := t.deleteOneDeck(d, keepCards)
		if err != nil {
			return 0, err
		}
		cards += n
	}
	return cards, nil
}

func (t *Txn) deleteOneDeck(d *schema.Deck, keepCards bool) (n int, err error) {
	if d.Kind.Filtered != nil {
		// As in clients its cards are not counted: they are those of other decks, of
		// which some may go as well.
		if _, err := t.EmptyFilteredDeck(d.ID); err != nil {
			return 0, err
		}
	} else {
		cards, err := collect(t.h, scanCard, `SELECT `+cardColumns+` FROM cards WHERE did = ?1 OR odid = ?1`, d.ID)
		if err != nil {
			return 0, err
		}
		n = len(cards)
		switch {
		case keepCards && d.ID == defaultDeckID:
			n = 0
		case keepCards:
			err = t.rehome(cards, defaultDeckID)
		default:
			err = t.removeCards(cards)
		}
		if err != nil {
			return 0, err
		}
	}
	if err := t.RemoveConfig(lastNotetypeKey(d.ID)); err != nil {
		return 0, err
	}
	if d.ID == defaultDeckID {
		return n, t.resetDefaultDeck(d)
	}
	if _, err := t.h.exec(`DELETE FROM decks WHERE id = ?`, d.ID); err != nil {
		return 0, fmt.Errorf("delete deck: %w", err)
	}
	t.dropDeck(d.ID)
	t.delta.Decks--
	if err := t.addGrave(d.ID, graveDeck); err != nil {
		return 0, err
	}
	current, err := t.configInt("curDeck", defaultDeckID)
	if err != nil || current != d.ID {
		return n, err
	}
	return n, t.SelectDeck(defaultDeckID)
}

// resetDefaultDeck gives the default deck its first name: it may have lain below
// a deck that is about to go.
func (t *Txn) resetDefaultDeck(d *schema.Deck) error {
	const name = "Default"
	if d.Name == name {
		return nil
	}
	m := merger{t.h, &session{serverUSN: t.usn}, t.now}
	free, err := m.freeName(`SELECT 1 FROM decks WHERE name = ? AND id != ?`, name, d.ID)
	if err != nil {
		return err
	}
	d.Name = free
	return t.saveDeck(d)
}

// rehome moves cards to a normal deck, and changes only the home of those that
// are in a filtered deck.
func (t *Txn) rehome(cards []Card, deckID int64) error {
	for i := range cards {
		c := &cards[i]
		if c.ODID != 0 {
			c.ODID = deckID
		} else {
			c.DID = deckID
		}
		if err := t.saveCard(c); err != nil {
			return err
		}
	}
	return nil
}

// currentDeckID is the selected deck, the default one if that is gone.
func (t *Txn) currentDeckID() (int64, error) {
	id, err := t.configInt("curDeck", defaultDeckID)
	if err != nil {
		return 0, err
	}
	d, err := t.deckOrNil(id)
	if err != nil || d != nil {
		return id, err
	}
	return defaultDeckID, nil
}

// CurrentDeck is the selected deck.
func (t *Txn) CurrentDeck() (*schema.Deck, error) {
	id, err := t.currentDeckID()
	if err != nil {
		return nil, err
	}
	return t.Deck(id)
}

// SelectDeck makes a deck the current one.
func (t *Txn) SelectDeck(id int64) error {
	ids, err := t.deckIDs(id)
	if err != nil {
		return err
	}
	if err := t.SetConfig("curDeck", id); err != nil {
		return err
	}
	// Clients before 2021 study these.
	return t.SetConfig("activeDecks", ids)
}
