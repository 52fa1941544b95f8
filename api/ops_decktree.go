package api

import (
	"context"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

// name is the key "name", which must say something.
func (c *call) name() (string, error) {
	name, err := c.p.str("name", "")
	if err == nil && strings.TrimSpace(name) == "" {
		err = badRequest("name is missing")
	}
	return name, err
}

// createDeck returns the deck of a name, which it makes unless it is there.
func createDeck(ctx context.Context, c *call) (any, error) {
	name, err := c.name()
	if err != nil {
		return nil, err
	}
	return c.editDeck(ctx, func(t *collection.Txn) (*schema.Deck, error) { return t.CreateDeck(name) })
}

// editDeck is edit for a change whose answer is the changed deck.
func (c *call) editDeck(ctx context.Context, f func(*collection.Txn) (*schema.Deck, error)) (any, error) {
	var out object
	_, err := c.edit(ctx, func(t *collection.Txn) error {
		d, err := f(t)
		if err != nil {
			return err
		}
		if d, err = t.Deck(d.ID); err == nil {
			out, err = deckObject(d)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func deckRename(ctx context.Context, c *call) (any, error) {
	name, err := c.name()
	if err != nil {
		return nil, err
	}
	return c.editDeck(ctx, func(t *collection.Txn) (*schema.Deck, error) {
		d, err := deckFor(t, c.id)
		if err != nil {
			return nil, err
		}
		return d, t.RenameDeck(ctx, d.ID, name)
	})
}

func deckSetDescription(ctx context.Context, c *call) (any, error) {
	if _, ok := c.p["desc"].(string); !ok {
		return nil, badRequest("desc must be a text")
	}
	text, err := c.p.str("desc", "")
	if err != nil {
		return nil, err
	}
	return c.editDeck(ctx, func(t *collection.Txn) (*schema.Deck, error) {
		d, err := deckFor(t, c.id)
		if err != nil {
			return nil, err
		}
		if d.Kind.Normal == nil {
			return nil, badRequest("dynamic deck")
		}
		return d, t.SetDeckDescription(d.ID, text, c.p.truth("md", d.Kind.Normal.Markdown))
	})
}

// deckDelete deletes a deck with those below it and, unless they are to be kept,
// with their cards.
func deckDelete(ctx context.Context, c *call) (any, error) {
	n := 0
	_, err := c.edit(ctx, func(t *collection.Txn) error {
		d, err := deckFor(t, c.id)
		if err != nil {
			return err
		}
		n, err = t.DeleteDeck(d.ID, c.p.truth("keep_cards", false))
		return err
	})
	if err != nil {
		return nil, err
	}
	return object{"cards": n}, nil
}

// deckNode is a deck in the answer of deck_tree.
type deckNode struct {
	ID        int64       `json:"id"`
	Name      string      `json:"name"`
	Dyn       int         `json:"dyn"`
	Collapsed bool        `json:"collapsed"`
	New       int         `json:"new_cards"`
	Learning  int         `json:"learning_cards"`
	Review    int         `json:"review_cards"`
	Children  []*deckNode `json:"children"`
}

// deckTree are all decks, each below the one above it, with the numbers of the
// deck list.
func deckTree(ctx context.Context, c *call) (any, error) {
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		decks, err := t.DeckTree()
		if err != nil {
			return nil, err
		}
		top := &deckNode{Children: []*deckNode{}}
		nodes := map[int64]*deckNode{}
		for _, d := range decks {
			n := &deckNode{
				ID: d.Deck.ID, Name: schema.HumanDeckName(d.Deck.Name), Collapsed: d.Deck.Common.StudyCollapsed,
				New: d.Counts.New, Learning: d.Counts.Learning, Review: d.Counts.Review, Children: []*deckNode{},
			}
			if d.Deck.Kind.Filtered != nil {
				n.Dyn = 1
			}
			if _, err := c.counted(object{"name": n.Name}, nil); err != nil {
				return nil, err
			}
			above := top
			if d.Parent != 0 {
				above = nodes[d.Parent]
			}
			above.Children = append(above.Children, n)
			nodes[n.ID] = n
		}
		return top.Children, nil
	})
}
