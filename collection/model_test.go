package collection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ankisyncd/ankisyncd/sqlite"
)

// modelClient is a client that follows the protocol (docs/protocol.md §6), as
// small as it can be: rows in maps, usn -1 for what is not yet sent.
type modelClient struct {
	name string
	old  bool // merges objects with a strict >, as clients before 2.1.28 do

	mod, scm, crt int64
	usn           USN
	cards         map[int64]Card
	notes         map[int64]Note
	revlog        map[int64]RevlogEntry
	graves        map[[2]int64]USN // by kind and id
	notetypes     map[int64]modelObject
	decks         map[int64]modelObject
	options       map[int64]modelObject
	tags          map[string]USN // by lower-case name
	conf          map[string]string
}

// modelObject is a notetype, deck or deck options: what merging looks at, and
// the whole as JSON (without usn).
type modelObject struct {
	name  string
	mtime int64
	usn   USN
	body  map[string]any
}

func (o modelObject) json(t rapid.TB) json.RawMessage {
	m := maps.Clone(o.body)
	m["name"], m["mod"], m["usn"] = o.name, o.mtime, o.usn
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parseObject(t rapid.TB, b []byte) (int64, modelObject) {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	num := func(k string) int64 {
		n, err := m[k].(json.Number).Int64()
		if err != nil {
			t.Fatal(k, err)
		}
		return n
	}
	o := modelObject{name: m["name"].(string), mtime: num("mod"), usn: USN(num("usn")), body: m}
	id := num("id")
	delete(m, "usn")
	delete(m, "name")
	delete(m, "mod")
	return id, o
}

// load reads a downloaded file, as a client does after a full download.
func (c *modelClient) load(t rapid.TB, r *rig) {
	path := r.download(testUser, DownloadOptions{})
	db, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// The library's own readers do for the model what a client's would.
	h := openForModel(t, path)
	defer h.close()
	c.cards, c.notes, c.revlog = map[int64]Card{}, map[int64]Note{}, map[int64]RevlogEntry{}
	c.graves, c.tags, c.conf = map[[2]int64]USN{}, map[string]USN{}, map[string]string{}
	c.notetypes, c.decks, c.options = map[int64]modelObject{}, map[int64]modelObject{}, map[int64]modelObject{}
	if err := h.row(`SELECT mod, scm, usn FROM col`, nil, &c.mod, &c.scm, &c.usn); err != nil {
		t.Fatal(err)
	}
	for _, table := range []int{0, 1, 2} {
		cur := chunkCursor{table: table}
		for {
			ok, err := cur.seek(h, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			var ch Chunk
			n, err := cur.next(h, 1000, &ch)
			if err != nil {
				t.Fatal(err)
			}
			if n < 1000 {
				cur.id = 1<<63 - 1
			}
			c.mergeChunk(ch)
		}
	}
	out, err := (&session{}).changesSince(h)
	if err != nil {
		t.Fatal(err)
	}
	c.mergeChanges(t, out)
}

func openForModel(t rapid.TB, path string) *handle {
	h, err := openHandle(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (c *modelClient) mergeChunk(ch Chunk) {
	for _, r := range ch.Revlog {
		if _, ok := c.revlog[r.ID]; !ok {
			c.revlog[r.ID] = r
		}
	}
	for _, k := range ch.Cards {
		if own, ok := c.cards[k.ID]; !ok || own.USN >= 0 || own.Mod < k.Mod {
			c.cards[k.ID] = k
		}
	}
	for _, n := range ch.Notes {
		if own, ok := c.notes[n.ID]; !ok || own.USN >= 0 || own.Mod < n.Mod {
			c.notes[n.ID] = n
		}
	}
}

func (c *modelClient) mergeChanges(t rapid.TB, in Changes) {
	for _, k := range []struct {
		list   []json.RawMessage
		into   map[int64]modelObject
		unique bool
	}{{in.Notetypes, c.notetypes, true}, {in.Decks, c.decks, true}, {in.DeckConfigs, c.options, false}} {
		for _, b := range k.list {
			id, o := parseObject(t, b)
			own, ok := k.into[id]
			if ok && (own.mtime > o.mtime || c.old && own.mtime == o.mtime && own.usn == -1) {
				continue
			}
			for k.unique && nameTaken(k.into, id, o.name) {
				o.name, o.mtime, o.usn = o.name+"+", o.mtime+1, -1
			}
			k.into[id] = o
		}
	}
	for _, tag := range in.Tags {
		if _, ok := c.tags[strings.ToLower(tag)]; !ok {
			c.tags[strings.ToLower(tag)] = c.usn
		}
	}
	if in.Config != nil {
		c.conf = map[string]string{}
		for k, v := range in.Config {
			c.conf[k] = string(v)
		}
	}
	if in.CRT != nil {
		c.crt = *in.CRT
	}
}

func nameTaken(m map[int64]modelObject, id int64, name string) bool {
	for other, o := range m {
		if other != id && sqlite.EqualFold(o.name, name) {
			return true
		}
	}
	return false
}

func (c *modelClient) applyGraves(g Graves) {
	for _, id := range g.Notes {
		delete(c.notes, id)
	}
	for _, id := range g.Cards {
		delete(c.cards, id)
	}
	for _, id := range g.Decks {
		delete(c.decks, id)
	}
}

// take returns what is not yet sent, stamped with the server's usn.
func (c *modelClient) take(t rapid.TB, newer bool) (Graves, Changes, Chunk) {
	var g Graves
	for k, usn := range c.graves {
		if usn == -1 {
			switch k[0] {
			case graveCard:
				g.Cards = append(g.Cards, k[1])
			case graveNote:
				g.Notes = append(g.Notes, k[1])
			case graveDeck:
				g.Decks = append(g.Decks, k[1])
			}
		}
	}
	var ch Changes
	for _, k := range []struct {
		from map[int64]modelObject
		to   *[]json.RawMessage
	}{{c.notetypes, &ch.Notetypes}, {c.decks, &ch.Decks}, {c.options, &ch.DeckConfigs}} {
		for _, id := range slices.Sorted(maps.Keys(k.from)) {
			if o := k.from[id]; o.usn == -1 {
				*k.to = append(*k.to, o.json(t))
			}
		}
	}
	for tag, usn := range c.tags {
		if usn == -1 {
			ch.Tags = append(ch.Tags, tag)
		}
	}
	if newer {
		ch.CRT = &c.crt
		ch.Config = map[string]json.RawMessage{}
		for k, v := range c.conf {
			ch.Config[k] = json.RawMessage(v)
		}
	}
	var rows Chunk
	for _, x := range c.revlog {
		if x.USN == -1 {
			rows.Revlog = append(rows.Revlog, x)
		}
	}
	for _, x := range c.cards {
		if x.USN == -1 {
			rows.Cards = append(rows.Cards, x)
		}
	}
	for _, x := range c.notes {
		if x.USN == -1 {
			rows.Notes = append(rows.Notes, x)
		}
	}
	return g, ch, rows
}

// clone copies the client: what it goes back to if its sync fails.
func (c *modelClient) clone() *modelClient {
	d := *c
	d.cards, d.notes, d.revlog, d.graves = maps.Clone(c.cards), maps.Clone(c.notes), maps.Clone(c.revlog), maps.Clone(c.graves)
	d.notetypes, d.decks, d.options = maps.Clone(c.notetypes), maps.Clone(c.decks), maps.Clone(c.options)
	d.tags, d.conf = maps.Clone(c.tags), maps.Clone(c.conf)
	return &d
}

// errVanish is what a model client's sync ends with when the test wants it to.
var errVanish = errors.New("vanished")

// sync runs one sync. stopAt is the number of the step before which stop is
// asked what to do; an error of it ends the sync there.
func (c *modelClient) sync(t rapid.TB, r *rig, stop func(step int) error) (err error) {
	ctx := context.Background()
	m, err := r.s.Meta(ctx, testUser)
	if err != nil {
		return err
	}
	if m.Mod == c.mod {
		return nil
	}
	if m.SCM != c.scm {
		t.Fatalf("%s: a full sync, out of nothing", c.name)
	}
	work := c.clone()
	newer := c.mod > m.Mod
	step := 0
	next := func() error { step++; return stop(step) }
	server := m.USN
	graves, _, _ := work.take(t, newer)
	stampObjects := func() {
		for _, o := range []map[int64]modelObject{work.notetypes, work.decks, work.options} {
			for id, x := range o {
				if x.usn == -1 {
					x.usn = server
					o[id] = x
				}
			}
		}
		for k, usn := range work.tags {
			if usn == -1 {
				work.tags[k] = server
			}
		}
		for k, usn := range work.graves {
			if usn == -1 {
				work.graves[k] = server
			}
		}
	}
	if err := next(); err != nil {
		return err
	}
	o := StartOptions{SKey: c.name, ClientUSN: c.usn, ClientNewer: newer}
	if c.old {
		o.Graves = &graves
	}
	g, err := r.s.Start(ctx, testUser, o)
	if err != nil {
		return err
	}
	work.applyGraves(g)
	_, changes, _ := work.take(t, newer)
	if err := next(); err != nil {
		return err
	}
	if !c.old {
		if err := r.s.ApplyGraves(ctx, testUser, c.name, graves); err != nil {
			return err
		}
	}
	stampObjects()
	if err := next(); err != nil {
		return err
	}
	theirs, err := r.s.ApplyChanges(ctx, testUser, c.name, changes)
	if err != nil {
		return err
	}
	work.mergeChanges(t, theirs)
	for {
		if err := next(); err != nil {
			return err
		}
		ch, err := r.s.Chunk(ctx, testUser, c.name)
		if err != nil {
			return err
		}
		work.mergeChunk(ch)
		if ch.Done {
			break
		}
	}
	// What is still unsent after the merge goes up; the rest was beaten.
	_, _, rows := work.take(t, newer)
	rows = work.stampRows(rows, server)
	for {
		if err := next(); err != nil {
			return err
		}
		part := rows
		n := 3 // small chunks, so that there are several
		part.Revlog, rows.Revlog = cut(rows.Revlog, n)
		part.Cards, rows.Cards = cut(rows.Cards, n)
		part.Notes, rows.Notes = cut(rows.Notes, n)
		if err := r.s.ApplyChunk(ctx, testUser, c.name, part); err != nil {
			return err
		}
		if len(rows.Revlog)+len(rows.Cards)+len(rows.Notes) == 0 {
			break
		}
	}
	if err := next(); err != nil {
		return err
	}
	counts := Counts{
		Cards: int64(len(work.cards)), Notes: int64(len(work.notes)), Revlog: int64(len(work.revlog)),
		Notetypes: int64(len(work.notetypes)), Decks: int64(len(work.decks)), DeckConfigs: int64(len(work.options)),
	}
	ours, ok, err := r.s.SanityCheck(ctx, testUser, c.name, counts)
	if err != nil {
		return err
	}
	if !ok {
		t.Fatalf("%s: sanity check: client %+v, server %+v", c.name, counts, ours)
	}
	if err := next(); err != nil {
		return err
	}
	work.mod, err = r.s.Finish(ctx, testUser, c.name)
	if err != nil {
		return err
	}
	// The answer may be lost on its way: the client then knows nothing of it.
	if err := next(); err != nil {
		return err
	}
	work.usn = server + 1
	*c = *work
	return nil
}

func (c *modelClient) stampRows(rows Chunk, usn USN) Chunk {
	for i, x := range rows.Revlog {
		x.USN = usn
		rows.Revlog[i], c.revlog[x.ID] = x, x
	}
	for i, x := range rows.Cards {
		x.USN = usn
		rows.Cards[i], c.cards[x.ID] = x, x
	}
	for i, x := range rows.Notes {
		x.USN = usn
		rows.Notes[i], c.notes[x.ID] = x, x
	}
	return rows
}

func cut[T any](s []T, n int) (head, tail []T) {
	n = min(n, len(s))
	return s[:n], s[n:]
}

// modelView is what must be equal on all sides in the end.
type modelView struct {
	Cards                     map[int64]Card
	Notes                     map[int64]Note
	Revlog                    map[int64]RevlogEntry
	Notetypes, Decks, Options map[int64]string
	Tags                      []string
	Conf                      map[string]string
}

func (c *modelClient) view() modelView {
	v := modelView{
		Cards: map[int64]Card{}, Notes: map[int64]Note{}, Revlog: map[int64]RevlogEntry{},
		Notetypes: map[int64]string{}, Decks: map[int64]string{}, Options: map[int64]string{}, Conf: maps.Clone(c.conf),
	}
	for id, x := range c.cards {
		x.USN = 0
		v.Cards[id] = x
	}
	for id, x := range c.notes {
		x.USN = 0
		v.Notes[id] = x
	}
	for id, x := range c.revlog {
		x.USN = 0
		v.Revlog[id] = x
	}
	for _, k := range []struct {
		from map[int64]modelObject
		to   map[int64]string
	}{{c.notetypes, v.Notetypes}, {c.decks, v.Decks}, {c.options, v.Options}} {
		for id, o := range k.from {
			b, _ := json.Marshal(o.body)
			k.to[id] = fmt.Sprintf("%s %d %s", o.name, o.mtime, b)
		}
	}
	for tag := range c.tags {
		v.Tags = append(v.Tags, tag)
	}
	sort.Strings(v.Tags)
	delete(v.Conf, "lastUnburied")
	return v
}

func diffViews(a, b modelView) string {
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return cmp.Diff(a, b)
}
