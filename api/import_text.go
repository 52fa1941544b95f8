package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

// textFile is a text to be imported: its columns are the fields of the model, in
// order, and one more are tags. Lines at the top that begin with "#" may say
// otherwise, as in current clients.
type textFile struct {
	separator rune
	html      bool
	tags      []string
	tagColumn int // from 0; -1: the one after the fields
	model     any // name or id; nil: the current one
	deck      any
	body      string
}

var separators = map[string]rune{
	"tab": '\t', "comma": ',', "semicolon": ';', "space": ' ', "pipe": '|', "colon": ':',
}

// parseText reads the lines at the top of a text.
func parseText(text string) textFile {
	f := textFile{tagColumn: -1, body: strings.TrimPrefix(text, "\ufeff")}
	for {
		line, rest, more := strings.Cut(f.body, "\n")
		line = strings.TrimRight(line, "\r")
		switch {
		case strings.HasPrefix(line, "#"):
			key, value, _ := strings.Cut(line[1:], ":")
			f.setting(strings.ToLower(strings.TrimSpace(key)), strings.TrimSpace(value))
		case strings.HasPrefix(line, "tags:"):
			f.tags = append(f.tags, strings.Fields(line[len("tags:"):])...)
		default:
			if f.separator == 0 {
				f.separator = guessSeparator(line)
			}
			return f
		}
		f.body = rest
		if !more {
			return f
		}
	}
}

func (f *textFile) setting(key, value string) {
	switch key {
	case "separator":
		if r, ok := separators[strings.ToLower(value)]; ok {
			f.separator = r
		} else if r := []rune(value); len(r) == 1 && strings.ContainsRune("\t,; |:", r[0]) {
			f.separator = r[0]
		}
	case "html":
		f.html = strings.EqualFold(value, "true")
	case "tags":
		f.tags = append(f.tags, strings.Fields(value)...)
	case "tags column":
		if n, err := strconv.Atoi(value); err == nil && n > 0 {
			f.tagColumn = n - 1
		}
	case "notetype":
		f.model = value
	case "deck":
		f.deck = value
	}
}

// literal makes HTML that shows a text as it is.
var literal = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;", "\n", "<br>")

func guessSeparator(line string) rune {
	for _, r := range "\t;," {
		if strings.ContainsRune(line, r) {
			return r
		}
	}
	return '\t'
}

// importText adds a note for each line, or changes those whose first field is
// the same.
func (c *call) importText(ctx context.Context, data string) error {
	f := parseText(data)
	for key, to := range map[string]*any{"model": &f.model, "deck": &f.deck} {
		if v, ok := c.p[key]; ok && v != nil {
			*to = v
		}
	}
	f.html = c.p.truth("allow_html", f.html)
	return c.a.o.Collections.EditWith(ctx, c.user, collection.EditOptions{Keep: "import"}, func(t *collection.Txn) error {
		nt, err := textModel(t, f.model)
		if err != nil {
			return err
		}
		var deck int64
		if f.deck != nil {
			d, err := importDeck(t, f.deck)
			if err != nil {
				return err
			}
			deck = d.ID
		} else if deck, err = c.newDeck(t, nt); err != nil {
			return err
		}
		gen := generator(nt)
		r := csv.NewReader(strings.NewReader(f.body))
		r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = f.separator, true, -1, true
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return &httpError{status: 400, detail: "The text cannot be read: " + err.Error()}
			}
			fields, tags := f.note(row, len(nt.Fields))
			if strings.TrimSpace(fields[0]) == "" {
				continue
			}
			if err := putNote(t, nt, deck, fields, tags, func() bool { return len(gen.Ords(fields, len(tags) > 0)) > 0 }); err != nil {
				return err
			}
		}
	})
}

// note takes the fields and tags out of a row.
func (f *textFile) note(row []string, n int) (fields, tags []string) {
	fields = make([]string, n)
	tags = f.tags
	at := 0
	for i, text := range row {
		switch {
		case i == f.tagColumn, f.tagColumn < 0 && at == n:
			tags = append(tags[:len(tags):len(tags)], strings.Fields(text)...)
			if i != f.tagColumn {
				at++
			}
		case at < n:
			if !f.html {
				text = literal.Replace(text)
			}
			fields[at] = text
			at++
		}
	}
	return fields, tags
}

// putNote adds a note, unless there are such: then those get its other fields
// and its tags.
func putNote(t *collection.Txn, nt *schema.Notetype, deck int64, fields, tags []string, cards func() bool) error {
	same, err := t.Duplicates(nt.ID, fields[0], 0)
	if err != nil {
		return err
	}
	if len(same) == 0 {
		if !cards() {
			return nil
		}
		_, _, err := t.AddNote(collection.NewNote{NotetypeID: nt.ID, DeckID: deck, Fields: fields, Tags: tags})
		return err
	}
	for _, id := range same {
		n, err := t.Note(id)
		if err != nil {
			return err
		}
		merged := n.FieldList()
		for i := range merged {
			if i < len(fields) && fields[i] != "" {
				merged[i] = fields[i]
			}
		}
		all := append(n.TagList(), tags...)
		if err := t.UpdateNote(id, collection.NoteChange{Fields: merged, Tags: &all}); err != nil {
			return err
		}
	}
	return nil
}

// textModel is the model of a text's notes: the one it names, the one that was
// last used, or the first.
func textModel(t *collection.Txn, v any) (*schema.Notetype, error) {
	if v != nil {
		return modelFor(t, v)
	}
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

// importDeck is the deck of that name or id; a name that is not there is made.
func importDeck(t *collection.Txn, v any) (*schema.Deck, error) {
	d, err := deckFor(t, v)
	if name, ok := v.(string); ok && err != nil && asHTTP(err).status == 404 {
		return t.CreateDeck(name)
	}
	return d, err
}
