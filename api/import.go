package api

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// MediaStore are the media files of all users; *media.Store is one.
type MediaStore interface {
	// Put stores a file and returns the media usn afterwards.
	Put(ctx context.Context, user, name string, content io.Reader) (int32, error)
	// OpenFile opens a stored file; media.ErrConflict if there is none.
	OpenFile(ctx context.Context, user, name string) (*media.File, error)
	// Delete deletes a file and returns the media usn afterwards.
	Delete(ctx context.Context, user, name string) (int32, error)
	// List lists the stored files whose names come after one, by name.
	List(ctx context.Context, user, after string, limit int) ([]media.Entry, error)
	// CheckHere is media.ErrAway if nothing can be stored for now.
	CheckHere(ctx context.Context, user string) error
}

// notImported are kinds of files that the original knew and nobody has any more.
var notImported = map[string]bool{"anki1": true, "supermemo_xml": true, "mnemosyne": true, "pauker": true}

// importFile adds the notes of a file: text with its columns, or a package of an
// Anki client as base64. A colpkg replaces the collection. Nothing is fetched:
// the original's key "url" is refused.
func importFile(ctx context.Context, c *call) (any, error) {
	kind, err := c.p.str("filetype", "")
	if err != nil {
		return nil, err
	}
	if notImported[kind] {
		return nil, badRequest("Files of type '%s' are not imported", kind)
	}
	if kind != "text" && kind != "apkg" && kind != "colpkg" {
		return nil, badRequest("Unknown filetype '%s'", printable(kind))
	}
	data, ok := c.p["data"].(string)
	if !ok {
		if _, ok := c.p["url"]; ok {
			return nil, badRequest("url is not supported: send the file as data")
		}
		return nil, badRequest("data is missing")
	}
	if kind == "text" {
		return nil, c.importText(ctx, data)
	}
	return nil, c.importPackage(ctx, kind, data)
}

// importPackage unpacks a package into a folder of its own, which is gone
// afterwards. Its name cannot be a user's.
func (c *call) importPackage(ctx context.Context, kind, data string) (err error) {
	dir, err := os.MkdirTemp(c.a.o.TempDir, ".ankisyncd-import-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f, err := os.CreateTemp(dir, "package-*")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	size, err := io.Copy(f, base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badRequest("data is not base64")
	} else if err != nil {
		return err
	}
	p, err := openPackage(f, size, c.a.o.MaxImportBytes)
	if err != nil {
		return err
	}
	col, err := p.collection()
	if err != nil {
		return err
	}
	defer func() { _ = col.Close() }()
	if kind == "colpkg" {
		return c.replaceBy(ctx, p, col, dir)
	}
	// The package becomes a collection of its own, checked as every upload is.
	src := collection.New(dir, collection.Options{
		MaxUploadBytes: c.a.o.MaxImportBytes, Now: c.a.o.Now, StayBuried: true, Snapshots: collection.Retention{Keep: -1},
	})
	defer func() { err = errors.Join(err, src.Close()) }()
	const name = "import"
	if err := src.Upload(ctx, name, col); err != nil {
		return packageError(err)
	}
	// One of the scheduler of 2006 is upgraded first, as clients do.
	if err := src.Edit(ctx, name, func(from *collection.Txn) error {
		_, err := from.UpgradeScheduler()
		return err
	}); err != nil {
		return packageError(err)
	}
	return src.View(ctx, name, func(from *collection.Txn) error {
		return c.merge(ctx, from, p)
	})
}

// replaceBy makes the package's collection the user's; the previous one stays as
// a snapshot, and every device does a full sync. Media files get the names that
// they have in the package, since its notes refer to these, also where another
// file has the name. All that may be wrong with the package is found out before
// anything changes. dir is a folder to unpack in.
func (c *call) replaceBy(ctx context.Context, p *apkg, col io.Reader, dir string) error {
	var files []unpacked
	if c.a.o.Media != nil {
		var err error
		if files, err = p.unpackMedia(ctx, dir); err != nil {
			return err
		}
	}
	if len(files) > 0 {
		if err := c.a.o.Media.CheckHere(ctx, c.user); err != nil {
			return err
		}
	}
	if err := c.a.o.Collections.Import(ctx, c.user, col); err != nil {
		return packageError(err)
	}
	c.forgetHanded()
	for _, f := range files {
		if err := c.replaceFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) replaceFile(ctx context.Context, u unpacked) error {
	f, err := os.Open(u.path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = c.a.o.Media.Put(ctx, c.user, u.name, f)
	if errors.Is(err, media.ErrBadRequest) {
		c.a.o.Log.Warn("media file of a package is left out", "user", c.user, "err", err)
		return nil
	}
	return err
}

// packageError makes faults of an uploaded file faults of the caller.
func packageError(err error) error {
	if errors.Is(err, collection.ErrCorrupt) || errors.Is(err, collection.ErrUnsupportedSchema) {
		return &httpError{status: 400, detail: "The package holds no usable collection", cause: err}
	}
	if errors.Is(err, collection.ErrTooLarge) {
		return errTooMuch
	}
	if errors.Is(err, collection.ErrTooSlow) {
		return &httpError{status: 400, detail: "The package's collection could not be checked in time", cause: err}
	}
	return err
}
