package rendering

import (
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
)

// MediaRefs returns the names of the media files that a field or a rendered
// side refers to: src and data of img, audio, video, object and source, and
// sound tags. Names are decoded, each once, in order; some may be addresses
// such as "https://…". Formulas are not among them, see LaTeX.
func MediaRefs(html string) []string {
	var refs nameList
	eachMediaTag(html, func(_, _, start, end int) { refs.add(schema.DecodeEntities(html[start:end])) })
	eachSound(html, func(start, end int) { refs.add(schema.DecodeEntities(html[start:end])) })
	return refs.names
}

// RenameMedia gives the media files that a field refers to, as MediaRefs finds
// them, the names that are in the map. Other attributes of a tag that are the
// same name follow.
func RenameMedia(html string, names map[string]string) string {
	type span struct {
		start, end int
		text       string
	}
	var spans []span
	rename := func(raw string) (string, bool) {
		name := schema.DecodeEntities(raw)
		to, ok := names[name]
		if ok && raw != name {
			to = strings.ReplaceAll(to, "&", "&amp;")
		}
		return to, ok
	}
	eachMediaTag(html, func(from, to, start, end int) {
		raw := html[start:end]
		if name, ok := rename(raw); ok {
			same := strings.NewReplacer(`"`+raw+`"`, `"`+name+`"`, "'"+raw+"'", "'"+name+"'")
			// The quotes of the name itself, if it has any, stay where they are.
			spans = append(spans, span{from, start, same.Replace(html[from:start])}, span{start, end, name}, span{end, to, same.Replace(html[end:to])})
		}
	})
	eachSound(html, func(start, end int) {
		if name, ok := rename(html[start:end]); ok {
			spans = append(spans, span{start, end, name})
		}
	})
	slices.SortStableFunc(spans, func(a, b span) int { return a.start - b.start })
	var b strings.Builder
	pos := 0
	for _, s := range spans {
		if s.start < pos {
			continue // a sound tag inside a media tag
		}
		b.WriteString(html[pos:s.start])
		b.WriteString(s.text)
		pos = s.end
	}
	b.WriteString(html[pos:])
	return b.String()
}

// eachSound gives where the file names of sound tags are.
func eachSound(html string, f func(start, end int)) {
	sounds := finder{text: html, needle: "[sound:"}
	closing := finder{text: html, needle: "]"}
	for pos := 0; ; {
		start := after(&sounds, pos)
		if start < 0 {
			return
		}
		end := closing.next(start + 1)
		if end < 0 {
			return
		}
		f(start, end)
		pos = end + 1
	}
}

// nameList keeps the first of equal names.
type nameList struct {
	names []string
	seen  map[string]bool
}

func (l *nameList) add(name string) {
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	if !l.seen[name] {
		l.seen[name] = true
		l.names = append(l.names, name)
	}
}

// eachMediaTag gives where each media tag with a file name is (from behind its "<"
// to its ">"), and where the name.
func eachMediaTag(html string, f func(from, to, start, end int)) {
	lower := lowerASCII(html)
	tags := finder{text: lower, needle: "<"}
	src := finder{text: lower, needle: "src="}
	data := finder{text: lower, needle: "data="}
	for pos := 0; ; {
		start := tags.next(pos)
		if start < 0 {
			return
		}
		pos = start + 1
		n := mediaTagName(lower[pos:])
		if n == 0 {
			continue
		}
		end := tagEnd(html, pos+n)
		if value := attribute(lower, &src, &data, pos+n+1, end); value >= 0 {
			if at, name := attributeValue(html[value:end]); name != "" {
				f(pos, end, value+at, value+at+len(name))
			}
		}
		pos = end
	}
}

// mediaTagName returns the length of the media tag's name that s begins with.
func mediaTagName(s string) int {
	for _, name := range []string{"img", "audio", "video", "object", "source"} {
		if strings.HasPrefix(s, name) && (len(s) == len(name) || !isWord(s[len(name)])) {
			return len(name)
		}
	}
	return 0
}

// maxMediaTag bounds one tag. Larger ones hold the data itself, not a name.
const maxMediaTag = 16 << 10

// tagEnd returns where the tag ends whose attributes start at pos: at the next
// ">" that is not in quotes.
func tagEnd(html string, pos int) int {
	limit := min(len(html), pos+maxMediaTag)
	for i := pos; i < limit; i++ {
		switch c := html[i]; c {
		case '>':
			return i
		case '"', '\'':
			n := strings.IndexByte(html[i+1:limit], c)
			if n < 0 {
				// Not closed: the quote is a character like any other.
				if n = strings.IndexByte(html[i:limit], '>'); n >= 0 {
					return i + n
				}
				return limit
			}
			i += n + 1
		}
	}
	return limit
}

// attribute returns where the value of the first src or data attribute between
// pos and end starts, or -1.
func attribute(lower string, src, data *finder, pos, end int) int {
	for {
		at, n := src.next(pos), len(src.needle)
		if d := data.next(pos); d >= 0 && (at < 0 || d < at) {
			at, n = d, len(data.needle)
		}
		if at < 0 || at+n > end {
			return -1
		}
		if !isWord(lower[at-1]) {
			return at + n
		}
		pos = at + n
	}
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

// attributeValue is the value that s begins with, and where it starts: behind a
// quote, if there is one.
func attributeValue(s string) (at int, value string) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if value, _, closed := strings.Cut(s[1:], s[:1]); closed {
			return 1, value
		}
	}
	value, _, _ = strings.Cut(s, " ")
	return 0, value
}

// StaticMedia returns the names of the files that a notetype itself needs: those
// that begin with "_" in quotes, sound tags and attributes of its templates and
// in imports and url() of its style sheet. Clients keep them although no note
// refers to them.
func StaticMedia(css string, templates ...string) []string {
	var refs nameList
	for _, text := range append([]string{css}, templates...) {
		underscored(text, &refs)
	}
	return refs.names
}

// underscored collects `"_x"`, `'_x'`, `[sound:_x]`, `url(_x)`, `src=_x` and
// `data=_x`.
func underscored(text string, refs *nameList) {
	closers := map[byte]*finder{}
	for _, c := range []string{`"`, "'", "]", ")"} {
		closers[c[0]] = &finder{text: text, needle: c}
	}
	marks := finder{text: text, needle: "_"}
	for pos := 0; ; {
		start := marks.next(pos)
		if start < 0 {
			return
		}
		pos = start + 1
		end := underscoredEnd(text, start, closers)
		if end > pos {
			refs.add(schema.DecodeEntities(strings.TrimSpace(text[start:end])))
			pos = end
		}
	}
}

func underscoredEnd(text string, start int, closers map[byte]*finder) int {
	before := text[:start]
	if before == "" {
		return -1
	}
	switch c := before[len(before)-1]; {
	case c == '"' || c == '\'':
		return closers[c].next(start)
	case strings.HasSuffix(before, "[sound:"):
		return closers[']'].next(start)
	case strings.HasSuffix(before, "src="), strings.HasSuffix(before, "data="):
		if n := strings.IndexAny(text[start:min(len(text), start+maxMediaTag)], " >"); n > 0 {
			return start + n
		}
	case strings.HasSuffix(strings.TrimRight(before[max(0, len(before)-32):], " \t\r\n"), "url("):
		return closers[')'].next(start)
	}
	return -1
}
