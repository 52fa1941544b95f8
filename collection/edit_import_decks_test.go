package collection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ankisyncd/ankisyncd/schema"
)

func normalDeck(id int64, name string) *schema.Deck {
	return &schema.Deck{ID: id, Name: strings.ReplaceAll(name, "::", deckSeparator), Kind: schema.DeckKind{Normal: &schema.NormalDeck{ConfigID: 1}}}
}

func filteredDeck(id int64, name string) *schema.Deck {
	d := normalDeck(id, name)
	d.Kind = schema.DeckKind{Filtered: &schema.FilteredDeck{SearchTerms: []schema.SearchTerm{{Search: "is:new", Limit: 5}}}}
	return d
}

// TestImportDecksRefuses shows what is no deck, and that nothing is written of it.
func TestImportDecksRefuses(t *testing.T) {
	r := importRig(t)
	before := r.meta()
	for what, d := range map[string]*schema.Deck{
		"long":  normalDeck(5, strings.Repeat("x", maxDeckName+1)),
		"depth": normalDeck(5, strings.Repeat("x::", maxDeckName/2)),
	} {
		err := r.s.Edit(t.Context(), testUser, func(x *Txn) error {
			_, err := x.ImportDecks([]*schema.Deck{normalDeck(4, "Before"), d}, 0)
			return err
		})
		if !isRefused(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.view(func(x *Txn) error {
		if _, err := x.ImportDecks([]*schema.Deck{normalDeck(5, "New")}, 0); !errors.Is(err, ErrReadOnly) {
			t.Errorf("read-only: %v", err)
		}
		if _, err := x.DeckByName("Before"); !errors.Is(err, ErrNoObject) {
			t.Errorf("a deck of a refused import: %v", err)
		}
		return nil
	})
	if after := r.meta(); after != before {
		t.Errorf("got %+v, before %+v", after, before)
	}
}

// TestImportDecksBelowFiltered: a deck cannot lie below a filtered one, which is
// there or comes with it.
func TestImportDecksBelowFiltered(t *testing.T) {
	r := importRig(t)
	r.edit(func(x *Txn) error {
		day, err := x.Timing()
		if err != nil {
			return err
		}
		if _, err := x.ImportDecks([]*schema.Deck{filteredDeck(4, "Here")}, day.Today); err != nil {
			return err
		}
		ids, err := x.ImportDecks([]*schema.Deck{
			normalDeck(9, "here::a::b"), filteredDeck(7, "Both"), normalDeck(8, "Both::c"), normalDeck(5, "Here"), normalDeck(6, "Here::d"),
		}, day.Today)
		if err != nil {
			return err
		}
		suffix := fmt.Sprint(" ", x.now.Unix())
		for id, want := range map[int64]string{
			5: "Here" + suffix, 6: "Here" + suffix + "::d", 7: "Both", 8: "Both" + suffix + "::c", 9: "Here" + suffix + "::a::b",
		} {
			if d, err := x.Deck(ids[id]); err != nil || !strings.EqualFold(schema.HumanDeckName(d.Name), want) {
				t.Errorf("deck %d: %+v, %v, want %q", id, d, err, want)
			}
		}
		return nil
	})
	if problems := r.problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

// TestImportDecksAnything imports decks that no client made, with the names and
// numbers that a package can hold: all are there afterwards, or it is refused,
// and the collection is sound.
func TestImportDecksAnything(t *testing.T) {
	r := newRig(t, Options{Snapshots: Retention{Keep: -1}})
	start := filledFile(t)
	names := rapid.Map(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"A", "a", "F", "Z", "", " ", "::", "é", "e\u0301"}), randomText), 1, 4),
		func(parts []string) string { return strings.Join(parts, deckSeparator) })
	limit := rapid.Custom(func(rt *rapid.T) *schema.DayLimit {
		return &schema.DayLimit{Limit: rapid.Uint32().Draw(rt, "limit"), Today: rapid.Uint32().Draw(rt, "today")}
	})
	deck := rapid.Custom(func(rt *rapid.T) *schema.Deck {
		d := normalDeck(rapid.Int64Range(-2, 9).Draw(rt, "id"), "")
		d.Name = names.Draw(rt, "name")
		if rapid.Bool().Draw(rt, "filtered") {
			d.Kind = filteredDeck(0, "").Kind
			return d
		}
		d.Kind.Normal.ConfigID = rapid.Int64Range(-1, 3).Draw(rt, "options")
		d.Kind.Normal.NewLimitToday, d.Common.LastDayStudied = limit.Draw(rt, "new"), rapid.Uint32().Draw(rt, "day")
		return d
	})
	rapid.Check(t, func(rt *rapid.T) {
		r.reopen()
		r.put(testUser, start)
		r.clock.set(testNow)
		for range rapid.IntRange(1, 4).Draw(rt, "imports") {
			decks := rapid.SliceOfN(deck, 0, 6).Draw(rt, "decks")
			before := r.meta()
			err := r.s.Edit(t.Context(), testUser, func(x *Txn) error {
				ids, err := x.ImportDecks(decks, rapid.Uint32().Draw(rt, "today"))
				if err != nil {
					return err
				}
				for _, d := range decks {
					if !slices.ContainsFunc(decks, func(o *schema.Deck) bool { return o != d && o.ID == d.ID }) {
						have, err := x.Deck(ids[d.ID])
						if err != nil || (have.Kind.Normal == nil) != (d.Kind.Normal == nil) {
							rt.Fatalf("deck %q: %+v, %v", d.Name, have, err)
						}
					}
				}
				return nil
			})
			if isRefused(err) && r.meta() == before {
				continue
			} else if err != nil {
				rt.Fatal(err)
			}
			if problems := r.problems(); len(problems) > 0 {
				rt.Fatal(problems)
			}
		}
	})
}
