package collection

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"

	"golang.org/x/text/unicode/norm"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// makeProtobuf is step 2: notetypes and decks get tables, and everything but
// the configuration becomes protobuf.
func (u *upgrader) makeProtobuf() error {
	if err := u.exec(ddlProtobuf); err != nil {
		return err
	}
	if err := u.convertNotetypes(); err != nil {
		return err
	}
	if err := u.convertDecks(); err != nil {
		return err
	}
	return u.convertDeckConfigs()
}

// uniqueID picks an object's id: its own, or the key it is stored under if
// another object has that id already.
func uniqueID[T any](taken map[int64]T, id int64, key string) (int64, error) {
	if _, ok := taken[id]; !ok {
		return id, nil
	}
	id, err := strconv.ParseInt(key, 10, 64)
	if _, ok := taken[id]; ok || err != nil {
		return 0, corrupt("two objects with the id %q", key)
	}
	return id, nil
}

// maxEqualNames is how many objects of a kind may have one name before the upgrade
// makes them differ: what that takes grows with the third power.
const maxEqualNames = 1000

// uniqueName appends suffix to name till nobody has it.
func (u *upgrader) uniqueName(taken map[string]bool, name, suffix string) (string, error) {
	for i := 0; taken[sqlite.Fold(name)]; i++ {
		if i == maxEqualNames {
			return "", corrupt("more than %d objects have one name", maxEqualNames)
		}
		if err := u.ctx.Err(); err != nil {
			return "", err
		}
		name += suffix
	}
	taken[sqlite.Fold(name)] = true
	return name, nil
}

func (u *upgrader) convertNotetypes() error {
	models, err := u.column("models")
	if err != nil {
		return err
	}
	ids, names := map[int64]bool{}, map[string]bool{}
	var unnumbered []*schema.Notetype
	for _, key := range sortedKeys(models) {
		nt, err := schema.ParseNotetypeJSON(models[key])
		if err != nil {
			return corrupt("notetype %q: %w", key, err)
		}
		if nt.ID == 0 {
			unnumbered = append(unnumbered, nt)
			continue
		}
		if nt.ID, err = uniqueID(ids, nt.ID, key); err != nil {
			return err
		}
		ids[nt.ID] = true
		if err := u.insertNotetype(nt, names); err != nil {
			return err
		}
	}
	// The id 0 means "not yet added" and cannot stay: the next free one.
	next := u.now * 1000
	for _, nt := range unnumbered {
		for ids[next] {
			next++
		}
		nt.ID = next
		ids[nt.ID] = true
		if err := u.insertNotetype(nt, names); err != nil {
			return err
		}
	}
	return nil
}

func (u *upgrader) insertNotetype(nt *schema.Notetype, names map[string]bool) (err error) {
	if nt.Name, err = u.uniqueName(names, norm.NFC.String(nt.Name), "_"); err != nil {
		return err
	}
	taken := map[string]bool{}
	for i := range nt.Fields {
		f := &nt.Fields[i]
		if f.Name, err = u.uniqueName(taken, norm.NFC.String(f.Name), "+"); err != nil {
			return err
		}
	}
	taken = map[string]bool{}
	for i := range nt.Templates {
		t := &nt.Templates[i]
		if t.Name, err = u.uniqueName(taken, norm.NFC.String(t.Name), "+"); err != nil {
			return err
		}
	}
	return writeNotetype(u.ctx, u.tx, nt)
}

// writeNotetype inserts a notetype with its fields and templates.
func writeNotetype(ctx context.Context, tx convTx, nt *schema.Notetype) error {
	if err := convExec(ctx, tx, `INSERT INTO notetypes (id, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?)`,
		nt.ID, nt.Name, nt.Mtime, nt.USN, blob(nt.Config.Encode())); err != nil {
		return err
	}
	for _, f := range nt.Fields {
		if err := convExec(ctx, tx, `INSERT INTO fields (ntid, ord, name, config) VALUES (?, ?, ?, ?)`,
			nt.ID, f.Ord, f.Name, blob(f.Config.Encode())); err != nil {
			return err
		}
	}
	for _, t := range nt.Templates {
		if err := convExec(ctx, tx, `INSERT INTO templates (ntid, ord, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?, ?)`,
			nt.ID, t.Ord, t.Name, t.Mtime, t.USN, blob(t.Config.Encode())); err != nil {
			return err
		}
	}
	return nil
}

// blob keeps an empty message from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (u *upgrader) convertDecks() error {
	decks, err := u.column("decks")
	if err != nil {
		return err
	}
	ids, names := map[int64]bool{}, map[string]bool{}
	for _, key := range sortedKeys(decks) {
		d, err := schema.ParseDeckJSON(decks[key])
		if err != nil {
			return corrupt("deck %q: %w", key, err)
		}
		if d.ID, err = uniqueID(ids, d.ID, key); err != nil {
			return err
		}
		ids[d.ID] = true
		var old map[string]json.RawMessage
		var human string
		if json.Unmarshal(decks[key], &old) != nil || json.Unmarshal(old["name"], &human) != nil {
			return corrupt("deck %q: no name", key)
		}
		if d.Name, err = u.uniqueName(names, d.Name, "_"); err != nil {
			return err
		}
		if schema.HumanDeckName(d.Name) != human {
			d.Mtime, d.USN = u.now, int32(u.usn)
		}
		if err := writeDeck(u.ctx, u.tx, d); err != nil {
			return err
		}
	}
	return nil
}

func writeDeck(ctx context.Context, tx convTx, d *schema.Deck) error {
	return convExec(ctx, tx, `INSERT INTO decks (id, name, mtime_secs, usn, common, kind) VALUES (?, ?, ?, ?, ?, ?)`,
		d.ID, d.Name, d.Mtime, d.USN, blob(d.Common.Encode()), blob(d.Kind.Encode()))
}

func (u *upgrader) convertDeckConfigs() error {
	var configs []*schema.DeckConfig
	err := convEach(u.ctx, u.tx, `SELECT id, config FROM deck_config ORDER BY id`, func(rows *sql.Rows) error {
		var id int64
		var b []byte
		if err := rows.Scan(&id, &b); err != nil {
			return err
		}
		c, err := schema.ParseDeckConfigJSON(b)
		if err != nil {
			return corrupt("deck config %d: %w", id, err)
		}
		c.ID = id // whatever the object says
		configs = append(configs, c)
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range configs {
		if err := u.exec(`UPDATE deck_config SET name = ?, mtime_secs = ?, usn = ?, config = ? WHERE id = ?`,
			c.Name, c.Mtime, c.USN, blob(c.Config.Encode()), c.ID); err != nil {
			return err
		}
	}
	return nil
}
