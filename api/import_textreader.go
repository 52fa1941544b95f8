package api

import "strings"

// maxColumns is how many columns of a row are looked at. Notetypes have a few.
const maxColumns = 10_000

// textReader reads the rows of a text as clients do, to whom no text is faulty. A
// cell that begins with a quotation mark ends at the next one that is not
// doubled; what follows it up to the separator is text like any other, and so is a
// quotation mark anywhere else. A row ends at a CR, LF or both; empty ones, and
// lines that begin with "#", are none.
type textReader struct {
	text      string // what is left
	separator byte
	row       []string
}

// next returns the next row, which holds until the one after it; !ok at the end.
func (r *textReader) next() (row []string, ok bool) {
	for {
		r.text = strings.TrimLeft(r.text, "\r\n")
		if !strings.HasPrefix(r.text, "#") {
			break
		}
		_, r.text, _ = strings.Cut(r.text, "\n") // a CR does not end it
	}
	if r.text == "" {
		return nil, false
	}
	r.row = r.row[:0]
	for {
		cell, last := r.cell()
		if len(r.row) < maxColumns {
			r.row = append(r.row, cell)
		}
		if last {
			return r.row, true
		}
	}
}

func (r *textReader) cell() (cell string, last bool) {
	text := r.text
	var quoted strings.Builder
	if strings.HasPrefix(text, `"`) {
		for open := true; open; {
			var part string
			part, text, open = strings.Cut(text[1:], `"`)
			quoted.WriteString(part)
			if open = open && strings.HasPrefix(text, `"`); open {
				quoted.WriteByte('"')
			}
		}
	}
	end := 0
	for end < len(text) && text[end] != r.separator && text[end] != '\r' && text[end] != '\n' {
		end++
	}
	if cell = text[:end]; quoted.Len() > 0 {
		cell = quoted.String() + cell
	}
	last = end == len(text) || text[end] != r.separator
	if !last {
		end++
	}
	r.text = text[end:]
	return cell, last
}
