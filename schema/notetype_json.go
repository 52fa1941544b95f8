package schema

import (
	"encoding/json"
	"strconv"
)

// ParseNotetypeJSON reads one object of schema 11's `models`
// (docs/collection-format.md §4.1). The ords of fields and templates are their
// positions, whatever the text says.
func ParseNotetypeJSON(b []byte) (*Notetype, error) {
	o, err := parseObject(b)
	if err != nil {
		return nil, err
	}
	r := &reader{o: o, what: "notetype"}
	nt := &Notetype{
		ID:    must(r, "id", asI64Text),
		Name:  must(r, "name", asString),
		Mtime: must(r, "mod", asI64),
		USN:   must(r, "usn", asI32),
	}
	nt.Config = NotetypeConfig{
		Kind:              must(r, "type", asUpTo(1)),
		SortFieldIdx:      must(r, "sortf", asU16),
		CSS:               mustLax(r, "css", asString, ""),
		TargetDeckID:      orZero(mustLax(r, "did", asOptional(asI64), nil)),
		LatexPre:          maybe(r, "latexPre", asString, ""),
		LatexPost:         maybe(r, "latexPost", asString, ""),
		LatexSVG:          lax(r, "latexsvg", asBool, false),
		Reqs:              lax(r, "req", asList(asRequirement), nil),
		OriginalStockKind: maybe(r, "originalStockKind", asI32, 0),
		OriginalID:        maybe(r, "originalId", asOptional(asI64), nil),
	}
	tmpls := must(r, "tmpls", asRawList)
	flds := must(r, "flds", asRawList)
	nt.Config.Other = r.rest()
	if r.err != nil {
		return nil, r.err
	}
	for i, raw := range flds {
		f, err := parseField(raw)
		if err != nil {
			return nil, err
		}
		f.Ord = uint32(i)
		nt.Fields = append(nt.Fields, f)
	}
	for i, raw := range tmpls {
		t, err := parseTemplate(raw)
		if err != nil {
			return nil, err
		}
		t.Ord = uint32(i)
		nt.Templates = append(nt.Templates, t)
	}
	return nt, nil
}

func orZero(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// asRequirement reads [ord, "any"|"all"|"none", [field ords]].
func asRequirement(v json.RawMessage) (CardRequirement, bool) {
	l, ok := asRawList(v)
	if !ok || len(l) != 3 {
		return CardRequirement{}, false
	}
	var r CardRequirement
	if r.CardOrd, ok = asU16(l[0]); !ok {
		return r, false
	}
	switch kind, _ := asString(l[1]); kind {
	case "none":
		r.Kind = RequireNone
	case "any":
		r.Kind = RequireAny
	case "all":
		r.Kind = RequireAll
	default:
		return r, false
	}
	r.FieldOrds, ok = asList(asU16)(l[2])
	return r, ok
}

func parseField(b json.RawMessage) (Field, error) {
	o, ok := asObject(b)
	if !ok {
		return Field{}, invalid("field: not an object")
	}
	r := &reader{o: o, what: "field"}
	maybe(r, "ord", asOptional(asU16), nil)
	f := Field{Name: must(r, "name", asString)}
	f.Config = FieldConfig{
		Sticky:            must(r, "sticky", asBoolish),
		RTL:               must(r, "rtl", asBoolish),
		FontName:          must(r, "font", asString),
		FontSize:          must(r, "size", asU16),
		Description:       lax(r, "description", asString, ""),
		PlainText:         lax(r, "plainText", asBool, false),
		Collapsed:         lax(r, "collapsed", asBool, false),
		ExcludeFromSearch: lax(r, "excludeFromSearch", asBool, false),
		ID:                lax(r, "id", asOptional(asI64), nil),
		Tag:               lax(r, "tag", asOptional(asU32), nil),
		PreventDeletion:   lax(r, "preventDeletion", asBool, false),
	}
	f.Config.Other = r.rest()
	return f, r.err
}

func parseTemplate(b json.RawMessage) (Template, error) {
	o, ok := asObject(b)
	if !ok {
		return Template{}, invalid("template: not an object")
	}
	r := &reader{o: o, what: "template"}
	maybe(r, "ord", asOptional(asU16), nil)
	t := Template{Name: must(r, "name", asString)}
	t.Config = TemplateConfig{
		QFormat:         must(r, "qfmt", asString),
		AFormat:         maybe(r, "afmt", asString, ""),
		QFormatBrowser:  maybe(r, "bqfmt", asString, ""),
		AFormatBrowser:  maybe(r, "bafmt", asString, ""),
		TargetDeckID:    orZero(lax(r, "did", asOptional(asI64), nil)),
		BrowserFontName: lax(r, "bfont", asString, ""),
		BrowserFontSize: lax(r, "bsize", asU8, 0),
		ID:              lax(r, "id", asOptional(asI64), nil),
	}
	t.Config.Other = r.rest()
	return t, r.err
}

// JSON writes the schema-11 object. With textID the id is text, which is what
// desktop clients before 2.1.24 store and compare (docs/protocol.md §10).
func (nt *Notetype) JSON(textID bool) ([]byte, error) {
	if len(nt.Fields) > maxList || len(nt.Templates) > maxList {
		return nil, invalid("notetype: too many fields or templates")
	}
	c := &nt.Config
	w := newWriter()
	if textID {
		w.str("id", strconv.FormatInt(nt.ID, 10))
	} else {
		w.int("id", nt.ID)
	}
	w.str("name", nt.Name)
	kind := c.Kind
	if kind != KindCloze {
		kind = KindNormal // as current clients read a kind they do not know
	}
	w.int("type", int64(kind))
	w.int("mod", nt.Mtime)
	w.int("usn", int64(nt.USN))
	w.int("sortf", int64(uint16(c.SortFieldIdx)))
	w.optInt("did", nonZero(c.TargetDeckID))
	tmpls := []byte{'['}
	for i := range nt.Templates {
		tmpls = append(comma(tmpls), nt.Templates[i].json()...)
	}
	w.raw("tmpls", append(tmpls, ']'))
	flds := []byte{'['}
	for i := range nt.Fields {
		flds = append(comma(flds), nt.Fields[i].json()...)
	}
	w.raw("flds", append(flds, ']'))
	w.str("css", c.CSS)
	w.str("latexPre", c.LatexPre)
	w.str("latexPost", c.LatexPost)
	w.bool("latexsvg", c.LatexSVG)
	w.raw("req", requirementsJSON(c.Reqs))
	if c.OriginalStockKind != 0 {
		w.int("originalStockKind", int64(c.OriginalStockKind))
	}
	if c.OriginalID != nil {
		w.int("originalId", *c.OriginalID)
	}
	other := parseOther(c.Other)
	delete(other, "originalStockKind")
	delete(other, "originalId")
	w.others(other)
	return w.done(), nil
}

// comma separates the next element of a JSON list or tuple under construction.
func comma(b []byte) []byte {
	if b[len(b)-1] == '[' {
		return b
	}
	return append(b, ',')
}

func nonZero(v int64) *int64 {
	if v == 0 {
		return nil
	}
	return &v
}

func requirementsJSON(reqs []CardRequirement) []byte {
	b := []byte{'['}
	for _, r := range reqs {
		kind := "none"
		switch r.Kind {
		case RequireAny:
			kind = "any"
		case RequireAll:
			kind = "all"
		}
		b = append(comma(b), '[')
		b = strconv.AppendUint(b, uint64(uint16(r.CardOrd)), 10)
		b = appendString(append(b, ','), kind)
		b = append(b, ',', '[')
		for _, o := range r.FieldOrds {
			b = strconv.AppendUint(comma(b), uint64(uint16(o)), 10)
		}
		b = append(b, ']', ']')
	}
	return append(b, ']')
}

func (f *Field) json() []byte {
	c := &f.Config
	w := newWriter()
	w.str("name", f.Name)
	w.int("ord", int64(uint16(f.Ord)))
	w.bool("sticky", c.Sticky)
	w.bool("rtl", c.RTL)
	w.str("font", c.FontName)
	w.int("size", int64(uint16(c.FontSize)))
	w.str("description", c.Description)
	w.bool("plainText", c.PlainText)
	w.bool("collapsed", c.Collapsed)
	w.bool("excludeFromSearch", c.ExcludeFromSearch)
	w.optInt("id", c.ID)
	w.optU32("tag", c.Tag)
	w.bool("preventDeletion", c.PreventDeletion)
	w.others(parseOther(c.Other))
	return w.done()
}

func (t *Template) json() []byte {
	c := &t.Config
	w := newWriter()
	w.str("name", t.Name)
	w.int("ord", int64(uint16(t.Ord)))
	w.str("qfmt", c.QFormat)
	w.str("afmt", c.AFormat)
	w.str("bqfmt", c.QFormatBrowser)
	w.str("bafmt", c.AFormatBrowser)
	w.optInt("did", nonZero(max(0, c.TargetDeckID))) // a negative id does not go back
	w.str("bfont", c.BrowserFontName)
	w.int("bsize", int64(uint8(c.BrowserFontSize)))
	w.optInt("id", c.ID)
	w.others(parseOther(c.Other))
	return w.done()
}
