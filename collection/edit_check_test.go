package collection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// checkCollection checks everything that a client's database check would, and
// what a sync relies on besides.
func (r *rig) checkCollection() {
	r.t.Helper()
	for _, problem := range r.problems() {
		r.t.Error(problem)
	}
}

// broken are queries that find what must not be.
var broken = []struct{ what, query string }{
	{"card without its note", `SELECT id FROM cards WHERE nid NOT IN (SELECT id FROM notes)`},
	{"card without its deck", `SELECT id FROM cards WHERE did NOT IN (SELECT id FROM decks)`},
	{"card without its home deck", `SELECT id FROM cards WHERE odid != 0 AND odid NOT IN (SELECT id FROM decks)`},
	{"note without a card", `SELECT id FROM notes WHERE id NOT IN (SELECT nid FROM cards)`},
	{"note without its notetype", `SELECT id FROM notes WHERE mid NOT IN (SELECT id FROM notetypes)`},
	{"two cards of one ordinal", `SELECT nid, ord FROM cards GROUP BY nid, ord HAVING count(*) > 1`},
	{"decks of one name", `SELECT name FROM decks GROUP BY name HAVING count(*) > 1`},
	{"notetypes of one name", `SELECT name FROM notetypes GROUP BY name HAVING count(*) > 1`},
	{"tags of one name", `SELECT tag FROM tags GROUP BY tag HAVING count(*) > 1`},
	{"fields with a gap", `SELECT ntid FROM fields GROUP BY ntid HAVING max(ord) != count(*) - 1`},
	{"templates with a gap", `SELECT ntid FROM templates GROUP BY ntid HAVING max(ord) != count(*) - 1`},
	{"grave of a living card", `SELECT oid FROM graves WHERE type = 0 AND oid IN (SELECT id FROM cards)`},
	{"grave of a living note", `SELECT oid FROM graves WHERE type = 1 AND oid IN (SELECT id FROM notes)`},
	{"grave of a living deck", `SELECT oid FROM graves WHERE type = 2 AND oid IN (SELECT id FROM decks)`},
	{"card in the wrong queue", `SELECT id FROM cards WHERE queue < -3 OR queue > 4 OR type < 0 OR type > 3
		OR queue = 0 AND type != 0 OR queue = 2 AND type != 2 AND odid = 0 OR odid = 0 AND odue != 0 OR typeof(due) != 'integer'`},
	{"unsent or future usn", `SELECT 'card', id FROM cards WHERE usn < 0 OR usn > (SELECT usn FROM col)
		UNION ALL SELECT 'note', id FROM notes WHERE usn < 0 OR usn > (SELECT usn FROM col)
		UNION ALL SELECT 'review', id FROM revlog WHERE usn < 0 OR usn > (SELECT usn FROM col)
		UNION ALL SELECT 'grave', oid FROM graves WHERE usn < 0 OR usn > (SELECT usn FROM col)
		UNION ALL SELECT 'deck', id FROM decks WHERE usn < 0 OR usn > (SELECT usn FROM col)
		UNION ALL SELECT 'options', id FROM deck_config WHERE usn < 0 OR usn > (SELECT usn FROM col)
		UNION ALL SELECT 'notetype', id FROM notetypes WHERE usn < 0 OR usn > (SELECT usn FROM col)
		UNION ALL SELECT 'tag', tag FROM tags WHERE usn < 0 OR usn > (SELECT usn FROM col)`},
}

// problems lists what is wrong with the stored collection.
func (r *rig) problems() []string {
	r.t.Helper()
	var out []string
	for _, b := range broken {
		for _, row := range r.rows(testUser, b.query) {
			out = append(out, b.what+": "+row)
		}
	}
	err := r.s.View(r.t.Context(), testUser, func(t *Txn) error {
		for _, f := range []func(*Txn) ([]string, error){noteProblems, deckProblems, countProblems} {
			more, err := f(t)
			if err != nil {
				return err
			}
			out = append(out, more...)
		}
		return nil
	})
	if err != nil {
		out = append(out, err.Error())
	}
	return out
}

func noteProblems(t *Txn) ([]string, error) {
	var out []string
	tags, err := t.Tags()
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, tag := range tags {
		known[tag] = true
	}
	type stored struct {
		Note
		sfld string
		csum int64
	}
	notes, err := collect(t.h, func(scan func(...any) error) (stored, error) {
		var n stored
		err := scan(&n.ID, &n.MID, &n.GUID, &n.Tags, &n.Flds, &n.sfld, &n.csum)
		return n, err
	}, `SELECT id, mid, guid, tags, flds, CAST(sfld AS TEXT), csum FROM notes`)
	if err != nil {
		return nil, err
	}
	for i := range notes {
		n := &notes[i]
		nt, err := t.notetypeFor(n.MID)
		if err != nil {
			return nil, err
		}
		fields := n.FieldList()
		bad := func(format string, args ...any) {
			out = append(out, fmt.Sprintf("note %d: ", n.ID)+fmt.Sprintf(format, args...))
		}
		if len(fields) != len(nt.Fields) {
			bad("%d fields of %d", len(fields), len(nt.Fields))
			continue
		}
		if n.csum != int64(schema.Checksum(fields[0])) {
			bad("csum %d", n.csum)
		}
		if want := schema.SortField(fields, int(nt.Config.SortFieldIdx)); n.sfld != want && !looksNumeric(want) {
			bad("sfld %q, want %q", n.sfld, want)
		}
		if n.GUID == "" || n.Tags != schema.JoinTags(n.TagList()) {
			bad("guid %q, tags %q", n.GUID, n.Tags)
		}
		for _, tag := range n.TagList() {
			if !known[tag] {
				bad("tag %q is not registered", tag)
			}
		}
		cards, err := t.NoteCards(n.ID)
		if err != nil {
			return nil, err
		}
		for _, c := range cards {
			if nt.template(int(c.Ord)) == nil {
				bad("card %d without template", c.Ord)
			}
		}
	}
	return out, nil
}

// wantAllCards checks that a note has the cards that it asks for. (Others may
// lack some, whose deck was deleted.)
func wantAllCards(t *Txn, id int64) error {
	n, err := t.Note(id)
	if err != nil {
		return err
	}
	nt, err := t.notetypeFor(n.MID)
	if err != nil {
		return err
	}
	cards, err := t.NoteCards(id)
	if err != nil {
		return err
	}
	var have []int
	for _, c := range cards {
		have = append(have, int(c.Ord))
	}
	if lacks := nt.generator().Missing(n.FieldList(), n.Tags != "", have); len(lacks) > 0 {
		return fmt.Errorf("note %d lacks the cards %v", id, lacks)
	}
	return nil
}

// looksNumeric: the column turns such texts into numbers.
func looksNumeric(s string) bool {
	return strings.TrimLeft(strings.TrimSpace(s), "+-.0123456789eE") == "" && s != ""
}

func deckProblems(t *Txn) ([]string, error) {
	var out []string
	decks, err := t.Decks()
	if err != nil {
		return nil, err
	}
	byName := map[string]*schema.Deck{}
	for _, d := range decks {
		byName[sqlite.Fold(d.Name)] = d
	}
	for _, d := range decks {
		if schema.NormalizeDeckName(schema.HumanDeckName(d.Name)) != d.Name {
			out = append(out, fmt.Sprintf("deck %d: name %q", d.ID, d.Name))
		}
		if i := strings.LastIndex(d.Name, deckSeparator); i > 0 {
			if p := byName[sqlite.Fold(d.Name[:i])]; p == nil || p.Kind.Filtered != nil {
				out = append(out, fmt.Sprintf("deck %q has no normal deck above it", d.Name))
			} else if p.Name != d.Name[:i] {
				out = append(out, fmt.Sprintf("deck %q is not spelt as %q", d.Name, p.Name))
			}
		}
		if n := d.Kind.Normal; n != nil {
			if _, err := t.DeckConfig(n.ConfigID); errors.Is(err, ErrNoObject) {
				out = append(out, fmt.Sprintf("deck %d without options", d.ID))
			}
		}
		filtered := d.Kind.Filtered != nil
		wrong, err := collect(t.h, scanID, `SELECT id FROM cards WHERE did = ? AND (odid != 0) != ?`, d.ID, filtered)
		if err != nil {
			return nil, err
		}
		if len(wrong) > 0 {
			out = append(out, fmt.Sprintf("deck %d (filtered: %v) has the cards %v", d.ID, filtered, wrong))
		}
	}
	if !slices.ContainsFunc(decks, func(d *schema.Deck) bool { return d.ID == defaultDeckID }) {
		out = append(out, "no default deck")
	}
	return out, nil
}

// countProblems compares the counts that are kept with those of the tables, and
// what Meta answers with what is stored.
func countProblems(t *Txn) ([]string, error) {
	var out []string
	counts, err := countRows(t.h)
	if err != nil {
		return nil, err
	}
	if kept := t.h.counts; kept != nil && *kept != counts {
		out = append(out, fmt.Sprintf("kept counts %+v, want %+v", *kept, counts))
	}
	t.h.counts = &counts // what is kept from now on must stay right
	m, err := readMeta(t.h)
	if err != nil {
		return nil, err
	}
	if c := t.u.meta.Load(); c == nil || c.Meta != m {
		out = append(out, "the cached state differs from the stored one")
	}
	return out, nil
}

// TestCheckerFindsFaults breaks a collection in many ways.
func TestCheckerFindsFaults(t *testing.T) {
	for _, q := range []string{
		`UPDATE notes SET csum = csum + 1 WHERE id = (SELECT max(id) FROM notes)`,
		`UPDATE notes SET sfld = 'x' WHERE id = (SELECT max(id) FROM notes)`,
		`UPDATE notes SET tags = ' unheard of ' WHERE id = (SELECT max(id) FROM notes)`,
		`UPDATE cards SET did = 4242 WHERE id = (SELECT max(id) FROM cards)`,
		`UPDATE cards SET nid = 4242 WHERE id = (SELECT max(id) FROM cards)`,
		`DELETE FROM cards WHERE id = (SELECT max(id) FROM cards)`,
		`INSERT INTO graves (oid, type, usn) VALUES ((SELECT max(id) FROM cards), 0, 0)`,
		`UPDATE revlog SET usn = 99 WHERE id = (SELECT max(id) FROM revlog)`,
		`UPDATE decks SET name = name || 'x' WHERE id = (SELECT max(id) FROM decks)`,
	} {
		r := newRig(t, Options{})
		r.putGzip("../testdata/collections/v18-26.09.anki2.gz")
		before := r.problems()
		r.rows(testUser, q)
		if after := r.problems(); len(after) <= len(before) && !strings.Contains(q, "decks") {
			t.Errorf("%s: got %d problems, before %d", q, len(after), len(before))
		}
	}
}
