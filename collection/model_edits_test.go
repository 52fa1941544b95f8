package collection

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// edit makes one change, as its user would, and stamps the collection.
func (c *modelClient) edit(t *rapid.T, r *rig, ids *int64, reviews map[int64]RevlogEntry) {
	// All devices agree on the time, as meta's ts sees to (roughly: an edit by a
	// device that is late loses against one that it has seen, docs/protocol.md
	// §6.4). Two edits of one object in one second, and two objects that get one
	// name at the same time, are more than the protocol can bring together.
	r.clock.add(time.Second)
	ms := r.clock.Now().UnixMilli()
	now := ms / 1000
	c.mod = max(c.mod+1, ms)
	*ids++
	pick := func(what string, have []int64) (int64, bool) {
		if len(have) == 0 {
			return 0, false
		}
		return rapid.SampledFrom(have).Draw(t, what), true
	}
	number := func(what string) int64 { return rapid.Int64Range(0, 1000).Draw(t, what) }
	word := rapid.SampledFrom([]string{"a", "b", "ä", "Straße", "<b>x</b>", "12", ""}).Draw(t, "word")
	switch rapid.SampledFrom([]string{"add", "add", "note", "review", "review", "review", "delete", "deck", "rename", "remove deck", "notetype", "options", "tag", "config"}).Draw(t, "edit") {
	case "add":
		c.notes[*ids] = Note{ID: *ids, GUID: fmt.Sprint("g", *ids), MID: ntBasic, Mod: now, USN: -1, Tags: " t ", Flds: word + "\x1fback"}
		c.cards[*ids] = Card{ID: *ids, NID: *ids, DID: 1, Mod: now, USN: -1}
	case "note":
		if id, ok := pick("note", slices.Sorted(maps.Keys(c.notes))); ok {
			n := c.notes[id]
			n.Flds, n.Mod, n.USN = word+"\x1f"+c.name, now, -1
			n.GUID, n.Tags = fmt.Sprint("g", *ids), " "+c.name+" "
			n.MID = ntBasic + rapid.Int64Range(0, 1).Draw(t, "notetype") // both have two fields
			c.notes[id] = n
		}
	case "review":
		if id, ok := pick("card", slices.Sorted(maps.Keys(c.cards))); ok {
			k := c.cards[id]
			k = Card{
				ID: id, NID: k.NID, DID: number("did"), Ord: number("ord"), Mod: now, USN: -1, Type: number("type") & 3,
				Queue: number("queue")&3 - 1, Due: number("due"), Ivl: number("ivl"), Factor: number("factor"), Reps: k.Reps + 1,
				Lapses: number("lapses"), Left: number("left"), ODue: number("odue"), ODID: number("odid"), Flags: number("flags") & 7,
				Data: `{"s":` + fmt.Sprint(*ids) + `,"by":"` + c.name + `"}`,
			}
			if rapid.IntRange(0, 4).Draw(t, "other note") == 0 {
				k.NID = number("nid")
			}
			c.cards[id] = k
			c.revlog[*ids] = RevlogEntry{ID: *ids, CID: id, USN: -1, Ease: number("ease") & 3, Ivl: number("ivl"), LastIvl: number("lastIvl"),
				Factor: number("factor"), Time: number("time"), Type: number("kind") & 3}
			reviews[*ids] = c.revlog[*ids]
		}
	case "delete":
		if id, ok := pick("note", slices.Sorted(maps.Keys(c.notes))); ok {
			delete(c.notes, id)
			c.graves[[2]int64{graveNote, id}] = -1
			if _, ok := c.cards[id]; ok {
				delete(c.cards, id)
				c.graves[[2]int64{graveCard, id}] = -1
			}
		}
	case "deck":
		o := c.decks[1]
		o.body = maps.Clone(o.body)
		o.body["id"] = *ids
		o.name, o.mtime, o.usn = "Deck "+strings.ToUpper(word)+c.name, now, -1
		if !nameTaken(c.decks, *ids, o.name) {
			c.decks[*ids] = o
		}
	case "rename":
		if id, ok := pick("deck", slices.Sorted(maps.Keys(c.decks))); ok {
			o := c.decks[id]
			if name := "Deck " + word + c.name; !nameTaken(c.decks, id, name) {
				o.name, o.mtime, o.usn = name, now, -1
				c.decks[id] = o
			}
		}
	case "remove deck":
		if id, ok := pick("deck", slices.Sorted(maps.Keys(c.decks))); ok && id != 1 {
			delete(c.decks, id)
			c.graves[[2]int64{graveDeck, id}] = -1
		}
	case "notetype":
		id := slices.Sorted(maps.Keys(c.notetypes))[rapid.IntRange(0, 2).Draw(t, "notetype")]
		o := c.notetypes[id]
		if name := "NT" + word + c.name; !nameTaken(c.notetypes, id, name) {
			o.name = name
		}
		o.body = maps.Clone(o.body)
		o.body["css"] = ".card { } /* " + word + c.name + " */"
		o.mtime, o.usn = now, -1
		c.notetypes[id] = o
	case "options":
		o := c.options[1]
		o.body = maps.Clone(o.body)
		id := int64(1)
		if rapid.Bool().Draw(t, "new options") {
			id, o.body["id"] = *ids, *ids
		}
		o.name, o.mtime, o.usn = "Options "+word, now, -1
		c.options[id] = o
	case "tag":
		if tag := "tag" + word; !strings.ContainsAny(tag, "<>") {
			if _, ok := c.tags[strings.ToLower(tag)]; !ok {
				c.tags[strings.ToLower(tag)] = -1
			}
		}
	case "config":
		c.conf["key"+c.name] = fmt.Sprintf(`{"set":%d}`, *ids)
	}
}

// interrupt returns a stop function that lets a sync fail in one of the ways in
// which syncs fail, at a random step.
func interrupt(t *rapid.T, r *rig, c *modelClient) func(step int) error {
	how := rapid.SampledFrom([]string{"", "", "abort", "vanish", "second start", "restart", "meta", "expire", "download", "upload junk"}).Draw(t, "interruption")
	at := rapid.IntRange(1, 9).Draw(t, "step")
	return func(step int) error {
		if step != at {
			return nil
		}
		ctx := context.Background()
		switch how {
		case "abort":
			if err := r.s.Abort(ctx, testUser, ""); err != nil {
				t.Fatal(err)
			}
			return errVanish
		case "vanish":
			return errVanish
		case "second start": // another device takes over, and goes away itself
			if _, err := r.s.Start(ctx, testUser, StartOptions{SKey: "other device", ClientUSN: c.usn}); err != nil {
				t.Fatal(err)
			}
			if err := r.s.ApplyGraves(ctx, testUser, "other device", Graves{Notes: slices.Collect(maps.Keys(c.notes))}); err != nil {
				t.Fatal(err)
			}
		case "restart":
			r.reopen()
		case "meta": // which disturbs nobody
			if _, err := r.s.Meta(ctx, testUser); err != nil {
				t.Fatal(err)
			}
		case "expire":
			r.clock.add(time.Hour)
			r.s.sweep()
		case "download":
			r.download(testUser, DownloadOptions{Schema11: c.old})
		case "upload junk":
			if err := r.s.Upload(ctx, testUser, strings.NewReader("junk")); !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
		return nil
	}
}

// Several devices edit and sync in any order and with any interruption: in the
// end all have the same, and no review is lost.
func TestDevicesConverge(t *testing.T) {
	tested := 0
	rapid.Check(t, func(rt *rapid.T) {
		tested++
		r := newRig(t, Options{SyncTimeout: time.Minute})
		defer r.s.Close()
		r.seed(testUser, `UPDATE col SET usn = 1, mod = 1000`)
		ids := testNow.UnixMilli() + 1_000_000
		reviews := map[int64]RevlogEntry{}
		var clients []*modelClient
		for i := range rapid.IntRange(2, 4).Draw(rt, "devices") {
			c := &modelClient{name: fmt.Sprint("dev", i), old: rapid.Bool().Draw(rt, "old")}
			c.load(rt, r)
			clients = append(clients, c)
		}
		for range rapid.IntRange(1, 25).Draw(rt, "rounds") {
			c := clients[rapid.IntRange(0, len(clients)-1).Draw(rt, "device")]
			for range rapid.IntRange(0, 4).Draw(rt, "edits") {
				c.edit(rt, r, &ids, reviews)
			}
			if rapid.IntRange(0, 2).Draw(rt, "sync") == 0 {
				continue
			}
			r.clock.add(time.Second)
			switch err := c.sync(rt, r, interrupt(rt, r, c)); {
			case err == nil, errors.Is(err, errVanish), errors.Is(err, ErrConflict):
			default:
				rt.Fatalf("%s: %v", c.name, err)
			}
		}
		for range 4 {
			for _, c := range clients {
				r.clock.add(time.Minute)
				if err := c.sync(rt, r, func(int) error { return nil }); err != nil {
					rt.Fatalf("settling %s: %v", c.name, err)
				}
			}
		}
		server := &modelClient{name: "server"}
		server.load(rt, r)
		for _, c := range clients {
			if d := diffViews(server.view(), c.view()); d != "" {
				rt.Fatalf("%s (old %v) differs from the server:\n%s", c.name, c.old, d)
			}
		}
		for id, want := range reviews {
			got := server.revlog[id]
			want.USN, got.USN = 0, 0
			if got != want {
				rt.Fatalf("review %d is %+v, was %+v", id, got, want)
			}
		}
	})
	t.Logf("%d histories", tested)
}

// The counts that the sanity check adds up equal a recount, whatever syncs do
// and however they end.
func TestCountsAreKeptRight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t, Options{})
		defer r.s.Close()
		r.seed(testUser, sqlCard(1, 0, 1), sqlNote(1, 0, 1))
		ctx := context.Background()
		deck := object(t, r.changes(t, 0).Decks[0])
		id := rapid.Int64Range(1, 12)
		for range rapid.IntRange(1, 12).Draw(rt, "syncs") {
			r.start(0, true)
			for range rapid.IntRange(0, 6).Draw(rt, "steps") {
				n := id.Draw(rt, "id")
				var err error
				switch rapid.IntRange(0, 3).Draw(rt, "step") {
				case 0:
					err = r.s.ApplyGraves(ctx, testUser, "k", Graves{Cards: []int64{n, n}, Notes: []int64{n}, Decks: []int64{n + 1}})
				case 1:
					err = r.s.ApplyChunk(ctx, testUser, "k", Chunk{Revlog: []RevlogEntry{{ID: n}, {ID: n}}, Cards: []Card{{ID: n, Mod: n}, {ID: n}},
						Notes: []Note{{ID: n, Mod: n, MID: ntBasic, Flds: "a\x1fb"}}})
				case 2:
					deck["id"], deck["name"], deck["mod"] = n, fmt.Sprint("d", n), n
					_, err = r.s.ApplyChanges(ctx, testUser, "k", Changes{Decks: raws(t, deck)})
				case 3:
					_, _, err = r.s.SanityCheck(ctx, testUser, "k", r.recount(rt))
				}
				if err != nil {
					rt.Fatal(err)
				}
			}
			want := r.recount(rt)
			got, ok, err := r.s.SanityCheck(ctx, testUser, "k", want)
			if err != nil || !ok || got != want {
				rt.Fatalf("kept %+v, recount %+v, %v", got, want, err)
			}
			switch rapid.IntRange(0, 3).Draw(rt, "end") {
			case 0:
				if err := r.s.Abort(ctx, testUser, ""); err != nil {
					rt.Fatal(err)
				}
			case 1:
				wrong := want
				wrong.Notes++
				if _, ok, err := r.s.SanityCheck(ctx, testUser, "k", wrong); ok || err != nil {
					rt.Fatal(ok, err)
				}
			default:
				r.finish()
			}
		}
	})
}

func (r *rig) recount(t *rapid.T) Counts {
	var c Counts
	err := r.s.withUser(context.Background(), testUser, func(u *user) error {
		var err error
		c, err = countRows(u.col)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
