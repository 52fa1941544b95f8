package collection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Download is a whole collection on its way to a client. Close it.
type Download struct {
	r     io.Reader
	size  int64
	close func() error
}

// Size is the length in bytes.
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
}

// Download returns a user's collection as one settled file (docs/protocol.md
// §6.10). It ends a running sync. The stored collection does not change, and
// syncs go on while the file is read. If nothing is stored, it is an empty
// collection.
func (s *Store) Download(ctx context.Context, name string, o DownloadOptions) (*Download, error) {
	var d *Download
	var linked string
	err := s.withUser(ctx, name, func(u *user) error {
		s.rollback(u)
		h, err := s.opened(ctx, u)
		if errors.Is(err, ErrNotFound) {
			d, err = s.freshDownload(ctx, u, o)
			return err
		}
		if err != nil {
			return err
		}
		// The pages of the file are read as they are: everything must be in
		// them, and until the reader is through nothing may be written to
		// them. Commits go to the WAL meanwhile.
		if walSize(u.path()) > 0 {
			if err := u.waitForDownloads(ctx); err != nil {
				return err
			}
			s.rollback(u)
			if h, err = s.opened(ctx, u); err != nil {
				return err
			}
			if err := h.checkpoint(); err != nil {
				return err
			}
			if c := u.meta.Load(); c != nil {
				u.remember(c.Meta)
			}
		}
		f, err := os.Open(u.path())
		if err != nil {
			return err
		}
		fi, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return err
		}
		d = &Download{r: settled(f), size: fi.Size(), close: func() error {
			err := f.Close()
			s.unpin(u)
			return err
		}}
		if o.Schema11 {
			// The copy is made outside the user's lock, while the file is
			// pinned: by then its name may mean another file.
			if linked, err = linkTemp(u.path()); err != nil {
				return errors.Join(err, f.Close())
			}
		}
		if u.pins++; u.pins == 1 {
			u.unpinned = make(chan struct{})
		}
		return nil
	})
	if err != nil || linked == "" {
		return d, err
	}
	defer d.Close()
	defer os.Remove(linked)
	return s.downgradedFile(ctx, filepath.Dir(linked), linked, o)
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
	f   *os.File
	off int64
}

func settled(f *os.File) io.Reader { return &settledReader{f: f} }

// Offsets of the file format's write and read version (2 means WAL, 1 means a
// rollback journal).
const (
	headerWriteVersion = 18
	headerReadVersion  = 19
)

func (r *settledReader) Read(p []byte) (int, error) {
	n, err := r.f.Read(p)
	for _, at := range []int64{headerWriteVersion, headerReadVersion} {
		if i := at - r.off; i >= 0 && i < int64(n) {
			p[i] = 1
		}
	}
	r.off += int64(n)
	return n, err
}

// unpin ends one download.
func (s *Store) unpin(u *user) {
	u.sem <- struct{}{}
	defer u.unlock()
	u.pins--
	if u.pins == 0 {
		close(u.unpinned)
		u.unpinned = nil
		if u.col != nil && u.sync == nil {
			s.foldWAL(u)
		}
	}
}

// downloadPatience is how long an operation that needs the file to itself waits
// for downloads to end. A client gives up after 30 s without an answer.
const downloadPatience = 20 * time.Second

// waitForDownloads gives up u's lock until nobody reads u's file, and takes it
// again. It is an error if that takes too long or if ctx ends before.
func (u *user) waitForDownloads(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, downloadPatience)
	defer cancel()
	for u.pins > 0 {
		ch := u.unpinned
		u.unlock()
		var err error
		select {
		case <-ch:
		case <-ctx.Done():
			err = fmt.Errorf("wait for a running download: %w", ctx.Err())
		}
		u.sem <- struct{}{}
		if err != nil {
			return err
		}
	}
	return nil
}
