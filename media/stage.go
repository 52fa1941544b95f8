package media

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the protocol's checksum, no secret
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
)

// smallFile is the size up to which a file is taken whole, in bytes: most are.
const smallFile = 64 << 10

// buffers are for copying files.
var buffers = sync.Pool{New: func() any { b := make([]byte, smallFile); return &b }}

// row is what the database knows of a name.
type row struct {
	name string
	usn  int64
	sum  string // "" if deleted
	disk string // name on disk
	// More about the file, valid if known says so.
	known bool
	size  int64
	mtime int64
	crc   uint32
}

// selectRows reads the rows of some names, a JSON array: running a statement for
// each costs more than finding its row.
const selectRows = `SELECT m.fname, m.usn, coalesce(m.csum, ''), coalesce(f.usn = m.usn, 0), coalesce(f.disk, m.fname), coalesce(f.size, 0), coalesce(f.mtime, 0), coalesce(f.crc, 0)
	FROM json_each(?) n CROSS JOIN media m ON m.fname = n.value LEFT JOIN ankisyncd_file f ON f.fname = m.fname`

// staged is one row of a change with its new content waiting in the staging
// folder.
type staged struct {
	name string
	del  bool
	digest
	tmp   string   // name in the staging folder, or inPlace; "" if the content was not kept, or is making
	f     *os.File // open until it is synced
	stamp stamp    // of a file made in place
	// making says that the maker is at it: tmp, mtime and stamp follow.
	making bool
}

// stager writes the contents of a batch to the staging folder.
type stager struct {
	s       *Store
	dirs    *dirs
	id      string
	list    []staged
	keepAll bool   // do not drop what seems to be stored already
	zipped  []byte // the zip, nil if it is not in memory
	files   int    // staged so far
	inPlace bool   // new names may be made where they belong
	maker   *maker
	note    *note // of the names made there, nil until there are any
}

func newStager(s *Store, d *dirs) *stager {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return &stager{s: s, dirs: d, id: hex.EncodeToString(b[:])}
}

// repeats reports whether every row says what is stored already. It holds as
// long as the caller has the lock under which rows was read. (Content that was
// not staged has been seen on the disk a moment ago.)
func (g *stager) repeats(rows map[string]*row) bool {
	for i := range g.list {
		it := &g.list[i]
		r := rows[it.name]
		alive := r != nil && r.sum != ""
		if it.del == alive || alive && (r.sum != it.sum || it.tmp != "" || it.making) {
			return false
		}
	}
	return true
}

// addAll stages the additions of a zip. zipped is the zip, nil if it is not in
// memory.
func (g *stager) addAll(ctx context.Context, list []addition, old map[string]*row, zipped []byte) error {
	g.zipped = zipped
	g.maker = g.newMaker(list, old)
	if err := g.maker.start(); err != nil {
		return err
	}
	todo := g.maker.todo
	for i, a := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if len(todo) > 0 && todo[0].item == i {
			err = g.addMaking(a, todo[0].content)
			todo = todo[1:]
		} else {
			err = g.add(a, old[a.name])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addMaking is add for a file that is being made.
func (g *stager) addMaking(a addition, content []byte) error {
	if err := checkContent(a.member, content); err != nil {
		return err
	}
	g.list = append(g.list, staged{name: a.name, digest: digest{size: int64(len(content)), crc: a.member.CRC32, sum: g.s.sums.of(content, a.member.CRC32)}, making: true})
	return nil
}

// add stages one addition of a zip. old is what the database said of the name
// a moment ago; if the content is the same, it is only hashed, so that
// repeating an upload writes nothing.
func (g *stager) add(a addition, old *row) error {
	if a.member == nil {
		g.list = append(g.list, staged{name: a.name, del: true})
		return nil
	}
	buf := buffers.Get().(*[]byte) //nolint:forcetypeassert // the pool holds nothing else
	defer buffers.Put(buf)
	size := int64(a.member.UncompressedSize64) //nolint:gosec // checked against the limit
	if size <= smallFile && g.s.o.SyncDelay >= 0 {
		return g.addSmall(a, old, (*buf)[:size])
	}
	if old != nil && old.sum != "" && old.known && old.size == size && old.crc == a.member.CRC32 && g.dirs.intact(old.disk, size) {
		sum := sha1.New() //nolint:gosec // the protocol's checksum
		if err := copyMember(sum, a.member, *buf); err != nil {
			return err
		}
		if hex.EncodeToString(sum.Sum(nil)) == old.sum {
			g.list = append(g.list, staged{name: a.name, digest: digest{size: size, crc: old.crc, sum: old.sum}})
			return nil
		}
	}
	return g.write(a.name, func(w io.Writer) error { return copyMember(w, a.member, *buf) })
}

// addSmall is add for a file that fits into a buffer: most do.
func (g *stager) addSmall(a addition, old *row, buf []byte) error {
	if content, ok := plainContent(a.member, g.zipped); ok {
		buf = content
		if err := checkContent(a.member, buf); err != nil {
			return err
		}
	} else if err := readWhole(a.member, buf); err != nil {
		return err
	}
	it := staged{name: a.name, digest: digest{size: int64(len(buf)), crc: a.member.CRC32, sum: g.s.sums.of(buf, a.member.CRC32)}}
	if old != nil && old.sum == it.sum && g.dirs.intact(old.disk, it.size) {
		g.list = append(g.list, it)
		return nil
	}
	g.list = append(g.list, it)
	return g.createSmall(&g.list[len(g.list)-1], buf)
}

// createSmall stages the content of a row of the list.
func (g *stager) createSmall(it *staged, content []byte) (err error) {
	if err := errors.Join(g.s.at("create"), g.s.at("write")); err != nil {
		return err
	}
	it.tmp = g.tmp() // also if it is half written: discard removes it
	if it.mtime, err = g.dirs.create(it.tmp, content); err != nil {
		return g.stageError(err)
	}
	return g.s.at("close")
}

// tmp names the next staged file.
func (g *stager) tmp() string {
	g.files++
	return g.id + "-" + strconv.Itoa(g.files)
}

// stageError says that staging failed. If the folder has been removed by hand,
// the next try makes it anew.
func (g *stager) stageError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		g.dirs.gone.Store(true)
		return errRestage
	}
	return fmt.Errorf("stage media file: %w", err)
}

// write stages the content that fill writes, hashing it on the way.
func (g *stager) write(name string, fill func(io.Writer) error) error {
	tmp := g.tmp()
	if err := g.s.at("create"); err != nil {
		return err
	}
	f, err := g.dirs.staging.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return g.stageError(err)
	}
	g.list = append(g.list, staged{name: name, tmp: tmp, f: f})
	it := &g.list[len(g.list)-1]
	sum, crc := sha1.New(), crc32.NewIEEE() //nolint:gosec // the protocol's checksum
	n := &countWriter{}
	if err := g.s.at("write"); err != nil {
		return err
	}
	if err := fill(io.MultiWriter(f, sum, crc, n)); err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	it.digest = digest{size: n.n, mtime: fi.ModTime().UnixNano(), crc: crc.Sum32(), sum: hex.EncodeToString(sum.Sum(nil))}
	return nil
}

// flush ends staging: content that old shows to be stored already is dropped,
// the rest is on its way to the disk, or there already if the store is to sync
// before each answer.
func (g *stager) flush(old map[string]*row) error {
	strict := g.s.o.SyncDelay < 0
	var keep []*staged
	for i := range g.list {
		it := &g.list[i]
		if it.tmp == "" || it.making {
			continue
		}
		if r := old[it.name]; !g.keepAll && r != nil && r.sum == it.sum && g.dirs.intact(r.disk, it.size) {
			g.drop(it)
			continue
		}
		if it.f == nil {
			continue // closed already
		}
		if strict {
			startWriting(it.f)
		}
		keep = append(keep, it)
	}
	for _, it := range keep {
		if err := g.s.at("close"); err != nil {
			return err
		}
		var err error
		if strict {
			err = it.f.Sync()
		}
		if err = errors.Join(err, it.f.Close()); err != nil {
			return fmt.Errorf("stage media file: %w", err)
		}
		it.f = nil
	}
	if len(keep) == 0 || !strict {
		return g.s.at("staged")
	}
	if err := syncDir(g.dirs.staging, "."); err != nil {
		return fmt.Errorf("stage media files: %w", err)
	}
	return g.s.at("staged")
}

// drop removes one staged file. What cannot be removed now goes when the
// database is opened the next time.
func (g *stager) drop(it *staged) {
	if it.f != nil {
		_ = it.f.Close()
	}
	switch it.tmp {
	case "":
	case inPlace:
		if g.dirs.raw.is(it.name, it.stamp) {
			_ = g.dirs.root.Remove(it.name)
		}
	default:
		_ = g.dirs.staging.Remove(it.tmp)
	}
	it.f, it.tmp = nil, ""
}

// spare leaves alone what this batch has made in place where somebody else's file
// may be by now. That it has the inode, size and time of ours proves nothing: file
// systems use inodes again at once, and their clocks are slow. h is the user's
// database, whose lock the caller holds; nil if it is closed: then all is left to
// opening it, which has the note.
func (g *stager) spare(h *handle) {
	if g.note == nil {
		return
	}
	var names []string
	for i := range g.list {
		if g.list[i].tmp == inPlace {
			names = append(names, g.list[i].name)
		}
	}
	known, err := map[string]*row(nil), error(ErrClosed)
	if h != nil {
		known, err = h.rows(names)
	}
	for i := range g.list {
		it := &g.list[i]
		if r := known[it.name]; it.tmp == inPlace && (err != nil || r != nil && r.sum != "" && r.disk == it.name) {
			it.tmp = ""
		}
	}
	if err != nil {
		g.leave()
		return
	}
	h.writes++ // a batch whose files have no rows yet is to look whether they are still there
}

// discard removes what is still there of this batch and has not become
// anything, after made. The caller holds the user's lock if something was made
// in place, and has called spare: nobody else puts another file under its name
// meanwhile.
func (g *stager) discard() {
	for i := range g.list {
		g.drop(&g.list[i])
	}
	if g.note != nil {
		g.dirs.giveBack(g.note)
		g.note = nil
	}
}

type countWriter struct{ n int64 }

func (c *countWriter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}
