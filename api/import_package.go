package api

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

// Bounds of packages.
const (
	maxPackageFiles = 100_000
	maxMediaList    = 16 << 20
)

// errTooMuch is a package that holds more than it may. Its own size is another matter.
var errTooMuch = &httpError{status: 413, instead: "The package holds more, once it is unpacked, than this server takes."}

// apkg is a package of an Anki client: a zip of a collection and of media files
// under numbers, with a list of their names. Since 2022 the parts are compressed
// once more, and the list is a protobuf message.
type apkg struct {
	zip    *zip.Reader
	latest bool  // the form of 2022
	left   int64 // bytes that may still be unpacked
}

// members are the names of the collection inside a package, the best first. Old
// ones beside newer ones hold only a note that asks to update the client.
var members = []string{"collection.anki21b", "collection.anki21", "collection.anki2"}

func openPackage(r io.ReaderAt, size, most int64) (*apkg, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, &httpError{status: 400, detail: "The package is not a zip file", cause: err}
	}
	if len(z.File) > maxPackageFiles {
		return nil, errTooMuch
	}
	return &apkg{zip: z, left: most, latest: find(z, members[0]) != nil}, nil
}

func find(z *zip.Reader, name string) *zip.File {
	for _, f := range z.File {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// collection opens the collection inside the package.
func (p *apkg) collection() (io.ReadCloser, error) {
	for _, name := range members {
		if f := find(p.zip, name); f != nil {
			return p.open(f)
		}
	}
	return nil, badRequest("The package holds no collection")
}

// open unpacks one part. What is read of all parts together is bounded.
func (p *apkg) open(f *zip.File) (io.ReadCloser, error) {
	r, err := f.Open()
	if err != nil {
		return nil, &httpError{status: 400, detail: "The package is damaged", cause: err}
	}
	if !p.latest {
		return &part{p: p, r: r, close: r.Close}, nil
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &part{p: p, r: z, close: func() error {
		z.Close()
		return r.Close()
	}}, nil
}

// part is an unpacked part of a package.
type part struct {
	p     *apkg
	r     io.Reader
	close func() error
}

func (r *part) Read(b []byte) (int, error) {
	if r.p.left <= 0 {
		// The end may be here, too.
		if n, err := r.r.Read(make([]byte, 1)); n == 0 && errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		return 0, errTooMuch
	}
	n, err := r.r.Read(b[:min(int64(len(b)), r.p.left)])
	r.p.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &httpError{status: 400, detail: "The package is damaged", cause: err}
	}
	return n, err
}

func (r *part) Close() error { return r.close() }

// media lists the media files of a package: the name of each, by its part's.
func (p *apkg) media() (map[string]string, error) {
	f := find(p.zip, "media")
	if f == nil {
		return nil, nil
	}
	r, err := p.open(f)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	text, err := io.ReadAll(io.LimitReader(r, maxMediaList+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxMediaList {
		return nil, errTooMuch
	}
	names, err := parseMediaList(text, p.latest)
	if err != nil {
		return nil, &httpError{status: 400, detail: "The package's list of media files is damaged", cause: err}
	}
	return names, nil
}

// unpacked is a media file of a package that was unpacked to path.
type unpacked struct{ name, path string }

// unpackMedia unpacks all media files of a package into dir.
func (p *apkg) unpackMedia(ctx context.Context, dir string) ([]unpacked, error) {
	names, err := p.media()
	if err != nil {
		return nil, err
	}
	var out []unpacked
	for i, f := range p.zip.File {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name, ok := names[f.Name]
		if !ok {
			continue
		}
		u := unpacked{name: name, path: filepath.Join(dir, "media-"+strconv.Itoa(i))}
		if err := p.unpack(f, u.path); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// unpack unpacks one part to path.
func (p *apkg) unpack(f *zip.File, path string) error {
	r, err := p.open(f)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}

var errMediaList = errors.New("api: damaged list of media files")

// parseMediaList reads a list of media files: JSON, or, in the form of 2022, a
// message of messages whose position is the name of the part, unless field 255
// says another.
func parseMediaList(b []byte, latest bool) (map[string]string, error) {
	names := map[string]string{}
	if !latest {
		if err := json.Unmarshal(b, &names); err != nil {
			return nil, errors.Join(errMediaList, err)
		}
		return names, nil
	}
	for i := uint64(0); len(b) > 0; i++ {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, errMediaList
		}
		b = b[n:]
		if num != 1 || typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return nil, errMediaList
			}
			b = b[n:]
			continue
		}
		entry, n := protowire.ConsumeBytes(b)
		if n < 0 || i >= maxPackageFiles {
			return nil, errMediaList
		}
		b = b[n:]
		name, part, err := parseMediaEntry(entry, i)
		if err != nil {
			return nil, err
		}
		names[part] = name
	}
	return names, nil
}

func parseMediaEntry(b []byte, index uint64) (name, part string, err error) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return "", "", errMediaList
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return "", "", errMediaList
		}
		switch {
		case num == 1 && typ == protowire.BytesType:
			v, _ := protowire.ConsumeBytes(b)
			name = string(v)
		case num == 255 && typ == protowire.VarintType:
			index, _ = protowire.ConsumeVarint(b)
		}
		b = b[n:]
	}
	return name, utoa(index), nil
}
