package rendering

import (
	"slices"
	"strconv"
	"strings"
)

// maxClozeDepth is how deep deletions nest; openers below that are dropped.
const maxClozeDepth = 10

// MaxClozeOrd is the highest card ordinal that cloze numbers map to.
const MaxClozeOrd = 499

const occlusionPrefix = "image-occlusion:"

// cloze is one deletion {{cN::…::hint}}. Its parts are text and nested
// deletions in order.
type cloze struct {
	numbers []uint16 // sorted, distinct
	parts   []clozePart
	hint    string
	hinted  bool
}

// clozePart is a deletion or, if that is nil, text.
type clozePart struct {
	text  string
	cloze *cloze
}

func (c *cloze) has(number int) bool {
	if number < 0 || number > 0xffff {
		return false
	}
	_, found := slices.BinarySearch(c.numbers, uint16(number))
	return found
}

func (c *cloze) ordinals() string {
	var b []byte
	for i, n := range c.numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// question is what stands in brackets for the hidden text.
func (c *cloze) question() string {
	if c.hinted {
		return c.hint
	}
	return "..."
}

// occlusion returns the shape of an image occlusion.
func (c *cloze) occlusion() (string, bool) {
	if len(c.parts) == 0 || c.parts[0].cloze != nil {
		return "", false
	}
	return strings.CutPrefix(c.parts[0].text, occlusionPrefix)
}

// addText appends a run of text; its first "::" splits off the hint.
func (c *cloze) addText(text string) {
	if !strings.HasPrefix(text, occlusionPrefix) {
		if head, hint, found := strings.Cut(text, "::"); found {
			text, c.hint, c.hinted = head, hint, true
		}
	}
	c.parts = append(c.parts, clozePart{text: text})
}

// clozeCost is about what one deletion takes in memory, in bytes.
const clozeCost = 256

// parseCloze splits a field into text and deletions. A deletion that is never
// closed vanishes with all that is in it, as in the clients. It returns nothing if
// the budget does not suffice for all of them.
func parseCloze(text string, b *budget) []clozePart {
	var top []clozePart
	var open []*cloze
	addText := func(s string) {
		switch {
		case s == "":
		case len(open) > 0:
			open[len(open)-1].addText(s)
		default:
			top = append(top, clozePart{text: s})
		}
	}
	pos := 0
	eachClozeMark(text, func(start, end int, numbers []uint16) bool {
		if numbers == nil && len(open) == 0 {
			return true // text
		}
		addText(text[pos:start])
		pos = end
		switch {
		case numbers == nil:
			done := clozePart{cloze: open[len(open)-1]}
			open = open[:len(open)-1]
			if len(open) == 0 {
				top = append(top, done)
			} else {
				outer := open[len(open)-1]
				outer.parts = append(outer.parts, done)
			}
		case len(open) < maxClozeDepth:
			b.spend(clozeCost)
			open = append(open, &cloze{numbers: slices.Clone(numbers)})
		}
		return !b.spent()
	})
	if b.spent() {
		return nil
	}
	addText(text[pos:])
	return top
}

// eachClozeMark gives where openers of deletions and "}}" are, the latter without
// numbers, until mark returns false. The numbers are mark's until it returns.
func eachClozeMark(text string, mark func(start, end int, numbers []uint16) bool) {
	var buf []uint16
	for i := 0; i < len(text); {
		end := i + 1
		switch {
		case strings.HasPrefix(text[i:], "}}"):
			end = i + len("}}")
			if !mark(i, end, nil) {
				return
			}
		case strings.HasPrefix(text[i:], "{{c"):
			numbers, n := clozeOpener(text[i:], buf[:0])
			if n == 0 {
				break
			}
			end, buf = i+n, numbers
			if !mark(i, end, numbers) {
				return
			}
		}
		i = end
	}
}

// clozeOpener reads "{{c1::" or "{{c1,2::" and returns the numbers, in buf, and
// the length, 0 if it is none. Numbers above 65535 do not count.
func clozeOpener(s string, buf []uint16) ([]uint16, int) {
	const prefix = len("{{c")
	digits := s[prefix:]
	end := 0
	for end < len(digits) && (digits[end] == ',' || '0' <= digits[end] && digits[end] <= '9') {
		end++
	}
	if !strings.HasPrefix(digits[end:], "::") {
		return nil, 0
	}
	numbers := buf
	for part := range strings.SplitSeq(digits[:end], ",") {
		if n, err := strconv.ParseUint(part, 10, 16); err == nil {
			numbers = append(numbers, uint16(n))
		}
	}
	if len(numbers) == 0 {
		return nil, 0
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), prefix + end + len("::")
}

// ClozeNumbers returns the cloze numbers of the fields, sorted and distinct.
// Number 0 is none.
func ClozeNumbers(fields ...string) []int {
	set := map[uint16]bool{}
	for _, field := range fields {
		if strings.Contains(field, "{{c") {
			collectNumbers(field, set)
		}
	}
	delete(set, 0)
	out := make([]int, 0, len(set))
	for n := range set {
		out = append(out, int(n))
	}
	slices.Sort(out)
	return out
}

// collectNumbers adds the numbers that parseCloze would find.
func collectNumbers(text string, set map[uint16]bool) {
	depth := 0
	var pending []uint16 // of the outermost deletion that is open, and of those in it
	eachClozeMark(text, func(_, _ int, numbers []uint16) bool {
		switch {
		case numbers != nil && depth < maxClozeDepth:
			depth++
			pending = append(pending, numbers...)
		case numbers == nil && depth > 0:
			if depth--; depth > 0 {
				break
			}
			for _, n := range pending {
				set[n] = true
			}
			pending = pending[:0]
		}
		return true
	})
}

// revealer writes one field for the card of one cloze number.
type revealer struct {
	number   int
	question bool
	found    bool // whether a deletion of that number was met
}

func (r *revealer) parts(w *buffer, parts []clozePart) {
	for _, p := range parts {
		if p.cloze == nil {
			w.add(p.text)
		} else {
			r.cloze(w, p.cloze)
		}
	}
}

func (r *revealer) cloze(w *buffer, c *cloze) {
	active := c.has(r.number)
	r.found = r.found || active
	if shape, ok := c.occlusion(); ok {
		writeOcclusion(w, shape, c, r.question, active)
		return
	}
	switch {
	case active && r.question:
		inner := &buffer{budget: w.budget}
		r.parts(inner, c.parts)
		w.add(`<span class="cloze" data-cloze="`)
		encodeAttribute(w, inner.String())
		w.add(`" data-ordinal="` + c.ordinals() + `">[`)
		w.add(c.question())
		w.add(`]</span>`)
	case active:
		w.add(`<span class="cloze" data-ordinal="` + c.ordinals() + `">`)
		r.parts(w, c.parts)
		w.add(`</span>`)
	default:
		w.add(`<span class="cloze-inactive" data-ordinal="` + c.ordinals() + `">`)
		r.parts(w, c.parts)
		w.add(`</span>`)
	}
}

// clozeFilter is the cloze filter: deletions as spans, and nothing at all if
// none has the card's number. Tags inside MathJax are taken out again.
func clozeFilter(text string, number int, question bool, b *budget) string {
	if !strings.Contains(text, "{{c") {
		return ""
	}
	r := revealer{number: number, question: question}
	w := &buffer{budget: b}
	r.parts(w, parseCloze(text, b))
	if !r.found {
		return ""
	}
	return stripTagsInMathJax(w.String())
}

// clozeTexts returns what of the deletions of one number stands on the
// question (hints) or the answer (texts), outer ones before inner ones.
func clozeTexts(parts []clozePart, number int, question bool, b *budget, out []string) []string {
	for _, p := range parts {
		if p.cloze == nil {
			continue
		}
		if p.cloze.has(number) {
			w := &buffer{budget: b}
			if question {
				w.add(p.cloze.question())
			} else {
				writePlain(w, p.cloze.parts)
			}
			out = append(out, w.String())
		}
		out = clozeTexts(p.cloze.parts, number, question, b, out)
	}
	return out
}

func writePlain(w *buffer, parts []clozePart) {
	for _, p := range parts {
		if p.cloze == nil {
			w.add(p.text)
		} else {
			writePlain(w, p.cloze.parts)
		}
	}
}

// clozeOnlyFilter is the cloze-only filter: the hidden texts alone.
func clozeOnlyFilter(text string, number int, question bool, b *budget) string {
	return strings.Join(clozeTexts(parseCloze(text, b), number, question, b, nil), ", ")
}

// ClozeForTyping returns the text that [[type:cloze:Field]] expects on the card
// of that number: all hidden texts, or one if they are all the same. It is empty
// if the field takes more than DefaultMaxBytes.
func ClozeForTyping(field string, number int) string {
	b := &budget{left: DefaultMaxBytes}
	texts := clozeTexts(parseCloze(field, b), number, false, b, nil)
	if len(texts) > 1 && len(slices.Compact(slices.Clone(texts))) == 1 {
		return texts[0]
	}
	return strings.Join(texts, ", ")
}

// stripTagsInMathJax takes the tags out of \(…\) and \[…\], where spans would
// break the formula. Either closer ends either opener.
func stripTagsInMathJax(text string) string {
	w := strings.Builder{}
	pos := 0
	for {
		start := mathDelimiter(text, pos, '(', '[')
		if start < 0 {
			break
		}
		end := mathDelimiter(text, start+2, ')', ']')
		if end < 0 {
			break
		}
		w.WriteString(text[pos : start+2])
		w.WriteString(stripTags(text[start+2 : end]))
		w.WriteString(text[end : end+2])
		pos = end + 2
	}
	if pos == 0 {
		return text
	}
	w.WriteString(text[pos:])
	return w.String()
}

func mathDelimiter(text string, pos int, a, b byte) int {
	for pos < len(text) {
		i := strings.IndexByte(text[pos:], '\\')
		if i < 0 || pos+i+1 >= len(text) {
			return -1
		}
		pos += i
		if c := text[pos+1]; c == a || c == b {
			return pos
		}
		pos++
	}
	return -1
}
