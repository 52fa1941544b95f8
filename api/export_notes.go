package api

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/schema"
)

// exportNotes is a package of the notes of a deck, of those that a search finds,
// or of all, with the media files that they refer to.
func (c *call) exportNotes(ctx context.Context, withMedia bool) (any, error) {
	choose, err := c.choice(ctx)
	if err != nil {
		return nil, err
	}
	if withMedia {
		if err := c.a.o.Media.CheckHere(ctx, c.user); err != nil {
			return nil, err
		}
	}
	leave, err := c.a.out.enter(ctx)
	if err != nil {
		return nil, err
	}
	n := &notesPackage{call: c, names: map[string]bool{}}
	done := false
	defer func() {
		if !done {
			leave()
			_ = n.close()
		}
	}()
	if err := n.extract(ctx, choose, withMedia); err != nil {
		return nil, err
	}
	done = true
	return stream{
		name:  "collection.apkg",
		write: func(w io.Writer) error { return n.write(ctx, w) },
		close: func() error {
			leave()
			return n.close()
		},
	}, nil
}

// choice is what of the collection is asked for.
func (c *call) choice(ctx context.Context) (func(t *collection.Txn) (collection.ExtractOptions, error), error) {
	query, err := c.p.str("query", "")
	if err != nil {
		return nil, err
	}
	deck, ofDeck := c.p["deck"]
	if ofDeck = ofDeck && deck != nil; ofDeck && c.p["query"] != nil {
		return nil, badRequest("either deck or query, not both")
	}
	o := collection.ExtractOptions{Scheduling: c.p.truth("scheduling", false), DeckOptions: c.p.truth("deck_options", false)}
	return func(t *collection.Txn) (collection.ExtractOptions, error) {
		if ofDeck {
			d, err := deckFor(t, deck)
			if err == nil {
				o.Deck = d.ID
			}
			return o, err
		}
		o.Notes, err = t.FindNotes(ctx, query, collection.FindOptions{})
		return o, err
	}, nil
}

// notesPackage is a package of notes before it is sent.
type notesPackage struct {
	*call
	dir   string   // "" once it is gone
	file  *os.File // the collection
	form  uint64
	names map[string]bool // of media files
}

// extract makes the package's collection, in a folder of its own whose name cannot
// be a user's. Where an open file can be removed, that is gone before anything is sent.
func (n *notesPackage) extract(ctx context.Context, choose func(*collection.Txn) (collection.ExtractOptions, error), withMedia bool) (err error) {
	if n.dir, err = os.MkdirTemp(n.a.o.TempDir, ".ankisyncd-export-*"); err != nil {
		return err
	}
	scheduling := n.p.truth("scheduling", false)
	e, err := n.a.o.Collections.Extract(ctx, n.user, filepath.Join(n.dir, "collection.anki2"), choose)
	if err != nil {
		return err
	}
	if withMedia {
		if err := n.findMedia(ctx, e); err != nil {
			return err
		}
	}
	path := e.Path
	n.form = formLatest
	if n.p.truth("legacy", false) {
		// The client of 2012 knows one name, and the first scheduler. New cards are
		// the same in both.
		first := !scheduling || e.FirstScheduler()
		if n.form = formOld; first {
			n.form = formOldest
		}
		path = filepath.Join(n.dir, "schema11.anki2")
		if err := e.Downgrade(ctx, path, first); err != nil {
			return err
		}
	}
	if n.file, err = os.Open(path); err != nil {
		return err
	}
	if os.RemoveAll(n.dir) == nil {
		n.dir = ""
	}
	return nil
}

// close removes what is left.
func (n *notesPackage) close() (err error) {
	if n.file != nil {
		err = n.file.Close()
		n.file = nil
	}
	if n.dir != "" {
		err = errors.Join(err, os.RemoveAll(n.dir))
		n.dir = ""
	}
	return err
}

// findMedia collects the names of the media files that the notes and notetypes
// refer to. Some will be of no file.
func (n *notesPackage) findMedia(ctx context.Context, e *collection.Extract) error {
	notetypes := map[int64]*schema.Notetype{}
	for _, nt := range e.Notetypes {
		notetypes[nt.ID] = nt
		templates := make([]string, 0, 2*len(nt.Templates))
		for i := range nt.Templates {
			t := &nt.Templates[i].Config
			templates = append(templates, t.QFormat, t.AFormat)
		}
		for _, name := range rendering.StaticMedia(nt.Config.CSS, templates...) {
			n.names[name] = true
		}
	}
	return e.EachNote(ctx, func(mid int64, fields string) error {
		svg := notetypes[mid] != nil && notetypes[mid].Config.LatexSVG
		for _, field := range strings.Split(fields, "\x1f") {
			for _, name := range rendering.MediaRefs(field) {
				n.names[name] = true
			}
			_, formulas, err := rendering.LaTeX(field, svg)
			if err != nil {
				continue // too large to be shown anywhere
			}
			for _, f := range formulas {
				n.names[f.File] = true
			}
		}
		if len(n.names) > n.a.maxExported {
			return tooManyFiles(n.a.maxExported)
		}
		return nil
	})
}

func tooManyFiles(most int) error {
	return badRequest("There are more than %d media files: leave them out", most)
}

// write sends the package.
func (n *notesPackage) write(ctx context.Context, w io.Writer) error {
	p, err := newPacker(w, n.form)
	if err != nil {
		return err
	}
	if _, err := p.add(members[formLatest-n.form], n.file, zip.Deflate); err != nil {
		return err
	}
	if err := n.file.Close(); err != nil {
		return err
	}
	n.file = nil
	names := slices.Sorted(maps.Keys(n.names))
	return n.packMedia(ctx, p, func(add func(name string) error) error {
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return err
			}
			// An address of the web is none of a file.
			if err := add(name); err != nil && !errors.Is(err, media.ErrBadRequest) {
				return err
			}
		}
		return nil
	})
}
