package api

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// maxExports is how many packages are written at a time.
const maxExports = 2

// stream is an answer that is written while it is made.
type stream struct {
	name  string // of the file
	write func(w io.Writer) error
	close func() error // in any case
}

// send writes a stream. When it fails there is no other way to tell than to break
// the connection: half a package must not pass for a whole one.
func (a *API) send(w http.ResponseWriter, r *http.Request, s stream) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", s.name))
	h.Set("Cache-Control", "no-store")
	closed := false
	defer func() {
		if !closed { // by a panic
			_ = s.close()
		}
	}()
	err := s.write(w)
	closed = true
	if err = errors.Join(err, s.close()); err != nil {
		a.o.Log.Warn("answer was broken off", "path", r.URL.Path, "client", a.o.ClientAddr(r), "err", err)
		panic(http.ErrAbortHandler)
	}
}

// exportFile is a package for clients: the whole collection, or notes to hand out.
func exportFile(ctx context.Context, c *call) (any, error) {
	kind, err := c.p.str("filetype", "")
	if err != nil {
		return nil, err
	}
	withMedia := c.a.o.Media != nil && c.p.truth("media", true)
	switch kind {
	case "colpkg":
		return c.exportAll(ctx, withMedia)
	case "apkg":
		return c.exportNotes(ctx, withMedia)
	}
	return nil, badRequest("filetype must be colpkg or apkg")
}

// exportAll is the whole collection as a package that clients of 2022 and later
// import, with its media files unless they are to be left out.
func (c *call) exportAll(ctx context.Context, withMedia bool) (any, error) {
	if withMedia {
		if err := c.checkExport(ctx); err != nil {
			return nil, err
		}
	}
	leave, err := c.a.out.enter(ctx)
	if err != nil {
		return nil, err
	}
	d, err := c.a.o.Collections.Download(ctx, c.user, collection.DownloadOptions{Wait: true})
	if err != nil {
		leave()
		return nil, err
	}
	release := sync.OnceValue(d.Close)
	return stream{
		name: "collection.colpkg",
		write: func(w io.Writer) error {
			p, err := newPacker(w, formLatest)
			if err != nil {
				return err
			}
			// The collection comes first: as long as it is read, nothing may be written
			// to its file.
			if _, err := p.add(members[0], d, zip.Store); err != nil {
				return err
			}
			if err := release(); err != nil {
				return err
			}
			return c.packMedia(ctx, p, func(add func(name string) error) error {
				if !withMedia {
					return nil
				}
				return c.eachMedia(ctx, func(e media.Entry) error { return add(e.Name) })
			})
		},
		close: func() error {
			leave()
			return release()
		},
	}, nil
}

// checkExport refuses media files that are away, or too many for a package.
func (c *call) checkExport(ctx context.Context) error {
	if err := c.a.o.Media.CheckHere(ctx, c.user); err != nil {
		return err
	}
	n := 0
	return c.eachMedia(ctx, func(media.Entry) error {
		if n++; n > c.a.maxExported {
			return tooManyFiles(c.a.maxExported)
		}
		return nil
	})
}

// eachMedia calls f for each media file of the user.
func (c *call) eachMedia(ctx context.Context, f func(media.Entry) error) error {
	for after := ""; ; {
		list, err := c.a.o.Media.List(ctx, c.user, after, mediaPage)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := f(e); err != nil {
				return err
			}
		}
		if len(list) < mediaPage {
			return nil
		}
		after = list[len(list)-1].Name
	}
}

// packer writes a package, in the form of 2022 each part compressed by itself, in
// older ones as a zip does it. See [apkg], which reads one.
type packer struct {
	zip  *zip.Writer
	enc  *zstd.Encoder // nil in the older forms
	list fileList
	// renamed are the names of media files that go under another one than their own.
	renamed map[string]bool
}

// The forms of packages, as their part "meta" says them.
const (
	formOldest = 1 // collection.anki2
	formOld    = 2 // collection.anki21: the second scheduler
	formLatest = 3 // collection.anki21b: the form of 2022
)

func newPacker(w io.Writer, form uint64) (*packer, error) {
	p := &packer{zip: zip.NewWriter(w), renamed: map[string]bool{}}
	if form == formLatest {
		var err error
		p.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, err
		}
		p.list = &latestFileList{}
	} else {
		p.list = &oldFileList{names: map[string]string{}}
	}
	meta, err := p.zip.CreateHeader(&zip.FileHeader{Name: "meta", Method: zip.Store})
	if err != nil {
		return nil, err
	}
	_, err = meta.Write(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), form))
	return p, err
}

// fileList is what a package says of its media files.
type fileList interface {
	add(part, name string, size int64, sum []byte)
	text() ([]byte, error)
}

// latestFileList is that of the form of 2022: parts are named by their place in it.
type latestFileList struct{ b []byte }

func (l *latestFileList) add(_, name string, size int64, sum []byte) {
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
	entry = protowire.AppendVarint(protowire.AppendTag(entry, 2, protowire.VarintType), uint64(size)) //nolint:gosec // a length
	entry = protowire.AppendBytes(protowire.AppendTag(entry, 3, protowire.BytesType), sum)
	l.b = protowire.AppendBytes(protowire.AppendTag(l.b, 1, protowire.BytesType), entry)
}

func (l *latestFileList) text() ([]byte, error) { return l.b, nil }

type oldFileList struct{ names map[string]string }

func (l *oldFileList) add(part, name string, _ int64, _ []byte) { l.names[part] = name }

func (l *oldFileList) text() ([]byte, error) { return json.Marshal(l.names) }

// packMedia adds the media files that each names, and ends the package with their
// list: one may vanish meanwhile.
func (c *call) packMedia(ctx context.Context, p *packer, each func(add func(name string) error) error) error {
	n := 0
	if err := each(func(name string) error {
		to, err := c.exportName(ctx, p, name)
		if err != nil {
			return err
		}
		added, err := c.packFile(ctx, p, strconv.Itoa(n), name, to)
		if !added || err != nil {
			return err
		}
		if n++; n > c.a.maxExported {
			return errTooMuch
		}
		return nil
	}); err != nil {
		return err
	}
	text, err := p.list.text()
	if err != nil {
		return err
	}
	if _, err := p.add("media", bytes.NewReader(text), zip.Store); err != nil {
		return err
	}
	return p.zip.Close()
}

// exportName is the name of a media file in a package, see [media.ExportName].
func (c *call) exportName(ctx context.Context, p *packer, name string) (string, error) {
	to, err := media.ExportName(name, func(to string) (bool, error) {
		if p.renamed[to] {
			return true, nil
		}
		f, err := c.a.o.Media.OpenFile(ctx, c.user, to)
		if errors.Is(err, media.ErrConflict) || errors.Is(err, media.ErrBadRequest) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, f.Close()
	})
	if to != name {
		p.renamed[to] = true
	}
	return to, err
}

// packFile adds a media file under a number, with the name to, unless it is gone.
func (c *call) packFile(ctx context.Context, p *packer, part, name, to string) (added bool, err error) {
	f, err := c.a.o.Media.OpenFile(ctx, c.user, name)
	if errors.Is(err, media.ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	sum, err := hex.DecodeString(f.Sum)
	if err != nil {
		return false, err
	}
	n, err := p.add(part, f, zip.Store) // pictures and sounds are compressed already
	if err == nil && n != f.Size {
		err = fmt.Errorf("api: media file of %d bytes has %d", f.Size, n)
	}
	if err != nil {
		return false, err
	}
	p.list.add(part, to, n, sum)
	return true, nil
}

// add writes what r reads into a part, and returns how much that was. The method
// is that of the zip in the older forms.
func (p *packer) add(name string, r io.Reader, method uint16) (int64, error) {
	if p.enc != nil {
		method = zip.Store
	}
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err != nil {
		return 0, err
	}
	r = struct{ io.Reader }{r}
	if p.enc == nil {
		return io.Copy(w, r)
	}
	p.enc.Reset(w)
	n, err := io.Copy(p.enc, r)
	return n, errors.Join(err, p.enc.Close())
}
