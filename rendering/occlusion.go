package rendering

import "strings"

// writeOcclusion writes the element from which the clients' script draws one
// shape over an image. Number 0 is always drawn.
func writeOcclusion(w *buffer, shape string, c *cloze, question, active bool) {
	class := "cloze-inactive"
	switch {
	case active && question, c.has(0):
		class = "cloze"
	case active:
		class = "cloze-highlight"
	}
	w.add(`<div class="` + class + `" data-ordinal="` + c.ordinals() + `" `)
	writeShape(w, shape)
	w.add(`></div>`)
}

// shapeKeys maps a shape's properties to attributes; those that zero says
// nothing about are left out when they are "0".
var shapeKeys = map[string]struct {
	attr     string
	skipZero bool
}{
	"left":   {"left", false},
	"top":    {"top", false},
	"angle":  {"angle", false},
	"fill":   {"fill", false},
	"width":  {"width", true},
	"height": {"height", true},
	"rx":     {"rx", true},
	"ry":     {"ry", true},
	"scale":  {"scale", true},
	"points": {"points", false},
	"oi":     {"occludeInactive", false},
	"text":   {"text", false},
	"fs":     {"font-size", false},
}

// writeShape turns "rect:left=.1:top=.2" into data attributes.
func writeShape(w *buffer, text string) {
	shape, rest, found := strings.Cut(text, ":")
	if !found {
		return
	}
	switch shape {
	case "rect", "ellipse", "polygon", "text":
		w.add(`data-shape="` + shape + `" `)
	}
	for {
		name, value, tail, ok := nextProperty(rest)
		if !ok {
			return
		}
		writeProperty(w, name, value)
		if rest, ok = strings.CutPrefix(tail, ":"); !ok {
			return
		}
	}
}

func writeProperty(w *buffer, name, value string) {
	key, known := shapeKeys[name]
	if !known || key.skipZero && value == "0" {
		return
	}
	if name == "points" {
		if value = points(value); value == "" {
			return
		}
	}
	w.add("data-" + key.attr + `="`)
	if name == "text" {
		encodeAttribute(w, value)
	} else {
		w.add(value)
	}
	w.add(`" `)
}

// points keeps the pairs "x,y" of a space-separated list.
func points(value string) string {
	var pairs []string
	for pair := range strings.SplitSeq(value, " ") {
		if strings.Contains(pair, ",") {
			pairs = append(pairs, pair)
		}
	}
	return strings.Join(pairs, " ")
}

// nextProperty reads "name=value" with "\:" and "\\" as escapes in the value,
// and returns what follows. Anything else ends the list of properties.
func nextProperty(s string) (name, value, rest string, ok bool) {
	name, s, ok = strings.Cut(s, "=")
	if !ok || name == "" {
		return "", "", "", false
	}
	var b strings.Builder
	for i := 0; ; {
		n := strings.IndexAny(s[i:], `\:`)
		if n < 0 {
			b.WriteString(s[i:])
			return name, b.String(), "", i > 0 || s != ""
		}
		b.WriteString(s[i : i+n])
		i += n
		if s[i] == ':' {
			return name, b.String(), s[i:], i > 0
		}
		if i+1 >= len(s) || s[i+1] != '\\' && s[i+1] != ':' {
			return "", "", "", false
		}
		b.WriteByte(s[i+1])
		i += 2
		if i == len(s) {
			return name, b.String(), "", true
		}
	}
}
