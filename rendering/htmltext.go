package rendering

import (
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
)

// stripTags removes comments, style and script elements with their content,
// and every other tag, the way the clients do it: by pattern, not by parsing.
func stripTags(html string) string {
	if !strings.Contains(html, "<") {
		return html
	}
	lower := lowerASCII(html)
	var (
		out     strings.Builder
		opening = finder{text: html, needle: "<"}
		closing = finder{text: html, needle: ">"}
		comment = finder{text: html, needle: "-->"}
		style   = finder{text: lower, needle: "</style>"}
		script  = finder{text: lower, needle: "</script>"}
	)
	pos := 0
	for {
		start := opening.next(pos)
		if start < 0 {
			break
		}
		end := -1
		switch rest := lower[start:]; {
		case strings.HasPrefix(rest, "<!--"):
			end = after(&comment, start+len("<!--"))
		case strings.HasPrefix(rest, "<style"):
			end = afterElement(&closing, &style, start+len("<style"))
		case strings.HasPrefix(rest, "<script"):
			end = afterElement(&closing, &script, start+len("<script"))
		}
		if end < 0 {
			end = after(&closing, start+1)
		}
		if end < 0 {
			break // no ">" ahead: nothing more can be a tag
		}
		out.WriteString(html[pos:start])
		pos = end
	}
	out.WriteString(html[pos:])
	return out.String()
}

// after returns the end of the next needle, or -1.
func after(f *finder, pos int) int {
	i := f.next(pos)
	if i < 0 {
		return -1
	}
	return i + len(f.needle)
}

func afterElement(tagEnd, elementEnd *finder, pos int) int {
	i := after(tagEnd, pos)
	if i < 0 {
		return -1
	}
	return after(elementEnd, i)
}

// stripHTML is the text filter: no tags, entities decoded, no-break spaces of
// decoded text as spaces. Media tags leave nothing behind.
func stripHTML(html string) string { return schema.DecodeEntities(stripTags(html)) }

// lineBreakTags are the elements whose tags become a space in speech.
var lineBreakTags = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`br address article aside blockquote canvas dd div
		dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main nav
		noscript ol output p pre section table tfoot ul video`) {
		m[name] = true
	}
	return m
}()

const longestLineBreakTag = len("figcaption")

// speechText is the text that a voice reads. Only tags without attributes
// break a line.
func speechText(html string) string {
	lower := lowerASCII(html)
	var out strings.Builder
	pos := 0
	for i := 0; i < len(html); i++ {
		if html[i] != '<' {
			continue
		}
		name := strings.TrimPrefix(lower[i+1:min(len(lower), i+3+longestLineBreakTag)], "/")
		if end := strings.IndexByte(name, '>'); end > 0 && lineBreakTags[name[:end]] {
			out.WriteString(html[pos:i])
			out.WriteByte(' ')
			i += strings.IndexByte(html[i:], '>')
			pos = i + 1
		}
	}
	out.WriteString(html[pos:])
	return stripHTML(out.String())
}

// FieldIsEmpty reports whether a field counts as empty in conditionals and in
// card generation: only white space and br and div tags. A no-break space or
// an image is content. docs/scheduling-and-rendering.md §5
func FieldIsEmpty(html string) bool {
	for i := 0; i < len(html); {
		switch html[i] {
		case ' ', '\t', '\n', '\v', '\f', '\r':
			i++
		case '<':
			n := emptyTag(html[i:])
			if n == 0 {
				return false
			}
			i += n
		default:
			return false
		}
	}
	return true
}

// emptyTag returns the length of the br or div tag that s begins with, or 0:
// "<br>", "</div>", "<br/>", "<div />", but no attributes.
func emptyTag(s string) int {
	const longest = len("</div />")
	tag := lowerASCII(s[:min(len(s), longest)])
	rest := strings.TrimPrefix(tag[1:], "/")
	rest, ok := strings.CutPrefix(rest, "br")
	if !ok {
		if rest, ok = strings.CutPrefix(rest, "div"); !ok {
			return 0
		}
	}
	rest = strings.TrimPrefix(rest, " ")
	rest = strings.TrimPrefix(rest, "/")
	if !strings.HasPrefix(rest, ">") {
		return 0
	}
	return len(tag) - len(rest) + 1
}
