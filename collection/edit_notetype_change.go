package collection

import (
	"fmt"
	"slices"

	"golang.org/x/text/unicode/norm"

	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// NotetypeChange says what of a notetype is to change; nil leaves it.
type NotetypeChange struct {
	Name *string
	CSS  *string
	// SortField is the index of the field that lists are sorted by; another one
	// makes every device do a full sync.
	SortField *int
	// Fields are all fields in their new order. Adding, removing or reordering
	// them makes every device do a full sync.
	Fields []FieldChange
	// Templates are all card templates in their new order, likewise.
	Templates []TemplateChange
	// Imported says that the templates are those of another collection: they are
	// taken as they are, though clients would refuse to save them.
	Imported bool
}

// FieldChange is a field of a changed notetype.
type FieldChange struct {
	From int // index before the change, -1 if it is new
	Name string
}

// TemplateChange is a card template of a changed notetype.
type TemplateChange struct {
	From                      int // index before the change, -1 if it is new
	Name                      string
	Front, Back               string
	BrowserFront, BrowserBack string // empty: as Front and Back
}

// UpdateNotetype changes a notetype and with it its notes and cards: texts of
// removed fields and cards of removed templates (with notes that are left
// without a card) are deleted, references to renamed fields follow, cards that
// are now asked for are made.
func (t *Txn) UpdateNotetype(id int64, c NotetypeChange) error {
	if t.readOnly {
		return ErrReadOnly
	}
	old, err := t.Notetype(id)
	if err != nil {
		return err
	}
	nt := *old
	nt.Fields, nt.Templates = slices.Clone(old.Fields), slices.Clone(old.Templates)
	if c.Name != nil {
		if nt.Name = norm.NFC.String(*c.Name); nt.Name == "" {
			return refuse("a notetype needs a name")
		}
		if other, err := t.NotetypeByName(nt.Name); err == nil && other.ID != id {
			return refuse("there is a notetype %q already", nt.Name)
		}
	}
	if c.CSS != nil {
		nt.Config.CSS = *c.CSS
	}
	fieldMap, err := changeFields(&nt, old, c.Fields)
	if err != nil {
		return err
	}
	templateMap, err := changeTemplates(&nt, old, c.Templates)
	if err != nil {
		return err
	}
	renameInTemplates(&nt, old, fieldMap)
	nt.Config.SortFieldIdx = uint32(max(0, slices.Index(fieldMap, int(old.Config.SortFieldIdx))))
	if c.SortField != nil {
		if *c.SortField < 0 || *c.SortField >= len(nt.Fields) {
			return refuse("there is no field %d to sort by", *c.SortField)
		}
		nt.Config.SortFieldIdx = uint32(*c.SortField)
	}
	if err := prepareNotetype(&nt, c.Imported); err != nil {
		return err
	}
	return t.applyNotetype(old, &nt, fieldMap, templateMap)
}

// unmoved is the map of parts that stay where they are.
func unmoved(n int) []int {
	m := make([]int, n)
	for i := range m {
		m[i] = i
	}
	return m
}

// checkMap checks that every part comes from one that exists, and none twice.
func checkMap(m []int, old int, what string) error {
	seen := map[int]bool{}
	for _, from := range m {
		if from < -1 || from >= old || from >= 0 && seen[from] {
			return refuse("there is no such %s to keep: %d", what, from)
		}
		seen[from] = true
	}
	return nil
}

// changeFields gives nt its new fields. The result says for each which it was.
func changeFields(nt, old *schema.Notetype, fields []FieldChange) ([]int, error) {
	if fields == nil {
		return unmoved(len(old.Fields)), nil
	}
	var m []int
	nt.Fields = nil
	for _, f := range fields {
		m = append(m, f.From)
		if f.From >= len(old.Fields) {
			break
		}
		field := schema.Field{Config: schema.FieldConfig{FontName: "Arial", FontSize: 20, ID: randomID()}}
		if f.From >= 0 {
			field = old.Fields[f.From]
		}
		field.Name = f.Name
		nt.Fields = append(nt.Fields, field)
	}
	if err := checkMap(m, len(old.Fields), "field"); err != nil {
		return nil, err
	}
	for i := range old.Fields {
		if old.Fields[i].Config.PreventDeletion && !slices.Contains(m, i) {
			return nil, refuse("the field %q cannot be removed", old.Fields[i].Name)
		}
	}
	return m, nil
}

// changeTemplates is changeFields for card templates.
func changeTemplates(nt, old *schema.Notetype, templates []TemplateChange) ([]int, error) {
	if templates == nil {
		return unmoved(len(old.Templates)), nil
	}
	var m []int
	nt.Templates = nil
	for _, c := range templates {
		m = append(m, c.From)
		if c.From >= len(old.Templates) {
			break
		}
		tmpl := schema.Template{Config: schema.TemplateConfig{ID: randomID()}}
		if c.From >= 0 {
			tmpl = old.Templates[c.From]
		}
		tmpl.Name = c.Name
		tmpl.Config.QFormat, tmpl.Config.AFormat = c.Front, c.Back
		tmpl.Config.QFormatBrowser, tmpl.Config.AFormatBrowser = c.BrowserFront, c.BrowserBack
		nt.Templates = append(nt.Templates, tmpl)
	}
	return m, checkMap(m, len(old.Templates), "card template")
}

// renameInTemplates lets the templates follow renamed and removed fields.
func renameInTemplates(nt, old *schema.Notetype, fieldMap []int) {
	names := map[string]string{}
	for i := range old.Fields {
		names[old.Fields[i].Name] = ""
	}
	for i, from := range fieldMap {
		if from >= 0 {
			names[old.Fields[from].Name] = fieldName(nt.Fields[i].Name)
		}
	}
	for i := range nt.Fields {
		// A name that is used again is no longer that of a removed field.
		if to, ok := names[nt.Fields[i].Name]; ok && to == "" {
			delete(names, nt.Fields[i].Name)
		}
	}
	for from, to := range names {
		if from == to {
			delete(names, from)
		}
	}
	if len(names) == 0 {
		return
	}
	for i := range nt.Templates {
		c := &nt.Templates[i].Config
		for _, text := range []*string{&c.QFormat, &c.AFormat, &c.QFormatBrowser, &c.AFormatBrowser} {
			*text = rendering.RenameFields(*text, names)
		}
	}
}

// applyNotetype writes a changed notetype and what follows from it.
func (t *Txn) applyNotetype(old, nt *schema.Notetype, fieldMap, templateMap []int) error {
	fieldsMoved := !slices.Equal(fieldMap, unmoved(len(old.Fields)))
	templatesMoved := !slices.Equal(templateMap, unmoved(len(old.Templates)))
	if err := t.write(); err != nil {
		return err
	}
	sortMoved := old.Config.SortFieldIdx != nt.Config.SortFieldIdx
	if fieldsMoved || templatesMoved || sortMoved {
		if err := t.changeSchema(); err != nil {
			return err
		}
	}
	if err := t.saveNotetype(nt); err != nil {
		return err
	}
	in, err := t.notetypeFor(nt.ID)
	if err != nil {
		return err
	}
	if templatesMoved && nt.Config.Kind != schema.KindCloze {
		if err := t.moveTemplates(nt.ID, templateMap, len(old.Templates)); err != nil {
			return err
		}
	}
	if fieldsMoved || sortMoved {
		if err := t.moveFields(in, fieldMap); err != nil {
			return err
		}
	}
	if !fieldsMoved && !templatesMoved && sameFronts(old, nt) {
		return nil
	}
	return t.makeCardsOf(in)
}

// sameFronts reports whether the questions, which say what cards there are, are
// what they were.
func sameFronts(a, b *schema.Notetype) bool {
	for i := range a.Templates {
		if a.Templates[i].Config.QFormat != b.Templates[i].Config.QFormat {
			return false
		}
	}
	return true
}

// moveTemplates deletes the cards of removed templates, and numbers the others
// anew.
func (t *Txn) moveTemplates(notetypeID int64, templateMap []int, old int) error {
	for ord := range old {
		if slices.Contains(templateMap, ord) {
			continue
		}
		cards, err := collect(t.h, scanCard,
			`SELECT `+cardColumns+` FROM cards WHERE ord = ? AND nid IN (SELECT id FROM notes WHERE mid = ?)`, ord, notetypeID)
		if err != nil {
			return err
		}
		if err := t.removeCards(cards); err != nil {
			return err
		}
	}
	// All at once: one step after the other would mix them up.
	var pairs []int64
	for to, from := range templateMap {
		if from >= 0 && from != to {
			pairs = append(pairs, int64(from))
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	cards, err := collect(t.h, scanCard,
		`SELECT `+cardColumns+` FROM cards WHERE ord IN (SELECT value FROM json_each(?)) AND nid IN (SELECT id FROM notes WHERE mid = ?)`,
		idList(pairs), notetypeID)
	if err != nil {
		return err
	}
	for i := range cards {
		cards[i].Ord = int64(slices.Index(templateMap, int(cards[i].Ord)))
		if err := t.saveCard(&cards[i]); err != nil {
			return err
		}
	}
	return nil
}

// moveFields brings the texts of all notes into the new order of the fields, and
// derives anew what depends on it.
func (t *Txn) moveFields(nt *notetypeInUse, fieldMap []int) error {
	return t.eachNoteOf(nt, func(n *Note) error {
		was := n.FieldList()
		fields := make([]string, len(fieldMap))
		for i, from := range fieldMap {
			if from >= 0 && from < len(was) {
				fields[i] = was[from]
			}
		}
		n.Flds = schema.JoinFields(fields)
		return t.saveNote(nt, n, false)
	})
}

// makeCardsOf adds the cards that the notes of a notetype lack.
func (t *Txn) makeCardsOf(nt *notetypeInUse) error {
	return t.eachNoteOf(nt, func(n *Note) error {
		_, err := t.makeCards(nt, n, 0)
		return err
	})
}

func (t *Txn) eachNoteOf(nt *notetypeInUse, f func(n *Note) error) error {
	ids, err := collect(t.h, scanID, `SELECT id FROM notes WHERE mid = ? ORDER BY id`, nt.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		n, err := t.Note(id)
		if err != nil {
			return err
		}
		if err := f(&n); err != nil {
			return fmt.Errorf("note %d: %w", id, err)
		}
	}
	return nil
}

// fieldChanges are the fields of a notetype as they are.
func fieldChanges(nt *schema.Notetype) []FieldChange {
	out := make([]FieldChange, len(nt.Fields))
	for i := range nt.Fields {
		out[i] = FieldChange{From: i, Name: nt.Fields[i].Name}
	}
	return out
}

// AddField appends a field to a notetype.
func (t *Txn) AddField(notetypeID int64, name string) error {
	nt, err := t.Notetype(notetypeID)
	if err != nil {
		return err
	}
	return t.UpdateNotetype(notetypeID, NotetypeChange{Fields: append(fieldChanges(nt), FieldChange{From: -1, Name: name})})
}

// RemoveField removes a field, with what notes have in it.
func (t *Txn) RemoveField(notetypeID int64, name string) error {
	return t.changeField(notetypeID, name, func(fields []FieldChange, i int) []FieldChange {
		return slices.Delete(fields, i, i+1)
	})
}

// RenameField renames a field, in templates, too.
func (t *Txn) RenameField(notetypeID int64, from, to string) error {
	return t.changeField(notetypeID, from, func(fields []FieldChange, i int) []FieldChange {
		fields[i].Name = to
		return fields
	})
}

func (t *Txn) changeField(notetypeID int64, name string, change func(fields []FieldChange, i int) []FieldChange) error {
	nt, err := t.Notetype(notetypeID)
	if err != nil {
		return err
	}
	fields := fieldChanges(nt)
	for i := range fields {
		if sqlite.EqualFold(fields[i].Name, norm.NFC.String(name)) {
			return t.UpdateNotetype(notetypeID, NotetypeChange{Fields: change(fields, i)})
		}
	}
	return missing("field", name)
}
