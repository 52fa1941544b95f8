package rendering

import "strings"

// Renders reports whether a question of this template would show at least one
// field, given which fields have content. Static text does not count, and
// filters do not matter. docs/collection-format.md §8
func (t *Template) Renders(filled func(name string) bool) bool {
	for i := 0; i < len(t.nodes); i++ {
		n := &t.nodes[i]
		switch n.kind {
		case nodeField:
			if filled(n.text) {
				return true
			}
		case nodeIf, nodeUnless:
			if filled(n.text) != (n.kind == nodeIf) {
				i = n.end
			}
		}
	}
	return false
}

// Fields returns the names that the template shows, in the order of their first
// use, and with sections also those that it only asks for. Names may be unknown.
func (t *Template) Fields(sections bool) []string {
	return t.names(func(n *node) bool {
		return n.kind == nodeField ||
			sections && (n.kind == nodeIf || n.kind == nodeUnless) && !isClozeCondition(n.text)
	})
}

// ClozeFields returns the names of the fields that the template shows with the
// cloze filter.
func (t *Template) ClozeFields() []string {
	return t.names(func(n *node) bool {
		return n.kind == nodeField && strings.Contains(":"+n.filters, ":cloze:")
	})
}

func (t *Template) names(want func(*node) bool) []string {
	var out []string
	seen := map[string]bool{}
	for i := range t.nodes {
		if n := &t.nodes[i]; want(n) && !seen[n.text] {
			seen[n.text] = true
			out = append(out, n.text)
		}
	}
	return out
}

// RequirementKind says how the fields of a Requirement combine.
type RequirementKind uint8

// The kinds, with the values of the stored notetype.
const (
	RequireNone RequirementKind = iota // the template can never be filled
	RequireAny                         // one of the fields must have content
	RequireAll                         // all of them must
)

// Requirement is the `req` entry of one template in schema 11, from which old
// clients decide which cards a note has. It is an approximation that ignores
// negated sections.
type Requirement struct {
	Kind RequirementKind
	Ords []int // indexes of fields, rising
}

// Requirements computes the legacy requirement of a question template for the
// fields of its notetype. It takes one pass: a field suffices alone if some tag
// of it lies only in its own sections, and is needed by all if every tag that
// can show is of it or lies in one of its sections.
func (t *Template) Requirements(fields []string) Requirement {
	c := requirementCounter{ords: make(map[string]int, len(fields)), alone: make([]bool, len(fields)),
		shown: make([]int, len(fields)), depth: make([]int, len(fields))}
	for i, name := range fields {
		c.ords[name] = i
	}
	for i := range t.nodes {
		c.node(t, i)
	}
	if ords := c.matching(func(ord int) bool { return c.alone[ord] }); len(ords) > 0 {
		return Requirement{Kind: RequireAny, Ords: ords}
	}
	if ords := c.matching(func(ord int) bool { return c.total > 0 && c.shown[ord] == c.total }); len(ords) > 0 {
		return Requirement{Kind: RequireAll, Ords: ords}
	}
	return Requirement{Kind: RequireNone}
}

type requirementCounter struct {
	ords     map[string]int
	alone    []bool
	shown    []int // tags that need the field
	depth    []int // open sections of the field
	open     []section
	total    int // tags that can show at all
	distinct int // fields with an open section
	unknown  int // open sections of names that are no fields
}

type section struct {
	ord    int // -1: negated, or no field
	hides  bool
	before int // total when it was opened
}

func (c *requirementCounter) node(t *Template, i int) {
	n := &t.nodes[i]
	switch n.kind {
	case nodeIf:
		ord, known := c.ords[n.text]
		s := section{ord: ord, before: c.total}
		if !known {
			s.ord, s.hides = -1, true
			c.unknown++
		} else {
			if c.depth[ord] == 0 {
				c.distinct++
			}
			c.depth[ord]++
		}
		c.open = append(c.open, s)
	case nodeUnless:
		c.open = append(c.open, section{ord: -1})
	case nodeEnd:
		c.close()
	case nodeField:
		ord, known := c.ords[n.text]
		if !known || c.unknown > 0 {
			return
		}
		c.total++
		if c.depth[ord] == 0 {
			c.shown[ord]++
		}
		if c.distinct == 0 || c.distinct == 1 && c.depth[ord] > 0 {
			c.alone[ord] = true
		}
	}
}

func (c *requirementCounter) close() {
	s := c.open[len(c.open)-1]
	c.open = c.open[:len(c.open)-1]
	if s.hides {
		c.unknown--
	}
	if s.ord < 0 {
		return
	}
	c.depth[s.ord]--
	if c.depth[s.ord] == 0 {
		c.distinct--
		c.shown[s.ord] += c.total - s.before
	}
}

func (c *requirementCounter) matching(want func(ord int) bool) []int {
	var out []int
	for ord := range c.alone {
		if want(ord) {
			out = append(out, ord)
		}
	}
	return out
}

// RenameFields rewrites a template after fields were renamed or, with the new
// name "", removed: tags of a removed field vanish, sections of it leave their
// content. A template with an error is returned as it is.
func RenameFields(format string, names map[string]string) string {
	t, err := ParseTemplate(format)
	if err != nil {
		return format
	}
	out := &Template{nodes: make([]node, 0, len(t.nodes))}
	for _, n := range t.nodes {
		if n.kind != nodeText && n.kind != nodeComment {
			name, renamed := names[n.text]
			if renamed && name == "" {
				continue
			}
			if renamed {
				n.text = name
			}
		}
		out.nodes = append(out.nodes, n)
	}
	return out.String()
}
