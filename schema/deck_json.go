package schema

import (
	"encoding/json"
	"math"
	"strconv"
)

// reservedDeckKeys never come from a deck's `other` field, whatever is in it.
var reservedDeckKeys = []string{
	"usn", "revToday", "newLimit", "dyn", "reviewLimit", "newToday", "timeToday", "reviewLimitToday", "extendNew", "mod",
	"newLimitToday", "desc", "name", "lrnToday", "conf", "browserCollapsed", "extendRev", "id", "collapsed", "desiredRetention",
}

// ParseDeckJSON reads one object of schema 11's `decks`
// (docs/collection-format.md §4.2) and normalises its name.
func ParseDeckJSON(b []byte) (*Deck, error) {
	o, err := parseObject(b)
	if err != nil {
		return nil, err
	}
	r := &reader{o: o, what: "deck"}
	d := &Deck{
		ID:    must(r, "id", asI64Text),
		Mtime: maybe(r, "mod", asI64Text, 0),
		Name:  NormalizeDeckName(must(r, "name", asString)),
		USN:   must(r, "usn", asI32),
	}
	d.Common = DeckCommon{
		StudyCollapsed:   must(r, "collapsed", asBool),
		BrowserCollapsed: maybe(r, "browserCollapsed", asBool, false),
	}
	readToday(r, &d.Common)
	desc := maybe(r, "desc", asString, "")
	markdown := maybe(r, "md", asBool, false)
	filtered := must(r, "dyn", asDyn)
	r.take("return") // of no use to current clients
	if filtered {
		d.Kind.Filtered = readFiltered(r)
	} else {
		d.Kind.Normal = readNormal(r)
		d.Kind.Normal.Description, d.Kind.Normal.Markdown = desc, markdown
	}
	d.Common.Other = r.rest()
	if r.err != nil {
		return nil, r.err
	}
	return d, nil
}

// asDyn reads whether a deck is filtered: a number that is 1, or a boolean.
func asDyn(v json.RawMessage) (bool, bool) {
	if b, ok := asBool(v); ok {
		return b, true
	}
	n, ok := asU8(v)
	return n == 1, ok
}

// readToday takes the four [day, amount] pairs. They share one day, the latest;
// new, review and learning amounts of an earlier day are forgotten, while the
// time is kept as it is.
func readToday(r *reader, c *DeckCommon) {
	lrn := must(r, "lrnToday", asToday)
	rev := must(r, "revToday", asToday)
	newCards := must(r, "newToday", asToday)
	spent := must(r, "timeToday", asToday)
	day := max(spent.day, newCards.day, rev.day)
	amount := func(t today) int32 {
		if t.day != day {
			return 0
		}
		return t.amount
	}
	c.LastDayStudied = uint32(max(0, day))
	c.NewStudied = amount(newCards)
	c.ReviewStudied = amount(rev)
	c.LearningStudied = amount(lrn)
	c.MillisecondsStudied = spent.amount
}

type today struct{ day, amount int32 }

// asToday pops the amount and then the day from the end of a list.
func asToday(v json.RawMessage) (today, bool) {
	l, ok := asRawList(v)
	if !ok {
		return today{}, false
	}
	pop := func() int32 {
		if len(l) == 0 {
			return 0
		}
		n, _ := asI32(l[len(l)-1])
		l = l[:len(l)-1]
		return n
	}
	var t today
	t.amount = pop()
	t.day = pop()
	return t, true
}

func readNormal(r *reader) *NormalDeck {
	d := &NormalDeck{
		ConfigID:         must(r, "conf", asI64Text),
		ExtendNew:        uint32(max(0, lax(r, "extendNew", asI32, 0))),
		ExtendReview:     uint32(max(0, lax(r, "extendRev", asI32, 0))),
		ReviewLimit:      lax(r, "reviewLimit", asOptional(asU32), nil),
		NewLimit:         lax(r, "newLimit", asOptional(asU32), nil),
		ReviewLimitToday: lax(r, "reviewLimitToday", asOptional(asDayLimit), nil),
		NewLimitToday:    lax(r, "newLimitToday", asOptional(asDayLimit), nil),
	}
	if p := lax(r, "desiredRetention", asOptional(asU32), nil); p != nil {
		f := float32(*p) / 100
		d.DesiredRetention = &f
	}
	return d
}

// asDayLimit reads {"limit": n, "today": day}, or [n, day] as current clients do.
func asDayLimit(v json.RawMessage) (DayLimit, bool) {
	if l, ok := asList(asU32)(v); ok && len(l) == 2 {
		return DayLimit{Limit: l[0], Today: l[1]}, true
	}
	o, ok := asObject(v)
	if !ok {
		return DayLimit{}, false
	}
	r := &reader{o: o, what: "limit"}
	l := DayLimit{Limit: must(r, "limit", asU32), Today: must(r, "today", asU32)}
	return l, r.err == nil
}

func readFiltered(r *reader) *FilteredDeck {
	d := &FilteredDeck{
		Reschedule:       must(r, "resched", asBoolish),
		SearchTerms:      must(r, "terms", asList(asSearchTerm)),
		PreviewDelay:     maybe(r, "previewDelay", asU32, 0),
		PreviewAgainSecs: maybe(r, "previewAgainSecs", asU32, 0),
		PreviewHardSecs:  maybe(r, "previewHardSecs", asU32, 0),
		PreviewGoodSecs:  maybe(r, "previewGoodSecs", asU32, 0),
	}
	maybe(r, "separate", asBool, false) // always true today
	if l := lax(r, "delays", asOptional(asList(asF32)), nil); l != nil {
		d.Delays = *l
	}
	return d
}

// asSearchTerm reads [search, limit, order].
func asSearchTerm(v json.RawMessage) (SearchTerm, bool) {
	l, ok := asRawList(v)
	if !ok || len(l) != 3 {
		return SearchTerm{}, false
	}
	search, ok1 := asString(l[0])
	limit, ok2 := asI64Text(l[1])
	order, ok3 := asI32(l[2])
	return SearchTerm{
		Search: search,
		Limit:  uint32(min(max(0, limit), math.MaxInt32)),
		Order:  order,
	}, ok1 && ok2 && ok3
}

// JSON writes the schema-11 object.
func (d *Deck) JSON() ([]byte, error) {
	if (d.Kind.Normal == nil) == (d.Kind.Filtered == nil) {
		return nil, invalid("deck: neither or both of normal and filtered")
	}
	c := &d.Common
	w := newWriter()
	w.int("id", d.ID)
	w.int("mod", d.Mtime)
	w.str("name", HumanDeckName(d.Name))
	w.int("usn", int64(d.USN))
	for _, t := range []struct {
		key    string
		amount int32
	}{
		{"lrnToday", c.LearningStudied}, {"revToday", c.ReviewStudied},
		{"newToday", c.NewStudied}, {"timeToday", c.MillisecondsStudied},
	} {
		b := strconv.AppendInt([]byte{'['}, int64(int32(c.LastDayStudied)), 10)
		b = strconv.AppendInt(append(b, ','), int64(t.amount), 10)
		w.raw(t.key, append(b, ']'))
	}
	w.bool("collapsed", c.StudyCollapsed)
	w.bool("browserCollapsed", c.BrowserCollapsed)
	if n := d.Kind.Normal; n != nil {
		writeNormal(w, n)
	} else {
		writeFiltered(w, d.Kind.Filtered)
	}
	other := parseOther(c.Other)
	for _, k := range reservedDeckKeys {
		delete(other, k)
	}
	w.others(other)
	return w.done(), nil
}

func writeNormal(w *writer, n *NormalDeck) {
	w.str("desc", n.Description)
	if n.Markdown {
		w.bool("md", true)
	}
	w.int("dyn", 0)
	w.int("conf", n.ConfigID)
	w.int("extendNew", int64(int32(n.ExtendNew)))
	w.int("extendRev", int64(int32(n.ExtendReview)))
	w.optU32("reviewLimit", n.ReviewLimit)
	w.optU32("newLimit", n.NewLimit)
	writeDayLimit(w, "reviewLimitToday", n.ReviewLimitToday)
	writeDayLimit(w, "newLimitToday", n.NewLimitToday)
	var percent *uint32
	if n.DesiredRetention != nil {
		p := saturate32(*n.DesiredRetention * 100)
		percent = &p
	}
	w.optU32("desiredRetention", percent)
}

// saturate32 truncates towards zero; NaN is 0.
func saturate32(f float32) uint32 {
	switch {
	case !(f > 0):
		return 0
	case f >= math.MaxUint32:
		return math.MaxUint32
	}
	return uint32(f)
}

func writeDayLimit(w *writer, key string, l *DayLimit) {
	if l == nil {
		w.raw(key, []byte("null"))
		return
	}
	in := newWriter()
	in.int("limit", int64(l.Limit))
	in.int("today", int64(l.Today))
	w.raw(key, in.done())
}

func writeFiltered(w *writer, f *FilteredDeck) {
	w.str("desc", "")
	w.int("dyn", 1)
	w.bool("resched", f.Reschedule)
	terms := []byte{'['}
	for _, t := range f.SearchTerms {
		terms = append(comma(terms), '[')
		terms = appendString(terms, t.Search)
		terms = strconv.AppendInt(append(terms, ','), int64(int32(t.Limit)), 10)
		terms = strconv.AppendInt(append(terms, ','), int64(t.Order), 10)
		terms = append(terms, ']')
	}
	w.raw("terms", append(terms, ']'))
	w.bool("separate", true)
	if len(f.Delays) == 0 {
		w.raw("delays", []byte("null"))
	} else {
		w.f32s("delays", f.Delays)
	}
	w.int("previewDelay", int64(f.PreviewDelay))
	w.int("previewAgainSecs", int64(f.PreviewAgainSecs))
	w.int("previewHardSecs", int64(f.PreviewHardSecs))
	w.int("previewGoodSecs", int64(f.PreviewGoodSecs))
}
