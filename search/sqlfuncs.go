package search

import (
	"database/sql/driver"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// The SQL functions of the statements. They begin with "search_" so as not to
// meet those of somebody else.
func init() {
	sqlite.RegisterFunc("search_regexp", 2, sqlRegexp)
	sqlite.RegisterFunc("search_regexp_fields", 3, sqlRegexpFields)
	sqlite.RegisterFunc("search_regexp_tags", 2, sqlRegexpTags)
	sqlite.RegisterFunc("search_tag", 2, sqlTag)
	sqlite.RegisterFunc("search_text", 2, sqlText)
	sqlite.RegisterFunc("search_first_field", 1, sqlFirstField)
	sqlite.RegisterFunc("search_custom_data", 2, sqlCustomData)
	sqlite.RegisterFunc("search_fsrs", 2, sqlFSRS)
	sqlite.RegisterFunc("search_retrievability", 5, sqlRetrievability)
	sqlite.RegisterFunc("search_position", 1, sqlPosition)
}

func text(v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return ""
}

func integer(v driver.Value) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

// search_regexp(expression, text)
func sqlRegexp(a []driver.Value) (any, error) {
	m, err := matchers.get(text(a[0]))
	if err != nil {
		return nil, err
	}
	return m.match(text(a[1])), nil
}

// search_regexp_fields(expression, flds, "0,2"): does one of these fields
// match? An empty list is all.
func sqlRegexpFields(a []driver.Value) (any, error) {
	m, err := matchers.get(text(a[0]))
	if err != nil {
		return nil, err
	}
	want, all := text(a[2]), text(a[2]) == ""
	i := 0
	for field := range strings.SplitSeq(text(a[1]), "\x1f") {
		if all {
			if m.match(field) {
				return true, nil
			}
			continue
		}
		head, tail, more := strings.Cut(want, ",")
		if head == strconv.Itoa(i) {
			if m.match(field) {
				return true, nil
			}
			if want = tail; !more {
				break
			}
		}
		i++
	}
	return false, nil
}

// search_regexp_tags(expression, tags): does a single tag match?
func sqlRegexpTags(a []driver.Value) (any, error) {
	m, err := matchers.get(text(a[0]))
	if err != nil {
		return nil, err
	}
	for tag := range strings.SplitSeq(text(a[1]), " ") {
		if m.match(tag) {
			return true, nil
		}
	}
	return false, nil
}

// search_tag(tag, tags): is the tag, or one below it, among the tags?
func sqlTag(a []driver.Value) (any, error) {
	want := text(a[0])
	if want == "" {
		return false, nil
	}
	for tag := range strings.SplitSeq(text(a[1]), " ") {
		if rest, ok := cutPrefixFold(tag, want); ok && (rest == "" || strings.HasPrefix(rest, "::")) {
			return true, nil
		}
	}
	return false, nil
}

// Bits of search_text's second argument.
const (
	dropCombining = 1
	dropClozes    = 2
)

// search_text(text, bits)
func sqlText(a []driver.Value) (any, error) {
	s, bits := text(a[0]), integer(a[1])
	if bits&dropClozes != 0 {
		s = stripClozes(s)
	}
	if bits&dropCombining != 0 {
		s = withoutCombining(s)
	}
	return s, nil
}

// search_first_field(flds): the first field as duplicates are compared.
func sqlFirstField(a []driver.Value) (any, error) {
	first, _, _ := strings.Cut(text(a[0]), "\x1f")
	return schema.StripHTML(first), nil
}

// search_custom_data(data, key): text or NULL
func sqlCustomData(a []driver.Value) (any, error) {
	if v, ok := parseCardData(text(a[0])).customValue(text(a[1])); ok {
		return v, nil
	}
	return nil, nil
}

func orNull(f float32) (any, error) {
	if isNaN(f) {
		return nil, nil
	}
	return float64(f), nil
}

// search_fsrs(data, 's' or 'd'): number or NULL
func sqlFSRS(a []driver.Value) (any, error) {
	d := parseCardData(text(a[0]))
	if text(a[1]) == "s" {
		return orNull(d.stability)
	}
	return orNull(d.difficulty)
}

// search_retrievability(data, due, ivl, today, now): number or NULL
func sqlRetrievability(a []driver.Value) (any, error) {
	d := parseCardData(text(a[0]))
	return orNull(d.retrievability(integer(a[1]), integer(a[2]), integer(a[3]), integer(a[4])))
}

// search_position(data): where a new card stood in the queue, or NULL
func sqlPosition(a []driver.Value) (any, error) {
	if d := parseCardData(text(a[0])); d.pos >= 0 {
		return d.pos, nil
	}
	return nil, nil
}
