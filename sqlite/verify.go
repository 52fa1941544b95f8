package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
)

// ErrDamaged means that a database file is not sound.
var ErrDamaged = errors.New("sqlite: damaged database")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// Verify checks a database file that nobody writes to. It finds what PRAGMA
// integrity_check finds, in a fraction of the time:
//
//   - Every tree is read once, front to back, by a reader of our own, which holds
//     its pages to what SQLite's checkTreePage does: cells lie within their page
//     and side by side with its free blocks, with as many bytes lost between them
//     as the page says; rowids ascend; leaves are equally deep; chains of overflow
//     pages are as long as their records need (page.go, btree.go).
//   - Every page of the file is in one tree, one chain or the free list, and in no
//     second one.
//   - Every row has the columns of its table, with values of the declared types,
//     and keeps NOT NULL.
//   - integrity_check looks each row up in each index, at random places of the
//     file. Here an index's entries must ascend in the collation's order, without
//     duplicates if it is unique, and the sum of a keyed hash over them
//     must be that over the keys that the table's rows call for. The hash's key
//     is random in each process, so no file can be made to fit; two different
//     sets have the same sum with a probability of 2^-64.
//   - The rows of tables that this reader does not know (WITHOUT ROWID, STRICT,
//     other collations or types) are left to PRAGMA integrity_check(table), and
//     files of another form (auto_vacuum, virtual tables) to PRAGMA quick_check.
//   - No expression of the file's is evaluated: that may take any time and memory.
//     CHECK constraints are not looked at. Of tables with generated columns, or
//     with indexes over expressions or with a WHERE that is not known, only the
//     form is checked. Anki has none of these; add-ons may.
//   - Files whose schema is far larger than Anki's are refused before SQLite opens
//     them, which it does in a time that nothing bounds (checkSchemaSize).
//   - Where a page's form is found wrong, SQLite has the last word: then, and only
//     then, PRAGMA integrity_check runs over everything for which it need not
//     evaluate expressions. No file of Anki's is refused for a fault of the reader's.
//
// The parts run side by side.
func Verify(ctx context.Context, path string) error {
	if err := checkSchemaSize(ctx, path); err != nil {
		return err
	}
	// Not mapped: every page is read once, and mapped pages count as memory.
	db, err := Open(ctx, path, Options{Immutable: true, CacheKiB: 4096, MaxConns: 2, Foreign: true})
	if err != nil {
		return asDamaged(err)
	}
	defer db.Close()
	err = readThrough(ctx, db, path)
	if !errors.Is(err, errForm) {
		return err
	}
	schema, derr := describeSchema(ctx, db)
	if derr != nil {
		return asDamaged(derr)
	}
	return schema.bySQLite(ctx, db)
}

// bySQLite has SQLite check everything, or, where it would evaluate expressions,
// each table that has none: the others are add-ons', and theirs to lose.
func (s *dbSchema) bySQLite(ctx context.Context, db *sql.DB) error {
	if !s.computed {
		return pragmaCheck(ctx, db, "integrity_check", "")
	}
	for _, t := range s.tables {
		if t.computed {
			continue
		}
		if err := pragmaCheck(ctx, db, "integrity_check", t.name); err != nil {
			return err
		}
	}
	return nil
}

// readThrough is all of Verify but SQLite's last word.
func readThrough(ctx context.Context, db *sql.DB, path string) error {
	schema, err := describeSchema(ctx, db)
	if err != nil {
		return asDamaged(err)
	}
	file, err := openPages(path)
	if err != nil {
		return err
	}
	defer file.close()
	if schema.virtual {
		file.plain = false
	}
	if !file.plain && schema.computed {
		return schema.bySQLite(ctx, db)
	}
	err = inParallel(ctx, file.workers(), func(ctx context.Context) []func() error { return schema.jobs(ctx, db, file) })
	if err == nil && file.plain {
		if err = file.claimFree(); err == nil {
			err = file.allClaimed()
		}
	}
	if err != nil {
		return err
	}
	for _, t := range schema.tables {
		if err := t.compare(); err != nil {
			return err
		}
	}
	return nil
}

func asDamaged(err error) error {
	if IsCorrupt(err) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// quickBytes is the size up to which a file is read through in a moment, with
// everything that the machine has.
const quickBytes = 16 << 20

// workers is how many goroutines read the file. They do nothing but compute, and
// if each processor has one, other users' requests are noticed 10 ms late only:
// a large file leaves them a processor.
func (p *pages) workers() int {
	n := runtime.GOMAXPROCS(0)
	if int64(p.count)*int64(p.size) > quickBytes {
		n--
	}
	return max(1, n)
}

// inParallel does all jobs with n workers and returns the first error; after it
// the others' context is done.
func inParallel(ctx context.Context, n int, jobs func(context.Context) []func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan func() error)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	for range n {
		wg.Go(func() {
			for job := range queue {
				if err := recovered(job); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					cancel()
				}
			}
		})
	}
	for _, job := range jobs(ctx) {
		queue <- job
	}
	close(queue)
	wg.Wait()
	return first
}

// recovered does job and makes an error of a panic, which would end the program:
// that is a fault of ours, but the file's sender chose when it happens.
func recovered(job func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlite: panic in a check: %v\n%s", p, debug.Stack())
		}
	}()
	return job()
}

func pragmaCheck(ctx context.Context, db *sql.DB, pragma, table string) error {
	arg := "1"
	if table != "" {
		arg = Quote(table)
	}
	var result string
	err := db.QueryRowContext(ctx, `PRAGMA `+pragma+`(`+arg+`)`).Scan(&result)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil // nothing to say of an object without a tree
	case IsCorrupt(err):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case err != nil:
		return err
	case result != "ok":
		return damaged("%s", result)
	}
	return nil
}

// jobs are the pieces of work that check a file, each reading one tree.
func (s *dbSchema) jobs(ctx context.Context, db *sql.DB, file *pages) []func() error {
	var out []func() error
	if !file.plain {
		out = append(out, func() error { return pragmaCheck(ctx, db, "quick_check", "") })
	}
	walked := map[uint32]bool{}
	for _, t := range s.tables {
		for _, j := range t.jobs(ctx, db, file) {
			walked[j.root] = true
			out = append(out, j.do)
		}
	}
	for _, root := range s.roots {
		if walked[root] {
			delete(walked, root) // a second tree there is one too many
			continue
		}
		out = append(out, func() error {
			w := walker{ctx: ctx, p: file}
			return w.tree(root, anyForm)
		})
	}
	return out
}

// treeJob is one tree's, or no tree's if root is 0.
type treeJob struct {
	root uint32
	do   func() error
}

// jobs are the pieces of work that check t.
func (t *tableTree) jobs(ctx context.Context, db *sql.DB, file *pages) []treeJob {
	bySQLite := func() error { return pragmaCheck(ctx, db, "integrity_check", t.name) }
	if t.computed {
		return nil // its trees are walked as all others are
	}
	if t.opaque {
		return []treeJob{{do: bySQLite}}
	}
	out := []treeJob{{t.root, func() error {
		err := t.scan(ctx, file)
		if errors.Is(err, errUnknownForm) {
			t.opaque = true
			return bySQLite()
		}
		return err
	}}}
	for _, ix := range t.indexes {
		out = append(out, treeJob{ix.root, func() error {
			err := ix.scan(ctx, file)
			if errors.Is(err, errUnknownForm) {
				ix.opaque = true
				return bySQLite()
			}
			return err
		}})
		if ix.partial != "" {
			out = append(out, treeJob{do: func() error { return t.sumPartial(ctx, db, ix) }})
		}
	}
	return out
}

// compare says whether the scans of a table and its indexes agree.
func (t *tableTree) compare() error {
	if t.opaque || t.computed {
		return nil
	}
	for _, ix := range t.indexes {
		if !ix.opaque && ix.got != ix.want {
			return damaged("index %s does not fit its table", ix.name)
		}
	}
	return nil
}

// sumPartial adds up the keys of the rows that belong in a partial index. The
// query is ours: nothing of the index's own text is in it but names of columns.
func (t *tableTree) sumPartial(ctx context.Context, db *sql.DB, ix *indexTree) error {
	query := "SELECT "
	for _, c := range ix.columns {
		if c.place < 0 {
			query += "rowid, "
			continue
		}
		query += quoteName(t.columns[c.place].name) + ", "
	}
	rows, err := db.QueryContext(ctx, query+"rowid FROM "+quoteName(t.name)+" NOT INDEXED WHERE "+quoteName(ix.partial)+" != 0")
	if err != nil {
		return asDamaged(err)
	}
	defer rows.Close()
	values := make([]any, len(ix.columns)+1)
	dest := make([]any, len(values))
	for i := range values {
		dest[i] = &values[i]
	}
	var h keyHash
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		h.reset()
		for _, v := range values {
			h.value(v)
		}
		ix.want.add(&h)
	}
	return asDamaged(rows.Err())
}

func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
