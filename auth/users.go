package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// cachedUsers is how many users' rows are kept in memory (some 400 bytes each).
const cachedUsers = 4096

// user is what a login needs to know of one.
type user struct {
	stored string // as it stands in the table; identifies the password
	cred   string // credOf(stored)
	hash   passwordHash
	err    error // stored is of no known form
	static bool
	name   string // only in what owner caches
}

// newUser is one of the user table.
func newUser(stored string) *user {
	u := &user{stored: stored, cred: credOf(stored)}
	u.hash, u.err = parseHash(stored)
	return u
}

// userTable is auth.db.
type userTable struct {
	table[string, *user]
	column string // of the user's name
}

func newUserTable(path string) *userTable {
	t := &userTable{table: table[string, *user]{what: "user table", path: path, limit: cachedUsers}}
	t.ensure = t.ensureTable
	return t
}

// ensureTable finds out the form of the table, or makes it in the new form. It
// never gets more than two columns: the Python servers insert by position.
func (t *userTable) ensureTable(ctx context.Context, db *sql.DB) error {
	cols, err := columns(ctx, db, "auth")
	if err != nil {
		return err
	}
	if len(cols) == 0 {
		t.column = "username"
		_, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS auth (username VARCHAR PRIMARY KEY, hash VARCHAR)`)
		return err
	}
	if !cols["hash"] {
		return errors.New("table auth has no column hash")
	}
	t.column, err = userColumn(cols, "auth")
	return err
}

// q puts the name of the user column into a query; it is one of two constants.
func (t *userTable) q(query string) string { return strings.ReplaceAll(query, "{user}", t.column) }

// lookup returns a user's row, or ErrNoUser.
func (t *userTable) lookup(ctx context.Context, name string) (*user, error) {
	if u, ok := t.hit(name); ok {
		return u, nil
	}
	return t.load(ctx, name)
}

func (t *userTable) load(ctx context.Context, name string) (*user, error) {
	u, ok, err := t.get(ctx, name, func(ctx context.Context, tx *sql.Tx) (*user, bool, error) {
		var stored sql.NullString
		err := tx.QueryRowContext(ctx, t.q(`SELECT hash FROM auth WHERE {user} = ?`), name).Scan(&stored)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		return newUser(stored.String), true, nil
	})
	if err == nil && !ok {
		err = ErrNoUser
	}
	return u, err
}

// lookup returns a user of whatever source, or ErrNoUser.
func (s *Store) lookup(ctx context.Context, name string) (*user, error) {
	if u, ok := s.static[name]; ok {
		return u, nil
	}
	if s.users == nil || ValidUserName(name) != nil {
		return nil, ErrNoUser
	}
	return s.users.lookup(ctx, name)
}

// HasUser reports whether a user of that name exists.
func (s *Store) HasUser(ctx context.Context, name string) (bool, error) {
	if s.o.AllowAnyone {
		return ValidUserName(name) == nil, nil
	}
	_, err := s.lookup(ctx, name)
	if errors.Is(err, ErrNoUser) {
		return false, nil
	}
	return err == nil, err
}

// KeptOut reports whether a user of that name exists whom Options.Admit keeps out.
func (s *Store) KeptOut(ctx context.Context, name string) (bool, error) {
	if s.o.Admit == nil {
		return false, nil
	}
	if has, err := s.HasUser(ctx, name); err != nil || !has {
		return false, err
	}
	in, err := s.o.Admit(ctx, name)
	return err == nil && !in, err
}

// Users returns all names in byte order, those of StaticUsers among them.
func (s *Store) Users(ctx context.Context) ([]string, error) {
	names := make([]string, 0, len(s.static))
	for name := range s.static {
		names = append(names, name)
	}
	if s.users != nil {
		if _, err := s.users.fresh(ctx); err != nil { // a replaced file
			return nil, err
		}
		_, err := s.users.read(ctx, func(tx *sql.Tx) error {
			rs, err := tx.QueryContext(ctx, s.users.q(`SELECT {user} FROM auth WHERE {user} IS NOT NULL`))
			if err != nil {
				return err
			}
			defer rs.Close() //nolint:errcheck // a reader
			for rs.Next() {
				var name string
				if err := rs.Scan(&name); err != nil {
					return err
				}
				names = append(names, name)
			}
			return rs.Err()
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// AddUser makes a user. The name must be one that ValidUserName takes and not
// taken (ErrUserExists); any password will do, the empty one included, as in
// the originals.
func (s *Store) AddUser(ctx context.Context, name, password string) error {
	if err := s.canAdd(ctx, name); err != nil { // before the expensive part
		return err
	}
	stored, err := s.hash(ctx, name, password)
	if err != nil {
		return err
	}
	return s.insertUser(ctx, name, stored)
}

// ImportUser makes a user of a password hash made elsewhere: any form that a
// login accepts; otherwise ErrInvalidHash.
func (s *Store) ImportUser(ctx context.Context, name, hash string) error {
	if err := s.canAdd(ctx, name); err != nil {
		return err
	}
	if _, err := parseHash(hash); err != nil {
		return err
	}
	return s.insertUser(ctx, name, hash)
}

func (s *Store) canAdd(ctx context.Context, name string) error {
	if err := ValidUserName(name); err != nil {
		return err
	}
	if s.users == nil {
		return ErrNoUserTable
	}
	_, err := s.lookup(ctx, name)
	switch {
	case err == nil:
		return ErrUserExists
	case errors.Is(err, ErrNoUser):
		return nil
	}
	return err
}

func (s *Store) insertUser(ctx context.Context, name, stored string) error {
	return s.users.change(ctx, func(tx *sql.Tx) (bool, error) {
		_, err := tx.ExecContext(ctx, s.users.q(`INSERT INTO auth ({user}, hash) VALUES (?, ?)`), name, stored)
		if sqlite.IsUnique(err) {
			return false, ErrUserExists
		}
		return false, err
	})
}

// SetPassword changes a password and, unless KeepSessionsOnPasswordChange is
// set, revokes all host keys of the user. Unknown users are ErrNoUser.
func (s *Store) SetPassword(ctx context.Context, name, password string) error {
	if err := s.changeable(name); err != nil {
		return err
	}
	if _, err := s.lookup(ctx, name); err != nil {
		return err
	}
	stored, err := s.hash(ctx, name, password)
	if err != nil {
		return err
	}
	err = s.users.change(ctx, func(tx *sql.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, s.users.q(`UPDATE auth SET hash = ? WHERE {user} = ?`), stored, name)
		if err != nil {
			return false, err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return false, errors.Join(err, ErrNoUser)
		}
		return false, nil
	})
	if err != nil || s.o.KeepSessionsOnPasswordChange {
		return err
	}
	// Only now: a login with the old password that comes in between finds, after
	// storing its key, that the password is another one (see Login).
	if _, err := s.keys.removeUser(ctx, name); err != nil {
		return fmt.Errorf("password changed, but host keys not revoked: %w", err)
	}
	return nil
}

// DeleteUser deletes a user and all host keys, and reports whether there was
// such a user. The user's files are none of its business.
func (s *Store) DeleteUser(ctx context.Context, name string) (existed bool, err error) {
	if err := s.changeable(name); err != nil {
		return false, err
	}
	err = s.users.change(ctx, func(tx *sql.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, s.users.q(`DELETE FROM auth WHERE {user} = ?`), name)
		if err != nil {
			return false, err
		}
		n, err := res.RowsAffected()
		existed = n > 0
		return false, err
	})
	if err != nil {
		return false, err
	}
	if _, err := s.keys.removeUser(ctx, name); err != nil {
		return existed, fmt.Errorf("user deleted, but host keys not revoked: %w", err)
	}
	return existed, nil
}

// changeable does not ask for a valid name: a row that the originals let in
// must be one that can be deleted.
func (s *Store) changeable(name string) error {
	if _, ok := s.static[name]; ok {
		return ErrStaticUser
	}
	if s.users == nil {
		return ErrNoUserTable
	}
	return nil
}

// upgrade replaces a verified password's old form by today's. It reports
// whether the row still was the one that was verified.
func (s *Store) upgrade(ctx context.Context, name, old, stored string) (bool, error) {
	if s.o.AcceptRSKeys && len(old) == legacyLen {
		// Devices of ankisyncd-rs hold the old hash as their key.
		if err := s.keys.adopt(ctx, name, old, s.now()); err != nil {
			return true, err
		}
	}
	// Before the change, and both forms count: a sync of another device that goes on
	// meanwhile finds its key bound to the one or to the other.
	if err := s.keys.rehash(ctx, name, old, stored); err != nil {
		return true, err
	}
	same := false
	err := s.users.change(ctx, func(tx *sql.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, s.users.q(`UPDATE auth SET hash = ? WHERE {user} = ? AND hash = ?`), stored, name, old)
		if err != nil {
			return false, err
		}
		n, err := res.RowsAffected()
		same = n > 0
		return false, err
	})
	return same || err != nil, err
}

// owner returns the user whose stored password is hash, or ErrNoUser: with
// ankisyncd-rs that is the host key. A name has no NUL, so the cache can hold
// both.
func (t *userTable) owner(ctx context.Context, hash string) (string, error) {
	u, ok, err := t.get(ctx, "\x00"+hash, func(ctx context.Context, tx *sql.Tx) (*user, bool, error) {
		var name sql.NullString
		err := tx.QueryRowContext(ctx, t.q(`SELECT {user} FROM auth WHERE hash = ?`), hash).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, false, nil
		}
		return &user{name: name.String}, err == nil, err
	})
	if err == nil && (!ok || u.name == "") {
		return "", ErrNoUser
	}
	if err != nil {
		return "", err
	}
	return u.name, nil
}
