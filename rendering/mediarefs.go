package rendering

import (
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
)

// MediaRefs returns the names of the media files that a field or a rendered
// side refers to: src and data of img, audio, video, object and source, and
// sound tags. Names are decoded, each once, in order; some may be addresses
// such as "https://…". Formulas are not among them, see LaTeX.
func MediaRefs(html string) []string {
	var refs nameList
	for tag := range schema.MediaTags(html) {
		refs.add(schema.DecodeEntities(html[tag.NameStart:tag.NameEnd]))
	}
	eachSound(html, func(start, end int) { refs.add(schema.DecodeEntities(html[start:end])) })
	return refs.names
}

// RenameMedia gives the media files that a field refers to, as MediaRefs finds
// them, the names that are in the map. Other attributes of a tag that are the
// same name follow.
func RenameMedia(html string, names map[string]string) string {
	r := renamer{names: names, html: html}
	for tag := range schema.MediaTags(html) {
		raw := html[tag.NameStart:tag.NameEnd]
		if name, ok := r.name(raw); ok {
			same := strings.NewReplacer(`"`+raw+`"`, `"`+name+`"`, "'"+raw+"'", "'"+name+"'")
			// The quotes of the name itself, if it has any, stay where they are.
			r.replace(tag.Start, tag.End, same.Replace(html[tag.Start:tag.NameStart])+name+same.Replace(html[tag.NameEnd:tag.End]))
		}
	}
	r = renamer{names: names, html: r.done()} // a tag's other attributes may hold sounds
	eachSound(r.html, func(start, end int) {
		if name, ok := r.name(r.html[start:end]); ok {
			r.replace(start, end, name)
		}
	})
	return r.done()
}

// renamer writes a text with other names in it.
type renamer struct {
	names map[string]string
	html  string
	b     strings.Builder
	pos   int // what of html is written
}

func (r *renamer) name(raw string) (string, bool) {
	name := schema.DecodeEntities(raw)
	to, ok := r.names[name]
	if ok && raw != name {
		to = strings.ReplaceAll(to, "&", "&amp;")
	}
	return to, ok
}

func (r *renamer) replace(start, end int, text string) {
	r.b.WriteString(r.html[r.pos:start])
	r.b.WriteString(text)
	r.pos = end
}

func (r *renamer) done() string {
	if r.pos == 0 {
		return r.html
	}
	r.b.WriteString(r.html[r.pos:])
	return r.b.String()
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

// maxMediaTag bounds one tag. Larger ones hold the data itself, not a name.
const maxMediaTag = 16 << 10

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
