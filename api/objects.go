package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/schema"
)

// object is a JSON object in an answer.
type object = map[string]any

// legacy takes an object in the JSON of schema 11, adds the keys that the
// original's library had in it and that are no longer written, and leaves out
// newer ones as long as they say nothing: while they have the given values.
func legacy(text []byte, err error, added, newer object) (object, error) {
	if err != nil {
		return nil, err
	}
	o, err := decodeObject(text)
	if err != nil {
		return nil, err
	}
	shape(o, added, newer)
	return o, nil
}

func decodeObject(text []byte) (o object, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&o)
	return o, err
}

func shape(o, added, newer object) {
	for k, v := range added {
		if _, ok := o[k]; !ok {
			o[k] = v
		}
	}
	for k, v := range newer {
		if reflect.DeepEqual(o[k], v) {
			delete(o, k)
		}
	}
}

// jsonBytes is about how long a value is in an answer; a text is not longer.
func jsonBytes(v any) (n int64) {
	switch v := v.(type) {
	case string:
		n = 2
		for _, r := range v {
			switch {
			case r < ' ' || r == utf8.RuneError:
				n += int64(len(`\u0000`))
			case r == '"' || r == '\\':
				n += 2
			default:
				n += int64(utf8.RuneLen(r))
			}
		}
	case object:
		for k, e := range v {
			n += jsonBytes(k) + jsonBytes(e) + 2
		}
	case []any:
		for _, e := range v {
			n += jsonBytes(e) + 1
		}
	case []string:
		for _, e := range v {
			n += jsonBytes(e) + 1
		}
	default:
		n = 8
	}
	return n
}

// Newer keys, with the values that say nothing.
var (
	newerModel = object{"latexsvg": false, "originalStockKind": zero, "originalId": nil, "req": []any{}}
	newerField = object{
		"id": nil, "tag": nil, "description": "", "plainText": false, "collapsed": false,
		"excludeFromSearch": false, "preventDeletion": false,
	}
	newerTemplate = object{"id": nil, "bfont": "", "bsize": zero}
	newerDeck     = object{
		"browserCollapsed": false, "md": false, "newLimit": nil, "reviewLimit": nil,
		"newLimitToday": nil, "reviewLimitToday": nil, "desiredRetention": nil,
	}
	newerDynamic = object{
		"browserCollapsed": false, "previewDelay": zero,
		"previewAgainSecs": json.Number("60"), "previewHardSecs": json.Number("600"), "previewGoodSecs": zero,
	}
)

const zero = json.Number("0")

func modelObject(nt *schema.Notetype) (object, error) {
	// Ids of models were text in the original.
	text, err := nt.JSON(true)
	o, err := legacy(text, err, object{"vers": []any{}, "tags": []any{}}, newerModel)
	if err != nil {
		return nil, err
	}
	parts := func(key string, added, newer object) {
		list, _ := o[key].([]any)
		for _, p := range list {
			if p, ok := p.(object); ok {
				shape(p, added, newer)
			}
		}
	}
	parts("flds", object{"media": []any{}}, newerField)
	parts("tmpls", nil, newerTemplate)
	return o, nil
}

func deckObject(d *schema.Deck) (object, error) {
	text, err := d.JSON()
	if d.Kind.Filtered != nil {
		return legacy(text, err, object{"separate": true, "return": true, "delays": nil, "desc": ""}, newerDynamic)
	}
	return legacy(text, err, object{"extendNew": 10, "extendRev": 50}, newerDeck)
}

// configKeys are the keys of deck options that the original had.
var configKeys = []string{"id", "name", "mod", "usn", "dyn", "new", "lapse", "rev", "timer", "maxTaken", "autoplay", "replayq"}

// newerConfig are the newer keys of deck options with their defaults.
var newerConfig = sync.OnceValue(func() object {
	text, err := (&schema.DeckConfig{Config: schema.DefaultDeckConfig()}).JSON()
	if err != nil {
		return nil
	}
	o, err := decodeObject(text)
	if err != nil {
		return nil
	}
	for _, k := range configKeys {
		delete(o, k)
	}
	o["easyDaysPercentages"] = []any{} // all days alike
	return o
})

func configObject(c *schema.DeckConfig) (object, error) {
	text, err := c.JSON()
	o, err := legacy(text, err, nil, newerConfig())
	if rev, ok := o["rev"].(object); ok {
		shape(rev, nil, object{"hardFactor": json.Number("1.2")})
	}
	return o, err
}

// noteObject is a note with its model. id is what its "id" reads: a number in
// lists, the text of the path where the path named the note.
func noteObject(t *collection.Txn, id int64, shown any) (object, error) {
	n, err := t.Note(id)
	if err != nil {
		return nil, err
	}
	var model any // nil if it is gone
	fields := object{}
	if nt, err := t.Notetype(n.MID); err == nil {
		if model, err = modelObject(nt); err != nil {
			return nil, err
		}
		texts := n.FieldList()
		for i, f := range nt.Fields {
			if i < len(texts) {
				fields[f.Name] = texts[i]
			}
		}
	} else if !errors.Is(err, collection.ErrNoObject) {
		return nil, err
	}
	tags := n.TagList()
	if tags == nil {
		tags = []string{}
	}
	return object{
		"id": shown, "guid": n.GUID, "model": model, "mid": n.MID, "mod": n.Mod,
		"scm": t.Meta().SCM, "tags": tags, "string_tags": strings.Join(tags, " "),
		"fields": fields, "flags": n.Flags, "usn": n.USN,
	}, nil
}

// cardOptions are what a card object is to hold besides the card.
type cardOptions struct{ note, deck, revlog bool }

func readCardOptions(p params) cardOptions {
	return cardOptions{
		note:   p.truth("load_note", false),
		deck:   p.truth("load_deck", false),
		revlog: p.truth("load_latest_revlog", false),
	}
}

// cardObject is a card with both of its sides. What it refers to may be gone; then
// the sides are empty, and note and deck are null: one damaged card does not keep
// a program from all others.
func cardObject(t *collection.Txn, id int64, o cardOptions) (object, error) {
	c, err := t.Card(id)
	if err != nil {
		return nil, err
	}
	out := object{
		"id": c.ID, "isEmpty": nil, "css": "", "question": "", "answer": "",
		"did": c.DID, "due": c.Due, "factor": c.Factor, "ivl": c.Ivl, "lapses": c.Lapses,
		"left": c.Left, "mod": c.Mod, "nid": c.NID, "odid": c.ODID, "odue": c.ODue, "ord": c.Ord,
		"queue": c.Queue, "reps": c.Reps, "type": c.Type, "usn": c.USN, "timerStarted": nil,
	}
	if err := addSides(t, id, out); err != nil && !errors.Is(err, collection.ErrNoObject) {
		return nil, err
	}
	if o.note {
		n, err := noteObject(t, c.NID, c.NID)
		if out["note"], err = orNull(n, err); err != nil {
			return nil, err
		}
	}
	if o.deck {
		d, err := t.Deck(c.DID)
		var deck object
		if err == nil {
			deck, err = deckObject(d)
		}
		if out["deck"], err = orNull(deck, err); err != nil {
			return nil, err
		}
	}
	if o.revlog {
		if out["latest_revlog"], err = latestReview(t, id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// addSides renders a card. Sounds stand in both sides as they are written in
// notes, and those of the question not in the answer, as in the original.
func addSides(t *collection.Txn, id int64, out object) error {
	r, err := t.RenderCard(id, rendering.Options{KeepAV: true})
	if err != nil {
		return err
	}
	if out["question"], err = sideHTML(r.Question, r.SVG); err != nil {
		return err
	}
	if out["answer"], err = sideHTML(r.Answer, r.SVG); err != nil {
		return err
	}
	out["css"] = "<style>" + r.CSS + "</style>"
	return nil
}

// orNull is what an object that another refers to is in an answer.
func orNull(o object, err error) (any, error) {
	if errors.Is(err, collection.ErrNoObject) {
		return nil, nil
	}
	return o, err
}

// sideHTML gives a rendered side the form it had in the original: formulas as the
// images that clients made.
func sideHTML(html string, svg bool) (string, error) {
	html, _, err := rendering.LaTeX(html, svg)
	return html, err
}

// latestReview is the newest review of a card, nil without one.
func latestReview(t *collection.Txn, cardID int64) (any, error) {
	rs, err := t.LastReviews(cardID)
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	return object{"id": rs[0].ID, "ease": rs[0].Ease, "timestamp": rs[0].ID / 1000}, nil
}

// deckFor finds a deck by id or name. Digits are an id, also as text, as in the
// original; unlike there, they are a name if no deck has that id.
func deckFor(t *collection.Txn, v any) (*schema.Deck, error) {
	if id, ok := asInt(v); ok {
		d, err := t.Deck(id)
		if err == nil || !errors.Is(err, collection.ErrNoObject) {
			return d, err
		}
	}
	if name, ok := v.(string); ok {
		d, err := t.DeckByName(name)
		if err == nil || !errors.Is(err, collection.ErrNoObject) {
			return d, err
		}
	}
	if raw, ok := v.(json.RawMessage); ok {
		v = string(raw[:min(len(raw), 1000)])
	}
	return nil, &httpError{status: 404, detail: "No deck with id or name: " + printable(fmt.Sprint(v))}
}

// pathID is the id in the path of a note, card or model.
func (c *call) pathID() (int64, error) {
	id, err := strconv.ParseInt(c.id, 10, 64)
	if err != nil {
		return 0, fault("id %q", printable(c.id))
	}
	return id, nil
}
