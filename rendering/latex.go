package rendering

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// Formula is one LaTeX formula of a text.
type Formula struct {
	File string // name of its image in the media folder
	Body string // LaTeX source without header and footer
}

// latexTag is one way to write a formula.
type latexTag struct{ open, close, before, after string }

var latexTags = []latexTag{
	{"[latex]", "[/latex]", "", ""},
	{"[$]", "[/$]", "$", "$"},
	{"[$$]", "[/$$]", `\begin{displaymath}`, `\end{displaymath}`},
}

// LaTeX replaces [latex]…[/latex], [$]…[/$] and [$$]…[/$$] by images, whose
// names are made of the SHA-1 of the source. The images themselves are made by
// desktop clients; a client without LaTeX shows them if they were synced. svg is
// the notetype's choice of format. MathJax is left alone. The only error is
// ErrTooLarge, of a result larger than DefaultMaxBytes.
func LaTeX(html string, svg bool) (string, []Formula, error) {
	lower := lowerASCII(html)
	closers := make([]finder, len(latexTags))
	for i, tag := range latexTags {
		closers[i] = finder{text: lower, needle: tag.close}
	}
	var formulas []Formula
	w := &buffer{budget: &budget{left: DefaultMaxBytes}}
	pos := 0
	for i := 0; !w.budget.spent(); {
		next := strings.IndexByte(lower[i:], '[')
		if next < 0 {
			break
		}
		i += next
		tag, start, end := findFormula(lower, i, closers)
		if tag == nil {
			i++
			continue
		}
		w.add(html[pos:i])
		f := newFormula(tag.before+html[start:end]+tag.after, svg)
		formulas = append(formulas, f)
		w.add(`<img class=latex alt="`)
		encodeAttribute(w, f.Body)
		w.add(`" src="` + f.File + `">`)
		i = end + len(tag.close)
		pos = i
	}
	if pos == 0 {
		return html, nil, nil
	}
	w.add(html[pos:])
	if w.budget.spent() {
		return "", nil, ErrTooLarge
	}
	return w.String(), formulas, nil
}

func findFormula(lower string, pos int, closers []finder) (tag *latexTag, start, end int) {
	for i := range latexTags {
		tag = &latexTags[i]
		if !strings.HasPrefix(lower[pos:], tag.open) {
			continue
		}
		start = pos + len(tag.open)
		if end = closers[i].next(start + 1); end >= 0 {
			return tag, start, end
		}
	}
	return nil, 0, 0
}

func newFormula(source string, svg bool) Formula {
	body := stripHTML(latexNewlines(source))
	sum := sha1.Sum([]byte(body))
	ext := ".png"
	if svg {
		ext = ".svg"
	}
	return Formula{File: "latex-" + hex.EncodeToString(sum[:]) + ext, Body: body}
}

// latexNewlines turns the tags with which an editor breaks lines into line
// breaks: br without a space, and opening div.
func latexNewlines(s string) string {
	if !strings.Contains(s, "<") {
		return s
	}
	var b strings.Builder
	pos := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '<' {
			continue
		}
		head := lowerASCII(s[i:min(len(s), i+len("<br/>"))])
		for _, tag := range []string{"<br>", "<br/>", "<div>"} {
			if strings.HasPrefix(head, tag) {
				b.WriteString(s[pos:i])
				b.WriteByte('\n')
				pos = i + len(tag)
				break
			}
		}
	}
	b.WriteString(s[pos:])
	return b.String()
}
