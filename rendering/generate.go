package rendering

import (
	"fmt"
	"regexp"
	"slices"
)

// Notetype is what card generation needs of a notetype.
type Notetype struct {
	Name      string
	Cloze     bool
	Fields    []string  // names
	Templates []Formats // by ordinal
}

// specialFields are the names that every template may use.
var specialFields = []string{"FrontSide", "Card", "CardFlag", "Deck", "Subdeck", "Tags", "Type", "CardID"}

// Generator says which cards notes of one notetype have. It parses the
// templates once, and is safe for concurrent use.
type Generator struct {
	cloze     bool
	fields    []string
	questions []*Template // nil if it has an error
}

// NewGenerator makes a generator. A template with an error makes no cards.
func NewGenerator(nt *Notetype) *Generator {
	g := &Generator{cloze: nt.Cloze, fields: nt.Fields}
	for i := range nt.Templates {
		t, err := ParseTemplate(nt.Templates[i].Front)
		if err != nil {
			t = nil
		}
		g.questions = append(g.questions, t)
	}
	return g
}

// Ords returns the ordinals of the cards that a note should have, rising: with
// a normal notetype those whose question shows a field, with a cloze notetype
// one for each cloze number in any field. Numbers from 500 on share the ordinal
// 499, of which the clients make several cards and this package one. Ords may
// be empty; a note without any card still gets card 0, see Missing.
// docs/collection-format.md §8
func (g *Generator) Ords(fields []string, tagged bool) []int {
	var ords []int
	if g.cloze {
		for _, n := range ClozeNumbers(fields...) {
			ords = append(ords, min(n-1, MaxClozeOrd))
		}
		return slices.Compact(ords)
	}
	filled := g.filled(fields, tagged)
	for ord, t := range g.questions {
		if t != nil && t.Renders(func(name string) bool { return filled[name] }) {
			ords = append(ords, ord)
		}
	}
	return ords
}

func (g *Generator) filled(fields []string, tagged bool) map[string]bool {
	filled := make(map[string]bool, len(g.fields)+len(specialFields))
	for _, name := range specialFields {
		filled[name] = name != "FrontSide" && (name != "Tags" || tagged)
	}
	for i, name := range g.fields {
		filled[name] = i < len(fields) && !FieldIsEmpty(fields[i])
	}
	return filled
}

// Missing returns the ordinals of the cards to add to a note that has the cards
// existing. A note that has none and would get none gets card 0.
func (g *Generator) Missing(fields []string, tagged bool, existing []int) []int {
	ords := g.Ords(fields, tagged)
	if len(ords) == 0 && len(existing) == 0 {
		return []int{0}
	}
	have := make(map[int]bool, len(existing))
	for _, ord := range existing {
		have[ord] = true
	}
	return slices.DeleteFunc(ords, func(ord int) bool { return have[ord] })
}

// Empty returns those of the cards existing that the note's fields no longer
// ask for: what the clients' "Empty Cards" tool offers to delete. If it is all
// of them, that tool deletes the note.
func (g *Generator) Empty(fields []string, tagged bool, existing []int) []int {
	want := map[int]bool{}
	for _, ord := range g.Ords(fields, tagged) {
		want[ord] = true
	}
	var out []int
	for _, ord := range existing {
		if !want[ord] {
			out = append(out, ord)
		}
	}
	return out
}

// NotetypeError is a notetype that clients refuse to save. Its text is theirs,
// with their isolation marks as in TemplateError.
type NotetypeError struct {
	Notetype string
	Ord      int // of the card template
	Detail   string
}

func (e *NotetypeError) Error() string {
	return fmt.Sprintf("Card template \u2068%d\u2069 in note type %s has a problem.<br>%s",
		e.Ord+1, isolate(e.Notetype), e.Detail)
}

var cardTag = regexp.MustCompile(`\{\{\s*Card\s*\}\}`)

// Check returns a *NotetypeError if clients would refuse to save the templates:
// two with the same front, one with an error, without a field on its front or
// with an unknown field, or a cloze notetype without a cloze tag on both sides.
func (nt *Notetype) Check() error {
	fail := func(ord int, detail string) error {
		return &NotetypeError{Notetype: nt.Name, Ord: ord, Detail: detail}
	}
	fronts := map[string]int{}
	for ord := range nt.Templates {
		front := nt.Templates[ord].Front
		if old, same := fronts[front]; same && !cardTag.MatchString(front) {
			return fail(ord, fmt.Sprintf("The front side is identical to card template \u2068%d\u2069.", old+1))
		}
		fronts[front] = ord
	}
	hasCloze := false
	for ord := range nt.Templates {
		front, errFront := ParseTemplate(nt.Templates[ord].Front)
		back, errBack := ParseTemplate(nt.Templates[ord].Back)
		if errFront != nil || errBack != nil {
			return fail(ord, "See the preview for more information.")
		}
		used := front.Fields(true)
		if len(used) == 0 {
			return fail(ord, "Expected to find a field replacement on the front of the card template.")
		}
		for _, name := range append(used, back.Fields(true)...) {
			if name != "" && !slices.Contains(specialFields, name) && !slices.Contains(nt.Fields, name) {
				return fail(ord, "Field "+isolate(name)+" not found.")
			}
		}
		if ord == 0 {
			hasCloze = len(front.ClozeFields()) > 0 && len(back.ClozeFields()) > 0
		}
	}
	if nt.Cloze && !hasCloze {
		return fail(0, "Expected to find '{{cloze:Text}}' or similar on the front and back of the card template.")
	}
	return nil
}
