package collection

import (
	"context"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/search"
)

// maxFilteredSearches is how many searches a filtered deck has at most.
const maxFilteredSearches = 2

// FilteredDeck says what a filtered deck collects.
type FilteredDeck struct {
	Name       string // human, whole
	Reschedule bool
	Searches   []FilteredSearch // one or two
	// Seconds until a card that is not rescheduled comes again; 0: it goes home.
	PreviewAgainSecs, PreviewHardSecs, PreviewGoodSecs uint32
	// Unfolded makes a new deck one that lists of decks show unfolded.
	Unfolded bool
}

// FilteredSearch is one search of a filtered deck.
type FilteredSearch struct {
	Query string
	Limit uint32
	Order scheduling.FilteredOrder
}

// SaveFilteredDeck makes (id 0) or changes a filtered deck and fills it; n is
// the number of cards it got. If that is 0 it is an EditError, unless allowEmpty.
func (t *Txn) SaveFilteredDeck(ctx context.Context, id int64, f FilteredDeck, allowEmpty bool) (d *schema.Deck, n int, err error) {
	if err := t.secondScheduler(); err != nil {
		return nil, 0, err
	}
	if err := f.check(); err != nil {
		return nil, 0, err
	}
	if err := t.write(); err != nil {
		return nil, 0, err
	}
	native, err := t.placeDeck(schema.NormalizeDeckName(f.Name), id)
	if err != nil {
		return nil, 0, err
	}
	if id != 0 {
		if d, err = t.filteredDeck(id); err != nil {
			return nil, 0, err
		}
		if d.Name != native {
			if err := t.RenameDeck(ctx, id, schema.HumanDeckName(native)); err != nil {
				return nil, 0, err
			}
			d.Name = native
		}
	} else {
		d = &schema.Deck{Name: native, Common: schema.DeckCommon{StudyCollapsed: !f.Unfolded, BrowserCollapsed: !f.Unfolded}}
		if d.ID, err = t.newID(`SELECT (SELECT max(id) FROM decks) FROM decks WHERE id = ?`); err != nil {
			return nil, 0, err
		}
	}
	kind := schema.FilteredDeck{}
	if d.Kind.Filtered != nil {
		kind = *d.Kind.Filtered
	}
	kind.Reschedule = f.Reschedule
	kind.PreviewAgainSecs, kind.PreviewHardSecs, kind.PreviewGoodSecs = f.PreviewAgainSecs, f.PreviewHardSecs, f.PreviewGoodSecs
	var terms []schema.SearchTerm
	for _, s := range f.Searches {
		terms = append(terms, schema.SearchTerm{Search: s.Query, Limit: s.Limit, Order: int32(s.Order)})
	}
	keepUnknownOfTerms(terms, kind.SearchTerms)
	kind.SearchTerms = terms
	d.Kind = schema.DeckKind{Filtered: &kind, Unknown: d.Kind.Unknown}
	if err := t.saveDeck(d); err != nil {
		return nil, 0, err
	}
	if n, err = t.RebuildFilteredDeck(ctx, d.ID); err != nil {
		return nil, 0, err
	}
	if n == 0 && !allowEmpty {
		return nil, 0, refuse("no cards match the search of the filtered deck")
	}
	return d, n, nil
}

// keepUnknownOfTerms gives the searches of a changed deck what a later client has
// stored with them, as long as they are the same searches.
func keepUnknownOfTerms(terms, old []schema.SearchTerm) {
	for i := range min(len(terms), len(old)) {
		if terms[i].Search == old[i].Search {
			terms[i].Unknown = old[i].Unknown
		}
	}
}

func (f *FilteredDeck) check() error {
	if len(f.Searches) == 0 || len(f.Searches) > maxFilteredSearches {
		return refuse("a filtered deck has one or two searches")
	}
	for _, s := range f.Searches {
		if _, err := search.Parse(s.Query); err != nil {
			return &EditError{Reason: "the search of the filtered deck is not usable", Err: err}
		}
		if s.Order < scheduling.FilterOldestReviewed || s.Order > scheduling.FilterRelativeOverdueness {
			return refuse("there is no order %d for filtered decks", s.Order)
		}
	}
	return nil
}

// filteredDeck returns a deck that must be a filtered one.
func (t *Txn) filteredDeck(id int64) (*schema.Deck, error) {
	d, err := t.Deck(id)
	if err != nil {
		return nil, err
	}
	if d.Kind.Filtered == nil {
		return nil, refuse("the deck %q is not a filtered one", schema.HumanDeckName(d.Name))
	}
	return d, nil
}

// EmptyFilteredDeck sends the cards of a filtered deck home, and returns how
// many there were.
func (t *Txn) EmptyFilteredDeck(id int64) (int, error) {
	if _, err := t.filteredDeck(id); err != nil {
		return 0, err
	}
	if err := t.secondScheduler(); err != nil {
		return 0, err
	}
	ids, err := collect(t.h, scanID, `SELECT id FROM cards WHERE did = ?`, id)
	if err != nil {
		return 0, err
	}
	return t.changeCards(ids, func(c *scheduling.Card) (bool, error) {
		if c.OriginalDeckID == 0 { // it has no home: a client's database check would find it one
			c.DeckID = defaultDeckID
			return true, nil
		}
		return scheduling.ReturnHome(c), nil
	})
}

// RebuildFilteredDeck empties a filtered deck and fills it anew
// (docs/scheduling-and-rendering.md §3). It returns how many cards it got.
func (t *Txn) RebuildFilteredDeck(ctx context.Context, id int64) (int, error) {
	d, err := t.filteredDeck(id)
	if err != nil {
		return 0, err
	}
	if _, err := t.EmptyFilteredDeck(id); err != nil {
		return 0, err
	}
	n := 0
	for i, term := range d.Kind.Filtered.SearchTerms {
		if i == maxFilteredSearches {
			break
		}
		cards, err := t.cardsForFiltered(ctx, term)
		if err != nil {
			return 0, err
		}
		for j := range cards {
			c := &cards[j]
			s := schedulingCard(c)
			if scheduling.MoveToFiltered(&s, id, scheduling.FilteredStart+int64(n), d.Kind.Filtered.Reschedule) {
				c.take(&s)
				if err := t.saveCard(c); err != nil {
					return 0, err
				}
			}
			n++
		}
	}
	return n, nil
}
