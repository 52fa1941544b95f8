package schema

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// StripHTML turns a field into the text that is sorted and compared
// (docs/collection-format.md §7): media tags become their file name between
// spaces, other markup goes, entities are decoded. Nothing is trimmed. Its time
// grows with the length of s only, whatever s holds.
func StripHTML(s string) string {
	if strings.Contains(s, "<") {
		s = removeMarkup(replaceMedia(s))
	}
	return DecodeEntities(s)
}

// removeMarkup removes what has no text of its own: comments, styles and
// scripts with their content, and any other tag. What is not closed stays.
func removeMarkup(s string) string {
	var b strings.Builder
	m := markup{s: s}
	from := 0
	for i := strings.IndexByte(s, '<'); i >= 0; {
		end := m.end(i)
		if end < 0 {
			break // no ">" follows: nothing further is a tag
		}
		b.WriteString(s[from:i])
		from = end
		next := strings.IndexByte(s[from:], '<')
		if next < 0 {
			break
		}
		i = from + next
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

// markup remembers which ends do not follow any more, so that a text full of
// beginnings is not searched again for each.
type markup struct {
	s                            string
	noComment, noStyle, noScript bool
}

// end returns where the markup that begins at i ends, -1 if it does not.
func (m *markup) end(i int) int {
	rest := m.s[i:]
	if !m.noComment && strings.HasPrefix(rest, "<!--") {
		if n := strings.Index(rest[4:], "-->"); n >= 0 {
			return i + 4 + n + 3
		}
		m.noComment = true
	}
	close := strings.IndexByte(rest, '>')
	if close < 0 {
		return -1
	}
	for _, e := range []struct {
		open, close string
		none        *bool
	}{{"<style", "</style>", &m.noStyle}, {"<script", "</script>", &m.noScript}} {
		// The opening tag's own ">" is the first after its name.
		if *e.none || !hasPrefixFold(rest, e.open) {
			continue
		}
		if n := indexFold(rest[close+1:], e.close); n >= 0 {
			return i + close + 1 + n + len(e.close)
		}
		*e.none = true
	}
	return i + close + 1
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// indexFold finds needle, which starts with "<".
func indexFold(s, needle string) int {
	for i := 0; ; {
		n := strings.IndexByte(s[i:], needle[0])
		if n < 0 {
			return -1
		}
		if i += n; hasPrefixFold(s[i:], needle) {
			return i
		}
		i++
	}
}

// replaceMedia puts the file name of each media tag between spaces in its
// place.
func replaceMedia(s string) string {
	var b strings.Builder
	from := 0
	for tag := range MediaTags(s) {
		b.WriteString(s[from:tag.Start])
		b.WriteByte(' ')
		b.WriteString(s[tag.NameStart:tag.NameEnd])
		b.WriteByte(' ')
		from = tag.End
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

// MediaTag is where in a text a media tag stands, and the file name in it as it
// is written there, without its quotes.
type MediaTag struct{ Start, NameStart, NameEnd, End int }

// MediaTags yields the media tags of a text in order: img, audio, video, object
// and source with a src or data attribute. Attributes before that may have ">"
// inside quotes; behind its value the first ">" ends the tag, as in clients.
func MediaTags(s string) iter.Seq[MediaTag] {
	return func(yield func(MediaTag) bool) {
		last := strings.LastIndexByte(s, '>')
		if last < 0 {
			return
		}
		m := mediaFinder{s: s[:last+1]} // where no ">" follows, no tag ends
		for i := strings.IndexByte(s, '<'); 0 <= i && i < last; {
			next := i + 1
			if tag, ok := m.match(i); ok {
				if !yield(tag) {
					return
				}
				next = tag.End
			}
			n := strings.IndexByte(s[next:], '<')
			if n < 0 {
				return
			}
			i = next + n
		}
	}
}

// mediaFinder looks for the file name of media tags. A place where no src or
// data attribute follows is visited once, for whichever tag.
type mediaFinder struct {
	s       string
	visited []bool
	jumps   []int
}

// match returns the media tag that begins at i, if one does.
func (m *mediaFinder) match(i int) (tag MediaTag, ok bool) {
	p := i + 1
	for _, name := range []string{"img", "audio", "video", "object", "source"} {
		if hasPrefixFold(m.s[p:], name) {
			p += len(name)
			ok = true
			break
		}
	}
	if !ok || m.isWordAt(p) {
		return tag, false
	}
	if m.visited == nil {
		m.visited = make([]bool, len(m.s))
	}
	m.jumps = append(m.jumps[:0], p)
	for len(m.jumps) > 0 {
		p := m.jumps[len(m.jumps)-1]
		m.jumps = m.jumps[:len(m.jumps)-1]
		if tag, ok = m.run(p); ok {
			tag.Start = i
			return tag, true
		}
	}
	return tag, false
}

// run tries every place from p to the next ">". What quotes may hide that ">"
// is where to go on: the last one first.
func (m *mediaFinder) run(p int) (tag MediaTag, ok bool) {
	s := m.s
	for ; p < len(s) && s[p] != '>' && !m.visited[p]; p++ {
		m.visited[p] = true
		if tag, ok = m.attribute(p); ok {
			return tag, true
		}
		if c := s[p]; c == '"' || c == '\'' {
			if n := strings.IndexByte(s[p+1:], c); n > 0 {
				m.jumps = append(m.jumps, p+1+n+1)
			}
		}
	}
	return tag, false
}

// attribute reads src=… or data=… at p: all of the tag but where it starts.
func (m *mediaFinder) attribute(p int) (tag MediaTag, ok bool) {
	v := m.s[p:]
	switch {
	case hasPrefixFold(v, "src="):
		v = v[4:]
	case hasPrefixFold(v, "data="):
		v = v[5:]
	default:
		return tag, false
	}
	if r, _ := utf8.DecodeLastRuneInString(m.s[:p]); isWord(r) || v == "" || v[0] == '>' {
		return tag, false
	}
	start := len(m.s) - len(v)
	if q := v[0]; q == '"' || q == '\'' {
		if n := strings.IndexByte(v[1:], q); n > 0 {
			if c := strings.IndexByte(v[1+n+1:], '>'); c >= 0 {
				return MediaTag{NameStart: start + 1, NameEnd: start + 1 + n, End: start + 1 + n + 1 + c + 1}, true
			}
		}
	}
	// Bare: from the first character, even a space or a quote, to a space.
	c := strings.IndexByte(v, '>')
	if c < 0 {
		return tag, false
	}
	end := c
	if n := strings.IndexByte(v[1:c], ' '); n >= 0 {
		end = 1 + n
	}
	return MediaTag{NameStart: start, NameEnd: start + end, End: start + c + 1}, true
}

func (m *mediaFinder) isWordAt(p int) bool {
	r, n := utf8.DecodeRuneInString(m.s[p:])
	return n > 0 && isWord(r)
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}
