package rendering

import (
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
)

// AVTag is a sound or video file to play, or a text to speak: exactly one of
// File and Speech is set.
type AVTag struct {
	File   string // name in the media folder
	Speech *Speech
}

// Speech is a text for a synthetic voice.
type Speech struct {
	Text   string
	Lang   string // such as "en_US"
	Voices []string
	Speed  float32  // 1 is normal
	Args   []string // other options as "key=value", in the order written
}

// directive is a tag "[anki:name key=value …]content[/anki:name]".
type directive struct {
	name    string
	options []option
	content string
}

type option struct{ key, value string }

func (d *directive) set(key, value string) {
	for i := range d.options {
		if d.options[i].key == key {
			d.options[i].value = value
			return
		}
	}
	if len(d.options) < maxOptions {
		d.options = append(d.options, option{key, value})
	}
}

const (
	maxDirectiveName = 32
	maxOptions       = 64
)

const avSpace = " \t\r\n"

// avHandler writes what takes the place of sounds and directives.
type avHandler interface {
	sound(w *strings.Builder, name string)
	directive(w *strings.Builder, d *directive)
}

// replaceAV replaces the sound tags and directives of text.
func replaceAV(text string, h avHandler) string { return newAVParser(text).replace(h) }

func newAVParser(text string) *avParser {
	return &avParser{text: text, bracket: finder{text: text, needle: "]"}}
}

func (p *avParser) replace(h avHandler) string {
	text := p.text
	var w strings.Builder
	pos := 0
	for i := 0; ; {
		next := strings.IndexByte(text[i:], '[')
		if next < 0 {
			break
		}
		i += next
		name, end := p.sound(i)
		var d *directive
		if end < 0 {
			d, end = p.directive(i)
		}
		if end < 0 {
			i++
			continue
		}
		w.WriteString(text[pos:i])
		if d == nil {
			h.sound(&w, name)
		} else {
			h.directive(&w, d)
		}
		i, pos = end, end
	}
	if pos == 0 {
		return text
	}
	w.WriteString(text[pos:])
	return w.String()
}

type avParser struct {
	text    string
	bracket finder
	names   map[string]*directiveName
	tokens  int // options that were looked at, for the tests
}

// directiveName is what is known about the directives of one name.
type directiveName struct {
	closer finder
	// read has a bit for each place from which options were read, by the directive
	// that is read now or by one that came to nothing: from there all come to the
	// same. So each option is looked at once, however many openers stand before it.
	read []uint64
}

// visit marks a place and reports whether it is new.
func (n *directiveName) visit(pos int) bool {
	if n.read == nil {
		n.read = make([]uint64, len(n.closer.text)/64+1)
	}
	word, bit := &n.read[pos/64], uint64(1)<<(pos%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// sound reads "[sound:name]" at pos; end is -1 if there is none.
func (p *avParser) sound(pos int) (name string, end int) {
	const prefix = "[sound:"
	if !strings.HasPrefix(p.text[pos:], prefix) {
		return "", -1
	}
	start := pos + len(prefix)
	end = p.bracket.next(start)
	if end <= start {
		return "", -1
	}
	return p.text[start:end], end + 1
}

// directive reads a directive with its content at pos.
func (p *avParser) directive(pos int) (*directive, int) {
	rest, ok := strings.CutPrefix(p.text[pos:], "[anki:")
	if !ok {
		return nil, -1
	}
	name := rest[:min(len(rest), maxDirectiveName+1)]
	n := strings.IndexAny(name, "]"+avSpace)
	if n < 1 {
		return nil, -1
	}
	kind := p.name(name[:n])
	bracket := p.bracket.next(pos)
	if kind == nil || bracket < 0 || kind.closer.next(pos) < 0 {
		return nil, -1
	}
	options := p.skipSpace(pos + len("[anki:") + n)
	start := p.options(options, kind, nil)
	if start < 0 {
		return nil, -1
	}
	end := kind.closer.next(start)
	if end < 0 {
		return nil, -1
	}
	d := &directive{name: name[:n], content: p.text[start:end]}
	p.options(options, nil, d)
	return d, end + len(kind.closer.needle)
}

// maxDirectives is how many different names of directives one text may hold:
// the clients know one.
const maxDirectives = 16

func (p *avParser) name(name string) *directiveName {
	if n := p.names[name]; n != nil {
		return n
	}
	if len(p.names) >= maxDirectives {
		return nil
	}
	if p.names == nil {
		p.names = map[string]*directiveName{}
	}
	n := &directiveName{closer: finder{text: p.text, needle: "[/anki:" + name + "]"}}
	p.names[name] = n
	return n
}

func (p *avParser) skipSpace(pos int) int {
	return len(p.text) - len(strings.TrimLeft(p.text[pos:], avSpace))
}

// options reads "key=value key="a value"]" at pos and returns where the content
// begins, -1 if there are no such options or if kind has met a place of them before.
// The options go into d, if there is one.
func (p *avParser) options(pos int, kind *directiveName, d *directive) int {
	for {
		if kind != nil && !kind.visit(pos) {
			return -1
		}
		p.tokens++
		s := p.text[pos:]
		n := strings.IndexAny(s, "]="+avSpace)
		if n < 1 || s[n] != '=' {
			break
		}
		key := s[:n]
		s = s[n+1:]
		value, quoted := "", false
		if s != "" && s[0] == '"' {
			value, _, quoted = strings.Cut(s[1:], `"`)
		}
		end := len(value) + len(`""`)
		if !quoted {
			if end = strings.IndexAny(s, `]"`+avSpace); end < 0 {
				return -1
			}
			value = s[:end]
		}
		if d != nil {
			d.set(key, value)
		}
		pos = p.skipSpace(pos + n + 1 + end)
	}
	if !strings.HasPrefix(p.text[pos:], "]") {
		return -1
	}
	return pos + 1
}

// extractAV takes the sounds and speech out of one side and leaves
// "[anki:play:q:N]" with the index in the returned list. Other directives stay.
func extractAV(html string, question bool) (string, []AVTag) {
	e := &avExtractor{side: "a"}
	if question {
		e.side = "q"
	}
	return replaceAV(html, e), e.tags
}

type avExtractor struct {
	side string
	tags []AVTag
}

func (e *avExtractor) play(w *strings.Builder, tag AVTag) {
	w.WriteString("[anki:play:" + e.side + ":" + strconv.Itoa(len(e.tags)) + "]")
	e.tags = append(e.tags, tag)
}

func (e *avExtractor) sound(w *strings.Builder, name string) {
	name = schema.DecodeEntities(name)
	e.play(w, AVTag{File: name[strings.LastIndexByte(name, '/')+1:]})
}

func (e *avExtractor) directive(w *strings.Builder, d *directive) {
	if d.name != "tts" {
		d.write(w)
		return
	}
	s := &Speech{Speed: 1}
	blank := "blank"
	for _, o := range d.options {
		switch o.key {
		case "lang":
			s.Lang = o.value
		case "voices":
			s.Voices = strings.Split(o.value, ",")
		case "speed":
			s.Speed = parseSpeed(o.value)
		case "cloze_blank":
			blank = o.value
		default:
			s.Args = append(s.Args, o.key+"="+o.value)
		}
	}
	if s.Lang == "" {
		w.WriteString("[Error in directive '\u2068anki:tts\u2069': \u2068'\u2068lang\u2069' not set\u2069]")
		return
	}
	s.Text = strings.ReplaceAll(speechText(d.content), "[...]", blank)
	e.play(w, AVTag{Speech: s})
}

// parseSpeed reads a decimal number; anything else is normal speed.
func parseSpeed(s string) float32 {
	if strings.ContainsAny(s, "xX_pP") {
		return 1
	}
	f, err := strconv.ParseFloat(s, 32)
	if err != nil {
		return 1
	}
	return float32(f)
}

// write writes a directive that is not ours as the clients do.
func (d *directive) write(w *strings.Builder) {
	w.WriteString("[anki:" + d.name)
	for _, o := range d.options {
		if strings.ContainsAny(o.value, "]"+avSpace) {
			w.WriteString(" " + o.key + `="` + o.value + `"`)
		} else {
			w.WriteString(" " + o.key + "=" + o.value)
		}
	}
	w.WriteString("]" + d.content + "[/anki:" + d.name + "]")
}

// StripAV takes out sound tags and speech, as for the expected text of a typed
// answer.
func StripAV(html string) string { return replaceAV(html, avStripper{}) }

type avStripper struct{}

func (avStripper) sound(*strings.Builder, string) {}

func (avStripper) directive(w *strings.Builder, d *directive) {
	if d.name != "tts" {
		d.write(w)
	}
}
