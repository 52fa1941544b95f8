package api

import (
	"archive/zip"
	"context"
	"crypto/sha1" // Anki names renamed media files by it; nothing is secured
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/schema"
)

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }

// merge adds the notes of a package whose guid is not there yet, as a client
// does: with their cards in the decks that they have in the package, how far
// these were learned, their reviews, and the options of the decks. Notes that
// are there get the package's fields and tags if it changed them later, and
// cards that they lack; how far theirs are learned is left alone.
func (c *call) merge(ctx context.Context, from *collection.Txn, p *apkg) error {
	m := &merger{from: from, models: map[int64]*schema.Notetype{}}
	ids, err := from.FindNotes(ctx, "", collection.FindOptions{})
	if err != nil {
		return err
	}
	// Files first: notes that refer to nothing are worse than files that nobody
	// refers to.
	wanted := map[string]bool{}
	guids := make([]string, 0, len(ids))
	for _, id := range ids {
		n, err := from.Note(id)
		if err != nil {
			return err
		}
		guids = append(guids, n.GUID)
		for _, field := range n.FieldList() {
			for _, name := range rendering.MediaRefs(field) {
				wanted[name] = true
			}
		}
	}
	if m.renamed, err = c.putMedia(ctx, p, wanted); err != nil {
		return err
	}
	return c.a.o.Collections.EditWith(ctx, c.user, collection.EditOptions{Keep: collection.ReasonImport}, func(to *collection.Txn) error {
		m.to = to
		var err error
		if m.guids, err = to.NotesByGUID(guids); err != nil {
			return err
		}
		if m.calendar, err = calendarsOf(from, to); err != nil {
			return err
		}
		if err := m.importDecks(); err != nil {
			return err
		}
		for _, id := range ids {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := m.note(id); err != nil {
				return err
			}
		}
		return nil
	})
}

type merger struct {
	from, to *collection.Txn
	guids    map[string]int64
	models   map[int64]*schema.Notetype // ours, by the package's id
	decks    map[int64]int64            // likewise
	theirs   map[int64]*schema.Deck     // the package's
	filtered bool                       // its filtered decks stay such
	renamed  map[string]string          // media files
	calendar calendars
}

func (m *merger) note(id int64) error {
	n, err := m.from.Note(id)
	if err != nil {
		return err
	}
	nt, err := m.model(n.MID)
	if err != nil {
		return err
	}
	fields := n.FieldList()
	for i, field := range fields {
		fields[i] = rendering.RenameMedia(field, m.renamed)
	}
	for len(fields) < len(nt.Fields) {
		fields = append(fields, "")
	}
	fields, tags := fields[:len(nt.Fields)], n.TagList()
	have, ok := m.guids[n.GUID]
	if ok {
		old, err := m.to.Note(have)
		if err != nil || old.MID != nt.ID {
			return err
		}
		if old.Mod < n.Mod {
			if err := m.to.UpdateNote(have, collection.NoteChange{Fields: fields, Tags: &tags, Mod: n.Mod}); err != nil {
				return err
			}
		}
	} else {
		have, err = m.to.ImportNote(collection.ImportedNote{
			ID: id, Mod: n.Mod, GUID: n.GUID, NotetypeID: nt.ID, Fields: fields, Tags: tags,
		})
		if err != nil {
			return err
		}
		m.guids[n.GUID] = have
	}
	return m.cards(nt, id, have)
}

// model finds or adds the notetype that a notetype of the package is here.
func (m *merger) model(id int64) (*schema.Notetype, error) {
	if nt := m.models[id]; nt != nil {
		return nt, nil
	}
	theirs, err := m.from.Notetype(id)
	if err != nil {
		return nil, err
	}
	ours, err := m.to.Notetype(id)
	if errors.Is(err, collection.ErrNoObject) || err == nil && !sameShape(ours, theirs) {
		ours, err = m.to.NotetypeByName(theirs.Name)
	}
	if errors.Is(err, collection.ErrNoObject) || err == nil && !sameShape(ours, theirs) {
		theirs.Config.TargetDeckID = 0
		text, jerr := theirs.JSON(false)
		if jerr != nil {
			return nil, jerr
		}
		ours, err = m.to.ImportNotetype(text)
	}
	if err != nil {
		return nil, err
	}
	if ours, err = m.restyle(ours, theirs); err != nil {
		return nil, err
	}
	m.models[id] = ours
	return ours, nil
}

// restyle gives a notetype the templates and the style of the package's version of
// it, if that is the newer one.
func (m *merger) restyle(ours, theirs *schema.Notetype) (*schema.Notetype, error) {
	if ours.ID != theirs.ID || ours.Mtime >= theirs.Mtime {
		return ours, nil
	}
	change := collection.NotetypeChange{CSS: &theirs.Config.CSS, Imported: true}
	for i := range theirs.Templates {
		t := &theirs.Templates[i]
		change.Templates = append(change.Templates, collection.TemplateChange{
			From: i, Name: t.Name, Front: t.Config.QFormat, Back: t.Config.AFormat,
			BrowserFront: t.Config.QFormatBrowser, BrowserBack: t.Config.AFormatBrowser,
		})
	}
	if err := m.to.UpdateNotetype(ours.ID, change); err != nil {
		return nil, err
	}
	return m.to.Notetype(ours.ID)
}

// sameShape tells whether notes of one notetype fit the other.
func sameShape(a, b *schema.Notetype) bool {
	if a.Config.Kind != b.Config.Kind || len(a.Fields) != len(b.Fields) || len(a.Templates) != len(b.Templates) {
		return false
	}
	for i := range a.Fields {
		if a.Fields[i].Name != b.Fields[i].Name {
			return false
		}
	}
	for i := range a.Templates {
		if a.Templates[i].Name != b.Templates[i].Name {
			return false
		}
	}
	return true
}

func ignoreMissing(err error) error {
	if errors.Is(err, collection.ErrNoObject) {
		return nil
	}
	return err
}

// isStatic tells whether a media file is one that notes do not name: what
// templates use, and images of formulas.
func isStatic(name string) bool {
	return strings.HasPrefix(name, "_") || strings.HasPrefix(name, "latex-")
}

// putMedia stores those files of a package that are wanted, and the static ones.
// A name that means another file here gets the file's hash in it; that of a
// static one cannot change, and the file that is here stays. So in clients.
func (c *call) putMedia(ctx context.Context, p *apkg, wanted map[string]bool) (renamed map[string]string, err error) {
	if c.a.o.Media == nil {
		return nil, nil
	}
	names, err := p.media()
	if err != nil {
		return nil, err
	}
	renamed = map[string]string{}
	for _, f := range p.zip.File {
		name, ok := names[f.Name]
		if !ok || !wanted[name] && !isStatic(name) {
			continue
		}
		if isStatic(name) {
			if have, err := c.storedHash(ctx, name); err != nil {
				return nil, err
			} else if have != "" {
				continue
			}
		}
		to, err := c.putFile(ctx, p, f, name)
		switch {
		case errors.Is(err, media.ErrBadRequest):
			c.a.o.Log.Warn("media file of a package is left out", "user", c.user, "err", err)
		case err != nil:
			return nil, err
		case to != name:
			renamed[name] = to
		}
	}
	return renamed, nil
}

// putFile unpacks one file to disk, to know its hash before its name.
func (c *call) putFile(ctx context.Context, p *apkg, part *zip.File, name string) (string, error) {
	r, err := p.open(part)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	tmp, err := os.CreateTemp(c.a.o.TempDir, ".ankisyncd-import-media-*")
	if err != nil {
		return "", err
	}
	// Without its name the file goes with the process, whatever happens to it.
	_ = os.Remove(tmp.Name())
	defer func() { _, _ = tmp.Close(), os.Remove(tmp.Name()) }() // again, where an open file could not be removed
	hash := sha1.New()
	if _, err := io.Copy(io.MultiWriter(tmp, hash), r); err != nil {
		return "", err
	}
	have, err := c.storedHash(ctx, name)
	if err != nil {
		return "", err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	if have == sum {
		return name, nil
	}
	if have != "" {
		ext := path.Ext(name)
		name = strings.TrimSuffix(name, ext) + "-" + sum + ext
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	_, err = c.a.o.Media.Put(ctx, c.user, name, tmp)
	return name, err
}

// storedHash is the hash of the stored file of a name, "" without one.
func (c *call) storedHash(ctx context.Context, name string) (string, error) {
	f, err := c.a.o.Media.OpenFile(ctx, c.user, name)
	if errors.Is(err, media.ErrConflict) || errors.Is(err, media.ErrBadRequest) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash := sha1.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
