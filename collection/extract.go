package collection

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// ExtractOptions say what part of a collection is extracted, and what of it is
// left behind.
type ExtractOptions struct {
	// Deck, if it is not 0, stands for the notes with a card in that deck or one
	// below it, or with a card that is only lent to a filtered deck.
	Deck int64
	// Notes are these notes, if Deck is 0; all of their cards come along.
	Notes []int64
	// Scheduling keeps how far the cards are learned, and the reviews. Without it
	// cards are new, suspended and flagged ones, too, and the tags "leech" and
	// "marked" are left out. Filtered decks stay behind then, and their cards are
	// where they are at home, unless Deck is that filtered deck or above it: then it
	// has become a normal one.
	Scheduling bool
	// DeckOptions keeps the options (presets) of the decks.
	DeckOptions bool
}

// Extract is a part of a collection in a file of its own: a schema-18 collection,
// settled, without a WAL.
type Extract struct {
	Path string
	// Notetypes are those of the notes.
	Notetypes []*schema.Notetype

	firstScheduler bool
}

// Extract writes a part of a user's collection to a new file at path, as clients
// do it for a package: the notes, all their cards, the decks of these with those
// above them, the notetypes, and of the configuration what days are counted by.
// choose says which part. The collection does not change; as in View, it is in
// nobody else's hands while rows are copied. After an error the file may be there.
func (s *Store) Extract(ctx context.Context, name, path string, choose func(t *Txn) (ExtractOptions, error)) (*Extract, error) {
	indexes, err := s.newExtract(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("extract: %w", err)
	}
	e := &Extract{Path: path}
	if err := s.View(ctx, name, func(t *Txn) error {
		o, err := choose(t)
		if err != nil {
			return err
		}
		return t.extract(ctx, e, o)
	}); err != nil {
		return nil, err
	}
	// Outside the user's lock: it takes as long again.
	if err := e.edit(ctx, indexes...); err != nil {
		return nil, fmt.Errorf("extract: index: %w", err)
	}
	return e, nil
}

// newExtract makes an empty collection whose large tables have no indexes, and
// returns the statements that make these.
func (s *Store) newExtract(ctx context.Context, path string) (indexes []string, err error) {
	if err := Fresh(ctx, path, s.o.Now()); err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{Journal: "memory", Synchronous: "off"})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var names []string
	if err := convEach(ctx, db, `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
		AND tbl_name IN ('notes', 'cards', 'revlog')`, func(rows *sql.Rows) error {
		var name, text string
		err := rows.Scan(&name, &text)
		names, indexes = append(names, name), append(indexes, text)
		return err
	}); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := convExec(ctx, db, `DROP INDEX `+name); err != nil {
			return nil, err
		}
	}
	return indexes, nil
}

// edit runs statements on the extract.
func (e *Extract) edit(ctx context.Context, statements ...string) error {
	db, err := sqlite.Open(ctx, e.Path, sqlite.Options{Journal: "delete", Synchronous: "off", CacheKiB: convCacheKiB})
	if err != nil {
		return err
	}
	for _, text := range statements {
		if err := convExec(ctx, db, text); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	return db.Close()
}

// EachNote calls f for each note.
func (e *Extract) EachNote(ctx context.Context, f func(notetypeID int64, fields string) error) error {
	db, err := sqlite.Open(ctx, e.Path, sqlite.Options{ReadOnly: true, Immutable: true})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // only read
	return convEach(ctx, db, `SELECT mid, flds FROM notes`, func(rows *sql.Rows) error {
		var mid int64
		var fields string
		if err := rows.Scan(&mid, &fields); err != nil {
			return err
		}
		return f(mid, fields)
	})
}

// Downgrade writes a schema-11 copy at path, for clients that know no other. With
// firstScheduler it says that it is of the scheduler of 2006, which makes no
// difference for new cards, and clients that do not know the second one take it.
func (e *Extract) Downgrade(ctx context.Context, path string, firstScheduler bool) error {
	if firstScheduler && !e.firstScheduler {
		if err := e.edit(ctx, firstSchedulerIn("main")); err != nil {
			return fmt.Errorf("extract: %w", err)
		}
		e.firstScheduler = true
	}
	return Downgrade(ctx, e.Path, path, false)
}

// FirstScheduler tells whether the cards are those of the scheduler of 2006.
func (e *Extract) FirstScheduler() bool { return e.firstScheduler }

// firstSchedulerIn makes a database the collection of the first scheduler.
func firstSchedulerIn(db string) string {
	return `UPDATE ` + db + `.config SET val = CAST('1' AS BLOB) WHERE KEY = 'schedVer';
		DELETE FROM ` + db + `.config WHERE KEY = 'sched2021'`
}

// extract copies the rows into the empty collection at e.Path.
func (t *Txn) extract(ctx context.Context, e *Extract, o ExtractOptions) (err error) {
	if _, err := t.h.conn.ExecContext(background, `ATTACH `+sqlite.Quote(e.Path)+` AS out`); err != nil {
		return fmt.Errorf("extract: %w", err)
	}
	defer func() {
		if _, derr := t.h.conn.ExecContext(background, `DETACH out`); derr != nil {
			t.s.closeHandle(t.u) // which lets go of it in any case
			err = errors.Join(err, derr)
		}
	}()
	x := extraction{Txn: t, ctx: ctx, o: o}
	if err := x.run(); err != nil {
		return fmt.Errorf("extract: %w", err)
	}
	e.Notetypes, e.firstScheduler = x.used, x.before.SchedVer != 2
	return nil
}

// extraction is an extract being made: what is copied from main to out. The
// statements are not kept prepared, as they are rare.
type extraction struct {
	*Txn
	ctx  context.Context
	o    ExtractOptions
	tree string // the deck and those below it, as idList
	used []*schema.Notetype
}

func (x *extraction) run() (err error) {
	stop, err := x.h.conn.InterruptWhenDone(x.ctx)
	if err != nil {
		return err
	}
	defer func() {
		stop()
		if err != nil && x.ctx.Err() != nil { // not that SQLite was interrupted
			err = x.ctx.Err()
		}
	}()
	for _, step := range []func() error{x.settings, x.notes, x.cards, x.allDecks, x.notetypes, x.config} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// settings are for a file that is thrown away if anything fails.
func (x *extraction) settings() error {
	if err := x.exec(`PRAGMA out.journal_mode = memory`); err != nil {
		return err
	}
	return x.exec(`PRAGMA out.synchronous = off`)
}

func (x *extraction) exec(query string, args ...any) error {
	if err := x.ctx.Err(); err != nil {
		return err
	}
	_, err := x.h.conn.ExecContext(background, query, args...)
	return err
}

func (x *extraction) ids(query string, args ...any) (out []int64, err error) {
	rows, err := x.h.conn.QueryContext(background, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // read to the end below, or given up
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// learnersTags are what clients tag notes with for the one who learns.
const learnersTags = `(tags LIKE '% leech %' OR tags LIKE '% marked %')`

func (x *extraction) notes() error {
	x.tree = "[]"
	if x.o.Deck != 0 {
		tree, err := x.deckIDs(x.o.Deck)
		if err != nil {
			return err
		}
		x.tree = idList(tree)
		x.o.Notes, err = x.ids(`SELECT DISTINCT nid FROM cards WHERE did IN (SELECT value FROM json_each(?1))
			OR odid IN (SELECT value FROM json_each(?1)) ORDER BY nid`, x.tree)
		if err != nil {
			return err
		}
	}
	const columns = `INSERT INTO out.notes (id, guid, mid, mod, usn, tags, flds, sfld, csum, flags, data)
		SELECT id, guid, mid, CAST(mod AS INTEGER), usn, `
	const rest = `, flds, sfld, csum, flags, data FROM main.notes `
	// Notes of a notetype that is broken can be shown nowhere.
	const chosen = `WHERE id IN (SELECT value FROM json_each(?)) AND mid IN (SELECT id FROM main.notetypes)
		AND mid IN (SELECT ntid FROM main.fields) AND mid IN (SELECT ntid FROM main.templates) `
	if x.o.Scheduling {
		return x.exec(columns+`tags`+rest+chosen, idList(x.o.Notes))
	}
	if err := x.exec(columns+`tags`+rest+chosen+`AND NOT `+learnersTags, idList(x.o.Notes)); err != nil {
		return err
	}
	tagged, err := x.ids(`SELECT id FROM main.notes `+chosen+`AND `+learnersTags, idList(x.o.Notes))
	if err != nil {
		return err
	}
	for _, id := range tagged {
		n, err := x.Note(id)
		if err != nil {
			return err
		}
		var tags []string
		for _, tag := range n.TagList() {
			if !strings.EqualFold(tag, "leech") && !strings.EqualFold(tag, "marked") {
				tags = append(tags, tag)
			}
		}
		if err := x.exec(columns+`?`+rest+`WHERE id = ?`, schema.JoinTags(tags), id); err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) cards() error {
	if x.o.Scheduling {
		if err := x.exec(`INSERT INTO out.cards (id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data)
			SELECT ` + qualified("c", strings.TrimSuffix(cardColumns, ", data")) + `,
				CASE WHEN NOT json_valid(c.data) THEN '{}' WHEN json_type(c.data) = 'object' THEN c.data ELSE '{}' END
			FROM out.notes n CROSS JOIN main.cards c ON c.nid = n.id`); err != nil {
			return err
		}
		return x.exec(`INSERT INTO out.revlog (id, cid, usn, ease, ivl, lastIvl, factor, time, type)
			SELECT ` + qualified("r", revlogColumns) + ` FROM out.cards c CROSS JOIN main.revlog r ON r.cid = c.id`)
	}
	next, err := x.configInt("nextPos", 1)
	if err != nil {
		return err
	}
	// New cards keep their place among the new ones, others get back the one that
	// they had; those of which nobody knows it come last.
	return x.exec(`WITH c AS (
			SELECT c.*, CASE
				WHEN c.type = 0 AND c.odid = 0 THEN CAST(c.due AS INTEGER)
				WHEN c.type = 0 THEN CAST(c.odue AS INTEGER)
				WHEN json_valid(c.data) THEN json_extract(c.data, '$.pos')
			END AS place
			FROM out.notes n CROSS JOIN main.cards c ON c.nid = n.id
		), known AS (
			SELECT *, typeof(place) = 'integer' AND place BETWEEN 0 AND 2147483647 AS placed FROM c
		)
		INSERT INTO out.cards (id, nid, did, ord, mod, usn, type, queue, due, ivl, factor, reps, lapses, left, odue, odid, flags, data)
		SELECT id, nid,
			CASE WHEN odid != 0 AND did NOT IN (SELECT value FROM json_each(?1)) THEN odid ELSE did END,
			ord, CAST(mod AS INTEGER), usn, 0, 0,
			CASE WHEN placed THEN place ELSE min(?2 + row_number() OVER (PARTITION BY placed ORDER BY id) - 1, 2147483647) END,
			0, 0, 0, 0, 0, 0, 0, 0, '{}'
		FROM known`, x.tree, max(next, 0))
}

// qualified puts a table's name before the columns of a list.
func qualified(table, columns string) string {
	list := strings.Split(columns, ",")
	for i, c := range list {
		c = strings.TrimSpace(c)
		if rest, ok := strings.CutPrefix(c, "CAST("); ok {
			list[i] = "CAST(" + table + "." + rest
		} else {
			list[i] = table + "." + c
		}
	}
	return strings.Join(list, ", ")
}

// allDecks brings the decks of the cards, and those above them.
func (x *extraction) allDecks() error {
	used, err := x.ids(`SELECT did FROM out.cards UNION SELECT odid FROM out.cards`)
	if err != nil {
		return err
	}
	all, err := x.Decks()
	if err != nil {
		return err
	}
	wanted := map[int64]bool{}
	for _, id := range used {
		wanted[id] = true
	}
	names := map[string]bool{} // of the decks above these, too
	for _, d := range all {
		for name := sqlite.Fold(d.Name); wanted[d.ID] && name != ""; name = name[:max(0, strings.LastIndex(name, deckSeparator))] {
			names[name] = true
		}
	}
	presets := map[int64]bool{}
	for _, d := range all {
		if d.ID == defaultDeckID {
			// Whatever it is called, it must not have the name of another one.
			if err := x.exec(`UPDATE out.decks SET name = ? WHERE id = ?`, d.Name, d.ID); err != nil {
				return err
			}
		}
	}
	for _, d := range all {
		if !names[sqlite.Fold(d.Name)] || d.ID == defaultDeckID && !x.o.Scheduling {
			continue
		}
		own := x.deck(d)
		if own.Kind.Normal != nil {
			presets[own.Kind.Normal.ConfigID] = true
		}
		if err := x.exec(`INSERT OR REPLACE INTO out.decks (id, name, mtime_secs, usn, common, kind) VALUES (?, ?, ?, ?, ?, ?)`,
			own.ID, own.Name, own.Mtime, own.USN, own.Common.Encode(), own.Kind.Encode()); err != nil {
			return err
		}
	}
	if !x.o.DeckOptions {
		return nil
	}
	var ids []int64
	for id := range presets {
		ids = append(ids, id)
	}
	return x.exec(`INSERT OR REPLACE INTO out.deck_config (id, name, mtime_secs, usn, config)
		SELECT id, name, mtime_secs, usn, config FROM main.deck_config WHERE id IN (SELECT value FROM json_each(?))`, idList(ids))
}

// deck is a deck as it is in the extract. What was studied today, limits, and
// whether it is folded is for the one who learns.
func (x *extraction) deck(d *schema.Deck) schema.Deck {
	own := *d
	n := schema.NormalDeck{ConfigID: defaultConfigID}
	if d.Kind.Normal != nil {
		n = *d.Kind.Normal
	} else if x.o.Scheduling {
		return own
	}
	if !x.o.Scheduling {
		n = schema.NormalDeck{ConfigID: n.ConfigID, Description: n.Description, Markdown: n.Markdown, DesiredRetention: n.DesiredRetention}
		own.Common = schema.DeckCommon{}
	}
	if !x.o.DeckOptions {
		n.ConfigID = defaultConfigID
	}
	own.Kind = schema.DeckKind{Normal: &n}
	return own
}

func (x *extraction) notetypes() error {
	ids, err := x.ids(`SELECT DISTINCT mid FROM out.notes ORDER BY mid`)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return nil // those of a new collection
	}
	for _, id := range ids {
		nt, err := x.Notetype(id)
		if err != nil {
			return err
		}
		x.used = append(x.used, nt)
	}
	if err := x.exec(`DELETE FROM out.fields; DELETE FROM out.templates; DELETE FROM out.notetypes`); err != nil {
		return err
	}
	for _, copied := range []string{
		`INSERT INTO out.notetypes (id, name, mtime_secs, usn, config)
			SELECT id, name, mtime_secs, usn, config FROM main.notetypes WHERE id IN (SELECT value FROM json_each(?))`,
		`INSERT INTO out.fields (ntid, ord, name, config)
			SELECT ntid, ord, name, config FROM main.fields WHERE ntid IN (SELECT value FROM json_each(?))`,
		`INSERT INTO out.templates (ntid, ord, name, mtime_secs, usn, config)
			SELECT ntid, ord, name, mtime_secs, usn, config FROM main.templates WHERE ntid IN (SELECT value FROM json_each(?))`,
	} {
		if err := x.exec(copied, idList(ids)); err != nil {
			return err
		}
	}
	return x.exec(`UPDATE out.config SET val = CAST(? AS BLOB) WHERE KEY = 'curModel'`, ids[0])
}

// config says from when days are counted, and by which scheduler.
func (x *extraction) config() error {
	if err := x.exec(`UPDATE out.col SET crt = (SELECT crt FROM main.col), mod = ?1, scm = ?1`, x.now.UnixMilli()); err != nil {
		return err
	}
	if err := x.exec(`DELETE FROM out.config WHERE KEY = 'creationOffset'`); err != nil {
		return err
	}
	if err := x.exec(`INSERT OR REPLACE INTO out.config (KEY, usn, mtime_secs, val)
		SELECT KEY, 0, 0, val FROM main.config WHERE KEY IN ('creationOffset', 'rollover')`); err != nil {
		return err
	}
	if x.before.SchedVer == 2 {
		return nil
	}
	return x.exec(firstSchedulerIn("out"))
}
