package collection

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
)

// ImportDeckConfig adds options of another collection under their own id, unless
// there are such, and tells whether it did.
func (t *Txn) ImportDeckConfig(c schema.DeckConfig) (bool, error) {
	if c.ID <= 0 {
		return false, nil
	}
	// One by one: what was read of all of them does not outlast the first that is added.
	if _, err := t.DeckConfig(c.ID); err == nil || ignoreMissing(err) != nil {
		return false, err
	}
	c.Config = c.Config.InRange() // as clients read them
	return true, t.saveDeckConfig(&c)
}

// ImportDecks brings decks of another collection as clients do, and returns
// their ids here by those there. One whose name is there takes over description,
// options and limits of the other, or what it collects if it is filtered. If of
// two decks of one name only one is filtered, the imported one gets another
// name, and so do those below it. theirToday is the number of the present day in
// the other collection.
func (t *Txn) ImportDecks(decks []*schema.Deck, theirToday uint32) (map[int64]int64, error) {
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	if err := t.loadPresets(); err != nil {
		return nil, err
	}
	i := deckImport{t: t, today: day.Today, theirs: theirToday, ids: map[int64]int64{}, suffix: " " + strconv.FormatInt(t.now.Unix(), 10)}
	own := make([]schema.Deck, len(decks))
	for k, d := range decks {
		own[k] = *d
		own[k].Name = schema.NormalizeDeckName(schema.HumanDeckName(d.Name))
		if err := checkDeckName(own[k].Name); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(own, func(a, b schema.Deck) int {
		return cmp.Compare(strings.Count(a.Name, deckSeparator), strings.Count(b.Name, deckSeparator))
	})
	for k := range own {
		if err := i.deck(&own[k]); err != nil {
			return nil, err
		}
	}
	return i.ids, nil
}

type deckImport struct {
	t             *Txn
	today, theirs uint32 // the present day, here and in the other collection
	ids           map[int64]int64
	suffix        string      // of new names
	renamed       [][2]string // native names of decks, with the separator
}

func (i *deckImport) deck(d *schema.Deck) error {
	id := d.ID
	i.days(d)
	d.Name = i.moved(d.Name)
	have, err := i.t.DeckByName(schema.HumanDeckName(d.Name))
	switch {
	case err == nil && (have.Kind.Normal == nil) == (d.Kind.Normal == nil):
		i.ids[id] = have.ID
		return i.update(have, d)
	case err == nil:
		if d.Name, err = i.rename(d.Name); err != nil {
			return err
		}
	case ignoreMissing(err) != nil:
		return err
	}
	if err := i.parents(d); err != nil {
		return err
	}
	if d.Name, err = i.t.placeDeck(d.Name, 0); err != nil {
		return err
	}
	if d.ID, err = i.t.newID(`SELECT (SELECT max(id) FROM decks) FROM decks WHERE id = ?`); err != nil {
		return err
	}
	i.ids[id] = d.ID
	return i.t.saveDeck(d)
}

// days counts the days of a deck from here: a limit of today stays one of today,
// and none of another day becomes one. What was studied keeps its day, as in
// clients, who export none.
func (i *deckImport) days(d *schema.Deck) {
	if d.Kind.Normal == nil {
		return
	}
	n := *d.Kind.Normal
	for _, l := range []**schema.DayLimit{&n.NewLimitToday, &n.ReviewLimitToday} {
		if *l == nil {
			continue
		}
		own := **l
		if own.Today == i.theirs {
			own.Today = i.today
		} else {
			own.Today = min(own.Today, max(i.today, 1)-1)
		}
		*l = &own
	}
	if i.t.presets[n.ConfigID] == nil {
		n.ConfigID = defaultConfigID
	}
	d.Kind.Normal = &n
}

// moved is the name of a deck below decks that got other names.
func (i *deckImport) moved(name string) string {
	for _, r := range i.renamed {
		if rest, ok := strings.CutPrefix(name, r[0]); ok {
			return r[1] + rest
		}
	}
	return name
}

// rename makes a name for a deck that is not taken, even by an import of the
// same second.
func (i *deckImport) rename(name string) (string, error) {
	to := name + i.suffix
	for {
		_, err := i.t.DeckByName(schema.HumanDeckName(to))
		if errors.Is(err, ErrNoObject) {
			break
		} else if err != nil {
			return "", err
		}
		to += "+"
	}
	i.renamed = append(i.renamed, [2]string{name + deckSeparator, to + deckSeparator})
	return to, nil
}

// parents makes another deck in place of a filtered one, which cannot have decks
// below it.
func (i *deckImport) parents(d *schema.Deck) error {
	parts := strings.Split(d.Name, deckSeparator)
	for n := len(parts) - 1; n > 0; n-- {
		above, err := i.t.DeckByName(schema.HumanDeckName(strings.Join(parts[:n], deckSeparator)))
		if err != nil {
			if ignoreMissing(err) != nil {
				return err
			}
			continue
		}
		if above.Kind.Normal != nil {
			return nil
		}
		name, err := i.rename(above.Name)
		if err != nil {
			return err
		}
		if _, err := i.t.CreateDeck(schema.HumanDeckName(name)); err != nil {
			return err
		}
		d.Name = above.Name + deckSeparator + strings.Join(parts[n:], deckSeparator)
		d.Name = i.moved(d.Name)
		return nil
	}
	return nil
}

// update changes a deck to what one of the same name and kind says.
func (i *deckImport) update(have, theirs *schema.Deck) error {
	before := have.Kind.Encode()
	if theirs.Kind.Normal == nil {
		have.Kind = theirs.Kind
	} else {
		from, to := theirs.Kind.Normal, *have.Kind.Normal
		if from.Description != "" {
			to.Description, to.Markdown = from.Description, from.Markdown
		}
		if from.ConfigID != defaultConfigID {
			to.ConfigID = from.ConfigID
		}
		to.ReviewLimit, to.NewLimit = cmp.Or(from.ReviewLimit, to.ReviewLimit), cmp.Or(from.NewLimit, to.NewLimit)
		to.ReviewLimitToday = cmp.Or(from.ReviewLimitToday, to.ReviewLimitToday)
		to.NewLimitToday = cmp.Or(from.NewLimitToday, to.NewLimitToday)
		have.Kind.Normal = &to
	}
	if bytes.Equal(before, have.Kind.Encode()) {
		return nil
	}
	return i.t.saveDeck(have)
}
