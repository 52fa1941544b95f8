package collection

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Upgrade brings the collection file at path, a private copy, to schema 18 in
// one transaction (docs/collection-format.md §5) and leaves it as a single file
// with a rollback journal. changed is false if it was schema 18 already.
//
// What could run by itself, or cost more than it holds, is taken out of it first,
// whatever its schema (screen).
//
// Versions 11 and 14 to 18 are taken, others are ErrUnsupportedSchema; objects
// that cannot be read are ErrCorrupt. On an error the content is what it was.
// Where the reference's choice is random (which of two equal names is changed),
// ours is the order of ids.
func Upgrade(ctx context.Context, path string) (changed bool, err error) {
	db, err := sqlite.Open(ctx, path, sqlite.Options{Exclusive: true, Journal: "delete", CacheKiB: convCacheKiB, Foreign: true})
	if err != nil {
		return false, fmt.Errorf("upgrade collection: %w", damaged(err))
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return upgrade(ctx, db)
}

func upgrade(ctx context.Context, db *sql.DB) (changed bool, err error) {
	err = sqlite.InTx(ctx, db, func(tx *sql.Tx) error {
		u := upgrader{ctx: ctx, tx: tx, now: time.Now().Unix()}
		changed, err = u.run()
		return err
	})
	if err != nil {
		return false, fmt.Errorf("upgrade collection: %w", damaged(err))
	}
	return changed, nil
}

// damaged marks SQLite's own complaints about a file as ErrCorrupt, and so
// broken constraints: what we insert is unique unless the file is strange.
func damaged(err error) error {
	if (sqlite.IsCorrupt(err) || sqlite.IsUnique(err)) && !errors.Is(err, ErrCorrupt) {
		return corrupt("%w", err)
	}
	return err
}

// convCacheKiB is the page cache of a conversion: it touches much of the file
// once, so more would not help.
const convCacheKiB = 8 << 10

type upgrader struct {
	ctx context.Context
	tx  convTx
	now int64 // epoch seconds, for objects that we had to change
	usn int64 // the server's, likewise
}

func (u *upgrader) exec(query string, args ...any) error {
	return convExec(u.ctx, u.tx, query, args...)
}

func (u *upgrader) run() (bool, error) {
	if err := screen(u.ctx, u.tx); err != nil {
		return false, err
	}
	ver, err := schemaVersion(u.ctx, u.tx)
	if err != nil {
		return false, err
	}
	switch {
	case ver == schemaCurrent:
		return false, nil
	case ver != schemaOldest && (ver < schemaTables || ver > schemaCurrent):
		return false, fmt.Errorf("%w %d", ErrUnsupportedSchema, ver)
	}
	if err := checkTables(u.ctx, u.tx, expectedIn(ver)); err != nil {
		return false, err
	}
	if err := u.tx.QueryRowContext(u.ctx, `SELECT usn FROM col`).Scan(&u.usn); err != nil {
		return false, corrupt("col: %w", err)
	}
	for _, step := range []struct {
		to  int64
		run func() error
	}{
		{schemaTables, u.makeTables},
		{schemaProtobuf, u.makeProtobuf},
		{schemaEase, func() error { return u.fixEase(ver) }},
		{schemaTags, u.extendTags},
		{schemaCurrent, u.rebuildGraves},
	} {
		if ver >= step.to {
			continue
		}
		if err := step.run(); err != nil {
			return false, fmt.Errorf("to schema %d: %w", step.to, err)
		}
	}
	return true, u.exec(`UPDATE col SET ver = ?, conf = '', models = '', decks = '', dconf = '', tags = ''`, schemaCurrent)
}

// column reads one of col's JSON objects.
func (u *upgrader) column(name string) (map[string]json.RawMessage, error) {
	var b []byte
	if err := u.tx.QueryRowContext(u.ctx, `SELECT `+name+` FROM col`).Scan(&b); err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, corrupt("col.%s: %w", name, err)
	}
	return m, nil
}

// sortedKeys returns the keys in the order of the numbers they are, then the
// others in text order.
func sortedKeys(m map[string]json.RawMessage) []string {
	keys := slices.Collect(maps.Keys(m))
	slices.SortFunc(keys, func(a, b string) int {
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		switch {
		case errX == nil && errY == nil && x != y:
			if x < y {
				return -1
			}
			return 1
		case (errX == nil) != (errY == nil):
			if errX == nil {
				return -1
			}
			return 1
		case a < b:
			return -1
		}
		return 1
	})
	return keys
}

// makeTables is step 1: options, configuration and tags get tables. The
// options are kept as JSON till the next step.
func (u *upgrader) makeTables() error {
	if err := u.exec(ddlTables + `CREATE TABLE tags (tag text NOT NULL PRIMARY KEY COLLATE unicase, usn integer NOT NULL) WITHOUT ROWID;`); err != nil {
		return err
	}
	dconf, err := u.column("dconf")
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(dconf) {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return corrupt("deck config %q: not a number", key)
		}
		if err := u.exec(`INSERT OR REPLACE INTO deck_config (id, name, mtime_secs, usn, config) VALUES (?, '', 0, 0, ?)`,
			id, []byte(dconf[key])); err != nil {
			return err
		}
	}
	tags, err := u.column("tags")
	if err != nil {
		return err
	}
	for _, tag := range sortedKeys(tags) {
		usn, err := strconv.ParseInt(string(tags[tag]), 10, 32)
		if err != nil {
			return corrupt("tag: bad usn")
		}
		if err := u.exec(`INSERT OR IGNORE INTO tags (tag, usn) VALUES (?, ?)`, tag, usn); err != nil {
			return err
		}
	}
	conf, err := u.column("conf")
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(conf) {
		val, err := schema.CleanJSON(conf[key])
		if err != nil {
			return corrupt("config %q: %w", key, err)
		}
		if err := u.exec(`INSERT INTO config (KEY, usn, mtime_secs, val) VALUES (?, 0, 0, ?)`, key, val); err != nil {
			return err
		}
	}
	return nil
}

// fixEase is step 3: options whose starting ease was impossibly low get the
// default, and so do the cards in their decks that it has damaged.
func (u *upgrader) fixEase(from int64) error {
	fixed, err := u.fixConfigEase(from == schemaProtobuf)
	if err != nil || len(fixed) == 0 {
		return err
	}
	var decks []int64
	err = convEach(u.ctx, u.tx, `SELECT id, kind FROM decks ORDER BY id`, func(rows *sql.Rows) error {
		var id int64
		var b []byte
		if err := rows.Scan(&id, &b); err != nil {
			return err
		}
		k, err := schema.DecodeDeckKind(b)
		if err != nil {
			return corrupt("deck %d: %w", id, err)
		}
		if k.Normal != nil && slices.Contains(fixed, k.Normal.ConfigID) {
			decks = append(decks, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range decks {
		if err := u.exec(`UPDATE cards SET factor = 2500, usn = ?1 WHERE factor > 0 AND factor <= 2000 AND (did = ?2 OR odid = ?2)`,
			u.usn, id); err != nil {
			return err
		}
	}
	return nil
}

// fixConfigEase returns the ids of the options it had to change. In files of
// schema 15 the ease is a percentage.
func (u *upgrader) fixConfigEase(percent bool) (fixed []int64, err error) {
	const lowest, standard = 1.3, 2.5
	changed := map[int64]schema.DeckConfigInner{}
	err = convEach(u.ctx, u.tx, `SELECT id, config FROM deck_config ORDER BY id`, func(rows *sql.Rows) error {
		var id int64
		var b []byte
		if err := rows.Scan(&id, &b); err != nil {
			return err
		}
		c, err := schema.DecodeDeckConfigInner(b)
		if err != nil {
			return corrupt("deck config %d: %w", id, err)
		}
		if percent {
			c.InitialEase /= 100
			changed[id] = c
		}
		if c.InitialEase <= lowest {
			c.InitialEase = standard
			changed[id] = c
			fixed = append(fixed, id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for id, c := range changed {
		if err := u.exec(`UPDATE deck_config SET config = ? WHERE id = ?`, blob(c.Encode()), id); err != nil {
			return nil, err
		}
	}
	return fixed, nil
}

// extendTags is step 4.
func (u *upgrader) extendTags() error {
	return u.exec(`ALTER TABLE tags RENAME TO tags_old;` + ddlTags +
		`INSERT INTO tags SELECT tag, usn, 1, NULL FROM tags_old; DROP TABLE tags_old;`)
}

// rebuildGraves is step 5: of equal graves the first stays.
func (u *upgrader) rebuildGraves() error {
	return u.exec(`ALTER TABLE graves RENAME TO graves_old;` + ddlGraves18 +
		`INSERT OR IGNORE INTO graves (oid, type, usn) SELECT oid, type, usn FROM graves_old ORDER BY rowid; DROP TABLE graves_old;`)
}
