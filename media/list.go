package media

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Entry is a stored file in a list.
type Entry struct {
	Change
	// Size is in bytes; -1 if the file is not there.
	Size int64
}

// List lists the stored files whose names come after one ("" for the first), by
// name, at most limit of them.
func (s *Store) List(ctx context.Context, user, after string, limit int) ([]Entry, error) {
	var list []Entry
	var look []string // names on disk of those whose size is not known, else ""
	err := s.with(ctx, user, false, func(h *handle) error {
		if err := h.conn.Each(func(scan func(...any) error) error {
			var e Entry
			var usn int64
			var disk string
			if err := scan(&e.Name, &usn, &e.Sum, &e.Size, &disk); err != nil {
				return err
			}
			e.USN = usn32(usn)
			list, look = append(list, e), append(look, disk)
			return nil
		}, `SELECT m.fname, m.usn, m.csum, coalesce(f.size, -1), CASE WHEN f.fname IS NULL THEN m.fname ELSE '' END
			FROM media m LEFT JOIN ankisyncd_file f ON f.fname = m.fname AND f.usn = m.usn
			WHERE m.fname > ? AND coalesce(m.csum, '') <> '' ORDER BY m.fname LIMIT ?`, after, max(limit, 0)); err != nil {
			return fmt.Errorf("list media: %w", err)
		}
		for i, disk := range look {
			// A name that leaves the folder stands for no file.
			if disk == "" || filepath.Base(disk) != disk {
				continue
			}
			if fi, err := os.Stat(filepath.Join(h.folder(), disk)); err == nil && fi.Mode().IsRegular() {
				list[i].Size = fi.Size()
			}
		}
		return nil
	})
	return list, err
}

// CheckNewName says why a name is not one for a new file; "" if it is. What came
// from a client is taken under more names than these, but of what is stored here
// first, clients change such names [run: 26.9.3], and notes refer to nothing then.
func CheckNewName(name string) (why string) {
	switch {
	case checkName(name) != nil, !storable(name):
		return "cannot be stored, or is not in normal form C"
	case len(name) > maxClientName:
		return "is longer than 120 bytes"
	case strings.ContainsAny(name, "[]<>:\"/?*^\\|\u00a0"):
		return `has one of []<>:"/?*^\| or a space that does not break`
	case strings.ContainsFunc(name, droppedRune):
		return "has a control character, or what is no character"
	case strings.HasSuffix(name, " ") || strings.HasSuffix(name, "."):
		return "ends with a space or a full stop"
	case deviceName.MatchString(name):
		return "is that of a device on Windows"
	case forgotten(name):
		return "is that of a file which clients delete"
	}
	return ""
}
