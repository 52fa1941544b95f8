package media

import (
	"archive/zip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Download is a zip of files about to be sent. Everything that can be refused
// has been by the time there is one.
type Download struct {
	s       *Store
	user    string
	members []member
	meta    []byte
	size    int64
}

type member struct {
	name string
	f    *os.File
	size int64
	crc  uint32
}

// PrepareZip opens files for a client, in the order asked for, until they come
// to more than 2.5 MiB; the client asks again for the rest. More than MaxRows
// names are ErrBadRequest. A name that is not stored is ErrConflict, and so is
// one whose file is missing or damaged: such an entry is forgotten, so that a
// device that has the file sends it again; but if all are missing it is ErrAway.
// The caller must Close the Download.
func (s *Store) PrepareZip(ctx context.Context, user string, names []string) (*Download, error) {
	if len(names) > MaxRows {
		return nil, fmt.Errorf("%w: %d files asked for", ErrBadRequest, len(names))
	}
	d := &Download{s: s, user: user}
	found := len(names) == 0
	err := s.with(ctx, user, false, func(h *handle) error {
		found = true
		return h.collect(ctx, d, names)
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: %.80q", ErrConflict, names[0])
	}
	if err == nil {
		err = d.describe()
	}
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// collect opens the files. Each is checked before it is promised: against the
// size and time of change noted when it was last known to be good, which is
// cheap, or by hashing it if there is no such note.
func (h *handle) collect(ctx context.Context, d *Download, names []string) error {
	if h.away {
		return h.errAway()
	}
	rows, err := h.rows(names)
	if err != nil {
		return err
	}
	var lost []*row
	var why []error
	var good []goodFile
	var total int64
	for _, n := range names {
		r := rows[n]
		if r == nil || r.sum == "" {
			return fmt.Errorf("%w: %.80q", ErrConflict, n)
		}
		f, dig, err := h.verify(r)
		if err == nil {
			d.members = append(d.members, member{name: n, f: f, size: dig.size, crc: dig.crc})
			if !r.known || dig.mtime != r.mtime {
				good = append(good, goodFile{r, dig})
			}
			if total += dig.size; total > downloadEnough {
				break
			}
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read media file: %w", err)
		}
		lost, why = append(lost, r), append(why, err)
	}
	if len(lost) > 0 {
		if h.isAway() { // since it was opened
			h.noteAway()
			return h.errAway()
		}
		for i, r := range lost {
			h.s.o.Log.Warn("media file is missing or damaged; forgotten, so that a device sends it again", "dir", h.dir, "file", r.name, "err", why[i])
		}
		if err := h.forget(lost, 1); err != nil {
			return err
		}
		return fmt.Errorf("%w (any more): %.80q", ErrConflict, lost[0].name)
	}
	h.note(good)
	return nil
}

var errDamaged = fmt.Errorf("damaged: %w", fs.ErrNotExist)

// verify opens the file of a row and makes sure of its content.
func (h *handle) verify(r *row) (*os.File, digest, error) {
	if h.root == nil {
		return nil, digest{}, fs.ErrNotExist
	}
	f, fi, err := openRegular(h.root, r.disk)
	if err != nil {
		return nil, digest{}, err
	}
	d := digest{size: r.size, mtime: fi.ModTime().UnixNano(), crc: r.crc, sum: r.sum}
	switch {
	case r.known && fi.Size() != r.size, fi.Size() == 0, fi.Size() > maxFileBytesCap:
		err = errDamaged
	case r.known && d.mtime == r.mtime:
		return f, d, nil
	default:
		if d, err = digestOf(f, fi); err == nil && d.sum != r.sum {
			err = errDamaged
		}
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, digest{}, err
	}
	return f, d, nil
}

type goodFile struct {
	r *row
	d digest
}

// note remembers what was found by hashing. It only saves work, so an error
// (a full disk) does not keep the client from its files.
func (h *handle) note(good []goodFile) {
	if len(good) == 0 {
		return
	}
	err := h.tx(func(_ *counts) error {
		for _, g := range good {
			if err := putFile(context.Background(), h.conn, g.r.name, g.r.usn, g.d, g.r.disk); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.s.o.Log.Warn("checksums not noted", "dir", h.dir, "err", err)
	}
}

// newestRow finds one row by the index on usn. Ordered by usn and name, SQLite
// would look at every row.
const newestRow = `SELECT fname, usn FROM media WHERE usn = (SELECT max(usn) FROM media) ORDER BY fname DESC LIMIT 1`

// forget drops the rows of files that are lost here. A row "deleted" would
// make every device delete its good copy, so the rows go without a trace, and
// the newest other row is announced once more under a new usn, step above the
// last one: it changes
// nothing for a device that has it, but makes each look. One that has a lost
// file finds that the counts differ, compares everything, and sends it.
func (h *handle) forget(lost []*row, step int64) error {
	return h.tx(func(c *counts) error {
		ctx, tx := context.Background(), h.conn
		gone := map[string]bool{}
		for _, r := range lost {
			if gone[r.name] {
				continue
			}
			gone[r.name] = true
			for _, q := range []string{`DELETE FROM media WHERE fname = ?`, `DELETE FROM ankisyncd_file WHERE fname = ?`} {
				if _, err := tx.ExecContext(ctx, q, r.name); err != nil {
					return err
				}
			}
			c.files--
		}
		c.last += step
		var name string
		var usn int64
		err := tx.QueryRowContext(ctx, newestRow).Scan(&name, &usn)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE media SET usn = ? WHERE fname = ?`, c.last, name); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE ankisyncd_file SET usn = ? WHERE fname = ? AND usn = ?`, c.last, name, usn)
		return err
	})
}

// distrust makes the next request for a file hash it.
func (h *handle) distrust(name string) error {
	return h.tx(func(_ *counts) error {
		_, err := h.conn.Run(`UPDATE ankisyncd_file SET mtime = -1 WHERE fname = ?`, name)
		return err
	})
}

// describe makes the listing and counts the zip's bytes: a local and a central
// header for each member (30 and 46 bytes and its name), its content as it is,
// and 22 bytes for the end.
func (d *Download) describe() error {
	listing := make(map[string]string, len(d.members))
	d.size = 22
	for i, m := range d.members {
		key := strconv.Itoa(i)
		listing[key] = m.name
		d.size += 76 + 2*int64(len(key)) + m.size
	}
	var err error
	if d.meta, err = json.Marshal(listing); err != nil {
		return err
	}
	d.size += 76 + 2*int64(len("_meta")) + int64(len(d.meta))
	return nil
}

// Size is the exact number of bytes that WriteTo writes.
func (d *Download) Size() int64 { return d.size }

// Packed reports whether most bytes of the zip are of kinds of files that are
// compressed already, going by their names. (Members are always stored.)
func (d *Download) Packed() bool {
	var packed, plain int64
	for _, m := range d.members {
		if plainKinds[strings.ToLower(filepath.Ext(m.name))] {
			plain += m.size
		} else {
			packed += m.size
		}
	}
	return packed >= plain
}

// plainKinds are the usual kinds of media files that are worth compressing.
var plainKinds = map[string]bool{
	".svg": true, ".css": true, ".js": true, ".mjs": true, ".json": true, ".html": true, ".htm": true, ".xml": true, ".txt": true,
	".csv": true, ".md": true, ".bmp": true, ".wav": true, ".tif": true, ".tiff": true, ".ttf": true, ".otf": true, ".wasm": true,
}

// Names are the names of the files in the zip, in order.
func (d *Download) Names() []string {
	names := make([]string, len(d.members))
	for i, m := range d.members {
		names[i] = m.name
	}
	return names
}

// WriteTo writes the zip. An error in the middle means that the connection is
// gone, or that a file turned out to be damaged; it is checked again when the
// client comes back.
func (d *Download) WriteTo(w io.Writer) (int64, error) {
	n := &countWriter{}
	z := zip.NewWriter(io.MultiWriter(w, n))
	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buf)
	for i := range d.members {
		if err := d.writeMember(z, i, *buf); err != nil {
			return n.n, err
		}
	}
	mw, err := z.CreateRaw(header("_meta", int64(len(d.meta)), crc32.ChecksumIEEE(d.meta)))
	if err != nil {
		return n.n, err
	}
	if _, err := mw.Write(d.meta); err != nil {
		return n.n, err
	}
	return n.n, z.Close()
}

func (d *Download) writeMember(z *zip.Writer, i int, buf []byte) error {
	m := d.members[i]
	if _, err := m.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	mw, err := z.CreateRaw(header(strconv.Itoa(i), m.size, m.crc))
	if err != nil {
		return err
	}
	crc := crc32.NewIEEE()
	src := &sourceErr{r: io.LimitReader(m.f, m.size)}
	n, err := io.CopyBuffer(onlyWriter{io.MultiWriter(mw, crc)}, src, buf)
	if err != nil && src.err == nil {
		return err // the receiver's
	}
	if err == nil && n == m.size && crc.Sum32() == m.crc {
		return nil
	}
	d.s.o.Log.Error("media file is damaged", "user", d.user, "file", m.name, "err", err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	derr := d.s.with(ctx, d.user, false, func(h *handle) error { return h.distrust(m.name) })
	return errors.Join(fmt.Errorf("media: file %.80q is damaged", m.name), derr)
}

// header is one for a stored member whose sizes are known: no data descriptor,
// since some zip readers cannot skip a stored member that has one.
func header(name string, size int64, crc uint32) *zip.FileHeader {
	return &zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: crc,
		CompressedSize64: uint64(size), UncompressedSize64: uint64(size), //nolint:gosec // positive
		//lint:ignore SA1019 Modified would add an extra field, which changes the size
		ModifiedDate: 1<<5 | 1, // 1980-01-01: the format's zero is no date
	}
}

// Close closes the files.
func (d *Download) Close() error {
	var errs []error
	for _, m := range d.members {
		errs = append(errs, m.f.Close())
	}
	d.members = nil
	return errors.Join(errs...)
}

// WriteZip is PrepareZip and WriteTo in one, for callers that need not know the
// size beforehand. After an error from PrepareZip nothing has been written.
func (s *Store) WriteZip(ctx context.Context, user string, names []string, w io.Writer) error {
	d, err := s.PrepareZip(ctx, user, names)
	if err != nil {
		return err
	}
	defer d.Close()
	_, err = d.WriteTo(w)
	return err
}

// File is one stored file opened for reading.
type File struct {
	*os.File
	// Name is the file's name, Sum the SHA-1 of its content in hex.
	Name, Sum string
	// Size is in bytes.
	Size int64
	// ModTime is when the content was stored.
	ModTime time.Time
}

// OpenFile opens one stored file; ErrConflict if there is none of that name.
func (s *Store) OpenFile(ctx context.Context, user, name string) (*File, error) {
	var out *File
	err := s.with(ctx, user, false, func(h *handle) error {
		d := &Download{}
		if err := h.collect(ctx, d, []string{name}); err != nil {
			_ = d.Close()
			return err
		}
		rows, err := h.rows([]string{name})
		if err != nil {
			_ = d.Close()
			return err
		}
		m := d.members[0]
		out = &File{File: m.f, Name: name, Sum: rows[name].sum, Size: m.size}
		if fi, err := m.f.Stat(); err == nil {
			out.ModTime = fi.ModTime()
		}
		return nil
	})
	if err == nil && out == nil {
		err = fmt.Errorf("%w: %.80q", ErrConflict, name)
	}
	return out, err
}
