package collection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// Download is a whole collection on its way to a client. Close it.
type Download struct {
	r      io.Reader
	size   int64
	packed int64
	close  func() error
}

// PackedSize is the length in bytes of what is read, if it is packed as an upload
// was; else 0.
func (d *Download) PackedSize() int64 { return d.packed }

// Size is the length in bytes, unpacked.
func (d *Download) Size() int64 { return d.size }

// Read implements io.Reader.
func (d *Download) Read(p []byte) (int, error) { return d.r.Read(p) }

// Close releases the file.
func (d *Download) Close() error { return d.close() }

// DownloadOptions says in what form a client needs a collection.
type DownloadOptions struct {
	// Schema11 is for clients of protocols 8 to 10: a downgraded copy.
	Schema11 bool
	// TextIDs writes notetype ids as text in it (docs/protocol.md §10).
	TextIDs bool
	// Packed takes what UploadPacked has kept, if there is something.
	Packed bool
	// Wait is for programs: a running sync is waited for as in Edit, not ended.
	Wait bool
}

// Download returns a user's collection as one settled file (docs/protocol.md
// §6.10). It ends a running sync, unless it is to wait for it. The stored collection does not change, and
// syncs go on while the file is read. If nothing is stored, it is an empty
// collection. ErrClosed while reading means that the server had to write to the
// file: what came so far is not whole.
func (s *Store) Download(ctx context.Context, name string, o DownloadOptions) (*Download, error) {
	var d *Download
	var private string // a file to convert outside the user's lock, and then to remove
	with := s.withUser
	if o.Wait {
		with = s.withIdle
	}
	err := with(ctx, name, func(u *user) error {
		s.rollback(u)
		u.study.handedOut()
		h, err := s.opened(ctx, u)
		if errors.Is(err, ErrNotFound) {
			d, err = s.freshDownload(ctx, u, o)
			return err
		}
		if err != nil {
			return err
		}
		if walSize(u.path()) > 0 && u.pins > 0 {
			// The WAL cannot be folded into a file that somebody is reading.
			private, err = copyOpen(ctx, h, u.dir)
			return err
		}
		if walSize(u.path()) > 0 {
			if err := h.checkpoint(); err != nil {
				return err
			}
			if c := u.meta.Load(); c != nil {
				u.remember(c.Meta)
			}
		}
		if o.Packed && !o.Schema11 {
			if d = s.packed.download(u); d != nil {
				return nil
			}
		}
		if o.Schema11 {
			// The copy is made outside the user's lock, while the file is
			// pinned: by then its name may mean another file.
			if private, err = linkTemp(u.path()); err != nil {
				return err
			}
		}
		d, err = s.pinned(u)
		return err
	})
	if err != nil || private == "" {
		if private != "" {
			_ = os.Remove(private)
		}
		return d, err
	}
	if d == nil && !o.Schema11 {
		return tempDownload(private)
	}
	defer s.temps.hold(private)()
	defer os.Remove(private)
	down, err := s.downgradedFile(ctx, filepath.Dir(private), private, o)
	if d == nil {
		return down, err
	}
	if closed := d.Close(); err == nil && closed != nil {
		return nil, errors.Join(closed, down.Close())
	}
	return down, err
}

// pinned hands out u's file itself. Its pages are read as they are: everything
// must be in them, and until the reader is through nothing is written to them.
// Commits go to the WAL meanwhile. The caller holds u's lock.
func (s *Store) pinned(u *user) (*Download, error) {
	f := u.col.main.hold()
	fi, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.release())
	}
	if u.pins++; u.pins == 1 {
		u.unpinned = make(chan struct{})
		u.torn = new(atomic.Bool)
	}
	torn := u.torn
	var once sync.Once
	return &Download{r: &wholeReader{settled(io.NewSectionReader(f, 0, fi.Size())), torn}, size: fi.Size(), close: func() (err error) {
		once.Do(func() {
			s.unpin(u, func() {
				if f.fate(u.path()) == overwritten {
					torn.Store(true)
				}
			})
			err = f.release()
		})
		if torn.Load() {
			err = errors.Join(err, ErrClosed)
		}
		return err
	}}, nil
}

// wholeReader fails once what it has read may not be of one moment.
type wholeReader struct {
	r    io.Reader
	torn *atomic.Bool
}

func (r *wholeReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.torn.Load() { // asked afterwards: the flag is set before the write
		return 0, ErrClosed
	}
	return n, err
}

// copyOpen writes the committed state of an open collection to a new temporary
// file in dir.
func copyOpen(ctx context.Context, h *handle, dir string) (string, error) {
	tmp, err := tempPath(dir)
	if err != nil {
		return "", err
	}
	if _, err := h.conn.ExecContext(ctx, `VACUUM INTO `+sqlite.Quote(tmp)); err != nil {
		removeWithSides(tmp)
		return "", fmt.Errorf("copy collection: %w", err)
	}
	return tmp, nil
}

// linkTemp gives the file at path a temporary second name beside it.
func linkTemp(path string) (string, error) {
	tmp, err := tempPath(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	if err := os.Remove(tmp); err != nil {
		return "", err
	}
	return tmp, linkOrCopy(path, tmp)
}

func (s *Store) downgradedFile(ctx context.Context, dir, src string, o DownloadOptions) (*Download, error) {
	tmp, err := tempPath(dir)
	if err != nil {
		return nil, err
	}
	defer s.temps.hold(tmp)() // it is open then
	if err := Downgrade(ctx, src, tmp, o.TextIDs); err != nil {
		removeWithSides(tmp)
		return nil, fmt.Errorf("downgrade: %w", err)
	}
	return tempDownload(tmp)
}

// tempDownload hands out a temporary file and removes it afterwards.
func tempDownload(path string) (*Download, error) {
	f, err := os.Open(path)
	if err != nil {
		removeWithSides(path)
		return nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		_ = f.Close()
		removeWithSides(path)
		return nil, err
	}
	return &Download{r: settled(f), size: fi.Size(), close: func() error {
		err := f.Close()
		removeWithSides(path)
		return err
	}}, nil
}

// freshDownload is the download of a user who has nothing stored.
func (s *Store) freshDownload(ctx context.Context, u *user, o DownloadOptions) (*Download, error) {
	if err := u.ensureDir(); err != nil {
		return nil, err
	}
	tmp, err := tempPath(u.dir)
	if err != nil {
		return nil, err
	}
	if err := Fresh(ctx, tmp, s.o.Now()); err != nil {
		removeWithSides(tmp)
		return nil, err
	}
	if !o.Schema11 {
		return tempDownload(tmp)
	}
	defer removeWithSides(tmp)
	return s.downgradedFile(ctx, u.dir, tmp, o)
}

// settledReader yields a database file with its header saying that it has no
// WAL, which is true of every file that is handed out.
type settledReader struct {
	f   io.Reader
	off int64
}

func settled(f io.Reader) io.Reader { return &settledReader{f: f} }

// Offsets in the header of the file format: the write and read version, and the
// file change counter.
const (
	headerWriteVersion = 18
	headerReadVersion  = 19
	headerCounter      = 24

	journalVersion = 1 // a rollback journal
	walVersion     = 2
)

func (r *settledReader) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	for _, at := range []int64{headerWriteVersion, headerReadVersion} {
		if i := at - r.off; i >= 0 && i < int64(n) {
			p[i] = journalVersion
		}
	}
	r.off += int64(n)
	return n, err
}

// unpin ends one download, after a last look at its file.
func (s *Store) unpin(u *user, look func()) {
	u.sem <- struct{}{}
	defer u.unlock()
	look()
	u.pins--
	if u.pins == 0 {
		close(u.unpinned)
		u.unpinned = nil
		u.torn = nil
		if u.col != nil && u.sync == nil {
			s.foldWAL(u, checkpointBytes)
		}
	}
}

// downloadPatience is how long an upload waits for downloads of the file that it
// replaces. A client gives up after 30 s without an answer.
const downloadPatience = 15 * time.Second

// waitForDownloads gives up u's lock until nobody reads u's file, but not for
// ever, and takes it again.
func (u *user) waitForDownloads(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, downloadPatience)
	defer cancel()
	for u.pins > 0 && ctx.Err() == nil {
		ch := u.unpinned
		u.unlock()
		select {
		case <-ch:
		case <-ctx.Done():
		}
		u.sem <- struct{}{}
	}
}
