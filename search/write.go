package search

import (
	"strconv"
	"strings"
)

// What finds everything, and what finds nothing.
const (
	everything = "deck:*"
	nothing    = "(-deck:*)"
)

// String is empty, as the search is.
func (All) String() string { return "" }

func (n And) String() string {
	parts := make([]string, len(n))
	for i, c := range n {
		parts[i] = grouped(c)
	}
	return strings.Join(parts, " ")
}

func (n Or) String() string {
	if len(n) == 0 {
		return nothing
	}
	parts := make([]string, len(n))
	for i, c := range n {
		if and, ok := c.(And); ok && len(and) > 0 { // binds tighter, needs no brackets
			parts[i] = c.String()
		} else {
			parts[i] = grouped(c)
		}
	}
	return strings.Join(parts, " or ")
}

func (n Not) String() string {
	if _, ok := n.Node.(Not); ok {
		return "-(" + n.Node.String() + ")"
	}
	return "-" + grouped(n.inner())
}

// inner is what is negated; in the zero value that is everything.
func (n Not) inner() Node {
	if n.Node == nil {
		return All{}
	}
	return n.Node
}

func grouped(n Node) string {
	switch n := n.(type) {
	case And:
		if len(n) == 0 {
			return everything
		}
		return "(" + n.String() + ")"
	case Or:
		return "(" + n.String() + ")"
	case All: // has no text of its own
		return everything
	}
	return n.String()
}

// quote makes a term of its parts: without quotes only if it is plain.
func quote(term string) string {
	const plain = asciiAlnum + `:*_,.=!<>-+\`
	if strings.Trim(term, plain) == "" && term[0] != '-' && term[0] != ':' &&
		!strings.EqualFold(term, "and") && !strings.EqualFold(term, "or") {
		return term
	}
	return `"` + term + `"`
}

// escape undoes unescape.
func escape(s string) string { return escaper.Replace(s) }

// escapeQuotes undoes unescapeQuotes.
func escapeQuotes(s string) string { return strings.ReplaceAll(s, `"`, `\"`) }

var escaper = strings.NewReplacer(`"`, `\"`, `:`, `\:`)

func (n Text) String() string {
	switch n.Mode {
	case TextNoAccents:
		return quote("nc:" + escape(n.Pattern))
	case TextNoClozes:
		return quote("sc:" + escape(n.Pattern))
	case TextWord:
		return quote("w:" + escape(n.Pattern))
	case TextRegexp:
		return quote("re:" + escapeQuotes(n.Pattern))
	}
	if n.Pattern == "" { // there is no empty term
		return "*"
	}
	return quote(escape(n.Pattern))
}

func (n Field) String() string {
	if n.Name == "" { // no field has that name
		return nothing
	}
	name := escape(n.Name)
	if keywords[lowerASCII(name)] != nil { // has-cd is the one that can be a field's name
		name = strings.Replace(name, "-", `\-`, 1)
	}
	switch n.Mode {
	case MatchRegexp:
		return quote(name + ":re:" + escapeQuotes(n.Pattern))
	case MatchNoAccents:
		return quote(name + ":nc:" + escapeQuotes(n.Pattern))
	}
	return quote(name + ":" + escape(n.Pattern))
}

func (n Tag) String() string {
	switch n.Mode {
	case MatchRegexp:
		return quote("tag:re:" + escapeQuotes(n.Pattern))
	case MatchNoAccents:
		return quote("tag:nc:" + escape(n.Pattern))
	}
	return quote("tag:" + escape(n.Pattern))
}

func (n Deck) String() string          { return quote("deck:" + escape(n.Pattern)) }
func (n DeckIDs) String() string       { return idsTerm("did:", n.IDs) }
func (n Preset) String() string        { return quote("preset:" + n.Name) }
func (n Notetype) String() string      { return quote("note:" + escape(n.Pattern)) }
func (n NotetypeID) String() string    { return "mid:" + strconv.FormatInt(n.ID, 10) }
func (n TemplateOrd) String() string   { return "card:" + strconv.Itoa(n.Ord+1) }
func (n TemplateName) String() string  { return quote("card:" + escape(n.Pattern)) }
func (n State) String() string         { return "is:" + string(n.Kind) }
func (n Flag) String() string          { return "flag:" + strconv.Itoa(int(n.Flag)) }
func (n NoteIDs) String() string       { return idsTerm("nid:", n.IDs) }
func (n CardIDs) String() string       { return idsTerm("cid:", n.IDs) }
func (n Added) String() string         { return daysTerm("added:", n.Days) }
func (n Edited) String() string        { return daysTerm("edited:", n.Days) }
func (n Introduced) String() string    { return daysTerm("introduced:", n.Days) }
func (n HasCustomData) String() string { return quote("has-cd:" + escape(n.Key)) }

func (n Duplicate) String() string {
	text := escapeQuotes(strings.ReplaceAll(n.Text, `\`, `\\`))
	return quote("dupe:" + strconv.FormatInt(n.NotetypeID, 10) + "," + text)
}

// idsTerm writes a list of ids; for an empty one stands 0, which is nobody's.
func idsTerm(key string, ids []int64) string {
	if len(ids) == 0 {
		return key + "0"
	}
	return key + joinIDs(ids)
}

func daysTerm(key string, n uint32) string { return key + strconv.FormatUint(uint64(n), 10) }

func (n Rated) String() string {
	switch n.Button {
	case Rescheduled:
		return daysTerm("resched:", n.Days)
	case AnyButton:
		return daysTerm("rated:", n.Days)
	}
	return daysTerm("rated:", n.Days) + ":" + strconv.Itoa(int(n.Button))
}

func (n Prop) String() string {
	term := "prop:" + string(n.Name) + n.Key + string(n.Op)
	switch n.Name {
	case PropDataText:
		return quote(term + n.Text)
	case PropEase, PropStability, PropDifficulty, PropRetrievability, PropDataNumber:
		return term + strconv.FormatFloat(float64(n.Float), 'f', -1, 32)
	}
	term += strconv.FormatInt(n.Int, 10)
	if n.Name == PropRated && n.Button > 0 {
		term += ":" + strconv.Itoa(int(n.Button))
	}
	return term
}

func joinIDs(ids []int64) string {
	b := make([]byte, 0, 14*len(ids))
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(b)
}
