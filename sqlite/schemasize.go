package sqlite

import (
	"bytes"
	"context"
	"errors"
)

// SQLite reads the whole schema of a file, and the statistics of its planner, when
// it opens it, before any context is heard. What that takes grows with the square
// of how many objects there are: 200,000 views, in a file of 12 MB, take a minute.
// So Verify counts them by itself first. A collection of Anki's has 40 objects with
// 8 KiB, and a few KiB of statistics.
const (
	maxSchemaObjects = 1000
	maxSchemaBytes   = 1 << 20
	maxStatBytes     = 16 << 20
)

// checkSchemaSize refuses files whose schema is too large to be opened. It is read
// by the reader that Verify has; SQLite has no last word here, for then it would
// have to open the file.
func checkSchemaSize(ctx context.Context, path string) error {
	p, err := openPages(path)
	if err != nil {
		return err
	}
	defer p.close()
	objects, stats := 0, []uint32{}
	err = p.measure(ctx, 1, maxSchemaBytes, func(r *record) error {
		if objects++; objects > maxSchemaObjects {
			return damaged("more than %d tables, indexes, views and triggers", maxSchemaObjects)
		}
		// type, name, tbl_name, rootpage, sql
		if err := r.header(5); err != nil {
			return err
		}
		name, err := r.bytes(1)
		if err != nil {
			return err
		}
		if len(name) < len("sqlite_stat") || !bytes.EqualFold(name[:len("sqlite_stat")], []byte("sqlite_stat")) {
			return nil
		}
		if b, err := r.bytes(3); err != nil {
			return err
		} else if root := serialInt(r.types[3], b); root > 0 && root <= int64(p.count) {
			stats = append(stats, uint32(root))
		}
		return nil
	})
	for _, root := range stats {
		if err == nil {
			err = p.measure(ctx, root, maxStatBytes, func(*record) error { return nil })
		}
	}
	if errors.Is(err, errUnknownForm) {
		return damaged("a schema of an unknown form")
	}
	return err
}

// measure walks a tree and calls f for its records, which may have so many bytes
// all together.
func (p *pages) measure(ctx context.Context, root uint32, most int64, f func(r *record) error) error {
	size := int64(0)
	w := walker{ctx: ctx, p: p, cell: func(_ int64, r *record) error {
		if size += int64(r.size); size > most {
			return damaged("a schema or statistics of more than %d bytes", most)
		}
		return f(r)
	}}
	return w.tree(root, anyForm)
}
