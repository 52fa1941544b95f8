package collection

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

const tagSeparator = "::"

// Tags lists the registered tags.
func (t *Txn) Tags() ([]string, error) {
	return collect(t.h, func(scan func(...any) error) (string, error) {
		var tag string
		return tag, scan(&tag)
	}, `SELECT tag FROM tags ORDER BY tag`)
}

// canonTags brings tags into the form in which they are stored, registers those
// that are new and returns them sorted, each once. A tag that is known, in
// whatever case, is written as it is known (docs/collection-format.md §4.5).
func (t *Txn) canonTags(tags []string) ([]string, error) {
	var out []string
	for _, entry := range tags {
		for _, tag := range schema.SplitTags(entry) {
			name, err := t.registerTag(schema.NormalizeTag(tag))
			if err != nil {
				return nil, err
			}
			if name != "" {
				out = append(out, name)
			}
		}
	}
	slices.SortFunc(out, sqlite.CompareFold)
	return slices.CompactFunc(out, sqlite.EqualFold), nil
}

// registerTag puts a normalised tag into the list, unless it is there, and
// returns its spelling.
func (t *Txn) registerTag(tag string) (string, error) {
	tag, known, err := spellTag(t.h, tag)
	if tag == "" || known || err != nil {
		return tag, err
	}
	if err := t.write(); err != nil {
		return "", err
	}
	return tag, addTag(t.h, tag, t.usn)
}

func addTag(h *handle, tag string, usn USN) error {
	if _, err := h.exec(`INSERT INTO tags (tag, usn, collapsed) VALUES (?, ?, 1)`, tag, usn); err != nil {
		return fmt.Errorf("add tag: %w", err)
	}
	return nil
}

// maxTagSteps bounds the search for a tag above a new one: a request may hold
// half a million tags of many parts.
const maxTagSteps = 5

// spellTag returns a normalised tag as it is known, in whatever case, or else
// spelt as the nearest known tag above it.
func spellTag(h *handle, tag string) (spelt string, known bool, err error) {
	if tag == "" {
		return "", false, nil
	}
	parts, folded := strings.Split(tag, tagSeparator), strings.Split(sqlite.Fold(tag), tagSeparator)
	if len(parts) != len(folded) {
		return tag, false, nil // folding makes no colon, but nobody is to fall over this
	}
	for n, steps := len(parts), 0; n > 0 && steps < maxTagSteps; steps++ {
		// The last known tag up to here. Whatever lies between a tag and one below it
		// begins as the tag does: if this is not what is looked for, it says how much
		// of the tag a known one above it can have.
		var last string
		err := h.row(`SELECT tag FROM tags WHERE tag <= ? ORDER BY tag DESC LIMIT 1`, []any{strings.Join(parts[:n], tagSeparator)}, &last)
		if errors.Is(err, sql.ErrNoRows) {
			return tag, false, nil
		}
		if err != nil {
			return "", false, err
		}
		key, looked := sqlite.Fold(last), strings.Join(folded[:n], tagSeparator)
		if key == looked {
			return strings.Join(append([]string{last}, parts[n:]...), tagSeparator), n == len(parts), nil
		}
		common := 0
		for common < min(len(key), len(looked)) && key[common] == looked[common] {
			common++
		}
		end := len(looked)
		for again := true; n > 0 && (again || end > common); again = false {
			n--
			end -= len(folded[n]) + len(tagSeparator)
		}
	}
	return tag, false, nil
}

func knownTag(h *handle, tag string) (string, bool, error) {
	var known string
	err := h.row(`SELECT tag FROM tags WHERE tag = ?`, []any{tag}, &known)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return known, err == nil, err
}

// AddNoteTags adds tags to notes and returns how many notes changed. With
// keepMod the notes' mod stays as it is.
func (t *Txn) AddNoteTags(noteIDs []int64, tags []string, keepMod bool) (int, error) {
	return t.changeTags(noteIDs, keepMod, func(old []string) []string {
		return append(slices.Clone(old), tags...)
	})
}

// RemoveNoteTags takes tags, whatever their case, from notes and returns how
// many notes changed.
func (t *Txn) RemoveNoteTags(noteIDs []int64, tags []string, keepMod bool) (int, error) {
	gone := map[string]bool{}
	for _, entry := range tags {
		for _, tag := range schema.SplitTags(entry) {
			gone[sqlite.Fold(schema.NormalizeTag(tag))] = true
		}
	}
	return t.changeTags(noteIDs, keepMod, func(old []string) []string {
		return slices.DeleteFunc(slices.Clone(old), func(tag string) bool { return gone[sqlite.Fold(tag)] })
	})
}

// changeTags gives notes other tags. Notes that do not exist are passed over.
func (t *Txn) changeTags(noteIDs []int64, keepMod bool, change func(old []string) []string) (int, error) {
	changed := 0
	for _, id := range noteIDs {
		n, err := t.Note(id)
		if errors.Is(err, ErrNoObject) {
			continue
		}
		if err != nil {
			return changed, err
		}
		old := n.TagList()
		tags := change(old)
		if slices.Equal(tags, old) {
			continue
		}
		before := n.Tags
		if err := t.UpdateNote(id, NoteChange{Tags: &tags, KeepMod: keepMod}); err != nil {
			return changed, err
		}
		if n, err = t.Note(id); err != nil {
			return changed, err
		}
		if n.Tags != before {
			changed++
		}
	}
	return changed, nil
}

// RenameTag renames a tag and those below it, in the list and on notes, and
// returns how many notes changed.
func (t *Txn) RenameTag(from, to string) (int, error) {
	from, to = schema.NormalizeTag(from), schema.NormalizeTag(to)
	if from == "" || to == "" || strings.ContainsAny(to, " \u3000") {
		return 0, refuse("a tag needs a name")
	}
	rename := func(tag string) (string, bool) {
		n := len(from)
		if sqlite.EqualFold(tag, from) {
			return to, true
		}
		// Folding may change the length, so the prefix is looked for by parts.
		parts, depth := strings.Split(tag, tagSeparator), strings.Count(from, tagSeparator)+1
		if len(parts) > depth && n > 0 && sqlite.EqualFold(strings.Join(parts[:depth], tagSeparator), from) {
			return strings.Join(append([]string{to}, parts[depth:]...), tagSeparator), true
		}
		return tag, false
	}
	all, err := t.Tags()
	if err != nil {
		return 0, err
	}
	var renamed []string
	for _, tag := range all {
		name, ok := rename(tag)
		if !ok {
			continue
		}
		if err := t.deleteTag(tag); err != nil {
			return 0, err
		}
		renamed = append(renamed, name)
	}
	for _, name := range renamed {
		if _, err := t.registerTag(name); err != nil {
			return 0, err
		}
	}
	tagged, err := collect(t.h, scanID, `SELECT id FROM notes WHERE tags != '' ORDER BY id`)
	if err != nil {
		return 0, err
	}
	return t.changeTags(tagged, false, func(old []string) []string {
		tags := slices.Clone(old)
		for i := range tags {
			tags[i], _ = rename(tags[i])
		}
		return tags
	})
}

func (t *Txn) deleteTag(tag string) error {
	if err := t.write(); err != nil {
		return err
	}
	_, err := t.h.exec(`DELETE FROM tags WHERE tag = ?`, tag)
	return err
}

// ClearUnusedTags takes tags that neither a note has nor one below them from
// the list, and returns how many. Other devices keep theirs: deleted tags are
// not synced.
func (t *Txn) ClearUnusedTags() (int, error) {
	used := map[string]bool{}
	err := t.h.query(func(scan func(...any) error) error {
		var tags string
		if err := scan(&tags); err != nil {
			return err
		}
		for _, tag := range schema.SplitTags(tags) {
			for parts := strings.Split(tag, tagSeparator); len(parts) > 0; parts = parts[:len(parts)-1] {
				used[sqlite.Fold(strings.Join(parts, tagSeparator))] = true
			}
		}
		return nil
	}, `SELECT DISTINCT tags FROM notes WHERE tags != ''`)
	if err != nil {
		return 0, err
	}
	all, err := t.Tags()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, tag := range all {
		if used[sqlite.Fold(tag)] {
			continue
		}
		if err := t.deleteTag(tag); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
