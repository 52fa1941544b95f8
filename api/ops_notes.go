package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/search"
)

// view runs f on the committed state of the call's collection.
func (c *call) view(ctx context.Context, f func(*collection.Txn) (any, error)) (v any, err error) {
	err = c.a.o.Collections.View(ctx, c.user, func(t *collection.Txn) error {
		v, err = f(t)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// edit runs f as a change of the call's collection; there is no answer.
func (c *call) edit(ctx context.Context, f func(*collection.Txn) error) (any, error) {
	return nil, c.a.o.Collections.Edit(ctx, c.user, f)
}

// unknown makes of "no such object" what the original answered, see fault.
func unknown(err error) error {
	if errors.Is(err, collection.ErrNoObject) {
		return fault("%w", err)
	}
	return err
}

func listModels(ctx context.Context, c *call) (any, error) {
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		nts, err := t.Notetypes()
		if err != nil {
			return nil, err
		}
		slices.SortFunc(nts, func(a, b *schema.Notetype) int { return strings.Compare(a.Name, b.Name) })
		return each(nts, modelObject)
	})
}

// each makes a list of objects.
func each[T any](in []T, f func(T) (object, error)) ([]object, error) {
	out := make([]object, 0, len(in))
	for _, e := range in {
		o, err := f(e)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

func findModelByName(ctx context.Context, c *call) (any, error) {
	name, ok := c.p["model"].(string)
	if !ok {
		return nil, fault("model is missing")
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		nt, err := t.NotetypeByName(name)
		if errors.Is(err, collection.ErrNoObject) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return modelObject(nt)
	})
}

func fieldNames(ctx context.Context, c *call) (any, error) {
	id, err := c.pathID()
	if err != nil {
		return nil, errNotFound
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		nt, err := t.Notetype(id)
		if errors.Is(err, collection.ErrNoObject) {
			return nil, errNotFound
		} else if err != nil {
			return nil, err
		}
		names := []string{}
		for _, f := range nt.Fields {
			names = append(names, f.Name)
		}
		return names, nil
	})
}

// idOnly is an object that was not preloaded.
type idOnly struct {
	ID int64 `json:"id"`
}

// idList is a list of ids, or of the whole objects if the call asks for them.
func (c *call) idList(ctx context.Context, ids []int64, load func(int64) (object, error)) (any, error) {
	if !c.p.truth("preload", false) {
		out := make([]idOnly, len(ids))
		for i, id := range ids {
			out[i].ID = id
		}
		return out, nil
	}
	if len(ids) > MaxPreload {
		return nil, badRequest("%d objects are too many to preload: ask for at most %d", len(ids), MaxPreload)
	}
	return each(ids, func(id int64) (object, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return c.counted(load(id))
	})
}

// counted counts an object that was made for the answer. One answer may hold the
// same style and model as often as it holds cards, so that a limit on their
// number is not enough.
func (c *call) counted(o object, err error) (object, error) {
	if err != nil {
		return nil, err
	}
	if c.bytes += jsonBytes(o); c.bytes > c.a.o.MaxAnswerBytes {
		return nil, badRequest("The answer would be larger than %d bytes: ask for fewer objects at once", c.a.o.MaxAnswerBytes)
	}
	return o, nil
}

func (c *call) noteList(ctx context.Context, t *collection.Txn, ids []int64) (any, error) {
	return c.idList(ctx, ids, func(id int64) (object, error) { return noteObject(t, id, id) })
}

func findNotes(ctx context.Context, c *call) (any, error) {
	query, err := c.p.str("query", "")
	if err != nil {
		return nil, err
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		ids, err := t.FindNotes(ctx, query, collection.FindOptions{})
		if ids, err = c.foundNothing(ids, err); err != nil {
			return nil, err
		}
		slices.Sort(ids)
		return c.noteList(ctx, t, ids)
	})
}

// foundNothing is the result of a search that cannot be understood.
func (c *call) foundNothing(ids []int64, err error) ([]int64, error) {
	var parse *search.ParseError
	if errors.As(err, &parse) || errors.Is(err, search.ErrTooComplex) || errors.Is(err, search.ErrOrder) {
		c.a.o.Log.Debug("search finds nothing", "user", c.user, "err", err)
		return nil, nil
	}
	return ids, err
}

// since is the key updated_since, in seconds; the zero time if it is missing.
func (c *call) since() (time.Time, error) {
	v, ok := c.p["updated_since"]
	if !ok || v == nil {
		return time.Time{}, nil
	}
	f, ok := asFloat(v)
	if !ok || math.Abs(f) > 1e15 {
		return time.Time{}, badRequest("updated_since must be a time in seconds")
	}
	return time.UnixMilli(int64(f * 1000)), nil
}

// latest is latest_notes and latest_cards.
func latest(
	find func(*collection.Txn, time.Time, int) ([]int64, error),
	list func(*call, context.Context, *collection.Txn, []int64) (any, error),
) func(context.Context, *call) (any, error) {
	return func(ctx context.Context, c *call) (any, error) {
		limit, err := c.p.count("limit", 10)
		if err != nil {
			return nil, err
		}
		since, err := c.since()
		if err != nil {
			return nil, err
		}
		return c.view(ctx, func(t *collection.Txn) (any, error) {
			ids, err := find(t, since, limit)
			if err != nil {
				return nil, err
			}
			return list(c, ctx, t, ids)
		})
	}
}

// addNote adds a note, to the deck that the model says, or that of the key
// "deck", which the original did not have.
func addNote(ctx context.Context, c *call) (any, error) {
	fields, err := c.p.fields("fields")
	if err != nil {
		return nil, err
	}
	tags, err := c.newTags()
	if err != nil {
		return nil, err
	}
	return c.edit(ctx, func(t *collection.Txn) error {
		nt, err := modelFor(t, c.p["model"])
		if err != nil {
			return err
		}
		texts, err := fieldTexts(nt, fields)
		if err != nil {
			return err
		}
		if len(generator(nt).Ords(texts, len(tags) > 0)) == 0 {
			return badRequest("the note would have no cards")
		}
		deck, err := c.newDeck(t, nt)
		if err != nil {
			return err
		}
		_, _, err = t.AddNote(collection.NewNote{NotetypeID: nt.ID, DeckID: deck, Fields: texts, Tags: tags})
		return err
	})
}

// fieldTexts are the texts of all fields of a note, in order; those that are not
// named are empty. A name that the model does not have is an error: its text
// would be lost.
func fieldTexts(nt *schema.Notetype, fields map[string]string) ([]string, error) {
	texts := make([]string, len(nt.Fields))
	left := len(fields)
	for i, f := range nt.Fields {
		if text, ok := fields[f.Name]; ok {
			texts[i] = text
			left--
		}
	}
	if left > 0 {
		return nil, badRequest("model %s has no such field", printable(nt.Name))
	}
	return texts, nil
}

func (c *call) newTags() ([]string, error) {
	if text, ok := c.p["tags"].(string); ok {
		return strings.Fields(text), nil
	}
	if c.p["tags"] == nil {
		return nil, nil
	}
	tags, _, err := c.p.texts("tags")
	return tags, err
}

// modelFor finds the model of a new note: a text is a name, also if it consists
// of digits, and only a number is an id.
func modelFor(t *collection.Txn, v any) (*schema.Notetype, error) {
	switch v := v.(type) {
	case string:
		return t.NotetypeByName(v)
	case json.Number:
		id, ok := asInt(v)
		if !ok {
			return nil, badRequest("model must be a name or an id")
		}
		return t.Notetype(id)
	}
	return nil, badRequest("model is missing")
}

// newDeck is where a new note goes; 0 is the current deck.
func (c *call) newDeck(t *collection.Txn, nt *schema.Notetype) (int64, error) {
	if v, ok := c.p["deck"]; ok && v != nil {
		d, err := deckFor(t, v)
		if err != nil {
			return 0, err
		}
		return d.ID, nil
	}
	if nt.Config.TargetDeckID == 0 {
		return 0, nil
	}
	d, err := t.Deck(nt.Config.TargetDeckID)
	if errors.Is(err, collection.ErrNoObject) {
		return 1, nil
	} else if err != nil {
		return 0, err
	}
	if d.Kind.Normal == nil {
		return 1, nil
	}
	return d.ID, nil
}

// generator says which cards notes of a notetype have.
func generator(nt *schema.Notetype) *rendering.Generator {
	r := &rendering.Notetype{Name: nt.Name, Cloze: nt.Config.Kind == schema.KindCloze}
	for _, f := range nt.Fields {
		r.Fields = append(r.Fields, f.Name)
	}
	for _, t := range nt.Templates {
		r.Templates = append(r.Templates, rendering.Formats{Front: t.Config.QFormat, Back: t.Config.AFormat})
	}
	return rendering.NewGenerator(r)
}

func listTags(ctx context.Context, c *call) (any, error) {
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		tags, err := t.Tags()
		if tags == nil {
			tags = []string{}
		}
		return tags, err
	})
}

func noteIndex(ctx context.Context, c *call) (any, error) {
	id, err := c.pathID()
	if err != nil {
		return nil, err
	}
	return c.view(ctx, func(t *collection.Txn) (any, error) {
		o, err := noteObject(t, id, c.id)
		return o, unknown(err)
	})
}

// noteUpdate sets every field, those that are not named to nothing.
func noteUpdate(ctx context.Context, c *call) (any, error) {
	id, err := c.pathID()
	if err != nil {
		return nil, err
	}
	fields, err := c.p.fields("fields")
	if err != nil {
		return nil, err
	}
	tags, ok, err := c.p.texts("tags")
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault("tags are missing")
	}
	return c.edit(ctx, func(t *collection.Txn) error {
		n, err := t.Note(id)
		if err != nil {
			return unknown(err)
		}
		nt, err := t.Notetype(n.MID)
		if err != nil {
			return err
		}
		texts, err := fieldTexts(nt, fields)
		if err != nil {
			return err
		}
		return t.UpdateNote(id, collection.NoteChange{Fields: texts, Tags: &tags, KeepMod: !c.p.truth("update_mod", true)})
	})
}

func noteDelete(ctx context.Context, c *call) (any, error) {
	id, err := c.pathID()
	if err != nil {
		return nil, err
	}
	return c.edit(ctx, func(t *collection.Txn) error {
		_, err := t.DeleteNotes(id)
		if errors.Is(err, collection.ErrNoObject) {
			return nil
		}
		return err
	})
}

// changeTags is add_tags and remove_tags of notes and of cards, which the
// original took for notes.
func changeTags(change func(*collection.Txn, []int64, []string, bool) (int, error)) func(context.Context, *call) (any, error) {
	return func(ctx context.Context, c *call) (any, error) {
		id, err := c.pathID()
		if err != nil {
			return nil, err
		}
		tags, ok, err := c.p.texts("tags")
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fault("tags are missing")
		}
		return c.edit(ctx, func(t *collection.Txn) error {
			noteID := id
			if c.kind == "card" {
				card, err := t.Card(id)
				if err != nil {
					return unknown(err)
				}
				noteID = card.NID
			}
			_, err := change(t, []int64{noteID}, tags, !c.p.truth("update_mod", true))
			return unknown(err)
		})
	}
}
