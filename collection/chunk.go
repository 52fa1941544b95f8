package collection

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"slices"
)

// chunkRows is how many rows one chunk holds. Clients accept any number; this
// is what all of them expect.
const chunkRows = 250

// chunkBytes is how much text a chunk has at least when it ends before that:
// the answer is in memory as rows, as JSON and compressed.
const chunkBytes = 1 << 20

// errChunkFull ends a query.
var errChunkFull = errors.New("collection: the chunk is full")

// chunkCursor says how far the rows that changed here have been handed out.
// Rows are taken in the order of (usn, id), which the usn indexes have already:
// nothing is collected beforehand, whatever the number.
type chunkCursor struct {
	table int // 0 revlog, 1 cards, 2 notes, 3 the end
	// started: usn is one of the table's; the rows of this usn up to and
	// including id have been handed out.
	started bool
	usn     USN
	id      int64

	text int // bytes in this chunk
}

// Chunk returns the next rows that changed here since the client's last sync
// (docs/protocol.md §6.5), in the order revlog, cards, notes. The last chunk
// has Done set; who asks once more after it has not got it, and gets it again.
func (s *Store) Chunk(ctx context.Context, name, skey string) (Chunk, error) {
	return s.ChunkFor(ctx, name, skey, "")
}

// ChunkFor is Chunk for a client that may say one request twice: when the
// connection breaks before the answer has come, on another one. So who asks on
// another connection than for the chunk before gets that again, once. conn names
// the connection. That a client gets rows twice does no harm, that it gets them
// not at all would go unnoticed.
func (s *Store) ChunkFor(ctx context.Context, name, skey, conn string) (Chunk, error) {
	var out Chunk
	err := s.step(ctx, name, skey, func(u *user, se *session) error {
		if p := &se.handed; p.some && !p.again && (p.done || p.conn != conn) {
			se.takeBack()
			p.again = true
		} else {
			p.again = false
		}
		before := se.position()
		var err error
		if out, err = se.nextChunk(u.col); err == nil && !out.Done {
			s.readAhead(u, se)
		}
		se.handed = handedChunk{some: true, again: se.handed.again, conn: conn, done: out.Done, before: before}
		return err
	})
	return out, err
}

// ChunkLost takes back the last chunk, which could not be sent: it is the next. It
// is ErrConflict if that sync is not going on.
func (s *Store) ChunkLost(ctx context.Context, name, skey string) error {
	return s.step(ctx, name, skey, func(_ *user, se *session) error {
		if se.handed.some {
			se.takeBack()
			se.handed = handedChunk{}
		}
		return nil
	})
}

// handedChunk is the chunk that was handed out last.
type handedChunk struct {
	some   bool // there is one
	again  bool // it was handed out twice
	done   bool
	conn   string
	before chunkCursor
}

// takeBack makes the chunk that was handed out last the next one.
func (se *session) takeBack() {
	se.ahead = nil
	se.cursor = se.handed.before
}

// position is where the next chunk begins.
func (se *session) position() chunkCursor {
	if se.ahead != nil {
		return se.ahead.before
	}
	return se.cursor
}

// aheadChunk is the next chunk, read while the client is busy with the one before.
type aheadChunk struct {
	chunk  Chunk
	err    error
	before chunkCursor
	steps  int // the session's, when it was read
}

// readAhead reads the next chunk once the step that is going on has ended. The
// caller holds u's lock.
func (s *Store) readAhead(u *user, se *session) {
	steps := se.steps
	go func() {
		u.sem <- struct{}{}
		defer u.unlock()
		if u.sync != se || se.steps != steps || s.isClosed() {
			return // the client was quicker, or is gone
		}
		a := &aheadChunk{before: se.cursor, steps: steps}
		a.err = errors.New("collection: reading ahead failed")
		defer func() {
			se.ahead = a
			if p := recover(); p != nil { // for the next step to fail with
				s.o.Log.Error("panic", "user", u.name, "panic", p, "stack", string(debug.Stack()))
			}
		}()
		a.chunk, a.err = se.readChunk(u.col)
	}()
}

// nextChunk is the chunk that was read ahead, if nothing has happened since.
func (se *session) nextChunk(h *handle) (Chunk, error) {
	if a := se.ahead; a != nil {
		se.ahead = nil
		if a.steps == se.steps-1 {
			return a.chunk, a.err
		}
		se.cursor = a.before
	}
	return se.readChunk(h)
}

func (se *session) readChunk(h *handle) (Chunk, error) {
	var out Chunk
	c := &se.cursor
	c.text = 0
	for left := chunkRows; left > 0 && c.table < 3; {
		ok, err := c.seek(h, se.clientUSN)
		if err != nil {
			return out, err
		}
		if !ok {
			*c = chunkCursor{table: c.table + 1, text: c.text}
			continue
		}
		n, err := c.next(h, left, &out)
		if errors.Is(err, errChunkFull) {
			break
		}
		if err != nil {
			return out, err
		}
		if n < left {
			c.id = math.MaxInt64
		}
		left -= n
	}
	out.Done = c.table == 3
	return out, nil
}

// What old clients and their add-ons may have left as fractions or texts is cut to
// integers, as clients do when they read it.
var chunkSelects = [3]string{
	`SELECT id, CAST(cid AS INTEGER), usn, CAST(ease AS INTEGER), CAST(ivl AS INTEGER), CAST(lastIvl AS INTEGER),
		CAST(factor AS INTEGER), CAST(time AS INTEGER), CAST(type AS INTEGER) FROM revlog INDEXED BY ix_revlog_usn`,
	`SELECT id, CAST(nid AS INTEGER), CAST(did AS INTEGER), CAST(ord AS INTEGER), CAST(mod AS INTEGER), usn, CAST(type AS INTEGER),
		CAST(queue AS INTEGER), CAST(due AS INTEGER), CAST(ivl AS INTEGER), CAST(factor AS INTEGER), CAST(reps AS INTEGER),
		CAST(lapses AS INTEGER), CAST(left AS INTEGER), CAST(odue AS INTEGER), CAST(odid AS INTEGER), CAST(flags AS INTEGER), data
		FROM cards INDEXED BY ix_cards_usn`,
	`SELECT id, guid, CAST(mid AS INTEGER), CAST(mod AS INTEGER), usn, tags, flds FROM notes INDEXED BY ix_notes_usn`,
}

// seek moves on to the next usn once the rows of one are through; ok is false
// at the end of the table.
func (c *chunkCursor) seek(h *handle, from USN) (ok bool, err error) {
	if c.started && c.id < math.MaxInt64 {
		return true, nil
	}
	if c.started {
		from = c.usn + 1
	}
	var usn *USN
	if err := h.row(chunkSeeks[c.table], []any{from}, &usn); err != nil || usn == nil {
		return false, err
	}
	c.started, c.usn, c.id = true, *usn, math.MinInt64
	return true, nil
}

var chunkSeeks = [3]string{
	`SELECT min(usn) FROM revlog WHERE usn >= ?`,
	`SELECT min(usn) FROM cards WHERE usn >= ?`,
	`SELECT min(usn) FROM notes WHERE usn >= ?`,
}

// next appends at most limit rows of the cursor's table and usn to out and
// returns how many it found.
func (c *chunkCursor) next(h *handle, limit int, out *Chunk) (int, error) {
	n := 0
	err := h.query(func(scan func(...any) error) error {
		n++
		switch c.table {
		case 0:
			var r RevlogEntry
			if err := scan(&r.ID, &r.CID, (*int32)(&r.USN), &r.Ease, &r.Ivl, &r.LastIvl, &r.Factor, &r.Time, &r.Type); err != nil {
				return err
			}
			out.Revlog = append(roomier(out.Revlog, n), r)
			c.id = r.ID
		case 1:
			var k Card
			if err := scan(&k.ID, &k.NID, &k.DID, &k.Ord, &k.Mod, (*int32)(&k.USN), &k.Type, &k.Queue, &k.Due, &k.Ivl, &k.Factor,
				&k.Reps, &k.Lapses, &k.Left, &k.ODue, &k.ODID, &k.Flags, &k.Data); err != nil {
				return err
			}
			k.Ivl = max(k.Ivl, 0)
			out.Cards = append(roomier(out.Cards, n), k)
			c.id = k.ID
			c.text += len(k.Data)
		default:
			var t Note
			if err := scan(&t.ID, &t.GUID, &t.MID, &t.Mod, (*int32)(&t.USN), &t.Tags, &t.Flds); err != nil {
				return err
			}
			out.Notes = append(roomier(out.Notes, n), t)
			c.id = t.ID
			c.text += len(t.Flds) + len(t.Tags)
		}
		if c.text >= chunkBytes {
			return errChunkFull
		}
		return nil
	}, chunkSelects[c.table]+` WHERE usn = ? AND id > ? ORDER BY id LIMIT ?`, c.usn, c.id, limit)
	return n, err
}

// roomier gives a list of rows room for a whole chunk once the chunk proves to
// be no small one: growing step by step copies each row several times.
func roomier[T any](list []T, n int) []T {
	const small = 16
	if n == small {
		return slices.Grow(list, chunkRows-small+1)
	}
	return list
}
