package search

import (
	"fmt"
	"strings"
)

// Order sorts the ids of a search: a [ByColumn] or a [ByKeys].
type Order interface {
	order(b *builder) (joins, by string, need tables, err error)
}

// Column is a column of the client's browser, under its config name.
type Column string

// The columns that can be sorted by; the last three only for cards.
const (
	ColSortField      Column = "noteFld"
	ColNoteCreated    Column = "noteCrt"
	ColNoteMod        Column = "noteMod"
	ColNotetype       Column = "note"
	ColTags           Column = "noteTags"
	ColCardMod        Column = "cardMod"
	ColTemplate       Column = "template"
	ColDeck           Column = "deck"
	ColDue            Column = "cardDue"
	ColInterval       Column = "cardIvl"
	ColEase           Column = "cardEase"
	ColReps           Column = "cardReps"
	ColLapses         Column = "cardLapses"
	ColPosition       Column = "originalPosition"
	ColStability      Column = "stability"
	ColDifficulty     Column = "difficulty"
	ColRetrievability Column = "retrievability"
)

// SortsCards tells whether cards can be sorted by a column: an add-on's, or one of
// a newer client, is not known here.
func (c Column) SortsCards() bool {
	switch c {
	case ColSortField, ColNoteCreated, ColNoteMod, ColNotetype, ColTags, ColCardMod, ColTemplate, ColDeck, ColDue,
		ColInterval, ColEase, ColReps, ColLapses, ColPosition, ColStability, ColDifficulty, ColRetrievability:
		return true
	}
	return false
}

// ByColumn sorts as the client's browser does by a column. Ties are broken by
// id, so that the order is the same every time.
type ByColumn struct {
	Column Column
	Desc   bool
}

// dueTime is when a card is due, as a time; new cards keep their position.
func (b *builder) dueTime(table string) string {
	return strings.NewReplacer("c.", table, "TODAY", b.arg(b.opts.Today), "NOW", b.arg(b.opts.Now.Unix())).Replace(
		"(CASE WHEN c.due > 1000000000 OR c.type = 0 THEN c.due ELSE (c.due - TODAY) * 86400 + NOW END)")
}

// firstPosition numbers the notes by where their first card stood when new.
const firstPosition = "SELECT nid, coalesce(search_position(data), CASE type WHEN 0 THEN due ELSE 0 END) AS k" +
	" FROM (SELECT nid, min(id), data, type, due FROM cards GROUP BY nid)"

// cardKeys are the sort keys of cards, without direction.
func (o ByColumn) cardKeys(b *builder) (joins string, keys []string, need tables) {
	switch o.Column {
	case ColCardMod:
		keys = []string{"c.mod"}
	case ColDue:
		keys = []string{b.dueTime("c.")}
	case ColEase:
		keys = []string{"c.type = 0", "c.factor"}
	case ColInterval:
		keys = []string{"c.ivl"}
	case ColLapses:
		keys = []string{"c.lapses"}
	case ColReps:
		keys = []string{"c.reps"}
	case ColStability:
		keys = []string{"search_fsrs(c.data, 's')"}
	case ColDifficulty:
		keys = []string{"search_fsrs(c.data, 'd')"}
	case ColRetrievability:
		keys = []string{b.retrievability()}
	case ColNoteCreated:
		need, keys = notesTable, []string{"n.id", "c.ord"}
	case ColNoteMod:
		need, keys = notesTable, []string{"n.mod", "c.ord"}
	case ColSortField:
		need, keys = notesTable, []string{"n.sfld COLLATE NOCASE", "c.ord"}
	case ColTags:
		need, keys = notesTable, []string{"n.tags"}
	case ColDeck:
		joins = " LEFT JOIN (SELECT id, row_number() OVER (ORDER BY name) AS k FROM decks) s ON s.id = c.did"
		keys = []string{"s.k"}
	case ColNotetype:
		need, keys = notesTable, []string{"s.k"}
		joins = notetypePositions
	case ColTemplate:
		const t = "(SELECT ntid, ord, row_number() OVER (ORDER BY name, ntid) AS k FROM templates)"
		need, keys = notesTable, []string{"coalesce(s.k, s0.k)", "c.ord"}
		joins = " LEFT JOIN " + t + " s ON s.ntid = n.mid AND s.ord = c.ord LEFT JOIN " + t + " s0 ON s0.ntid = n.mid AND s0.ord = 0"
	case ColPosition:
		joins = " LEFT JOIN (SELECT nid, row_number() OVER (ORDER BY k, nid) AS k FROM (" + firstPosition + ")) s ON s.nid = c.nid"
		keys = []string{"s.k"}
	}
	return joins, keys, need
}

const notetypePositions = " LEFT JOIN (SELECT id, row_number() OVER (ORDER BY name) AS k FROM notetypes) s ON s.id = n.mid"

// noteKey is the sort key of notes: a column of notes, or a query for (nid, k)
// with what the cards of a note amount to.
func (o ByColumn) noteKey(b *builder) (key, perNote string) {
	switch o.Column {
	case ColNoteCreated:
		return "n.id", ""
	case ColNoteMod:
		return "n.mod", ""
	case ColSortField:
		return "n.sfld COLLATE NOCASE", ""
	case ColTags:
		return "n.tags", ""
	case ColNotetype:
		return "s.k", ""
	case ColCardMod:
		return "", "SELECT nid, max(mod) AS k FROM cards GROUP BY nid"
	case ColTemplate:
		return "", "SELECT nid, count(*) AS k FROM cards GROUP BY nid"
	case ColDeck:
		return "", "SELECT nid, row_number() OVER (ORDER BY decks, pos) AS k FROM (" +
			"SELECT c.nid, count(DISTINCT c.did) AS decks, min(c.id), d.pos FROM cards c" +
			" JOIN (SELECT id, row_number() OVER (ORDER BY name) AS pos FROM decks) d ON d.id = c.did GROUP BY c.nid)"
	case ColDue:
		return "", "SELECT nid, min(" + b.dueTime("") + ") AS k FROM cards WHERE odid = 0 AND type != 0 AND queue > 0 GROUP BY nid"
	case ColEase:
		return "", "SELECT nid, avg(factor) AS k FROM cards WHERE type != 0 GROUP BY nid"
	case ColInterval:
		return "", "SELECT nid, avg(ivl) AS k FROM cards WHERE type IN (2, 3) GROUP BY nid"
	case ColLapses:
		return "", "SELECT nid, sum(lapses) AS k FROM cards GROUP BY nid"
	case ColReps:
		return "", "SELECT nid, sum(reps) AS k FROM cards GROUP BY nid"
	case ColPosition:
		return "", firstPosition
	}
	return "", ""
}

func (o ByColumn) order(b *builder) (joins, by string, need tables, err error) {
	dir := " ASC"
	if o.Desc {
		dir = " DESC"
	}
	if b.opts.Items == Cards {
		joins, keys, need := o.cardKeys(b)
		if keys == nil {
			return "", "", 0, fmt.Errorf("%w: cards by %q", ErrOrder, o.Column)
		}
		return joins, strings.Join(keys, dir+", ") + dir + ", c.id", need, nil
	}
	key, perNote := o.noteKey(b)
	switch {
	case o.Column == ColNotetype:
		return notetypePositions, key + dir + ", n.id", 0, nil
	case key != "":
		return "", key + dir + ", n.id", 0, nil
	case perNote == "":
		return "", "", 0, fmt.Errorf("%w: notes by %q", ErrOrder, o.Column)
	}
	// Notes without a key come first, or last in a falling order; among equals
	// the direction holds for the id too.
	return " LEFT JOIN (" + perNote + ") s ON s.nid = n.id",
		"s.k" + dir + ", iif(s.k IS NULL, n.id, 0), n.id" + dir, 0, nil
}

// Key is a column of the table of cards or of notes, as "c.ivl" or "n.sfld".
type Key struct {
	Column string
	NoCase bool // ASCII letters compare without case
	Desc   bool
}

// ByKeys sorts by columns of tables.
type ByKeys []Key

var keyColumns = map[string]bool{
	"c.id": true, "c.nid": true, "c.did": true, "c.ord": true, "c.mod": true, "c.usn": true, "c.type": true,
	"c.queue": true, "c.due": true, "c.ivl": true, "c.factor": true, "c.reps": true, "c.lapses": true,
	"c.left": true, "c.odue": true, "c.odid": true, "c.flags": true,
	"n.id": true, "n.guid": true, "n.mid": true, "n.mod": true, "n.usn": true, "n.tags": true, "n.flds": true, "n.sfld": true, "n.csum": true,
}

// ParseOrder reads an order as "c.ivl asc, n.sfld collate nocase desc". The
// error wraps [ErrOrder].
func ParseOrder(s string) (ByKeys, error) {
	var keys ByKeys
	for part := range strings.SplitSeq(strings.ToLower(s), ",") {
		f := strings.Fields(part)
		if len(f) == 0 || !keyColumns[f[0]] || len(keys) == 16 {
			return nil, fmt.Errorf("%w: %q", ErrOrder, strings.TrimSpace(part))
		}
		k := Key{Column: f[0]}
		rest := strings.Join(f[1:], " ")
		if r, ok := strings.CutPrefix(rest, "collate nocase"); ok {
			k.NoCase, rest = true, strings.TrimSpace(r)
		}
		switch rest {
		case "", "asc":
		case "desc":
			k.Desc = true
		default:
			return nil, fmt.Errorf("%w: %q", ErrOrder, strings.TrimSpace(part))
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func (o ByKeys) order(b *builder) (joins, by string, need tables, err error) {
	var parts []string
	for _, k := range o {
		if !keyColumns[k.Column] || b.opts.Items == Notes && k.Column[0] == 'c' {
			return "", "", 0, fmt.Errorf("%w: %q", ErrOrder, k.Column)
		}
		if k.Column[0] == 'n' {
			need |= notesTable
		}
		s := k.Column
		if k.NoCase {
			s += " COLLATE NOCASE"
		}
		if k.Desc {
			s += " DESC"
		}
		parts = append(parts, s)
	}
	if b.opts.Items == Cards {
		parts = append(parts, "c.id")
	} else {
		parts = append(parts, "n.id")
	}
	return "", strings.Join(parts, ", "), need, nil
}

// ordered is the statement with its order.
func (b *builder) ordered(cond string) (string, error) {
	joins, by, need, err := b.opts.Order.order(b)
	if err != nil {
		return "", err
	}
	if b.opts.Items == Cards {
		from := " FROM cards c"
		if (b.tables|need)&notesTable != 0 {
			from += " JOIN notes n ON n.id = c.nid"
		}
		return "SELECT c.id" + from + joins + " WHERE " + cond + " ORDER BY " + by, nil
	}
	if b.tables == notesTable {
		return "SELECT n.id FROM notes n" + joins + " WHERE " + cond + " ORDER BY " + by, nil
	}
	return "SELECT n.id FROM notes n" + joins +
		" WHERE n.id IN (SELECT n.id FROM cards c JOIN notes n ON n.id = c.nid WHERE " + cond + ") ORDER BY " + by, nil
}
