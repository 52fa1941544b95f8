package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

func listDecks(ctx context.Context, c *call) (any, error) {
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		ds, err := t.Decks()
		if err != nil {
			return nil, err
		}
		return each(ds, deckObject)
	})
}

func selectDeck(ctx context.Context, c *call) (any, error) {
	v, ok := c.p["deck"]
	if !ok {
		return nil, fault("deck is missing")
	}
	return c.edit(ctx, func(t *collection.Txn) error {
		_, err := c.choose(t, v)
		return err
	})
}

// choose makes a deck the current one, unless it is.
func (c *call) choose(t *collection.Txn, v any) (*schema.Deck, error) {
	d, err := deckFor(t, v)
	if err != nil {
		return nil, err
	}
	if cur, err := t.CurrentDeck(); err == nil && cur.ID == d.ID {
		return d, nil
	}
	return d, t.SelectDeck(d.ID)
}

func deckIndex(ctx context.Context, c *call) (any, error) {
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		d, err := deckFor(t, c.id)
		if err != nil {
			return nil, err
		}
		return deckObject(d)
	})
}

// deckGetConf are the options of a deck; a dynamic deck is its own options.
func deckGetConf(ctx context.Context, c *call) (any, error) {
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		d, err := deckFor(t, c.id)
		if err != nil {
			return nil, err
		}
		if d.Kind.Normal == nil {
			return deckObject(d)
		}
		conf, err := t.DeckConfigOf(d.ID)
		if err != nil {
			return nil, err
		}
		return configObject(conf)
	})
}

// deckSetConf changes keys of a deck's options. Without the key "id", whose
// value does not matter, the original did nothing.
func deckSetConf(ctx context.Context, c *call) (any, error) {
	if _, ok := c.p["id"]; !ok {
		return nil, fault("id is missing")
	}
	members := map[string]json.RawMessage{}
	for k, v := range c.p {
		if k == "id" {
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, badRequest("%s cannot be stored", printable(k))
		}
		members[k] = wholeNumbers(text)
	}
	return c.edit(ctx, func(t *collection.Txn) error {
		d, err := deckFor(t, c.id)
		if err != nil {
			return err
		}
		if d.Kind.Normal == nil {
			return badRequest("dynamic deck")
		}
		conf, err := t.DeckConfigOf(d.ID)
		if err != nil {
			return err
		}
		return t.PatchDeckConfig(conf.ID, members)
	})
}

// dynamicModes are the orders that the original knew by name. Only answers in a
// deck of random cards do not change when a card is due.
var dynamicModes = map[string]scheduling.FilteredOrder{
	"random": scheduling.FilterRandom,
	"added":  scheduling.FilterAdded,
	"due":    scheduling.FilterDue,
}

// sessionName is the key "name", or what the original called such decks.
func (c *call) sessionName() (string, error) {
	return c.p.str("name", c.language().session)
}

func createDynamicDeck(ctx context.Context, c *call) (any, error) {
	name, err := c.sessionName()
	if err != nil {
		return nil, err
	}
	query, err := c.p.str("query", "")
	if err != nil {
		return nil, err
	}
	mode, err := c.p.str("mode", "random")
	if err != nil {
		return nil, err
	}
	count, err := c.p.count("count", 100)
	if err != nil {
		return nil, err
	}
	var out object
	_, err = c.edit(ctx, func(t *collection.Txn) error {
		var id int64
		switch d, err := t.DeckByName(name); {
		case err == nil && d.Kind.Filtered == nil:
			return badRequest("There is an existing non-dynamic deck with the name %s", printable(name))
		case err == nil:
			id = d.ID
		case !errors.Is(err, collection.ErrNoObject):
			return err
		}
		order, ok := dynamicModes[mode]
		if !ok {
			return badRequest("Unknown mode: %s", printable(mode))
		}
		d, n, err := t.SaveFilteredDeck(ctx, id, collection.FilteredDeck{
			Name: name, Reschedule: mode != "random", PreviewAgainSecs: 60, PreviewHardSecs: 600, // as clients do
			Unfolded: true,
			Searches: []collection.FilteredSearch{{Query: query, Limit: uint32(count), Order: order}},
		}, true)
		if err != nil {
			return err
		}
		if n == 0 {
			return badRequest("No cards matched the criteria you provided")
		}
		if err := t.SelectDeck(d.ID); err != nil {
			return err
		}
		out, err = deckObject(d)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.forgetHanded()
	return out, nil
}

func emptyDynamicDeck(ctx context.Context, c *call) (any, error) {
	name, err := c.sessionName()
	if err != nil {
		return nil, err
	}
	return c.edit(ctx, func(t *collection.Txn) error {
		d, err := t.DeckByName(name)
		if errors.Is(err, collection.ErrNoObject) {
			return badRequest("Cannot find a deck with the given name: %s", printable(name))
		} else if err != nil {
			return err
		}
		if d.Kind.Filtered == nil {
			return badRequest("The given deck is not dynamic: %s", printable(name))
		}
		_, err = t.EmptyFilteredDeck(d.ID)
		return err
	})
}

// resetScheduler begins anew and counts what is due, in the current deck or the one that is
// named and becomes it. The original gave the number of learning cards for the
// reviews, too.
func resetScheduler(ctx context.Context, c *call) (any, error) {
	var out object
	_, err := c.edit(ctx, func(t *collection.Txn) error {
		if v, ok := c.p["deck"]; ok && v != nil {
			if _, err := c.choose(t, v); err != nil {
				return err
			}
		}
		t.ResetStudy()
		n, err := t.StudyCounts(0)
		out = object{"new_cards": n.New, "learning_cards": n.Learning, "review_cards": n.Review}
		return err
	})
	if err != nil {
		return nil, err
	}
	c.forgetHanded()
	return out, nil
}

func extendLimits(ctx context.Context, c *call) (any, error) {
	newCards, err := c.p.num("new_cards", 0)
	if err != nil {
		return nil, err
	}
	reviews, err := c.p.num("review_cards", 0)
	if err != nil {
		return nil, err
	}
	const most = 1_000_000
	if max(math.Abs(float64(newCards)), math.Abs(float64(reviews))) > most {
		return nil, badRequest("limits are extended by at most %d", most)
	}
	v, err := c.edit(ctx, func(t *collection.Txn) error {
		return t.ExtendLimits(0, int32(newCards), int32(reviews))
	})
	if err == nil {
		c.forgetHanded()
	}
	return v, err
}

// forgetHanded makes next_card begin anew.
func (c *call) forgetHanded() { c.with(func(s *userState) { clear(s.handed) }) }

func (c *call) language() *language {
	var code string
	c.with(func(s *userState) { code = s.language })
	return languageFor(code)
}

// setLanguage chooses the words of answers for a collection; in the original it
// was for all.
func setLanguage(_ context.Context, c *call) (any, error) {
	code, ok := c.p["code"].(string)
	if !ok {
		return nil, fault("code is missing")
	}
	if len(code) > 20 {
		return nil, badRequest("no such language")
	}
	c.with(func(s *userState) { s.language = code })
	return nil, nil
}

// upgradeScheduler makes a collection of the scheduler of 2006 one that can be
// studied here. Nothing but this call does.
func upgradeScheduler(ctx context.Context, c *call) (any, error) {
	done := false
	_, err := c.edit(ctx, func(t *collection.Txn) (err error) {
		done, err = t.UpgradeScheduler()
		return err
	})
	if err != nil {
		return nil, err
	}
	c.forgetHanded()
	return object{"upgraded": done}, nil
}
