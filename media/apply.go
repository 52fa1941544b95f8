package media

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// errRestage says that the content of a row was dropped as already stored, but
// another device has changed the row since.
var errRestage = errors.New("media: content is needed after all")

// ApplyZip applies a zip of a client's changes of the given size: its rows in
// their order, all or none. It returns how many rows it has processed (all,
// including those that change nothing) and the user's usn afterwards. Each
// addition, replacement or deletion takes a usn of its own; identical content
// and the deletion of what is not there take none (docs/protocol.md §7.1). It
// is ErrBadRequest if anything about the zip is wrong; then nothing has changed.
func (s *Store) ApplyZip(ctx context.Context, user string, r io.ReaderAt, size int64) (processed int, usn int32, err error) {
	list, err := readListing(r, size, s.o.MaxFileBytes)
	if err != nil {
		return 0, 0, err
	}
	if len(list) == 0 {
		usn, err = s.LastUSN(ctx, user)
		return 0, usn, err
	}
	usn, err = s.apply(ctx, user, func(g *stager, old map[string]*row) error {
		return g.addAll(ctx, list, old, memory(r))
	}, names(list))
	if err != nil {
		return 0, 0, err
	}
	return len(list), usn, nil
}

// Put stores one file, as a client's upload would, and returns the usn
// afterwards. It is ErrBadRequest if the name is unusable, or if the content
// is empty or larger than Options.MaxFileBytes.
func (s *Store) Put(ctx context.Context, user, name string, content io.Reader) (int32, error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	spent := false
	return s.apply(ctx, user, func(g *stager, _ map[string]*row) error {
		if spent {
			return errRestage
		}
		spent, g.keepAll = true, true  // it cannot be read again
		buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
		defer buffers.Put(buf)
		return g.write(name, func(w io.Writer) error {
			n, err := io.CopyBuffer(onlyWriter{w}, onlyReader{io.LimitReader(content, s.o.MaxFileBytes+1)}, *buf)
			if err == nil && (n == 0 || n > s.o.MaxFileBytes) {
				err = fmt.Errorf("%w: file is empty or larger than %d bytes", ErrBadRequest, s.o.MaxFileBytes)
			}
			return err
		})
	}, []string{name})
}

// Delete deletes one file and returns the usn afterwards. Deleting what is not
// there changes nothing.
func (s *Store) Delete(ctx context.Context, user, name string) (int32, error) {
	if err := checkName(name); err != nil {
		return 0, err
	}
	return s.apply(ctx, user, func(g *stager, _ map[string]*row) error {
		return g.add(addition{name: name}, nil)
	}, []string{name})
}

func names(list []addition) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.name
	}
	return out
}

// apply stages a batch outside the user's lock (unpacking may take as long as
// the disk likes) and commits it under the lock.
func (s *Store) apply(ctx context.Context, user string, fill func(*stager, map[string]*row) error, names []string) (int32, error) {
	e, err := s.pin(user)
	if err != nil {
		return 0, err
	}
	defer s.unpin(e)
	for try := 0; ; try++ {
		usn, err := s.applyOnce(ctx, e, fill, names, try > 0)
		if !errors.Is(err, errRestage) || try == 2 {
			return usn32(usn), err
		}
	}
}

func (s *Store) applyOnce(ctx context.Context, e *entry, fill func(*stager, map[string]*row) error, names []string, keepAll bool) (usn int64, err error) {
	var opened *handle
	var d *dirs
	var writes int64
	var fold bool
	old := map[string]*row{}
	err = s.locked(ctx, e, true, func(h *handle) error {
		if err := h.openStaging(); err != nil {
			return err
		}
		opened, d, writes, fold = h, h.dirs.hold(), h.writes, h.fold
		if keepAll {
			return nil
		}
		var err error
		old, err = h.rows(names)
		return err
	})
	if d != nil {
		defer d.release() //nolint:errcheck // nothing was written through it
	}
	if err != nil {
		return 0, err
	}
	g := newStager(s, d)
	// Another try does not know the names' rows.
	g.inPlace = !keepAll && !fold && s.o.SyncDelay >= 0 && d.raw.usable()
	keep := false
	defer func() {
		// In any case: files are made from memory that is the caller's. And before
		// the lock, for it may take a while.
		_ = g.made()
		if keep {
			g.leave()
			return
		}
		if g.note != nil {
			e.lock <- struct{}{}
			defer func() { <-e.lock }()
			g.spare(e.h)
		}
		g.discard()
	}()
	if err := fill(g, old); err != nil {
		return 0, err
	}
	if err := g.flush(old); err != nil {
		return 0, err
	}
	err = s.lockedSoon(ctx, e, func(h *handle) error {
		if h != opened || h.dirs != d {
			return errRestage // opening it has emptied the staging folder
		}
		if keepAll || h.writes != writes {
			var err error
			if old, err = h.rows(names); err != nil {
				return err
			}
		}
		var err error
		// After a commit that may or may not have happened, the files must
		// stay: opening the database again decides.
		keep, err = h.commit(g, old, h.writes == writes)
		usn = h.last
		return err
	})
	return usn, err
}

// rows reads what the database knows of some names.
func (h *handle) rows(names []string) (map[string]*row, error) {
	out := make(map[string]*row, len(names))
	list, err := json.Marshal(names)
	if err == nil {
		err = h.conn.Each(func(scan func(...any) error) error {
			var r row
			if err := scan(&r.name, &r.usn, &r.sum, &r.known, &r.disk, &r.size, &r.mtime, &r.crc); err != nil {
				return err
			}
			out[r.name] = &r
			return nil
		}, selectRows, string(list))
	}
	if err != nil {
		return nil, fmt.Errorf("read media rows: %w", err)
	}
	return out, nil
}

// batch is a transaction over staged rows in the making.
type batch struct {
	h    *handle
	c    *counts
	rows map[string]*row      // by name, as the batch has left them so far
	ops  map[string]journalOp // by name on disk, the last one wins
	from map[string]*staged   // where their contents are
	news []*row               // rows whose file the database is to know
	put  *sqlite.Inserter     // rows of the protocol's table, by putRows
	// plain says that the media folder has no folders besides our own.
	plain bool
	// alone says that what was made in place is there, as far as it is up to us.
	alone bool
	// taken has the folded names on disk given out in this batch, on a file
	// system that ignores case.
	taken map[string]bool
}

var (
	putRows = sqlite.NewInsert(`INSERT INTO media (fname, usn, csum)`, 3,
		`ON CONFLICT (fname) DO UPDATE SET usn = excluded.usn, csum = excluded.csum`)
	putFiles = sqlite.NewInsert(insertFile, 6, "")
)

// errNothing rolls back a transaction that has nothing to say.
var errNothing = errors.New("media: nothing changed")

// commit decides on each staged row, in order, and commits the batch. rows is
// what the database has of the names. alone says that nobody has committed
// anything since staging began. keep says that the staged files belong to the
// journal now.
func (h *handle) commit(g *stager, rows map[string]*row, alone bool) (keep bool, err error) {
	if g.repeats(rows) {
		return false, nil // without a transaction
	}
	b := &batch{h: h, rows: rows, ops: make(map[string]journalOp, len(g.list)), from: make(map[string]*staged, len(g.list)), taken: map[string]bool{}, plain: h.dirs.plain(), alone: alone, put: putRows.On(h.conn)}
	err = h.tx(func(c *counts) error {
		b.c = c
		for i := range g.list {
			if err := b.apply(&g.list[i]); err != nil {
				return err
			}
		}
		if err := b.put.Flush(); err != nil {
			return err
		}
		if err := g.made(); err != nil {
			return err
		}
		if c.last == h.last && len(b.ops) == 0 {
			return errNothing
		}
		if err := b.noteFiles(); err != nil {
			return err
		}
		return h.writeJournal(b.ops)
	})
	if errors.Is(err, errNothing) {
		return false, nil
	}
	if err != nil {
		return h.broken, err
	}
	// What a later row of the same batch has overtaken goes; the rest is the
	// journal's.
	taken := make(map[string]bool, len(b.ops))
	for _, op := range b.ops {
		taken[op.tmp] = true
	}
	for i := range g.list {
		// What was made in place and overtaken is overwritten or removed there.
		if it := &g.list[i]; taken[it.tmp] || it.tmp == inPlace {
			it.tmp = ""
		}
	}
	g.discard()
	h.batch++
	return true, h.perform(b.ops)
}

func (b *batch) apply(it *staged) error {
	cur := b.rows[it.name]
	if it.del {
		return b.delete(cur)
	}
	alive := cur != nil && cur.sum != ""
	usn := b.c.last + 1
	if alive && cur.sum == it.sum {
		if _, queued := b.ops[cur.disk]; queued || b.h.dirs.intact(cur.disk, it.size) {
			return nil
		}
		usn = cur.usn // the file is lost or damaged: put it back, nobody else need know
	}
	if it.tmp == "" && !it.making {
		return errRestage
	}
	if usn > b.c.last {
		b.c.last = usn
		if !alive {
			b.c.files++
		}
		if err := b.put.Add(it.name, usn, it.sum); err != nil {
			return err
		}
	}
	disk := b.place(it.name, cur)
	r := &row{name: it.name, usn: usn, sum: it.sum, disk: disk, known: true, size: it.size, crc: it.crc}
	b.rows[it.name], b.ops[disk], b.from[disk] = r, journalOp{disk: disk, fname: it.name, usn: usn}, it
	b.news = append(b.news, r)
	return nil
}

// noteFiles says in the operations where the new contents are, and in the
// database what else is known of them. By now they have been made.
func (b *batch) noteFiles() error {
	for disk, op := range b.ops {
		if it := b.from[disk]; it != nil {
			if it.tmp == inPlace && (disk != it.name || !b.alone && !b.h.dirs.raw.is(disk, it.stamp)) {
				return errRestage // somebody else has put another file there
			}
			op.tmp = it.tmp
			b.ops[disk] = op
		}
	}
	put := putFiles.On(b.h.conn)
	for _, r := range b.news {
		it := b.from[r.disk]
		if it == nil || b.ops[r.disk].usn != r.usn {
			continue // overtaken by a later row
		}
		var stored any // NULL if it is the name
		if r.disk != r.name {
			stored = r.disk
		}
		if err := put.Add(r.name, r.usn, r.size, it.mtime, int64(r.crc), stored); err != nil {
			return err
		}
	}
	return put.Flush()
}

func (b *batch) delete(cur *row) error {
	if cur == nil || cur.sum == "" {
		return nil
	}
	if err := b.put.Flush(); err != nil { // perhaps the row to be deleted
		return err
	}
	b.c.last++
	b.c.files--
	b.ops[cur.disk] = journalOp{disk: cur.disk, fname: cur.name, usn: b.c.last}
	delete(b.from, cur.disk)
	b.rows[cur.name] = &row{name: cur.name, usn: b.c.last, disk: cur.name}
	return deleteRow(context.Background(), b.h.conn, cur.name, b.c.last)
}

func (b *batch) isDir(disk string) bool { return !b.plain && b.h.dirs.isDir(disk) }

// place chooses the name on disk: the file's own, unless the file system
// cannot hold it or has something else under it (a folder, or on a file system
// that ignores case the file of another name).
func (b *batch) place(name string, cur *row) string {
	if cur != nil && cur.sum != "" && !b.isDir(cur.disk) {
		return cur.disk
	}
	if !storable(name) || b.isDir(name) {
		return escapeName(name)
	}
	if !b.h.fold {
		return name
	}
	if _, ours := b.ops[name]; !ours {
		_, _, err := b.h.dirs.look(name)
		if err == nil || b.taken[sqlite.Fold(name)] {
			return escapeName(name)
		}
	}
	b.taken[sqlite.Fold(name)] = true
	return name
}
