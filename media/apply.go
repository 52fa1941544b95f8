package media

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"

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
		for _, a := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := g.add(a, old[a.name]); err != nil {
				return err
			}
		}
		return nil
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
	return s.apply(ctx, user, func(g *stager, old map[string]*row) error {
		if spent {
			return errRestage
		}
		spent = true
		clear(old)                     // keep the content in any case: it cannot be read again
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
	var root, staging *os.Root
	var opened *handle
	old := map[string]*row{}
	err = s.locked(ctx, e, true, func(h *handle) error {
		if err := h.openStaging(); err != nil {
			return err
		}
		// An own handle on the folder: the database's may be closed meanwhile.
		opened = h
		var err error
		if root, err = h.root.OpenRoot("."); err != nil {
			return err
		}
		if staging, err = root.OpenRoot(stagingDir); err != nil || keepAll {
			return err
		}
		old, err = h.rows(ctx, names)
		return err
	})
	if root != nil {
		defer root.Close()
	}
	if staging != nil {
		defer staging.Close()
	}
	if err != nil {
		return 0, err
	}
	g := newStager(s, root, staging)
	keep := false
	defer func() {
		if !keep {
			g.discard()
		}
	}()
	if err := fill(g, old); err != nil {
		return 0, err
	}
	if err := g.flush(old); err != nil {
		return 0, err
	}
	err = s.locked(ctx, e, true, func(h *handle) error {
		if h != opened {
			return errRestage // opening it has emptied the staging folder
		}
		var err error
		// After a commit that may or may not have happened, the files must
		// stay: opening the database again decides.
		keep, err = h.commit(ctx, g)
		usn = h.last
		return err
	})
	return usn, err
}

// rows reads what the database knows of some names.
func (h *handle) rows(ctx context.Context, names []string) (map[string]*row, error) {
	conn, err := h.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	st, err := sqlite.Prepare(ctx, conn, selectRow)
	if err != nil {
		return nil, err
	}
	defer st.Close() //nolint:errcheck // it has only read
	out := make(map[string]*row, len(names))
	for _, n := range names {
		r, err := lookup(ctx, st, n)
		if err != nil {
			return nil, err
		}
		if r != nil {
			out[n] = r
		}
	}
	return out, nil
}

// batch is a transaction over staged rows in the making.
type batch struct {
	h   *handle
	tx  *sql.Tx
	c   *counts
	get *sqlite.Stmt
	put *sqlite.Stmt
	inf *sqlite.Stmt
	ops map[string]journalOp // by name on disk, the last one wins
	// taken has the folded names on disk given out in this batch, on a file
	// system that ignores case.
	taken map[string]bool
}

// errNothing rolls back a transaction that has nothing to say.
var errNothing = errors.New("media: nothing changed")

// commit decides on each staged row, in order, and commits the batch. keep
// says that the staged files belong to the journal now.
func (h *handle) commit(ctx context.Context, g *stager) (keep bool, err error) {
	b := &batch{h: h, ops: map[string]journalOp{}, taken: map[string]bool{}}
	err = h.connTx(ctx, func(conn *sql.Conn, tx *sql.Tx, c *counts) error {
		ctx := context.WithoutCancel(ctx)
		b.tx, b.c = tx, c
		defer b.close()
		if err := b.prepare(ctx, conn); err != nil {
			return err
		}
		for i := range g.list {
			if err := b.apply(ctx, &g.list[i]); err != nil {
				return err
			}
		}
		if c.last == h.last && len(b.ops) == 0 {
			return errNothing
		}
		return h.writeJournal(ctx, tx, b.ops)
	})
	if errors.Is(err, errNothing) {
		return false, nil
	}
	if err != nil {
		return h.broken, err
	}
	// What a later row of the same batch has overtaken goes; the rest is the
	// journal's.
	for i := range g.list {
		it := &g.list[i]
		if it.tmp == "" {
			continue
		}
		if b.journalled(it.tmp) {
			it.tmp = ""
		}
	}
	g.discard()
	h.batch++
	return true, h.perform(b.ops)
}

func (b *batch) journalled(tmp string) bool {
	for _, op := range b.ops {
		if op.tmp == tmp {
			return true
		}
	}
	return false
}

func (b *batch) prepare(ctx context.Context, conn *sql.Conn) (err error) {
	if b.get, err = sqlite.Prepare(ctx, conn, selectRow); err != nil {
		return err
	}
	if b.put, err = sqlite.Prepare(ctx, conn, `INSERT INTO media (fname, usn, csum) VALUES (?, ?, ?)
		ON CONFLICT (fname) DO UPDATE SET usn = excluded.usn, csum = excluded.csum`); err != nil {
		return err
	}
	b.inf, err = sqlite.Prepare(ctx, conn, `INSERT OR REPLACE INTO ankisyncd_file (fname, usn, size, mtime, crc, disk) VALUES (?, ?, ?, ?, ?, nullif(?, ''))`)
	return err
}

// close releases the statements, before the transaction ends.
func (b *batch) close() {
	for _, st := range []*sqlite.Stmt{b.get, b.put, b.inf} {
		if st != nil {
			_ = st.Close() // what went wrong, running it has said
		}
	}
}

func (b *batch) apply(ctx context.Context, it *staged) error {
	cur, err := lookup(ctx, b.get, it.name)
	if err != nil {
		return err
	}
	if it.del {
		return b.delete(ctx, cur)
	}
	alive := cur != nil && cur.sum != ""
	usn := b.c.last + 1
	if alive && cur.sum == it.sum {
		if _, queued := b.ops[cur.disk]; queued || intact(b.h.root, cur.disk, it.size) {
			return nil
		}
		usn = cur.usn // the file is lost or damaged: put it back, nobody else need know
	}
	if it.tmp == "" {
		return errRestage
	}
	if usn > b.c.last {
		b.c.last = usn
		if !alive {
			b.c.files++
		}
		if _, err := b.put.Exec(ctx, it.name, usn, it.sum); err != nil {
			return err
		}
	}
	disk := b.place(it.name, cur)
	stored := disk
	if disk == it.name {
		stored = ""
	}
	if _, err := b.inf.Exec(ctx, it.name, usn, it.size, it.mtime, int64(it.crc), stored); err != nil {
		return err
	}
	b.ops[disk] = journalOp{disk: disk, fname: it.name, usn: usn, tmp: it.tmp}
	return nil
}

func (b *batch) delete(ctx context.Context, cur *row) error {
	if cur == nil || cur.sum == "" {
		return nil
	}
	b.c.last++
	b.c.files--
	b.ops[cur.disk] = journalOp{disk: cur.disk, fname: cur.name, usn: b.c.last}
	return deleteRow(ctx, b.tx, cur.name, b.c.last)
}

// place chooses the name on disk: the file's own, unless the file system
// cannot hold it or has something else under it (a folder, or on a file system
// that ignores case the file of another name).
func (b *batch) place(name string, cur *row) string {
	if cur != nil && cur.sum != "" && !isDir(b.h.root, cur.disk) {
		return cur.disk
	}
	if !storable(name) || isDir(b.h.root, name) {
		return escapeName(name)
	}
	if !b.h.fold {
		return name
	}
	if _, ours := b.ops[name]; !ours {
		_, err := b.h.root.Lstat(name)
		if err == nil || b.taken[sqlite.Fold(name)] {
			return escapeName(name)
		}
	}
	b.taken[sqlite.Fold(name)] = true
	return name
}

func isDir(root *os.Root, name string) bool {
	fi, err := root.Lstat(name)
	return err == nil && fi.IsDir()
}
