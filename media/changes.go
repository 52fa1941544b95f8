package media

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The rows of a page come as one text: fetching three columns of a thousand rows
// one by one costs as much again as finding them. NUL stands between the
// values, which none of ours contains (checkName).
const (
	changesAbove = `SELECT group_concat(fname || char(0) || usn || char(0) || coalesce(csum, ''), char(0))
		FROM (SELECT fname, usn, csum FROM media WHERE usn > ? ORDER BY usn LIMIT ?)`
	changesAt = `SELECT group_concat(fname || char(0) || usn || char(0) || coalesce(csum, ''), char(0)) FROM media WHERE usn = ?`
)

// changes lists the rows above a usn; see Store.Changes.
func (h *handle) changes(after int64, limit int) ([]Change, error) {
	list := make([]Change, 0, min(limit, int(h.last-after)))
	read := func(query string, args ...any) error {
		err := h.conn.Each(func(scan func(...any) error) error {
			var text *string
			if err := scan(&text); err != nil || text == nil {
				return err
			}
			var err error
			list, err = appendChanges(list, *text)
			return err
		}, query, args...)
		if err != nil {
			return fmt.Errorf("list changes: %w", err)
		}
		return nil
	}
	if err := read(changesAbove, after, limit); err != nil {
		return nil, err
	}
	if len(list) < limit {
		return list, nil
	}
	// Read the last usn again, whole: the page may have cut it.
	end := list[len(list)-1].USN
	for len(list) > 0 && list[len(list)-1].USN == end {
		list = list[:len(list)-1]
	}
	if err := read(changesAt, end); err != nil {
		return nil, err
	}
	return list, nil
}

// appendChanges reads the text of changesAbove.
func appendChanges(list []Change, text string) ([]Change, error) {
	for more := true; more; {
		var c Change
		var usn string
		var ok1, ok2 bool
		c.Name, text, ok1 = strings.Cut(text, "\x00")
		usn, text, ok2 = strings.Cut(text, "\x00")
		c.Sum, text, more = strings.Cut(text, "\x00")
		n, err := strconv.ParseInt(usn, 10, 64)
		if !ok1 || !ok2 || err != nil {
			return nil, errors.New("a name with a NUL in the media database")
		}
		c.USN = usn32(n)
		list = append(list, c)
	}
	return list, nil
}
