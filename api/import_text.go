package api

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
)

// textFile is a text to be imported: its columns are the fields of the model, in
// order, and one more are tags. Lines at the top that begin with "#" may say
// otherwise, as in current clients.
type textFile struct {
	separator byte
	html      bool
	tags      []string // of all notes
	model     string   // name or id; "": the current one
	deck      string
	// What other columns hold, from 0; -1: none.
	guidColumn, modelColumn, deckColumn, tagColumn int
	labels                                         []string // of the columns; a field's name makes it the field
	matches                                        matches
	inDeck                                         bool // only notes with a card in the row's deck are the same
	full                                           bool // each column of the first row is something else than a field
	body                                           string
}

// matches is what becomes of a note whose first field, or guid, is there.
type matches int

const (
	updateCurrent matches = iota
	keepBoth
	keepCurrent
)

var separators = map[string]byte{
	"tab": '\t', "comma": ',', "semicolon": ';', "space": ' ', "pipe": '|', "colon": ':',
}

const separatorChars = "\t,; |:"

// parseText reads the lines at the top of a text.
func parseText(text string) (textFile, error) {
	f := textFile{
		body:       strings.TrimPrefix(text, "\ufeff"),
		guidColumn: -1, modelColumn: -1, deckColumn: -1, tagColumn: -1,
	}
	labels := ""
	for first := true; f.body != ""; first = false {
		line, rest, _ := strings.Cut(f.body, "\n")
		line = strings.TrimRight(line, "\r")
		if strings.HasPrefix(line, "#") {
			key, value, _ := strings.Cut(line[1:], ":")
			key = strings.ToLower(strings.TrimSpace(key))
			if key == "columns" {
				labels = value // the separator may not be known yet
			} else if err := f.setting(key, value); err != nil {
				return f, err
			}
		} else if tags, ok := strings.CutPrefix(line, "tags:"); ok && first {
			f.tags = strings.Fields(tags)
		} else {
			break
		}
		f.body = rest
	}
	if f.separator == 0 {
		f.separator = guessSeparator(f.body)
	}
	r := textReader{text: labels, separator: f.separator}
	f.labels, _ = r.next()
	row, ok := f.rows().next()
	f.full = ok && f.after(-1) >= len(row)
	return f, nil
}

// setting is a line at the top. Of two that say the same thing the later one holds.
func (f *textFile) setting(key, value string) error {
	raw := value
	value = strings.TrimSpace(value)
	word := strings.ToLower(strings.TrimRight(value, separatorChars)) // a spreadsheet fills lines up
	switch key {
	case "separator":
		switch s, ok := separators[word]; {
		case ok:
			f.separator = s
		case value != "" && strings.ContainsRune(separatorChars, rune(value[0])):
			f.separator = value[0]
		case value == "" && raw != "" && strings.IndexByte(separatorChars, raw[0]) >= 0: // a tab or a space
			f.separator = raw[0]
		}
	case "html":
		f.html = word == "true"
	case "tags":
		f.tags = strings.Fields(value)
	case "notetype":
		if value != "" {
			f.model, f.modelColumn = value, -1
		}
	case "deck":
		if value != "" {
			f.deck, f.deckColumn = value, -1
		}
	case "if matches":
		at := slices.Index([]string{"update current", "keep both", "keep current"}, word)
		if at < 0 {
			return badRequest("The text says '#%s:%s', which is unknown", key, printable(value))
		}
		f.matches = matches(at)
	case "match scope":
		at := slices.Index([]string{"notetype", "notetype+deck"}, strings.ReplaceAll(word, " ", ""))
		if at < 0 {
			return badRequest("The text says '#%s:%s', which is unknown", key, printable(value))
		}
		f.inDeck = at == 1
	default:
		return f.column(key, word)
	}
	return nil
}

// column is a line that says what a column holds. Lines that say something else
// are comments.
func (f *textFile) column(key, value string) error {
	what, ok := strings.CutSuffix(key, " column")
	if !ok {
		return nil
	}
	to := map[string]*int{"guid": &f.guidColumn, "notetype": &f.modelColumn, "deck": &f.deckColumn, "tags": &f.tagColumn}[what]
	n, err := strconv.Atoi(value)
	if to == nil || err != nil || n < 1 || n > maxColumns {
		return badRequest("The text says '#%s:%s', which is unknown", printable(key), printable(value))
	}
	*to = n - 1
	return nil
}

// literal makes HTML that shows a text as it is.
var literal = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;", "\n", "<br>")

// guessSeparator looks at the first line that is no comment.
func guessSeparator(text string) byte {
	r := textReader{text: text, separator: '\n'}
	row, _ := r.next()
	for _, c := range []byte("\t;,") {
		if len(row) > 0 && strings.IndexByte(row[0], c) >= 0 {
			return c
		}
	}
	return '\t'
}

// places are the columns of a model's notes, from 0; -1 is none.
type places struct {
	fields []int
	tags   int
}

// places finds the fields of a model, in its order.
func (f *textFile) places(fields []schema.Field) places {
	p := places{fields: make([]int, len(fields)), tags: f.tagColumn}
	at, columns := -1, maxColumns
	if f.modelColumn < 0 && strings.Join(f.labels, "") != "" {
		columns = len(f.labels)
		for i := range fields {
			p.fields[i] = f.labelled(fields[i].Name)
		}
		if p.fields[0] < 0 {
			p.fields[0] = 0 // whatever else it is, as in clients
		}
		at = slices.Max(p.fields)
	} else if f.full && f.modelColumn < 0 {
		for i := range fields {
			p.fields[i] = -1
		}
		p.fields[0] = 0 // likewise
		return p
	} else {
		for i := range fields {
			at = f.after(at)
			p.fields[i] = at
		}
	}
	if next := f.after(at); p.tags < 0 && f.modelColumn < 0 && next < columns {
		p.tags = next
	}
	return p
}

// labelled is the last column with the label of a field, -1 if there is none.
func (f *textFile) labelled(name string) int {
	for i, label := range slices.Backward(f.labels) {
		if label == name && !f.taken(i) {
			return i
		}
	}
	return -1
}

// after is the first column after another that may be a field.
func (f *textFile) after(column int) int {
	for column++; f.taken(column); column++ {
	}
	return column
}

// taken tells whether a column is something else than a field.
func (f *textFile) taken(column int) bool {
	return column >= 0 && (column == f.guidColumn || column == f.modelColumn || column == f.deckColumn || column == f.tagColumn)
}

// textNote is what a row says of a note.
type textNote struct {
	guid   string
	fields []string
	given  []bool // the row has the field, be it empty
	tags   []string
	tagged bool // the row has tags, be they none
}

func (f *textFile) note(row []string, p places) textNote {
	n := textNote{
		guid: cell(row, f.guidColumn), fields: make([]string, len(p.fields)), given: make([]bool, len(p.fields)),
		tags: f.tags[:len(f.tags):len(f.tags)], tagged: p.tags >= 0 && p.tags < len(row),
	}
	for i, column := range p.fields {
		n.given[i] = column >= 0 && column < len(row)
		n.fields[i] = cell(row, column)
		if !f.html {
			n.fields[i] = literal.Replace(n.fields[i])
		}
	}
	n.tags = append(n.tags, strings.Fields(cell(row, p.tags))...)
	return n
}

// cell is a column of a row, "" where there is none.
func cell(row []string, column int) string {
	if column < 0 || column >= len(row) {
		return ""
	}
	return row[column]
}
