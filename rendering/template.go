package rendering

import "strings"

type nodeKind uint8

const (
	nodeText    nodeKind = iota
	nodeComment          // text includes its delimiters
	nodeField            // {{filters:text}}
	nodeIf               // {{#text}}
	nodeUnless           // {{^text}}
	nodeEnd              // {{/text}}
)

// node is one token of a template. Sections are not nested in memory: a section
// knows the index of its nodeEnd, so that levels cost no stack.
type node struct {
	kind    nodeKind
	text    string
	filters string // of a field, as written, each with its ":"
	end     int    // of a section
}

// Template is one parsed side of a card template.
type Template struct{ nodes []node }

// delimiters is the directive that switches a template to <% %>.
const delimiters = "{{=<% %>=}}"

// maxNodes bounds the tags, comments and texts between them of one template.
const maxNodes = 1 << 16

// ParseTemplate parses one side of a card template. The error is a
// *TemplateError, a section that is not closed, or not opened, or ErrTooLarge.
func ParseTemplate(text string) (*Template, error) {
	opener, closer := "{{", "}}"
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, delimiters) {
		text = text[strings.Index(text, delimiters):]
		for strings.HasPrefix(text, delimiters) {
			text = text[len(delimiters):]
		}
		opener, closer = "<%", "%>"
	}
	l := lexer{
		text:         text,
		tagOpen:      finder{text: text, needle: opener},
		tagClose:     finder{text: text, needle: closer},
		commentOpen:  finder{text: text, needle: "<!--"},
		commentClose: finder{text: text, needle: "-->"},
	}
	t := &Template{}
	var open []int // indexes of the sections that are open
	for pos := 0; pos < len(text); {
		n, end := l.token(pos)
		pos = end
		if len(t.nodes) == maxNodes {
			return nil, ErrTooLarge
		}
		switch n.kind {
		case nodeIf, nodeUnless:
			open = append(open, len(t.nodes))
		case nodeEnd:
			if len(open) == 0 {
				return nil, errNotOpen(n.text)
			}
			section := &t.nodes[open[len(open)-1]]
			if section.text != n.text {
				return nil, errWrongClose(n.text, section.text)
			}
			section.end = len(t.nodes)
			open = open[:len(open)-1]
		}
		t.nodes = append(t.nodes, n)
	}
	if len(open) > 0 {
		return nil, errNotClosed(t.nodes[open[len(open)-1]].text)
	}
	return t, nil
}

type lexer struct {
	text                                         string
	tagOpen, tagClose, commentOpen, commentClose finder
}

// token returns the token at pos and where it ends. A tag or comment without
// its end is text.
func (l *lexer) token(pos int) (node, int) {
	tag, tagEnd := span(&l.tagOpen, &l.tagClose, pos)
	comment, commentEnd := span(&l.commentOpen, &l.commentClose, pos)
	switch {
	case tag == pos:
		open, end := len(l.tagOpen.needle), len(l.tagClose.needle)
		return classify(l.text[pos+open : tagEnd-end]), tagEnd
	case comment == pos:
		return node{kind: nodeComment, text: l.text[pos:commentEnd]}, commentEnd
	}
	end := len(l.text)
	if tag >= 0 {
		end = min(end, tag)
	}
	if comment >= 0 {
		end = min(end, comment)
	}
	return node{kind: nodeText, text: l.text[pos:end]}, end
}

// span finds the next opener that has a closer after it.
func span(open, closer *finder, pos int) (start, end int) {
	start = open.next(pos)
	if start < 0 {
		return -1, -1
	}
	if end = after(closer, start+len(open.needle)); end < 0 {
		return -1, -1
	}
	return start, end
}

func classify(tag string) node {
	tag = strings.TrimSpace(strings.TrimLeft(tag, "{"))
	if len(tag) > 1 {
		kind := nodeField
		switch tag[0] {
		case '#':
			kind = nodeIf
		case '^':
			kind = nodeUnless
		case '/':
			kind = nodeEnd
		}
		if kind != nodeField {
			return node{kind: kind, text: strings.TrimSpace(tag[1:])}
		}
	}
	name := strings.LastIndexByte(tag, ':') + 1
	return node{kind: nodeField, text: tag[name:], filters: tag[:name]}
}

// String writes the template back in standard syntax; tags lose only their
// inner white space.
func (t *Template) String() string {
	var b strings.Builder
	for i := range t.nodes {
		n := &t.nodes[i]
		switch n.kind {
		case nodeText, nodeComment:
			b.WriteString(n.text)
		default:
			b.WriteString(n.tag())
		}
	}
	return b.String()
}

func (n *node) tag() string {
	switch n.kind {
	case nodeIf:
		return "{{#" + n.text + "}}"
	case nodeUnless:
		return "{{^" + n.text + "}}"
	case nodeEnd:
		return "{{/" + n.text + "}}"
	}
	return "{{" + n.filters + n.text + "}}"
}
