package collection

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"

	"github.com/ankisyncd/ankisyncd/filestate"
)

// cachedMeta is a Meta and the state of the files it was read from.
type cachedMeta struct {
	Meta
	file   identity
	glance filestate.Glance
}

// current reports whether u's files are still the same.
func (c *cachedMeta) current(u *user) bool {
	return c.file.equal(identify(u.file, u.wal, c.glance.Again(c.file.main)))
}

// identity tells whether a collection's files are still those that were read.
type identity struct {
	main, wal filestate.State
}

func fileIdentity(path string) identity { return identify(path, path+"-wal", filestate.Of) }

func identify(path, wal string, look func(path string) filestate.State) identity {
	id := identity{main: look(path)}
	if wal := look(wal); wal.Size() > 0 {
		id.wal = wal
	}
	return id
}

func (a identity) equal(b identity) bool { return a.main.Same(b.main) && a.wal.Same(b.wal) }

// Meta returns the committed state of a user's collection (docs/protocol.md
// §6.1). It does not disturb a running sync, and while nothing was written it
// needs neither the user's lock nor SQLite. Nothing is created.
func (s *Store) Meta(ctx context.Context, name string) (Meta, error) {
	u, err := s.user(name)
	if err != nil {
		return Meta{}, err
	}
	if c := u.meta.Load(); c != nil && c.current(u) {
		return c.Meta, nil
	}
	// Not filestate: a collection that cannot be looked at is not one that is not there.
	if _, err := os.Stat(u.path()); errors.Is(err, fs.ErrNotExist) && !u.isAside() {
		return s.noCollection(), nil
	}
	if err := u.lock(ctx); err != nil {
		return Meta{}, err
	}
	defer u.unlock()
	if s.isClosed() {
		return Meta{}, ErrClosed
	}
	c := u.meta.Load()
	if c != nil && u.sync != nil {
		// A running sync has written to the WAL; the committed state is what
		// was remembered before.
		return c.Meta, nil
	}
	h, err := s.opened(ctx, u)
	if errors.Is(err, ErrNotFound) {
		return s.noCollection(), nil
	}
	if err != nil {
		return Meta{}, err
	}
	m, err := readMeta(h)
	if err != nil {
		return Meta{}, err
	}
	u.remember(m)
	return m, nil
}

// noCollection is the state of a user for whom nothing is stored: one that
// every client tells apart from its own (docs/collection-format.md §10).
func (s *Store) noCollection() Meta {
	return Meta{SCM: s.o.Now().UnixMilli(), Empty: true, SchedVer: 1}
}

// remember makes m what Meta answers while the files stay as they are now.
func (u *user) remember(m Meta) {
	if u.col != nil && u.col.main.fate(u.path()) != ours {
		u.meta.Store(nil) // m is not of the file that has the name
		return
	}
	u.known = &m
	u.meta.Store(&cachedMeta{Meta: m, file: fileIdentity(u.path())})
}

// readMeta reads the state from the open collection, outside a transaction or
// inside one that is about to be committed.
func readMeta(h *handle) (Meta, error) {
	m := Meta{Exists: true}
	if err := h.row(`SELECT mod, scm, usn FROM col`, nil, &m.Mod, &m.SCM, &m.USN); err != nil {
		return Meta{}, err
	}
	var one int
	err := h.row(`SELECT 1 FROM cards LIMIT 1`, nil, &one)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Meta{}, err
	}
	m.Empty = errors.Is(err, sql.ErrNoRows)
	c, err := readTimingConfig(h)
	if err != nil {
		return Meta{}, err
	}
	m.SchedVer = c.schedVer
	m.NewTimezone = c.creationOffset != nil
	return m, nil
}

// readTimingConfig reads the config keys that the calendar depends on.
func readTimingConfig(h *handle) (timingConfig, error) {
	c := timingConfig{schedVer: 1}
	err := h.query(func(scan func(...any) error) error {
		var key string
		var val []byte
		if err := scan(&key, &val); err != nil {
			return err
		}
		n, ok := jsonInt(val)
		if !ok {
			return nil // a mistyped key means its default
		}
		offset := int32(n)
		switch key {
		case "schedVer":
			c.schedVer = n
		case "rollover":
			c.rollover = &n
		case "creationOffset":
			c.creationOffset = &offset
		case "localOffset":
			c.localOffset = &offset
		}
		return nil
	}, `SELECT KEY, val FROM config WHERE KEY IN ('schedVer', 'rollover', 'creationOffset', 'localOffset')`)
	return c, err
}
