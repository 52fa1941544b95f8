package collection

import (
	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/schema"
)

// RenderedCard is a card as it is shown.
type RenderedCard struct {
	rendering.Output
	CSS string // the notetype's style sheet
	// Ord is the ordinal, for [rendering.Page].
	Ord int
	// SVG is the notetype's choice of format for [rendering.LaTeX].
	SVG bool
}

// RenderCard renders both sides of a card.
func (t *Txn) RenderCard(id int64, o rendering.Options) (RenderedCard, error) {
	c, err := t.Card(id)
	if err != nil {
		return RenderedCard{}, err
	}
	n, err := t.Note(c.NID)
	if err != nil {
		return RenderedCard{}, err
	}
	nt, err := t.notetypeFor(n.MID)
	if err != nil {
		return RenderedCard{}, err
	}
	tmpl := nt.template(int(c.Ord))
	if tmpl == nil {
		return RenderedCard{}, missing("template of card", id)
	}
	rc := rendering.Card{
		ID: c.ID, Ord: int(c.Ord), Flag: int(c.Flags & 7),
		Notetype: nt.Name, Cloze: nt.Config.Kind == schema.KindCloze, Template: tmpl.Name, Formats: formatsOf(tmpl),
		Tags: n.TagList(),
	}
	texts := n.FieldList()
	for i := range nt.Fields {
		f := rendering.Field{Name: nt.Fields[i].Name}
		if i < len(texts) {
			f.Text = texts[i]
		}
		rc.Fields = append(rc.Fields, f)
	}
	d, err := t.deckOrNil(homeDeck(&c))
	if err != nil {
		return RenderedCard{}, err
	}
	if d != nil {
		rc.Deck = schema.HumanDeckName(d.Name)
	}
	out, err := rendering.Render(&rc, o)
	return RenderedCard{Output: out, CSS: nt.Config.CSS, Ord: int(c.Ord), SVG: nt.Config.LatexSVG}, err
}
