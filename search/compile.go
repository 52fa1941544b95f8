package search

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Catalog is what a search must know of a collection besides the rows it
// searches. Every method is called only for searches that need it.
type Catalog interface {
	// Notetypes are all notetypes.
	Notetypes(ctx context.Context) ([]NotetypeInfo, error)
	// CurrentDeck is the native name (parts joined by U+001F) of the deck of
	// config curDeck, "Default" if there is none.
	CurrentDeck(ctx context.Context) (string, error)
	// PresetDecks are the ids of the normal decks that use the options of
	// this name (as unicase compares), none if there are no such options.
	PresetDecks(ctx context.Context, name string) ([]int64, error)
}

// NotetypeInfo is what searches in fields must know of a notetype.
type NotetypeInfo struct {
	ID        int64
	Cloze     bool
	SortField int // index
	Fields    []FieldInfo
}

// FieldInfo is a field of a notetype, in the notetype's order.
type FieldInfo struct {
	Name string
	// Excluded says that searches without a field's name leave it out.
	Excluded bool
}

// Items is what a search finds.
type Items int

const (
	// Cards finds ids of cards.
	Cards Items = iota
	// Notes finds ids of the notes that have such cards.
	Notes
)

// Options are the circumstances of a search.
type Options struct {
	Items Items
	// Order sorts the ids; nil leaves them in any order.
	Order Order
	// Now is the time; Today and NextDayAt (epoch s) are the day number and
	// the next rollover of the collection at that time
	// (docs/collection-format.md §9).
	Now       time.Time
	Today     int64
	NextDayAt int64
	// LearnAhead is config collapseTime, s: learning cards due within count
	// as due.
	LearnAhead int64
	// IgnoreAccents is config ignoreAccentsInSearch.
	IgnoreAccents bool
	// KeepForm is the negation of config normalize_note_text: texts are not
	// brought into NFC.
	KeepForm bool
}

// Statement is a query for ids, in one column.
type Statement struct {
	SQL  string
	Args []any
}

// Bounds of a statement, none above SQLite's.
const (
	maxArgs      = 30_000
	maxSQLBytes  = 900_000
	maxLikeBytes = 50_000 // of a pattern
)

// tables are those that a condition speaks of.
type tables int

const (
	cardsTable tables = 1 << iota
	notesTable
)

// Compile makes the SQL of a search. Errors are those of the catalog,
// [ErrTooComplex], [ErrOrder], or of a regular expression in a node that does
// not come from Parse.
func Compile(ctx context.Context, n Node, c Catalog, o Options) (Statement, error) {
	b := &builder{ctx: ctx, catalog: c, opts: o, tables: n.needs()}
	viaNotes := o.Items == Cards && b.tables == notesTable
	switch {
	case o.Items == Notes:
		b.tables |= notesTable
	case !viaNotes:
		b.tables |= cardsTable
	}
	cond, err := n.sql(b)
	if err != nil {
		return Statement{}, err
	}
	if viaNotes { // look at a note once, not once a card
		cond, b.tables = "c.nid IN (SELECT n.id FROM notes n WHERE "+cond+")", cardsTable
	}
	var s string
	switch {
	case o.Order != nil:
		s, err = b.ordered(cond)
	case o.Items == Cards && b.tables == cardsTable:
		s = "SELECT c.id FROM cards c WHERE " + cond
	case o.Items == Notes && b.tables == notesTable:
		s = "SELECT n.id FROM notes n WHERE " + cond
	case o.Items == Cards:
		s = "SELECT c.id FROM cards c JOIN notes n ON n.id = c.nid WHERE " + cond
	default:
		s = "SELECT DISTINCT n.id FROM cards c JOIN notes n ON n.id = c.nid WHERE " + cond
	}
	if err != nil {
		return Statement{}, err
	}
	if len(b.args) > maxArgs || len(s) > maxSQLBytes {
		return Statement{}, ErrTooComplex
	}
	return Statement{SQL: s, Args: b.args}, nil
}

type builder struct {
	ctx       context.Context
	catalog   Catalog
	opts      Options
	tables    tables
	args      []any
	size      int // bytes of the conditions so far
	insts     int // of regular expressions so far
	notetypes []NotetypeInfo
	known     bool            // notetypes were asked for
	included  []notetypeGroup // what plain searches look at; nil is all fields of all
}

// arg binds a value and returns its placeholder.
func (b *builder) arg(v any) string {
	b.args = append(b.args, v)
	return "?" + strconv.Itoa(len(b.args))
}

// likeArg binds a pattern of LIKE. It may be larger than the term was: what is
// decomposed grows.
func (b *builder) likeArg(pattern string) (string, error) {
	if len(pattern) > maxLikeBytes {
		return "", ErrTooComplex
	}
	return b.arg(pattern), nil
}

// idList binds ids as one value, however many they are.
func (b *builder) idList(ids []int64) string {
	return "(SELECT value FROM json_each(" + b.arg("["+joinIDs(ids)+"]") + "))"
}

// regexpArg binds a regular expression of the client's dialect.
func (b *builder) regexpArg(re string) (string, error) {
	out, err := b.regexp(re)
	if err != nil {
		return "", err
	}
	return b.arg(out), nil
}

// regexp translates a regular expression and keeps to the bounds.
func (b *builder) regexp(re string) (string, error) {
	out, n, err := translateRegexp(re)
	if b.insts += n; err == nil && b.insts > 2*maxRegexpInsts {
		return "", ErrTooComplex
	}
	if err != nil {
		return "", &ParseError{Kind: BadRegexp, Reason: "this regular expression cannot be used: " + err.Error()}
	}
	return out, nil
}

// noteText brings a text into the form that notes are kept in.
func (b *builder) noteText(s string) string {
	if b.opts.KeepForm {
		return s
	}
	return norm.NFC.String(s)
}

func (b *builder) allNotetypes() ([]NotetypeInfo, error) {
	if b.known {
		return b.notetypes, nil
	}
	l, err := b.catalog.Notetypes(b.ctx)
	if err != nil {
		return nil, fmt.Errorf("notetypes of a search: %w", err)
	}
	b.notetypes, b.known = l, true
	if anyExcluded(l) {
		b.included = includedFields(l)
	}
	return l, nil
}

// join puts conditions together as a balanced tree, as SQLite bounds the depth
// of expressions.
func join(op string, conds []string) string {
	switch len(conds) {
	case 0: // of nothing all is true, and none is
		return strconv.FormatBool(op == "AND")
	case 1:
		return conds[0]
	}
	half := len(conds) / 2
	return "(" + join(op, conds[:half]) + " " + op + " " + join(op, conds[half:]) + ")"
}

func (b *builder) nodes(op string, l []Node) (string, error) {
	conds := make([]string, len(l))
	for i, n := range l {
		s, err := n.sql(b)
		if err != nil {
			return "", err
		}
		if b.size += len(s); b.size > 16*maxSQLBytes || len(b.args) > maxArgs {
			return "", ErrTooComplex
		}
		conds[i] = s
	}
	return join(op, conds), nil
}

func needs(l []Node) (t tables) {
	for _, n := range l {
		t |= n.needs()
	}
	return t
}

func (n And) needs() tables { return needs(n) }
func (n Or) needs() tables  { return needs(n) }
func (n Not) needs() tables { return n.inner().needs() }
func (All) needs() tables   { return 0 }

func (n And) sql(b *builder) (string, error) { return b.nodes("AND", n) }
func (n Or) sql(b *builder) (string, error)  { return b.nodes("OR", n) }
func (All) sql(*builder) (string, error)     { return "true", nil }

func (n Not) sql(b *builder) (string, error) {
	s, err := n.inner().sql(b)
	return "(NOT " + s + ")", err
}

// String shows the statement with its arguments. They are what users typed:
// not for logs.
func (s Statement) String() string {
	args, _ := json.Marshal(s.Args)
	return s.SQL + " -- " + strings.TrimSpace(string(args))
}
