package api

import (
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

// importDecks brings the decks of the package's cards, those above them, and
// their options, as clients do. Filtered decks stay such, with their cards, if
// every card's home is in the package; else they become normal ones.
func (m *merger) importDecks() error {
	all, err := m.from.Decks()
	if err != nil {
		return err
	}
	m.theirs = make(map[int64]*schema.Deck, len(all))
	for _, d := range all {
		m.theirs[d.ID] = d
	}
	used, err := m.usedDecks()
	if err != nil {
		return err
	}
	names := map[string]bool{} // of the decks above these, too
	for _, d := range all {
		for name := d.Name; used[d.ID] && name != ""; name = name[:max(0, strings.LastIndexByte(name, '\x1f'))] {
			names[name] = true
		}
	}
	var decks []*schema.Deck
	for _, d := range all {
		if !names[d.Name] {
			continue
		}
		if d.Kind.Normal == nil && !m.filtered {
			own := *d
			own.Kind = schema.DeckKind{Normal: &schema.NormalDeck{ConfigID: 1}}
			d = &own
		}
		decks = append(decks, d)
	}
	for _, d := range decks {
		if d.Kind.Normal == nil {
			continue
		}
		c, err := m.from.DeckConfig(d.Kind.Normal.ConfigID)
		if err == nil {
			_, err = m.to.ImportDeckConfig(*c)
		}
		if ignoreMissing(err) != nil {
			return err
		}
	}
	m.decks, err = m.to.ImportDecks(decks, m.calendar.theirs)
	return err
}

// usedDecks are the decks with cards of the package. It finds out whether
// filtered decks can stay.
func (m *merger) usedDecks() (map[int64]bool, error) {
	used := map[int64]bool{}
	m.filtered = !m.calendar.first
	err := m.from.EachCard(nil, func(c collection.Card) error {
		if !m.calendar.first || c.ODID == 0 {
			used[c.DID] = true
		}
		if c.ODID != 0 {
			used[c.ODID] = true
		}
		d := m.theirs[c.DID]
		normal := c.ODID == 0 && d != nil && d.Kind.Normal != nil
		if home := m.theirs[c.ODID]; !normal && (home == nil || home.Kind.Normal == nil) && c.ODID != 1 {
			m.filtered = false
		}
		return nil
	})
	return used, err
}

// place is where a card of the package is to be: in which deck and, if that is a
// filtered one, which is its home.
func (m *merger) place(c *collection.Card) (deck, home int64) {
	ours := func(id int64) int64 {
		if have, ok := m.decks[id]; ok {
			return have
		}
		return 1
	}
	d := m.theirs[c.DID]
	switch {
	case c.ODID == 0:
		return ours(c.DID), 0
	case d != nil && d.Kind.Normal == nil && m.filtered:
		return ours(c.DID), ours(c.ODID)
	case d != nil && d.Kind.Normal == nil && !m.calendar.first:
		return ours(c.DID), 0 // it has become a normal one
	}
	return ours(c.ODID), 0
}
