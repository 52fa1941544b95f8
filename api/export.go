package api

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
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

// exportFile is the whole collection as a package that clients of 2022 and later
// import, with its media files unless they are to be left out.
func exportFile(ctx context.Context, c *call) (any, error) {
	kind, err := c.p.str("filetype", "")
	if err != nil {
		return nil, err
	}
	if kind != "colpkg" {
		return nil, badRequest("filetype must be colpkg")
	}
	withMedia := c.a.o.Media != nil && c.p.truth("media", true)
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
			p, err := newPacker(w)
			if err != nil {
				return err
			}
			// The collection comes first: as long as it is read, nothing may be written
			// to its file.
			if _, err := p.add(members[0], d); err != nil {
				return err
			}
			if err := release(); err != nil {
				return err
			}
			return c.packMedia(ctx, p, withMedia)
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
			return badRequest("There are more than %d media files: leave them out", c.a.maxExported)
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

// packer writes a package of the form of 2022, each part compressed by itself. See
// [apkg], which reads one.
type packer struct {
	zip *zip.Writer
	enc *zstd.Encoder
	// renamed are the names of media files that go under another one than their own.
	renamed map[string]bool
}

func newPacker(w io.Writer) (*packer, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	p := &packer{zip: zip.NewWriter(w), enc: enc, renamed: map[string]bool{}}
	meta, err := p.zip.CreateHeader(&zip.FileHeader{Name: "meta", Method: zip.Store})
	if err != nil {
		return nil, err
	}
	const version = 3 // the form of 2022
	_, err = meta.Write(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), version))
	return p, err
}

// packMedia adds the media files, and ends the package with their list: one may
// vanish meanwhile.
func (c *call) packMedia(ctx context.Context, p *packer, withMedia bool) error {
	var list []byte
	n := 0
	if withMedia {
		if err := c.eachMedia(ctx, func(e media.Entry) error {
			to, err := c.exportName(ctx, p, e.Name)
			if err != nil {
				return err
			}
			entry, err := c.packFile(ctx, p, strconv.Itoa(n), e.Name, to)
			if entry == nil || err != nil {
				return err
			}
			if n++; n > c.a.maxExported {
				return errTooMuch
			}
			list = protowire.AppendBytes(protowire.AppendTag(list, 1, protowire.BytesType), entry)
			return nil
		}); err != nil {
			return err
		}
	}
	if _, err := p.add("media", bytes.NewReader(list)); err != nil {
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

// packFile adds a media file under a number. It returns what the list says of it,
// with the name to, nil if the file is gone.
func (c *call) packFile(ctx context.Context, p *packer, part, name, to string) ([]byte, error) {
	f, err := c.a.o.Media.OpenFile(ctx, c.user, name)
	if errors.Is(err, media.ErrConflict) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	sum, err := hex.DecodeString(f.Sum)
	if err != nil {
		return nil, err
	}
	n, err := p.add(part, f)
	if err == nil && n != f.Size {
		err = fmt.Errorf("api: media file of %d bytes has %d", f.Size, n)
	}
	if err != nil {
		return nil, err
	}
	entry := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), to)
	entry = protowire.AppendVarint(protowire.AppendTag(entry, 2, protowire.VarintType), uint64(n)) //nolint:gosec // a length
	return protowire.AppendBytes(protowire.AppendTag(entry, 3, protowire.BytesType), sum), nil
}

// add compresses what r reads into a part, and returns how much that was.
func (p *packer) add(name string, r io.Reader) (int64, error) {
	w, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return 0, err
	}
	p.enc.Reset(w)
	n, err := io.Copy(p.enc, struct{ io.Reader }{r})
	return n, errors.Join(err, p.enc.Close())
}
