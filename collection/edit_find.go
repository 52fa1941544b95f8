package collection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/search"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// FindOptions are the choices of FindCards and FindNotes.
type FindOptions struct {
	Order         search.Order // nil: any, but the same every time
	Offset, Limit int          // Limit 0: all
}

// FindCards returns the ids of the cards that a search finds. What is wrong with
// the search is a *search.ParseError.
func (t *Txn) FindCards(ctx context.Context, query string, o FindOptions) ([]int64, error) {
	return t.find(ctx, query, search.Cards, o)
}

// FindNotes returns the ids of the notes that a search finds.
func (t *Txn) FindNotes(ctx context.Context, query string, o FindOptions) ([]int64, error) {
	return t.find(ctx, query, search.Notes, o)
}

func (t *Txn) find(ctx context.Context, query string, items search.Items, o FindOptions) ([]int64, error) {
	node, err := search.Parse(query)
	if err != nil {
		return nil, err
	}
	return t.findNode(ctx, node, items, o)
}

func (t *Txn) findNode(ctx context.Context, node search.Node, items search.Items, o FindOptions) ([]int64, error) {
	so, err := t.searchOptions(items, o.Order)
	if err != nil {
		return nil, err
	}
	if so.Order == nil {
		so.Order = search.ByKeys{{Column: "c.id"}}
		if items == search.Notes {
			so.Order = search.ByKeys{{Column: "n.id"}}
		}
	}
	st, err := search.Compile(ctx, node, catalog{t}, so)
	if err != nil {
		return nil, err
	}
	return t.ids(ctx, st, o)
}

// ids runs a statement, for the ids that it finds.
func (t *Txn) ids(ctx context.Context, st search.Statement, o FindOptions) ([]int64, error) {
	var out []int64
	skip := max(o.Offset, 0)
	err := t.eachFound(ctx, st, func(scan func(...any) error) (more bool, err error) {
		if skip > 0 {
			skip--
			return true, nil
		}
		var id int64
		if err := scan(&id); err != nil {
			return false, err
		}
		out = append(out, id)
		return o.Limit <= 0 || len(out) < o.Limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("search: %w", err)
	}
	return out, nil
}

// eachFound calls f for what a statement finds, until f wants no more or ctx is
// done, whose error it returns then. f must not use the transaction. The text of
// the statement is as varied as searches are, so it is not kept.
func (t *Txn) eachFound(ctx context.Context, st search.Statement, f func(scan func(...any) error) (more bool, err error)) (err error) {
	stop, err := t.h.conn.InterruptWhenDone(ctx)
	if err != nil {
		return err
	}
	defer func() {
		stop()
		if err != nil && ctx.Err() != nil { // not that SQLite was interrupted
			err = ctx.Err()
		}
	}()
	rows, err := t.h.conn.QueryContext(ctx, st.SQL, st.Args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for more := true; more && rows.Next(); {
		if more, err = f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (t *Txn) searchOptions(items search.Items, order search.Order) (search.Options, error) {
	day, err := t.Timing()
	if err != nil {
		return search.Options{}, err
	}
	ahead, err := t.configInt("collapseTime", defaultLearnAhead)
	if err != nil {
		return search.Options{}, err
	}
	ignore, err := t.configBool("ignoreAccentsInSearch", false)
	if err != nil {
		return search.Options{}, err
	}
	compose, err := t.configBool("normalize_note_text", true)
	return search.Options{
		Items: items, Order: order, Now: t.now, Today: int64(day.Today), NextDayAt: day.NextDayAt,
		LearnAhead: ahead, IgnoreAccents: ignore, KeepForm: !compose,
	}, err
}

// BrowserOrder is the order in which the user's desktop client lists cards: nil,
// none, if it sorts by a column that is not known here.
func (t *Txn) BrowserOrder() (search.Order, error) {
	column := search.ColSortField
	raw, ok, err := t.Config("sortType")
	if err != nil {
		return nil, err
	}
	var name string
	if ok && json.Unmarshal(raw, &name) == nil && name != "" {
		column = search.Column(name)
	}
	if !column.SortsCards() {
		return nil, nil //nolint:nilnil // no order is an order
	}
	desc, err := t.configBool("sortBackwards", false)
	return search.ByColumn{Column: column, Desc: desc}, err
}

// catalog is what a search must know of the collection.
type catalog struct{ t *Txn }

// Notetypes implements search.Catalog.
func (c catalog) Notetypes(context.Context) ([]search.NotetypeInfo, error) {
	nts, err := c.t.Notetypes()
	if err != nil {
		return nil, err
	}
	out := make([]search.NotetypeInfo, len(nts))
	for i, nt := range nts {
		info := search.NotetypeInfo{
			ID: nt.ID, Cloze: nt.Config.Kind == schema.KindCloze, SortField: int(nt.Config.SortFieldIdx),
		}
		for j := range nt.Fields {
			f := &nt.Fields[j]
			info.Fields = append(info.Fields, search.FieldInfo{Name: f.Name, Excluded: f.Config.ExcludeFromSearch})
		}
		out[i] = info
	}
	return out, nil
}

// CurrentDeck implements search.Catalog.
func (c catalog) CurrentDeck(context.Context) (string, error) {
	d, err := c.t.CurrentDeck()
	if errors.Is(err, ErrNoObject) {
		return "Default", nil
	}
	if err != nil {
		return "", err
	}
	return d.Name, nil
}

// PresetDecks implements search.Catalog.
func (c catalog) PresetDecks(_ context.Context, name string) ([]int64, error) {
	presets, err := c.t.DeckConfigs()
	if err != nil {
		return nil, err
	}
	id := int64(0)
	for _, p := range presets {
		if sqlite.EqualFold(p.Name, name) && (id == 0 || p.ID < id) {
			id = p.ID
		}
	}
	decks, err := c.t.Decks()
	if err != nil || id == 0 {
		return nil, err
	}
	var out []int64
	for _, d := range decks {
		if d.Kind.Normal != nil && d.Kind.Normal.ConfigID == id {
			out = append(out, d.ID)
		}
	}
	return out, nil
}
