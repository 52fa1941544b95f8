package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Files made in place. Most files of an upload have names that are new. Making
// them in the folder for incoming files and renaming them after the commit costs
// half as much again as making them where they belong, and the name of a file that
// has no row yet means nothing: nobody lists it, nobody is sent it. So they are
// made there at once, and never over something that exists (O_EXCL); whatever
// does exist is replaced by rename.
//
// A process that is killed before the commit leaves them behind. A note in the
// folder for incoming files, written before the first of them, says which names
// a batch may have made, and opening removes those that have no row. If the
// power fails, the note may be lost while a file is not: then a file without
// row stays, until the device that still has it sends it again. A file of
// another time is left alone: it was put there by hand.
//
// An upload that fails removes what it made, under the user's lock, if it is
// still the same file and no row has come to speak of it.

// inPlace is what a journal has instead of the name of an incoming file.
const inPlace = "="

// fewNames is the number of names from which on files are made in place: for
// fewer a note is hardly worth it.
const fewNames = 4

// longBatch is more than making a batch's files takes.
const longBatch = time.Hour

// notePrefix is how the names of notes begin. Those of incoming files are hex
// digits and a number.
const notePrefix = "note-"

// note is a file that says which names a batch makes in place: a JSON list, empty
// when it has ended (writing that over it costs less than removing it, and on
// ext4 a removed file makes those slower that are made after it).
type note struct {
	f    *os.File
	name string
}

func (n *note) write(names []string) error {
	text, err := json.Marshal(names)
	if err == nil {
		_, err = n.f.WriteAt(append(text, '\n'), 0)
	}
	return err
}

// takeNote notes names, all of which are about to be made in place, perhaps.
func (d *dirs) takeNote(id string, names []string) (*note, error) {
	var n *note
	d.mu.Lock()
	if last := len(d.notes) - 1; last >= 0 {
		n, d.notes = d.notes[last], d.notes[:last]
	}
	d.mu.Unlock()
	if n == nil {
		n = &note{name: notePrefix + id}
		var err error
		if n.f, err = d.staging.OpenFile(n.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666); err != nil {
			return nil, err
		}
	}
	if err := n.write(names); err != nil {
		d.drop(n)
		return nil, err
	}
	return n, nil
}

// giveBack ends a note: each of its names has become a row, or is gone.
func (d *dirs) giveBack(n *note) {
	if err := n.write([]string{}); err != nil {
		d.drop(n)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, n)
}

func (d *dirs) drop(n *note) {
	_ = n.f.Close() // nothing in it is wanted any more
	_ = d.staging.Remove(n.name)
}

// dropNotes removes the notes that nobody uses.
func (d *dirs) dropNotes() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, n := range d.notes {
		d.drop(n)
	}
	d.notes = nil
}

// maker makes the files of a batch that have new names in place, in a goroutine
// of its own: making a file is waiting for the kernel as much as hashing it is
// computing.
type maker struct {
	g    *stager
	todo []making
	done chan struct{}
	err  error

	// The goroutine takes files from the front; whoever has to wait for it helps
	// from the back.
	mu          sync.Mutex
	first, last int // of todo, not taken yet
}

// making is a file being made.
type making struct {
	name    string
	content []byte // in the zip
	item    int    // in the stager's list
	stamp   stamp
	exists  bool // there is something under the name, or it is not taken here
}

// newMaker chooses what can be made in place: additions of a zip in memory that
// are small, not compressed, and the first of their name.
func (g *stager) newMaker(list []addition, old map[string]*row) *maker {
	m := &maker{g: g, done: make(chan struct{})}
	if !g.inPlace || g.zipped == nil {
		return m
	}
	seen := make(map[string]bool, len(list))
	for i, a := range list {
		if seen[a.name] {
			continue
		}
		seen[a.name] = true
		if r := old[a.name]; a.member == nil || r != nil && r.sum != "" || !storable(a.name) {
			continue
		}
		if content, ok := plainContent(a.member, g.zipped); ok && len(content) <= smallFile {
			m.todo = append(m.todo, making{name: a.name, content: content, item: i})
		}
	}
	if len(m.todo) < fewNames {
		m.todo = nil
	}
	return m
}

// start notes the names and begins. The stager's made ends it.
func (m *maker) start() error {
	if len(m.todo) == 0 {
		close(m.done)
		return nil
	}
	names := make([]string, len(m.todo))
	for i := range m.todo {
		names[i] = m.todo[i].name
	}
	var err error
	if m.g.note, err = m.g.dirs.takeNote(m.g.id, names); err == nil {
		err = m.g.s.at("noted")
	}
	if err != nil {
		close(m.done)
		return m.g.stageError(err)
	}
	m.last = len(m.todo)
	go func() {
		defer close(m.done)
		m.err = m.work(true)
	}()
	return nil
}

// take takes a file to be made, from the front or from the back; nil if there
// is none left.
func (m *maker) take(front bool) *making {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == m.last {
		return nil
	}
	if front {
		m.first++
		return &m.todo[m.first-1]
	}
	m.last--
	return &m.todo[m.last]
}

// cancel sees to it that no other file is made.
func (m *maker) cancel() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.first = m.last
}

// work makes files until there are no more. A panic is the batch's failure: it
// may be in a goroutine that nobody else would save the process from.
func (m *maker) work(front bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			m.cancel()
			err = fmt.Errorf("make media file: panic: %v\n%s", p, debug.Stack())
		}
	}()
	for f := m.take(front); f != nil; f = m.take(front) {
		if err := m.make(f); err != nil {
			m.cancel()
			return err
		}
	}
	return nil
}

func (m *maker) make(f *making) (err error) {
	if err = errors.Join(m.g.s.at("create"), m.g.s.at("write")); err == nil {
		f.stamp, err = m.g.dirs.raw.createInPlace(f.name, f.content)
	}
	if f.exists = !f.stamp.made && refusesName(err); f.exists {
		return nil
	}
	if err != nil {
		return m.g.stageError(err)
	}
	return m.g.s.at("close")
}

// made waits for the files being made and says in the list what has come of
// them, also of one half written: discard removes it. What is in the way of a
// file is left where it is, and the file goes the way of the others.
func (g *stager) made() error {
	m := g.maker
	if m == nil {
		return nil
	}
	g.maker = nil
	if len(m.todo) > 0 && m.todo[len(m.todo)-1].item >= len(g.list) {
		m.cancel() // staging has failed
	}
	err := m.work(false)
	<-m.done
	err = errors.Join(err, m.err)
	for _, f := range m.todo {
		if f.item >= len(g.list) {
			if f.stamp.made {
				g.list = append(g.list, staged{name: f.name, tmp: inPlace, stamp: f.stamp})
			}
			continue
		}
		it := &g.list[f.item]
		it.making = false
		switch {
		case f.stamp.made:
			it.tmp, it.mtime, it.stamp = inPlace, f.stamp.mtime, f.stamp
		case f.exists && err == nil:
			err = g.createSmall(it, f.content)
		}
	}
	return err
}

// leave lets go of a batch that opening the database is to decide on.
func (g *stager) leave() {
	if g.note != nil {
		_ = g.note.f.Close() // it stays
		g.note = nil
	}
}

// removeNoted removes the files that a batch made in place before the process
// was killed, if name is its note: those without a row. A note that is no list
// was being written when nothing had been made yet.
func (h *handle) removeNoted(name string) error {
	if !strings.HasPrefix(name, notePrefix) {
		return nil
	}
	f, err := h.root.Open(stagingDir + "/" + name)
	if err != nil {
		return err
	}
	defer f.Close()
	noted, err := f.Stat()
	if err != nil {
		return err
	}
	var names []string
	if json.NewDecoder(f).Decode(&names) != nil || len(names) == 0 {
		return nil
	}
	known, err := h.rows(names)
	if err != nil {
		return err
	}
	others := map[string]bool{}
	err = h.conn.Each(func(scan func(...any) error) error {
		var disk string
		err := scan(&disk)
		others[disk] = true
		return err
	}, `SELECT disk FROM ankisyncd_file WHERE disk IS NOT NULL`)
	if err != nil {
		return err
	}
	for _, n := range names {
		if r := known[n]; r != nil && r.sum != "" || others[n] || checkName(n) != nil {
			continue
		}
		fi, err := h.root.Lstat(n)
		if err != nil || !fi.Mode().IsRegular() {
			continue // it was not made
		}
		if age := fi.ModTime().Sub(noted.ModTime()); age < 0 || age > longBatch {
			continue // somebody has put it there since
		}
		if err := h.s.at("remove noted"); err != nil {
			return err
		}
		if err := h.root.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		h.s.o.Log.Info("removed a file of an upload that was not finished", "dir", h.dir, "name", n)
	}
	return nil
}
