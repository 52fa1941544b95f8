package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// cachedKeys is how many host keys are kept in memory (some 400 bytes each).
const cachedKeys = 4096

// fileKeys is session.db. The table session belongs to the Python servers: its
// rows are valid keys and can be deleted, but none is added and its path column
// is never read (docs/compat.md §2.5). Ours are two side tables.
type fileKeys struct {
	table[keyHash, *key]
	column string // of the user's name in session; empty if there is no such table
}

// deviceSchema is ours. ankisyncd_device has a row for each key made by a login
// (kind device) and each taken over from ankisyncd-rs (kind rs); one of kind
// python only says when a row of session was last in use. No WITHOUT ROWID: a
// SQLite too old for it would refuse the whole file.
const deviceSchema = `
CREATE TABLE IF NOT EXISTS ankisyncd_device (
	key_hash TEXT PRIMARY KEY,   -- SHA-256 of the host key, hexadecimal
	username TEXT NOT NULL,
	kind     TEXT NOT NULL,      -- device, python, rs
	created  INTEGER NOT NULL,   -- seconds since 1970, 0 if not known
	seen     INTEGER NOT NULL,   -- likewise, exact to the day
	client   TEXT NOT NULL,
	addr     TEXT NOT NULL,
	proof    TEXT NOT NULL,      -- binds the key to a password from the environment
	cred     TEXT NOT NULL DEFAULT '' -- and this to one of the user table; empty if not known (see credOf)
);
CREATE INDEX IF NOT EXISTS ankisyncd_device_username ON ankisyncd_device (username);
CREATE TABLE IF NOT EXISTS ankisyncd_refused (
	username TEXT NOT NULL,
	kind     TEXT NOT NULL,      -- rs, official: keys that follow from the password
	PRIMARY KEY (username, kind)
);`

func newFileKeys(path string) *fileKeys {
	f := &fileKeys{table: table[keyHash, *key]{what: "session table", path: path, limit: cachedKeys}}
	f.ensure = f.ensureTables
	return f
}

func (f *fileKeys) ensureTables(ctx context.Context, db *sql.DB) error {
	cols, err := columns(ctx, db, "session")
	if err != nil {
		return err
	}
	f.column = ""
	if len(cols) > 0 {
		if !cols["hkey"] || !cols["skey"] {
			return errors.New("table session has no columns hkey and skey")
		}
		if f.column, err = userColumn(cols, "session"); err != nil {
			return err
		}
	}
	for _, name := range []string{"ankisyncd_device", "ankisyncd_refused"} {
		cols, err := columns(ctx, db, name)
		if err != nil {
			return err
		}
		if len(cols) == 0 {
			_, err := db.ExecContext(ctx, deviceSchema)
			return err
		}
		if name == "ankisyncd_device" && !cols["cred"] { // made by an ankisyncd before
			if _, err := db.ExecContext(ctx, `ALTER TABLE ankisyncd_device ADD COLUMN cred TEXT NOT NULL DEFAULT ''`); err != nil {
				// Another process may have been quicker.
				if cols, again := columns(ctx, db, name); again != nil || !cols["cred"] {
					return err
				}
			}
		}
	}
	return nil
}

func (f *fileKeys) q(query string) string { return strings.ReplaceAll(query, "{user}", f.column) }

func (f *fileKeys) found(ctx context.Context, h keyHash, load func(context.Context, *sql.Tx) (*key, bool, error)) (*key, error) {
	k, ok, err := f.get(ctx, h, load)
	if err == nil && !ok {
		err = ErrUnknownKey
	}
	return k, err
}

func (f *fileKeys) lookup(ctx context.Context, hkey string) (*key, error) {
	h := hashKey(hkey)
	if k, ok := f.hit(h); ok {
		return k, nil
	}
	return f.load(ctx, hkey, h)
}

// load is lookup without the cache; apart, so that what its closure needs is
// allocated only then.
func (f *fileKeys) load(ctx context.Context, hkey string, h keyHash) (*key, error) {
	return f.found(ctx, h, func(ctx context.Context, tx *sql.Tx) (*key, bool, error) {
		var user, kind, proof, cred string
		var seen int64
		err := tx.QueryRowContext(ctx, `SELECT username, kind, seen, proof, cred FROM ankisyncd_device WHERE key_hash = ?`, h.hex()).
			Scan(&user, &kind, &seen, &proof, &cred)
		if err == nil && Kind(kind) != KindPython {
			k := newKey(h, user, Kind(kind), seen)
			k.proof, k.cred = proof, cred
			k.seen.unbound.Store(proof == "" && cred == "")
			return k, true, nil
		}
		if err != nil && !errors.Is(err, sql.ErrNoRows) || f.column == "" {
			return nil, false, ignoreNoRows(err)
		}
		var owner sql.NullString
		err = tx.QueryRowContext(ctx, f.q(`SELECT {user} FROM session WHERE hkey = ?`), hkey).Scan(&owner)
		if err != nil || owner.String == "" {
			return nil, false, ignoreNoRows(err)
		}
		return newKey(h, owner.String, KindPython, seen), true, nil
	})
}

func ignoreNoRows(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

func (f *fileKeys) derived(ctx context.Context, h keyHash, user string, kind Kind, stored string) (*key, error) {
	return f.found(ctx, h, func(ctx context.Context, tx *sql.Tx) (*key, bool, error) {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM ankisyncd_refused WHERE username = ? AND kind = ?`, user, string(kind)).Scan(&n)
		if err != nil || n > 0 {
			return nil, false, err
		}
		k := newKey(h, user, kind, -1)
		k.follows = stored
		return k, true, nil
	})
}

// lookupSK scans the table: it has no index on skey, and media session keys of
// the Python servers are only met in a media sync that began with one of them.
func (f *fileKeys) lookupSK(ctx context.Context, sk string) (*key, error) {
	return f.found(ctx, hashKey("sk:"+sk), func(ctx context.Context, tx *sql.Tx) (*key, bool, error) {
		if f.column == "" {
			return nil, false, nil
		}
		var hkey, user string
		var users int
		err := tx.QueryRowContext(ctx, f.q(`SELECT coalesce(max(hkey), ''), coalesce(max({user}), ''), count(DISTINCT {user})
			FROM session WHERE skey = ?`), sk).Scan(&hkey, &user, &users)
		// 32 random bits: two users may have the same, and then nobody has it.
		if err != nil || users != 1 || user == "" {
			return nil, false, err
		}
		var seen int64
		h := hashKey(hkey)
		err = tx.QueryRowContext(ctx, `SELECT seen FROM ankisyncd_device WHERE key_hash = ?`, h.hex()).Scan(&seen)
		return newKey(h, user, KindPython, seen), true, ignoreNoRows(err)
	})
}

func (f *fileKeys) add(ctx context.Context, d newDevice, limit int) error {
	return f.change(ctx, func(tx *sql.Tx) (bool, error) {
		_, err := tx.ExecContext(ctx, `INSERT INTO ankisyncd_device (key_hash, username, kind, created, seen, client, addr, proof, cred)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, d.hash.hex(), d.user, string(KindDevice), d.at.Unix(), 0, d.client, d.addr, d.proof, d.cred)
		if err != nil {
			return false, err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM ankisyncd_device WHERE username = ?`, d.user).Scan(&n); err != nil || n <= limit {
			return true, err
		}
		// Keys that nobody has synced with go first: a program that logs in
		// for every sync must not log out the owner's devices.
		_, err = tx.ExecContext(ctx, `DELETE FROM ankisyncd_device WHERE key_hash IN (
			SELECT key_hash FROM ankisyncd_device WHERE username = ? AND kind <> 'python' AND key_hash <> ?
			ORDER BY seen DESC, rowid DESC LIMIT -1 OFFSET ?)`, d.user, d.hash.hex(), limit-1)
		return false, err
	})
}

func (f *fileKeys) adopt(ctx context.Context, user, hkey string, at time.Time) error {
	return f.change(ctx, func(tx *sql.Tx) (bool, error) {
		_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO ankisyncd_device (key_hash, username, kind, created, seen, client, addr, proof, cred)
			SELECT ?1, ?2, 'rs', 0, ?3, '', '', '', ?4
			WHERE NOT EXISTS (SELECT 1 FROM ankisyncd_refused WHERE username = ?2 AND kind = 'rs')`, hashKey(hkey).hex(), user, at.Unix(), credOf(hkey))
		return false, err
	})
}

func (f *fileKeys) rehash(ctx context.Context, user, old, stored string) error {
	return f.change(ctx, func(tx *sql.Tx) (bool, error) {
		was := credOf(old)
		_, err := tx.ExecContext(ctx, `UPDATE ankisyncd_device SET cred = ?3 WHERE username = ?1 AND instr(cred, ?2) > 0`, user, was, credAlso(was, credOf(stored)))
		return false, err
	})
}

func (f *fileKeys) refuse(ctx context.Context, user string, kinds ...Kind) error {
	if len(kinds) == 0 {
		return nil
	}
	return f.change(ctx, func(tx *sql.Tx) (bool, error) {
		for _, k := range kinds {
			if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO ankisyncd_refused (username, kind) VALUES (?, ?)`, user, string(k)); err != nil {
				return false, err
			}
		}
		return false, nil
	})
}

func (f *fileKeys) remove(ctx context.Context, hkey string) error {
	return f.change(ctx, func(tx *sql.Tx) (bool, error) {
		return false, f.removeKey(ctx, tx, hashKey(hkey).hex(), hkey)
	})
}

func (f *fileKeys) removeKey(ctx context.Context, tx *sql.Tx, hash, hkey string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM ankisyncd_device WHERE key_hash = ?`, hash); err != nil {
		return err
	}
	if f.column == "" || hkey == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM session WHERE hkey = ?`, hkey)
	return err
}

func (f *fileKeys) removeID(ctx context.Context, id string) error {
	return f.change(ctx, func(tx *sql.Tx) (bool, error) {
		ds, err := f.devices(ctx, tx, "")
		if err != nil {
			return false, err
		}
		for _, d := range ds {
			if d.ID == id {
				return false, f.removeKey(ctx, tx, d.hash, d.hkey)
			}
		}
		return false, ErrNoDevice
	})
}

func (f *fileKeys) removeUser(ctx context.Context, user string) (int, error) {
	var n int
	err := f.change(ctx, func(tx *sql.Tx) (bool, error) {
		ds, err := f.devices(ctx, tx, user)
		if err != nil {
			return false, err
		}
		n = len(ds)
		if _, err := tx.ExecContext(ctx, `DELETE FROM ankisyncd_device WHERE username = ?`, user); err != nil || f.column == "" {
			return false, err
		}
		_, err = tx.ExecContext(ctx, f.q(`DELETE FROM session WHERE {user} = ?`), user)
		return false, err
	})
	return n, err
}

// fileDevice is a device with what identifies its rows.
type fileDevice struct {
	Device
	hash string
	hkey string // of a row of session
}

// devices reads the devices of a user, or of all if user is empty.
func (f *fileKeys) devices(ctx context.Context, tx *sql.Tx, user string) ([]fileDevice, error) {
	var out []fileDevice
	python := make(map[string]Device)
	err := each(ctx, tx, `SELECT key_hash, username, kind, created, seen, client, addr FROM ankisyncd_device
		WHERE ?1 = '' OR username = ?1 ORDER BY rowid`, user, func(scan func(...any) error) error {
		var d fileDevice
		var created, seen int64
		if err := scan(&d.hash, &d.User, (*string)(&d.Kind), &created, &seen, &d.Client, &d.Addr); err != nil {
			return err
		}
		if len(d.hash) < idLen {
			return fmt.Errorf("row of ankisyncd_device with key_hash %q", d.hash)
		}
		d.ID, d.Created, d.LastSeen = d.hash[:idLen], unixOrZero(created), unixOrZero(max(created, seen))
		if d.Kind == KindPython {
			python[d.hash] = d.Device
		} else {
			out = append(out, d)
		}
		return nil
	})
	if err != nil || f.column == "" {
		return out, err
	}
	err = each(ctx, tx, f.q(`SELECT hkey, {user} FROM session WHERE hkey IS NOT NULL AND {user} IS NOT NULL
		AND (?1 = '' OR {user} = ?1) ORDER BY rowid`), user, func(scan func(...any) error) error {
		var d fileDevice
		if err := scan(&d.hkey, &d.User); err != nil {
			return err
		}
		h := hashKey(d.hkey)
		d.hash, d.ID, d.Kind = h.hex(), h.id(), KindPython
		if info, ok := python[d.hash]; ok && info.User == d.User {
			d.Device = info
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// each runs a query with one argument and f for each of its rows.
func each(ctx context.Context, tx *sql.Tx, query, arg string, f func(scan func(...any) error) error) error {
	rs, err := tx.QueryContext(ctx, query, arg)
	if err != nil {
		return err
	}
	defer rs.Close() //nolint:errcheck // a reader
	for rs.Next() {
		if err := f(rs.Scan); err != nil {
			return err
		}
	}
	return rs.Err()
}

func unixOrZero(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

func (f *fileKeys) list(ctx context.Context, user string) (out []Device, refused map[string]bool, err error) {
	if _, err := f.fresh(ctx); err != nil { // a replaced file
		return nil, nil, err
	}
	refused = make(map[string]bool)
	_, err = f.read(ctx, func(tx *sql.Tx) error {
		ds, err := f.devices(ctx, tx, user)
		if err != nil {
			return err
		}
		for _, d := range ds {
			out = append(out, d.Device)
		}
		return each(ctx, tx, `SELECT kind, username FROM ankisyncd_refused WHERE ?1 = '' OR username = ?1`, user,
			func(scan func(...any) error) error {
				var kind, name string
				err := scan(&kind, &name)
				refused[derivedID(Kind(kind), name)] = true
				return err
			})
	})
	return out, refused, err
}

// saw updates rows; only for keys of the Python servers it makes them, so that
// a key revoked meanwhile does not come back.
func (f *fileKeys) saw(ctx context.Context, sightings []sighting) error {
	return f.change(ctx, func(tx *sql.Tx) (bool, error) {
		bound := false
		for _, g := range sightings {
			if g.cred != "" {
				bound = true
				if _, err := tx.ExecContext(ctx, `UPDATE ankisyncd_device SET cred = ? WHERE key_hash = ? AND cred = '' AND proof = ''`, g.cred, g.hash.hex()); err != nil {
					return false, err
				}
			}
			query := `UPDATE ankisyncd_device SET seen = ?4, client = CASE ?5 WHEN '' THEN client ELSE ?5 END, addr = ?6
				WHERE key_hash = ?1 AND username = ?2 AND kind = ?3`
			if g.kind == KindPython {
				query = `INSERT INTO ankisyncd_device (key_hash, username, kind, created, seen, client, addr, proof)
					VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, '')
					ON CONFLICT (key_hash) DO UPDATE SET seen = excluded.seen, addr = excluded.addr,
						client = CASE excluded.client WHEN '' THEN client ELSE excluded.client END`
			}
			if _, err := tx.ExecContext(ctx, query, g.hash.hex(), g.user, string(g.kind), g.at.Unix(), g.client, g.addr); err != nil {
				return false, err
			}
		}
		return !bound, nil
	})
}
