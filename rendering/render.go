package rendering

import (
	"errors"
	"strconv"
	"strings"
)

// DefaultMaxBytes is Options.MaxBytes if that is 0.
const DefaultMaxBytes = 64 << 20

// Field is one field of a note, as HTML.
type Field struct{ Name, Text string }

// Formats are the formats of a card template.
type Formats struct {
	Front, Back               string
	BrowserFront, BrowserBack string // empty: as Front and Back
}

// Card is all that a card is rendered from.
type Card struct {
	ID   int64 // shown by {{CardID}}
	Ord  int   // index of the template; of a cloze card the number less one
	Flag int   // 0 to 7

	Notetype string
	Cloze    bool // the notetype is a cloze notetype
	Template string
	Formats  Formats

	Fields []Field
	Tags   []string
	Deck   string // the home deck, parts joined by "::"
}

// Options say how Render renders. The zero value is for studying.
type Options struct {
	// Browser renders for a list of cards: with the browser formats, and
	// without the message that the front is blank.
	Browser bool
	// KeepAV leaves sounds and speech in the HTML as they are written, and
	// {{FrontSide}} goes without them, as in libanki 2.0. There are no places to
	// play then: what looks like one is text of the note.
	KeepAV bool
	// MaxBytes bounds the bytes read and written for both sides together; 0
	// means DefaultMaxBytes.
	MaxBytes int
}

// Output is a rendered card. The HTML holds "[anki:play:q:0]" where the first
// of QuestionAV plays, and "[[type:Field]]" where an answer is typed; LaTeX is
// still as written, see LaTeX.
type Output struct {
	Question, Answer     string
	QuestionAV, AnswerAV []AVTag
	// Empty says that the card should not exist: both sides carry the message
	// that says so.
	Empty bool
	// Problem is set if a template has an error; both sides then show it.
	Problem *TemplateError
}

// Render renders both sides of a card. A template with an error is not an error
// of Render: the card then shows it, as in the clients. The only error is
// ErrTooLarge.
func Render(card *Card, o Options) (Output, error) {
	r := newRenderer(card, o)
	front, back, frontSide, backSide := card.Formats.pick(o.Browser)

	r.question = true
	tmpl, question, problem := r.side(front, frontSide)
	if err := r.tooLarge(); err != nil {
		return Output{}, err
	}
	if problem != nil {
		return failed(problem), nil
	}
	if message := r.blank(tmpl, o.Browser); message != "" {
		out := Output{Answer: message, Empty: true}
		out.Question, out.QuestionAV = o.extractAV(question+message, true)
		return out, nil
	}
	var out Output
	out.Question, out.QuestionAV = o.extractAV(question, true)

	r.question, r.frontSide = false, out.Question
	if o.KeepAV {
		r.frontSide = StripAV(question)
	}
	_, answer, problem := r.side(back, backSide)
	if err := r.tooLarge(); err != nil {
		return Output{}, err
	}
	if problem != nil {
		return failed(problem), nil
	}
	out.Answer, out.AnswerAV = o.extractAV(answer, false)
	return out, nil
}

func (o *Options) extractAV(html string, question bool) (string, []AVTag) {
	if o.KeepAV {
		return html, nil
	}
	return extractAV(html, question)
}

func failed(problem *TemplateError) Output {
	html := problem.HTML()
	return Output{Question: html, Answer: html, Problem: problem}
}

func (f *Formats) pick(browser bool) (front, back string, frontSide, backSide Side) {
	front, back = f.Front, f.Back
	if !browser {
		return front, back, Front, Back
	}
	if f.BrowserFront != "" {
		front = f.BrowserFront
	}
	if f.BrowserBack != "" {
		back = f.BrowserBack
	}
	return front, back, BrowserFront, BrowserBack
}

// value is a field's text; whether it is empty is found out when first asked.
type value struct {
	text           string
	checked, empty bool
}

func (v *value) isEmpty() bool {
	if !v.checked {
		v.checked, v.empty = true, FieldIsEmpty(v.text)
	}
	return v.empty
}

type renderer struct {
	fields    map[string]*value
	ord       int
	cloze     bool
	question  bool
	frontSide string // on the answer: the question, sounds taken out
	budget    budget
}

func newRenderer(card *Card, o Options) *renderer {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	r := &renderer{
		fields: make(map[string]*value, len(card.Fields)+8),
		ord:    card.Ord,
		cloze:  card.Cloze,
		budget: budget{left: limit},
	}
	for _, f := range card.Fields {
		r.fields[f.Name] = &value{text: f.Text}
	}
	special := func(name, text string) {
		if r.fields[name] == nil {
			r.fields[name] = &value{text: text}
		}
	}
	special("Tags", strings.Join(card.Tags, " "))
	special("Type", card.Notetype)
	special("Deck", card.Deck)
	subdeck := card.Deck
	if i := strings.LastIndex(subdeck, "::"); i >= 0 {
		subdeck = subdeck[i+len("::"):]
	}
	special("Subdeck", subdeck)
	special("CardFlag", "flag"+strconv.Itoa(card.Flag))
	special("Card", card.Template)
	special("CardID", strconv.FormatInt(card.ID, 10))
	special("c"+strconv.Itoa(card.Ord+1), "1")
	return r
}

func (r *renderer) tooLarge() error {
	if r.budget.spent() {
		return ErrTooLarge
	}
	return nil
}

// side parses and renders one format. A format that is too large spends the
// budget.
func (r *renderer) side(format string, side Side) (*Template, string, *TemplateError) {
	tmpl, err := ParseTemplate(format)
	var html string
	if err == nil {
		html, err = r.render(tmpl)
	}
	if errors.Is(err, ErrTooLarge) {
		r.budget = budget{left: -1}
		return nil, "", nil
	}
	if err != nil {
		problem := TemplateError{Detail: err.Error()}
		if p := (*TemplateError)(nil); errors.As(err, &p) {
			problem = *p
		}
		problem.Side = side
		return nil, "", &problem
	}
	return tmpl, html, nil
}

// render writes what of a template is to be seen. Hidden sections are looked
// through too: an unknown field in them is an error all the same.
func (r *renderer) render(t *Template) (string, error) {
	w := &buffer{budget: &r.budget}
	hiddenTo := -1 // index of the nodeEnd that ends a hidden section
	for i := range t.nodes {
		n := &t.nodes[i]
		hidden := i < hiddenTo
		switch n.kind {
		case nodeText, nodeComment:
			if !hidden {
				w.add(n.text)
			}
		case nodeIf, nodeUnless:
			shown, err := r.condition(n)
			if err != nil {
				return "", err
			}
			if !shown && !hidden {
				hiddenTo = n.end
			}
		case nodeField:
			text, err := r.field(n, hidden)
			if err != nil {
				return "", err
			}
			w.add(text)
		}
	}
	return w.String(), nil
}

// field returns what replaces a field; "" if it is hidden.
func (r *renderer) field(n *node, hidden bool) (string, error) {
	switch {
	case n.text == "FrontSide":
		if hidden {
			return "", nil
		}
		return r.frontSide, nil
	case n.text == "" && n.filters != "":
		return "", nil // for add-ons, whose filters make their own text
	}
	v := r.fields[n.text]
	if v == nil {
		return "", errNoField(n)
	}
	if hidden {
		return "", nil
	}
	return r.applyFilters(v.text, n.text, n.filters), nil
}

func (r *renderer) condition(n *node) (bool, error) {
	filled := false
	if v := r.fields[n.text]; v != nil {
		filled = !v.isEmpty()
	} else if !isClozeCondition(n.text) {
		return false, errNoField(n)
	}
	return filled == (n.kind == nodeIf), nil
}

// isClozeCondition reports whether key is c1, c2, …: true on the card of that
// number, and never an unknown field.
func isClozeCondition(key string) bool {
	digits, ok := strings.CutPrefix(key, "c")
	if !ok {
		return false
	}
	_, err := strconv.ParseUint(strings.TrimPrefix(digits, "+"), 10, 32)
	return err == nil
}

// blank returns the message for a card that has nothing to ask, or "".
func (r *renderer) blank(t *Template, browser bool) string {
	if r.cloze {
		if r.hasCloze(r.ord + 1) {
			return ""
		}
		return blankMessage("No cloze \u2068"+strconv.Itoa(r.ord+1)+"\u2069 found on card.\n"+
			"Please either add a cloze deletion, or use the Empty Cards tool.", helpCloze)
	}
	if browser || t.Renders(func(name string) bool {
		v := r.fields[name]
		return v != nil && !v.isEmpty()
	}) {
		return ""
	}
	return blankMessage("The front of this card is blank.", helpBlank)
}

func (r *renderer) hasCloze(number int) bool {
	for _, v := range r.fields {
		for _, n := range ClozeNumbers(v.text) {
			if n == number {
				return true
			}
		}
	}
	return false
}

// Page wraps one side of a card as the clients' web view has it: the
// notetype's style sheet and an element with the classes it selects by. ord is
// the card's. The result is foreign HTML: show it in a sandbox.
func Page(html, css string, ord int) string {
	return "<style>" + css + "</style>\n<div class=\"card card" + strconv.Itoa(ord+1) + "\">" + html + "</div>"
}
