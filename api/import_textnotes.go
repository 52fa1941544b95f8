package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

// maxTextRows is how many lines a text may have: some seconds of the user's lock.
const maxTextRows = 100_000

// importText adds a note for each line, or changes those that are the same.
func (c *call) importText(ctx context.Context, data string) error {
	f, err := parseText(data)
	if err != nil {
		return err
	}
	f.html = c.p.truth("allow_html", f.html)
	if err := f.checkRows(ctx, c.a.maxTextRows); err != nil {
		return err
	}
	return c.a.o.Collections.EditWith(ctx, c.user, collection.EditOptions{Keep: collection.ReasonImport}, func(t *collection.Txn) error {
		im := textImport{c: c, t: t, f: &f, models: map[string]*textModel{}, decks: map[string]int64{}}
		var err error
		if im.guids, err = f.guidsIn(ctx, t); err != nil {
			return err
		}
		r := f.rows()
		for row, ok := r.next(); ok; row, ok = r.next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := im.row(row); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *textFile) rows() *textReader { return &textReader{text: f.body, separator: f.separator} }

// checkRows refuses a text that would keep the user's other calls and devices
// waiting for long.
func (f *textFile) checkRows(ctx context.Context, most int) error {
	r := f.rows()
	for n := 0; ; n++ {
		if _, ok := r.next(); !ok {
			return ctx.Err()
		}
		if n >= most {
			return &httpError{status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("There are more than %d lines: divide the text", most)}
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// guidsIn are those notes of the text that are there.
func (f *textFile) guidsIn(ctx context.Context, t *collection.Txn) (map[string]int64, error) {
	if f.guidColumn < 0 {
		return nil, nil
	}
	var guids []string
	r := f.rows()
	for row, ok := r.next(); ok; row, ok = r.next() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if guid := cell(row, f.guidColumn); guid != "" {
			guids = append(guids, guid)
		}
	}
	return t.NotesByGUID(guids)
}

// textImport is the import of a text that is going on.
type textImport struct {
	c      *call
	t      *collection.Txn
	f      *textFile
	guids  map[string]int64
	models map[string]*textModel // by what a row says
	decks  map[string]int64      // likewise
}

// textModel is a model as a text has it.
type textModel struct {
	*schema.Notetype
	places places
	deck   int64 // where the text names none
}

func (im *textImport) row(row []string) error {
	m, err := im.model(cell(row, im.f.modelColumn))
	if err != nil {
		return err
	}
	deck, err := im.deck(cell(row, im.f.deckColumn), m)
	if err != nil {
		return err
	}
	n := im.f.note(row, m.places)
	if n.given[0] && n.fields[0] == "" {
		return nil // as in clients, but a row that ends before it is a note
	}
	if id, ok := im.guids[n.guid]; ok && n.guid != "" {
		if im.f.matches != updateCurrent {
			return nil
		}
		return im.replace(id, m, n)
	}
	if n.guid == "" && n.given[0] && im.f.matches != keepBoth {
		same, err := im.same(m, deck, n.fields[0])
		if err != nil {
			return err
		}
		if len(same) > 0 {
			if im.f.matches == keepCurrent {
				return nil
			}
			return im.fill(same, n)
		}
	}
	id, _, err := im.t.AddNote(collection.NewNote{NotetypeID: m.ID, DeckID: deck, Fields: n.fields, Tags: n.tags, GUID: n.guid})
	if n.guid != "" {
		im.guids[n.guid] = id
	}
	return err
}

// same are the notes whose first field is the same.
func (im *textImport) same(m *textModel, deck int64, first string) ([]int64, error) {
	ids, err := im.t.Duplicates(m.ID, first, 0)
	if err != nil || !im.f.inDeck || len(ids) == 0 {
		return ids, err
	}
	if deck == 0 {
		d, err := im.t.CurrentDeck()
		if err != nil {
			return nil, err
		}
		deck = d.ID
	}
	var out []int64
	for _, id := range ids {
		cards, err := im.t.NoteCards(id)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(cards, func(c collection.Card) bool { return c.DID == deck || c.ODID == deck }) {
			out = append(out, id)
		}
	}
	return out, nil
}

// fill gives notes those fields of a row that are not empty, and its tags, instead
// of their own if the text has a column of tags.
func (im *textImport) fill(ids []int64, from textNote) error {
	for _, id := range ids {
		n, err := im.t.Note(id)
		if err != nil {
			return err
		}
		fields, tags := n.FieldList(), from.tags
		if !from.tagged {
			tags = append(n.TagList(), tags...)
		}
		for i := range fields {
			if i < len(from.fields) && from.fields[i] != "" {
				fields[i] = from.fields[i]
			}
		}
		if err := im.t.UpdateNote(id, collection.NoteChange{Fields: fields, Tags: &tags}); err != nil {
			return err
		}
	}
	return nil
}

// replace makes a note what a row with its guid says: the row was exported from
// it, and what is empty there was emptied. One of another model stays as it is, as
// in clients.
func (im *textImport) replace(id int64, m *textModel, from textNote) error {
	n, err := im.t.Note(id)
	if err != nil || n.MID != m.ID {
		return err
	}
	fields, tags := n.FieldList(), from.tags
	if !from.tagged {
		tags = append(n.TagList(), tags...)
	}
	for i := range fields {
		if i < len(from.fields) && from.given[i] {
			fields[i] = from.fields[i]
		}
	}
	return im.t.UpdateNote(id, collection.NoteChange{Fields: fields, Tags: &tags})
}

// model is the model of a row: that of the call, the one that the row or the text
// names, the one that was last used, or the first.
func (im *textImport) model(name string) (*textModel, error) {
	if m := im.models[name]; m != nil {
		return m, nil
	}
	nt, err := im.notetype(name)
	if err != nil {
		return nil, err
	}
	if len(nt.Fields) == 0 {
		return nil, badRequest("model %s has no fields", nt.Name)
	}
	m := &textModel{Notetype: nt, places: im.f.places(nt.Fields)}
	if im.c.p["deck"] == nil {
		if m.deck, err = im.c.newDeck(im.t, nt); err != nil {
			return nil, err
		}
	}
	im.models[name] = m
	return m, nil
}

func (im *textImport) notetype(name string) (*schema.Notetype, error) {
	if v := im.c.p["model"]; v != nil {
		return modelFor(im.t, v)
	}
	if name == "" {
		name = im.f.model
	}
	if name == "" {
		return currentModel(im.t)
	}
	nt, err := im.t.NotetypeByName(name)
	if id, ok := asInt(name); ok && errors.Is(err, collection.ErrNoObject) {
		nt, err = im.t.Notetype(id)
	}
	if errors.Is(err, collection.ErrNoObject) {
		err = &httpError{status: 404, detail: "No model with id or name: " + printable(name)}
	}
	return nt, err
}

// currentModel is the model that was last used, or the first.
func currentModel(t *collection.Txn) (*schema.Notetype, error) {
	if raw, ok, err := t.Config("curModel"); err != nil {
		return nil, err
	} else if ok {
		if id, ok := asInt(jsonNumber(raw)); ok {
			nt, err := t.Notetype(id)
			if err == nil || !errors.Is(err, collection.ErrNoObject) {
				return nt, err
			}
		}
	}
	all, err := t.Notetypes()
	if err != nil {
		return nil, err
	}
	for _, nt := range all {
		if len(nt.Fields) > 0 && nt.Config.Kind == schema.KindNormal {
			return nt, nil
		}
	}
	return nil, badRequest("the collection has no model")
}

// jsonNumber is a stored value that is a number or digits as text.
func jsonNumber(raw json.RawMessage) any {
	var v any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// deck is where the new cards of a row go, likewise; 0 is the current deck. A name
// that is not there is made.
func (im *textImport) deck(name string, m *textModel) (int64, error) {
	var v any = name
	if key := im.c.p["deck"]; key != nil {
		v, name = key, ""
	} else if name == "" {
		if v = im.f.deck; v == "" {
			return m.deck, nil
		}
	}
	if id, ok := im.decks[name]; ok {
		return id, nil
	}
	d, err := deckFor(im.t, v)
	if text, ok := v.(string); ok && err != nil && asHTTP(err).status == 404 {
		d, err = im.t.CreateDeck(text)
	}
	if err != nil {
		return 0, err
	}
	if d.Kind.Normal == nil {
		return 0, badRequest("cards cannot be added to a filtered deck")
	}
	im.decks[name] = d.ID
	return d.ID, nil
}
