package collection

import (
	"strings"
	"unicode/utf8"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// maxDescription bounds the description of a deck, in bytes.
const maxDescription = 64 << 10

// DeckNode is a deck in the list of decks.
type DeckNode struct {
	Deck *schema.Deck
	// Parent is the id of the deck above, 0 at the top. If the one that the name
	// speaks of is missing, it is the next above that is there.
	Parent int64
	// Counts are what is due in the deck and below it, within the limits.
	Counts scheduling.Counts
}

// DeckTree lists all decks by name, so that each comes after the one above it.
func (t *Txn) DeckTree() ([]DeckNode, error) {
	decks, err := t.Decks()
	if err != nil {
		return nil, err
	}
	counts, err := t.DeckCounts()
	if err != nil {
		return nil, err
	}
	out := make([]DeckNode, 0, len(decks))
	ids := make(map[string]int64, len(decks)) // by folded name
	for _, d := range decks {
		own := *d
		n := DeckNode{Deck: &own, Counts: counts[d.ID]}
		name := sqlite.Fold(d.Name)
		ids[name] = d.ID
		for i := strings.LastIndex(name, deckSeparator); i >= 0 && n.Parent == 0; i = strings.LastIndex(name[:i], deckSeparator) {
			n.Parent = ids[name[:i]]
		}
		out = append(out, n)
	}
	return out, nil
}

// SetDeckDescription changes the text that is shown above a normal deck, and
// whether it is Markdown.
func (t *Txn) SetDeckDescription(id int64, text string, markdown bool) error {
	d, err := t.Deck(id)
	if err != nil {
		return err
	}
	if d.Kind.Normal == nil {
		return refuse("a filtered deck has no description")
	}
	if len(text) > maxDescription || !utf8.ValidString(text) {
		return refuse("the description is longer than %d bytes, or no UTF-8", maxDescription)
	}
	normal := *d.Kind.Normal // the deck's is shared with what was read
	if normal.Description == text && normal.Markdown == markdown {
		return nil
	}
	normal.Description, normal.Markdown = text, markdown
	d.Kind.Normal = &normal
	return t.saveDeck(d)
}
