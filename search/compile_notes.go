package search

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
	"golang.org/x/text/unicode/norm"
)

func (Text) needs() tables       { return notesTable }
func (Field) needs() tables      { return notesTable }
func (Tag) needs() tables        { return notesTable }
func (Notetype) needs() tables   { return notesTable }
func (NotetypeID) needs() tables { return notesTable }
func (Edited) needs() tables     { return notesTable }
func (Duplicate) needs() tables  { return notesTable }
func (NoteIDs) needs() tables    { return 0 }

func quoteMeta(s string) string { return regexp.QuoteMeta(s) }

func (n NoteIDs) sql(b *builder) (string, error) {
	if b.tables&notesTable != 0 {
		return "n.id IN " + b.idList(n.IDs), nil
	}
	return "c.nid IN " + b.idList(n.IDs), nil
}

func (n NotetypeID) sql(b *builder) (string, error) { return "n.mid = " + b.arg(n.ID), nil }

func (n Notetype) sql(b *builder) (string, error) {
	cond, err := b.name(n.Pattern)
	return "n.mid IN (SELECT id FROM notetypes WHERE " + cond + ")", err
}

func (n Edited) sql(b *builder) (string, error) {
	return "n.mod > " + b.arg(b.cutoff(int64(n.Days))), nil
}

func (n Duplicate) sql(b *builder) (string, error) {
	s := b.noteText(n.Text)
	return "(n.mid = " + b.arg(n.NotetypeID) + " AND n.csum = " + b.arg(int64(schema.Checksum(s))) +
		" AND search_first_field(n.flds) = " + b.arg(schema.StripHTML(s)) + ")", nil
}

func (n Tag) sql(b *builder) (string, error) {
	pattern := norm.NFC.String(n.Pattern)
	if n.Mode == MatchRegexp {
		arg, err := b.regexpArg("(?i)" + pattern)
		return "search_regexp_tags(" + arg + ", n.tags)", err
	}
	switch {
	case pattern == "none":
		return "n.tags = ''", nil
	case pattern == "*":
		return "true", nil
	case strings.Contains(pattern, " "):
		return "false", nil
	}
	column := "n.tags"
	if n.Mode == MatchNoAccents {
		pattern, column = withoutCombining(pattern), textColumn("n.tags", dropCombining)
	}
	if !isGlob(pattern) {
		return "search_tag(" + b.arg(literal(pattern)) + ", " + column + ")", nil
	}
	arg, err := b.regexpArg("(?i)" + tagRegexp(pattern))
	return "search_regexp(" + arg + ", " + column + ")", err
}

// textColumn is a column after what the bits of search_text say.
func textColumn(column string, bits int) string {
	if bits == 0 {
		return column
	}
	return "search_text(" + column + ", " + strconv.Itoa(bits) + ")"
}

func (n Text) sql(b *builder) (string, error) {
	pattern := b.noteText(n.Pattern)
	switch n.Mode {
	case TextRegexp:
		return b.regexpText(pattern, false)
	case TextWord:
		return b.regexpText(wordRegexp(pattern), b.opts.IgnoreAccents)
	}
	bits := 0
	if n.Mode == TextNoAccents || b.opts.IgnoreAccents {
		bits |= dropCombining
	}
	if n.Mode != TextNoClozes {
		return b.likeText(pattern, bits)
	}
	types, err := b.allNotetypes()
	if err != nil {
		return "", err
	}
	var clozes []int64
	for _, t := range types {
		if t.Cloze {
			clozes = append(clozes, t.ID)
		}
	}
	s, err := b.likeText(pattern, bits|dropClozes)
	return "(n.mid IN " + b.idList(clozes) + " AND " + s + ")", err
}

// likeText looks for a pattern in the sort field and in the fields that are
// not excluded from searches.
func (b *builder) likeText(pattern string, bits int) (string, error) {
	pattern = likePattern(pattern)
	if bits&dropCombining != 0 {
		pattern = withoutCombining(pattern)
	}
	pattern = "%" + pattern + "%"
	flds, sfld := textColumn("n.flds", bits), textColumn("cast(n.sfld AS text)", bits)
	if _, err := b.allNotetypes(); err != nil {
		return "", err
	}
	whole, err := b.likeArg(pattern)
	if err != nil {
		return "", err
	}
	if b.included == nil {
		return "(" + like(sfld, whole) + " OR " + like(flds, whole) + ")", nil
	}
	groups := b.included
	conds := make([]string, 0, len(groups))
	for _, g := range groups {
		alts, err := b.likeFields(flds, fieldPatterns(pattern, g.total, g.fields, true))
		if err != nil {
			return "", err
		}
		if g.key == sortFieldToo {
			alts = append(alts, like(sfld, whole))
		}
		conds = append(conds, "(n.mid IN "+b.idList(g.ids)+" AND "+join("OR", alts)+")")
	}
	return join("OR", conds), nil
}

// likeFields compares a column with each of some patterns.
func (b *builder) likeFields(column string, patterns []string) ([]string, error) {
	conds := make([]string, len(patterns))
	for i, p := range patterns {
		arg, err := b.likeArg(p)
		if err != nil {
			return nil, err
		}
		conds[i] = like(column, arg)
	}
	return conds, nil
}

func like(column, arg string) string { return column + " LIKE " + arg + ` ESCAPE '\'` }

func (b *builder) regexpText(re string, noAccents bool) (string, error) {
	bits := 0
	if noAccents {
		re, bits = withoutCombining(re), dropCombining
	}
	flds := textColumn("n.flds", bits)
	arg, err := b.regexpArg("(?i)" + re)
	if err != nil {
		return "", err
	}
	if _, err := b.allNotetypes(); err != nil {
		return "", err
	}
	if b.included == nil {
		return "search_regexp(" + arg + ", " + flds + ")", nil
	}
	groups := b.included
	conds := make([]string, 0, len(groups))
	for _, g := range groups {
		cond := "search_regexp(" + arg + ", " + flds + ")"
		if len(g.fields) < g.total {
			cond = "search_regexp_fields(" + arg + ", " + flds + ", " + b.arg(joinInts(g.fields)) + ")"
		}
		conds = append(conds, "(n.mid IN "+b.idList(g.ids)+" AND "+cond+")")
	}
	return join("OR", conds), nil
}

func (n Field) sql(b *builder) (string, error) {
	name, val := norm.NFC.String(n.Name), b.noteText(n.Pattern)
	if anything(name) {
		re := "(?i)" + val
		if n.Mode != MatchRegexp {
			re = "(?is)^" + globRegexp(val, ".") + "$"
		}
		arg, err := b.regexpArg(re)
		return "search_regexp_fields(" + arg + ", n.flds, '')", err
	}
	matches, err := b.nameMatcher(name)
	if err != nil {
		return "", err
	}
	types, err := b.allNotetypes()
	if err != nil {
		return "", err
	}
	groups := group(types, func(t NotetypeInfo) (string, []int) {
		return "", fieldsWhere(t, func(f FieldInfo) bool { return matches(f.Name) })
	})
	if len(groups) == 0 {
		return "false", nil
	}
	if n.Mode == MatchRegexp {
		return b.fieldRegexp(val, groups)
	}
	bits, pattern := 0, likePattern(val)
	if n.Mode == MatchNoAccents {
		bits, pattern = dropCombining, withoutCombining(pattern)
	}
	flds := textColumn("n.flds", bits)
	conds := make([]string, 0, len(groups))
	for _, g := range groups {
		alts, err := b.likeFields(flds, fieldPatterns(pattern, g.total, g.fields, !anything(val)))
		if err != nil {
			return "", err
		}
		conds = append(conds, "(n.mid IN "+b.idList(g.ids)+" AND "+join("OR", alts)+")")
	}
	return join("OR", conds), nil
}

func (b *builder) fieldRegexp(re string, groups []notetypeGroup) (string, error) {
	arg, err := b.regexpArg("(?i)" + re)
	if err != nil {
		return "", err
	}
	conds := make([]string, 0, len(groups))
	for _, g := range groups {
		conds = append(conds, "(n.mid IN "+b.idList(g.ids)+
			" AND search_regexp_fields("+arg+", n.flds, "+b.arg(joinInts(g.fields))+"))")
	}
	return join("OR", conds), nil
}

// anything reports whether a pattern is one of those that mean "not empty" as
// a value and "any field" as a name.
func anything(s string) bool { return s == "*" || s == "_*" || s == "*_" }

func anyExcluded(types []NotetypeInfo) bool {
	for _, t := range types {
		for _, f := range t.Fields {
			if f.Excluded {
				return true
			}
		}
	}
	return false
}

// sortFieldToo marks notetypes whose sort field is not excluded.
const sortFieldToo = "+"

// includedFields are the fields that plain searches look at. The list is not
// nil, even if there are none.
func includedFields(types []NotetypeInfo) []notetypeGroup {
	groups := group(types, func(t NotetypeInfo) (string, []int) {
		key := sortFieldToo
		if t.SortField < len(t.Fields) && t.Fields[t.SortField].Excluded {
			key = "-"
		}
		return key, fieldsWhere(t, func(f FieldInfo) bool { return !f.Excluded })
	})
	return append([]notetypeGroup{}, groups...)
}

func fieldsWhere(t NotetypeInfo, ok func(FieldInfo) bool) []int {
	var l []int
	for i, f := range t.Fields {
		if ok(f) {
			l = append(l, i)
		}
	}
	return l
}

// notetypeGroup are notetypes that are searched alike.
type notetypeGroup struct {
	ids    []int64
	total  int   // fields of each
	fields []int // which of them are looked at; ascending, never empty
	key    string
}

// group puts notetypes together for which f gives the same; those without a
// field are left out.
func group(types []NotetypeInfo, f func(NotetypeInfo) (key string, fields []int)) []notetypeGroup {
	var groups []notetypeGroup
	index := map[string]int{}
	for _, t := range types {
		key, fields := f(t)
		if len(fields) == 0 {
			continue
		}
		id := key + strconv.Itoa(len(t.Fields)) + ":" + joinInts(fields)
		i, ok := index[id]
		if !ok {
			i = len(groups)
			index[id] = i
			groups = append(groups, notetypeGroup{total: len(t.Fields), fields: fields, key: key})
		}
		groups[i].ids = append(groups[i].ids, t.ID)
	}
	return groups
}

// fieldPatterns writes LIKE patterns for the flds column that compare the given
// fields of total with a pattern. With merge a run of neighbouring fields is
// one pattern, at the place of the first: it is meant for patterns that may
// stretch over several fields.
func fieldPatterns(pattern string, total int, fields []int, merge bool) []string {
	var out []string
	for i := 0; i < len(fields); {
		first := fields[i]
		last := first
		for i++; merge && i < len(fields) && fields[i] == last+1; i++ {
			last = fields[i]
		}
		parts := make([]string, 0, total)
		for f := 0; f < total; f++ {
			switch {
			case f == first:
				parts = append(parts, pattern)
			case f < first || f > last:
				parts = append(parts, "%")
			}
		}
		out = append(out, strings.Join(parts, "\x1f"))
	}
	return out
}

func joinInts(l []int) string {
	s := make([]string, len(l))
	for i, n := range l {
		s[i] = strconv.Itoa(n)
	}
	return strings.Join(s, ",")
}
