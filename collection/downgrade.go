package collection

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Downgrade writes a schema-11 copy of the schema-18 file src at dst, for
// clients that know no other (docs/collection-format.md §6, which lists what it
// loses). With textIDs the notetypes' ids are text inside the models column
// (docs/protocol.md §10). src must be settled, without a WAL, and stays as it
// is; dst is replaced, is a single file, and is gone after an error.
//
// Notes, cards and reviews keep their pages: the cost is that of copying the
// file, and memory does not depend on its size. A schema other than 18 is
// ErrUnsupportedSchema, an object that cannot be read ErrCorrupt.
func Downgrade(ctx context.Context, src, dst string, textIDs bool) (err error) {
	defer func() {
		if err != nil {
			for _, side := range []string{"", "-journal", "-wal", "-shm"} {
				_ = os.Remove(dst + side)
			}
			err = fmt.Errorf("downgrade collection: %w", err)
		}
	}()
	if err := duplicateFile(ctx, src, dst); err != nil {
		return err
	}
	// The first access turns a WAL file into a plain one (in exclusive mode its
	// journal would stay behind). After that nothing needs a journal: a copy
	// that fails is thrown away.
	db, err := sqlite.Open(ctx, dst, sqlite.Options{Journal: "delete", Synchronous: "off", CacheKiB: convCacheKiB})
	if err != nil {
		return damaged(err)
	}
	err = convExec(ctx, db, `PRAGMA journal_mode = off`)
	if err == nil {
		err = sqlite.InTx(ctx, db, func(tx *sql.Tx) error {
			d := downgrader{ctx: ctx, tx: tx}
			return d.run(textIDs)
		})
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return damaged(err)
	}
	return syncPath(dst)
}

// copyStep is how much is copied between two looks at the context.
const copyStep = 16 << 20

// duplicateFile copies src to dst; where the file system can, without reading.
func duplicateFile(ctx context.Context, src, dst string) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := io.CopyN(out, in, copyStep)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func syncPath(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

type downgrader struct {
	ctx context.Context
	tx  convTx
}

func (d *downgrader) run(textIDs bool) error {
	ver, err := schemaVersion(d.ctx, d.tx)
	if err != nil {
		return err
	}
	if ver != schemaCurrent {
		return fmt.Errorf("%w %d", ErrUnsupportedSchema, ver)
	}
	if err := checkTables(d.ctx, d.tx, expectedColumns); err != nil {
		return err
	}
	models, err := d.models(textIDs)
	if err != nil {
		return fmt.Errorf("notetypes: %w", err)
	}
	decks, err := d.decks()
	if err != nil {
		return fmt.Errorf("decks: %w", err)
	}
	dconf, err := d.dconf()
	if err != nil {
		return fmt.Errorf("deck configs: %w", err)
	}
	conf, err := d.conf()
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	tags, err := d.tags()
	if err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	if err := convExec(d.ctx, d.tx, `UPDATE col SET ver = ?, models = ?, decks = ?, dconf = ?, conf = ?, tags = ?`,
		schemaOldest, models, decks, dconf, conf, tags); err != nil {
		return err
	}
	return convExec(d.ctx, d.tx, ddlDrop+`ALTER TABLE graves RENAME TO graves_old;`+ddlGraves11+
		`INSERT INTO graves (usn, oid, type) SELECT usn, oid, type FROM graves_old; DROP TABLE graves_old;`)
}

// jsonMap builds a JSON object out of finished values.
type jsonMap struct{ b []byte }

func (m *jsonMap) add(key string, value []byte) error {
	k, err := json.Marshal(key)
	if err != nil {
		return err
	}
	if len(m.b) == 0 {
		m.b = append(m.b, '{')
	} else {
		m.b = append(m.b, ',')
	}
	m.b = append(append(append(m.b, k...), ':'), value...)
	return nil
}

func (m *jsonMap) addID(id int64, value []byte) error { return m.add(strconv.FormatInt(id, 10), value) }

func (m *jsonMap) String() string {
	if len(m.b) == 0 {
		return "{}"
	}
	return string(m.b) + "}"
}

func (d *downgrader) models(textIDs bool) (string, error) {
	nts, err := readNotetypes(d.ctx, d.tx)
	if err != nil {
		return "", err
	}
	var m jsonMap
	for _, nt := range nts {
		b, err := nt.JSON(textIDs)
		if err == nil {
			err = m.addID(nt.ID, b)
		}
		if err != nil {
			return "", corrupt("%d: %w", nt.ID, err)
		}
	}
	return m.String(), nil
}

func (d *downgrader) decks() (string, error) {
	var m jsonMap
	err := eachDeck(d.ctx, d.tx, func(deck *schema.Deck) error {
		b, err := deck.JSON()
		if err != nil {
			return corrupt("%d: %w", deck.ID, err)
		}
		return m.addID(deck.ID, b)
	})
	return m.String(), err
}

func (d *downgrader) dconf() (string, error) {
	var m jsonMap
	err := eachDeckConfig(d.ctx, d.tx, func(c *schema.DeckConfig) error {
		b, err := c.JSON()
		if err != nil {
			return corrupt("%d: %w", c.ID, err)
		}
		return m.addID(c.ID, b)
	})
	return m.String(), err
}

func (d *downgrader) conf() (string, error) {
	var m jsonMap
	err := eachConfig(d.ctx, d.tx, m.add)
	return m.String(), err
}

func (d *downgrader) tags() (string, error) {
	var m jsonMap
	err := convEach(d.ctx, d.tx, `SELECT tag, usn FROM tags`, func(rows *sql.Rows) error {
		var tag string
		var usn int64
		if err := rows.Scan(&tag, &usn); err != nil {
			return corrupt("%w", err)
		}
		return m.add(tag, strconv.AppendInt(nil, usn, 10))
	})
	return m.String(), err
}
