package collection

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// notetypeInUse is a notetype with what is derived from it.
type notetypeInUse struct {
	*schema.Notetype
	gen *rendering.Generator
}

// renderNotetype is nt as package rendering needs it.
func renderNotetype(nt *schema.Notetype) *rendering.Notetype {
	out := &rendering.Notetype{Name: nt.Name, Cloze: nt.Config.Kind == schema.KindCloze}
	for i := range nt.Fields {
		out.Fields = append(out.Fields, nt.Fields[i].Name)
	}
	for i := range nt.Templates {
		out.Templates = append(out.Templates, formatsOf(&nt.Templates[i]))
	}
	return out
}

func formatsOf(t *schema.Template) rendering.Formats {
	c := &t.Config
	return rendering.Formats{Front: c.QFormat, Back: c.AFormat, BrowserFront: c.QFormatBrowser, BrowserBack: c.AFormatBrowser}
}

func (nt *notetypeInUse) generator() *rendering.Generator {
	if nt.gen == nil {
		nt.gen = rendering.NewGenerator(renderNotetype(nt.Notetype))
	}
	return nt.gen
}

// template is the template of a card: that of a cloze notetype is its only one.
func (nt *notetypeInUse) template(ord int) *schema.Template {
	if nt.Config.Kind == schema.KindCloze {
		ord = 0
	}
	if ord < 0 || ord >= len(nt.Templates) {
		return nil
	}
	return &nt.Templates[ord]
}

// targetDeck is where the template wants its cards, 0 if it does not say. Clients
// do not ask that of a cloze notetype.
func (nt *notetypeInUse) targetDeck(ord int) int64 {
	tmpl := nt.template(ord)
	if tmpl == nil || nt.Config.Kind == schema.KindCloze {
		return 0
	}
	return tmpl.Config.TargetDeckID
}

// notetypeFor returns a notetype that is kept for the rest of the transaction.
func (t *Txn) notetypeFor(id int64) (*notetypeInUse, error) {
	if nt := t.notetypes[id]; nt != nil {
		return nt, nil
	}
	nt, err := t.Notetype(id)
	if err != nil {
		return nil, err
	}
	in := &notetypeInUse{Notetype: nt}
	t.notetypes[id] = in
	return in, nil
}

// Notetypes lists all notetypes by id.
func (t *Txn) Notetypes() ([]*schema.Notetype, error) {
	return loadNotetypes(t.h, `id = id`)
}

// Notetype returns a notetype by id.
func (t *Txn) Notetype(id int64) (*schema.Notetype, error) {
	nts, err := loadNotetypes(t.h, `id = ?`, id)
	if err != nil {
		return nil, err
	}
	if len(nts) == 0 {
		return nil, missing("notetype", id)
	}
	if len(nts[0].Fields) == 0 || len(nts[0].Templates) == 0 {
		return nil, fmt.Errorf("notetype %d without fields or templates: %w", id, ErrNoObject)
	}
	return nts[0], nil
}

// NotetypeByName returns a notetype by name, whatever the case.
func (t *Txn) NotetypeByName(name string) (*schema.Notetype, error) {
	ids, err := collect(t.h, scanID, `SELECT id FROM notetypes WHERE name = ?`, norm.NFC.String(name))
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, missing("notetype", name)
	}
	return t.Notetype(ids[0])
}

// AddNotetype adds a copy of a notetype, without its notes, under another name,
// which becomes the current one.
func (t *Txn) AddNotetype(copyOf int64, name string) (*schema.Notetype, error) {
	nt, err := t.Notetype(copyOf)
	if err != nil {
		return nil, err
	}
	nt.ID, nt.Name = 0, name
	if err := t.insertNotetype(nt, false); err != nil {
		return nil, err
	}
	return nt, t.SetConfig("curModel", nt.ID)
}

// ImportNotetype adds a notetype of another collection, in the JSON form of
// schema 11 (docs/collection-format.md §4.1). A name that is taken gets a suffix;
// an id that is 0 or taken is replaced. Templates that clients would refuse to
// save are taken as they are, as clients do: their notes are of use nevertheless.
func (t *Txn) ImportNotetype(object json.RawMessage) (*schema.Notetype, error) {
	nt, err := schema.ParseNotetypeJSON(object)
	if err != nil {
		return nil, &EditError{Reason: "the notetype is not usable", Err: err}
	}
	return nt, t.insertNotetype(nt, true)
}

func (t *Txn) insertNotetype(nt *schema.Notetype, imported bool) error {
	if err := t.write(); err != nil {
		return err
	}
	if nt.Name = norm.NFC.String(nt.Name); strings.TrimSpace(nt.Name) == "" {
		return refuse("a notetype needs a name")
	}
	var taken bool // also by one without fields, which Notetype does not find
	err := t.h.row(`SELECT EXISTS (SELECT 1 FROM notetypes WHERE id = ?)`, []any{nt.ID}, &taken)
	if err != nil {
		return err
	}
	if taken || nt.ID <= 0 {
		if nt.ID, err = t.newID(`SELECT (SELECT max(id) FROM notetypes) FROM notetypes WHERE id = ?`); err != nil {
			return err
		}
	}
	if err := prepareNotetype(nt, imported); err != nil {
		return err
	}
	t.delta.Notetypes++
	return t.saveNotetype(nt)
}

// maxNotetypeParts bounds the fields and the templates of a notetype.
const maxNotetypeParts = 1000

// prepareNotetype checks a notetype as clients do before they save it, and
// brings into order what is derived from its texts. Those of an imported one are
// not checked.
func prepareNotetype(nt *schema.Notetype, imported bool) error {
	switch {
	case len(nt.Fields) == 0 || len(nt.Templates) == 0:
		return refuse("a notetype needs a field and a card template")
	case len(nt.Fields) > maxNotetypeParts || len(nt.Templates) > maxNotetypeParts:
		return refuse("a notetype has at most %d fields and card templates", maxNotetypeParts)
	case nt.Config.Kind == schema.KindCloze && len(nt.Templates) != 1:
		return refuse("a cloze notetype has one card template")
	}
	seen := map[string]bool{}
	for i := range nt.Fields {
		f := &nt.Fields[i]
		f.Ord = uint32(i)
		f.Name = fieldName(f.Name)
		if f.Name == "" {
			return refuse("a field needs a name")
		}
		if k := sqlite.Fold(f.Name); seen[k] {
			return refuse("two fields are named %q", f.Name)
		} else {
			seen[k] = true
		}
	}
	clear(seen)
	for i := range nt.Templates {
		tmpl := &nt.Templates[i]
		tmpl.Ord = uint32(i)
		tmpl.Name = strings.TrimSpace(strings.ReplaceAll(norm.NFC.String(tmpl.Name), `"`, ""))
		if tmpl.Name == "" {
			return refuse("a card template needs a name")
		}
		if k := sqlite.Fold(tmpl.Name); seen[k] {
			return refuse("two card templates are named %q", tmpl.Name)
		} else {
			seen[k] = true
		}
	}
	if int(nt.Config.SortFieldIdx) >= len(nt.Fields) {
		nt.Config.SortFieldIdx = 0
	}
	rnt := renderNotetype(nt)
	if !imported {
		if err := rnt.Check(); err != nil {
			return &EditError{Reason: "the card templates are not usable", Err: err}
		}
	}
	nt.Config.Reqs = requirements(rnt)
	return nil
}

// fieldName is a field's name without what templates could not name it by.
func fieldName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:{}"`, r) || r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, norm.NFC.String(name))
	return strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(name), "#/^ "))
}

// requirements are what old clients go by when they make cards. The kinds of
// package rendering have the numbers of the stored ones.
func requirements(nt *rendering.Notetype) []schema.CardRequirement {
	var out []schema.CardRequirement
	for ord := range nt.Templates {
		r := schema.CardRequirement{CardOrd: uint32(ord)}
		if tmpl, err := rendering.ParseTemplate(nt.Templates[ord].Front); err == nil {
			req := tmpl.Requirements(nt.Fields)
			r.Kind = int32(req.Kind)
			for _, f := range req.Ords {
				r.FieldOrds = append(r.FieldOrds, uint32(f))
			}
		}
		out = append(out, r)
	}
	return out
}

// saveNotetype writes a notetype with its fields and templates.
func (t *Txn) saveNotetype(nt *schema.Notetype) error {
	nt.Mtime, nt.USN = t.now.Unix(), int32(t.usn)
	for i := range nt.Templates {
		nt.Templates[i].Mtime, nt.Templates[i].USN = nt.Mtime, nt.USN
	}
	m := merger{t.h, &session{serverUSN: t.usn}, t.now}
	name, err := m.freeName(`SELECT 1 FROM notetypes WHERE name = ? AND id != ?`, nt.Name, nt.ID)
	if err != nil {
		return err
	}
	nt.Name = name
	delete(t.notetypes, nt.ID)
	if err := m.saveNotetype(nt); err != nil {
		return fmt.Errorf("save notetype: %w", err)
	}
	return nil
}

// DeleteNotetype deletes a notetype with its notes. Every device will have to do
// a full sync. The last notetype stays.
func (t *Txn) DeleteNotetype(id int64) error {
	all, err := t.Notetypes()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(nt *schema.Notetype) bool { return nt.ID == id }) {
		return missing("notetype", id)
	}
	if len(all) == 1 {
		return refuse("the last notetype cannot be deleted")
	}
	if err := t.changeSchema(); err != nil {
		return err
	}
	notes, err := collect(t.h, scanID, `SELECT id FROM notes WHERE mid = ?`, id)
	if err != nil {
		return err
	}
	if _, err := t.DeleteNotes(notes...); err != nil {
		return err
	}
	for _, del := range []string{
		`DELETE FROM fields WHERE ntid = ?`, `DELETE FROM templates WHERE ntid = ?`, `DELETE FROM notetypes WHERE id = ?`,
	} {
		if _, err := t.h.exec(del, id); err != nil {
			return fmt.Errorf("delete notetype: %w", err)
		}
	}
	t.delta.Notetypes--
	delete(t.notetypes, id)
	if err := t.RemoveConfig(lastDeckKey(id)); err != nil {
		return err
	}
	current, err := t.configInt("curModel", 0)
	if err != nil || current != id {
		return err
	}
	rest, err := t.Notetypes()
	if err != nil || len(rest) == 0 {
		return err
	}
	return t.SetConfig("curModel", rest[0].ID)
}
