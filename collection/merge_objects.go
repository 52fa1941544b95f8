package collection

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// merger applies the client's objects (docs/protocol.md §6.4, "Server").
type merger struct {
	h   *handle
	se  *session
	now time.Time
}

func (se *session) mergeChanges(ctx context.Context, h *handle, in Changes, now time.Time) error {
	m := merger{h, se, now}
	if err := mergeAll(ctx, in.Notetypes, "notetype", schema.ParseNotetypeJSON, m.notetype, func(n *schema.Notetype) error {
		return m.giveUpName(`UPDATE notetypes SET name = ? WHERE id = ? AND name != ? AND mtime_secs <= ?`, n.ID, n.Name, n.Mtime)
	}); err != nil {
		return err
	}
	if err := mergeAll(ctx, in.Decks, "deck", schema.ParseDeckJSON, m.deck, func(d *schema.Deck) error {
		return m.giveUpName(`UPDATE decks SET name = ? WHERE id = ? AND name != ? AND mtime_secs <= ?`, d.ID, d.Name, d.Mtime)
	}); err != nil {
		return err
	}
	// Names of options need not differ.
	if err := mergeAll(ctx, in.DeckConfigs, "deck options", schema.ParseDeckConfigJSON, m.deckConfig, func(*schema.DeckConfig) error {
		return nil
	}); err != nil {
		return err
	}
	if err := m.tags(ctx, in.Tags); err != nil {
		return err
	}
	if in.CRT != nil {
		if _, err := h.exec(`UPDATE col SET crt = ?`, *in.CRT); err != nil {
			return err
		}
	}
	if in.Config != nil {
		return m.config(ctx, in.Config)
	}
	return nil
}

// mergeAll reads all objects of one kind, lets their old names go, and merges them.
func mergeAll[T any](
	ctx context.Context, in []json.RawMessage, kind string, parse func([]byte) (*T, error), merge, giveUpName func(*T) error,
) error {
	all := make([]*T, len(in))
	for i, b := range in {
		if err := ctx.Err(); err != nil {
			return err
		}
		o, err := parse(b)
		if err != nil {
			return &BadInputError{"applyChanges", kind, err}
		}
		if err := giveUpName(o); err != nil {
			return err
		}
		all[i] = o
	}
	for _, o := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := merge(o)
		if refused := (*EditError)(nil); errors.As(err, &refused) {
			return &BadInputError{"applyChanges", kind, err}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// giveUpName frees the name of an object that the same message renames, before
// any object of it is merged: another one may take that name over. The official
// server goes through the list as it comes and appends "+" to the second one,
// which the client that sent it never learns (docs/protocol.md §6.4).
func (m merger) giveUpName(update string, id int64, name string, mtime int64) error {
	_, err := m.h.exec(update, fmt.Sprintf("\x00renamed %d", id), id, name, mtime)
	return err
}

func (m merger) tags(ctx context.Context, tags []string) error {
	for _, t := range tags {
		if err := ctx.Err(); err != nil {
			return err
		}
		t, known, err := spellTag(m.h, schema.NormalizeTag(t))
		if err != nil {
			return err
		}
		if t == "" || known {
			continue
		}
		if err := addTag(m.h, t, m.se.serverUSN); err != nil {
			return err
		}
	}
	return nil
}

// config replaces the whole config: the side that is newer wins on every key.
// It comes with every sync of a device that studied, mostly as it was: what has
// not changed is not written, to spare memory cards.
func (m merger) config(ctx context.Context, sent map[string]json.RawMessage) error {
	conf := make(map[string]json.RawMessage, len(sent))
	for k, v := range sent {
		clean, err := schema.CleanJSON(v)
		if err != nil {
			return &BadInputError{"applyChanges", "config", err}
		}
		conf[k] = clean
	}
	var gone []string
	same := map[string]bool{}
	err := m.h.query(func(scan func(...any) error) error {
		var key string
		var val []byte
		if err := scan(&key, &val); err != nil {
			return err
		}
		if now, ok := conf[key]; !ok {
			gone = append(gone, key)
		} else if bytes.Equal(now, val) {
			same[key] = true
		}
		return nil
	}, `SELECT KEY, val FROM config`)
	if err != nil {
		return err
	}
	for _, k := range gone {
		if _, err := m.h.exec(`DELETE FROM config WHERE KEY = ?`, k); err != nil {
			return err
		}
	}
	for k, v := range conf {
		if same[k] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := m.h.exec(`INSERT OR REPLACE INTO config (KEY, usn, mtime_secs, val) VALUES (?, ?, ?, ?)`,
			k, m.se.serverUSN, m.now.Unix(), []byte(v)); err != nil {
			return err
		}
	}
	return nil
}

// wanted tells whether an object of the client is taken over: if it is new here,
// which counts, or not older than what is here. mtime asks for the time of that.
func (m merger) wanted(mtime string, id, theirs int64, count *int64) (wanted, known bool, err error) {
	var ours int64
	err = m.h.row(mtime, []any{id}, &ours)
	if errors.Is(err, sql.ErrNoRows) {
		*count++
		return true, false, nil
	}
	return err == nil && ours <= theirs, true, err
}

func (m merger) deckConfig(c *schema.DeckConfig) error {
	wanted, _, err := m.wanted(`SELECT mtime_secs FROM deck_config WHERE id = ?`, c.ID, c.Mtime, &m.se.delta.DeckConfigs)
	if err != nil || !wanted {
		return err
	}
	_, err = m.h.exec(`INSERT OR REPLACE INTO deck_config (id, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?)`,
		c.ID, c.Name, c.Mtime, m.se.serverUSN, c.Config.Encode())
	return err
}

func (m merger) deck(d *schema.Deck) error {
	wanted, _, err := m.wanted(`SELECT mtime_secs FROM decks WHERE id = ?`, d.ID, d.Mtime, &m.se.delta.Decks)
	if err != nil || !wanted {
		return err
	}
	name, err := m.freeName(`SELECT 1 FROM decks WHERE name = ? AND id != ?`, d.Name, d.ID)
	if err != nil {
		return err
	}
	if name != d.Name {
		d.Name, d.Mtime = name, m.now.Unix()
	}
	common, kind := d.Common.Encode(), d.Kind.Encode()
	// A deck comes with every sync of a device that studied in it, and only its
	// counts have changed: the index of names need not be written to.
	n, err := m.h.exec(`UPDATE decks SET mtime_secs = ?, usn = ?, common = ?, kind = ? WHERE id = ? AND name = ? COLLATE BINARY`,
		d.Mtime, m.se.serverUSN, common, kind, d.ID, d.Name)
	if err != nil || n > 0 {
		return err
	}
	_, err = m.h.exec(`INSERT OR REPLACE INTO decks (id, name, mtime_secs, usn, common, kind) VALUES (?, ?, ?, ?, ?, ?)`,
		d.ID, d.Name, d.Mtime, m.se.serverUSN, common, kind)
	return err
}

// maxSuffixes is how often "+" is appended to a name that is taken. A device
// makes the names of its own objects differ, so that each other device adds one
// at most; without an end a message of a few kilobytes takes minutes.
const maxSuffixes = 100

// freeName appends "+" to name until no other object has it. More than
// maxSuffixes are an EditError.
func (m merger) freeName(taken, name string, id int64) (string, error) {
	for range maxSuffixes + 1 {
		var one int
		err := m.h.row(taken, []any{name, id}, &one)
		if errors.Is(err, sql.ErrNoRows) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
		name += "+"
	}
	return "", tooManyNames()
}

func tooManyNames() error { return refuse("more than %d objects have one name", maxSuffixes+1) }

// partNames are the names of a notetype's fields, or of its templates, folded.
type partNames map[string]bool

// free is freeName among them, and adds the name.
func (p partNames) free(name string) (string, error) {
	folded := sqlite.Fold(name)
	for n := range maxSuffixes + 1 {
		if !p[folded] {
			p[folded] = true
			return name + strings.Repeat("+", n), nil
		}
		folded += "+"
	}
	return "", tooManyNames()
}

func (m merger) notetype(n *schema.Notetype) error {
	wanted, known, err := m.wanted(`SELECT mtime_secs FROM notetypes WHERE id = ?`, n.ID, n.Mtime, &m.se.delta.Notetypes)
	if err != nil || !wanted {
		return err
	}
	if known {
		var fields, templates int
		if err := m.h.row(`SELECT (SELECT count(*) FROM fields WHERE ntid = ?1), (SELECT count(*) FROM templates WHERE ntid = ?1)`,
			[]any{n.ID}, &fields, &templates); err != nil {
			return err
		}
		if fields != len(n.Fields) || templates != len(n.Templates) {
			// Such a change sets scm on the side that makes it, so a client
			// that sends it here has lost track: it must do a full sync.
			return &BadInputError{Step: "applyChanges", Reason: "a notetype's fields or templates differ in number"}
		}
	}
	name, err := m.freeName(`SELECT 1 FROM notetypes WHERE name = ? AND id != ?`, n.Name, n.ID)
	if err != nil {
		return err
	}
	if name != n.Name {
		n.Name, n.Mtime = name, m.now.Unix()
	}
	delete(m.se.notetypes, n.ID)
	return m.saveNotetype(n)
}

func (m merger) saveNotetype(n *schema.Notetype) error {
	for _, del := range []string{`DELETE FROM fields WHERE ntid = ?`, `DELETE FROM templates WHERE ntid = ?`} {
		if _, err := m.h.exec(del, n.ID); err != nil {
			return err
		}
	}
	if _, err := m.h.exec(`INSERT OR REPLACE INTO notetypes (id, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?)`,
		n.ID, n.Name, n.Mtime, m.se.serverUSN, n.Config.Encode()); err != nil {
		return err
	}
	names := partNames{}
	for i, f := range n.Fields {
		name, err := names.free(f.Name)
		if err != nil {
			return err
		}
		if _, err := m.h.exec(`INSERT INTO fields (ntid, ord, name, config) VALUES (?, ?, ?, ?)`, n.ID, i, name, f.Config.Encode()); err != nil {
			return err
		}
	}
	clear(names)
	for i, t := range n.Templates {
		name, err := names.free(t.Name)
		if err != nil {
			return err
		}
		if _, err := m.h.exec(`INSERT INTO templates (ntid, ord, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?, ?)`,
			n.ID, i, name, t.Mtime, t.USN, t.Config.Encode()); err != nil {
			return err
		}
	}
	return nil
}
