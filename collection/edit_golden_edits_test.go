package collection

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// edits are those of e2e/golden/edits.py, by name.
type edits map[string]func(t *Txn) error

func goldenEdits() edits {
	all := edits{}
	for _, some := range []edits{noteEdits(), cardEdits(), deckEdits(), optionEdits(), notetypeEdits()} {
		maps.Copy(all, some)
	}
	return all
}

// inDeck is an edit of a deck.
func inDeck(name string, f func(t *Txn, id int64) error) func(t *Txn) error {
	return func(t *Txn) error {
		d, err := t.DeckByName(name)
		if err != nil {
			return err
		}
		return f(t, d.ID)
	}
}

// ofNotetype is an edit of a notetype.
func ofNotetype(name string, f func(t *Txn, nt *schema.Notetype) error) func(t *Txn) error {
	return func(t *Txn) error {
		nt, err := t.NotetypeByName(name)
		if err != nil {
			return err
		}
		return f(t, nt)
	}
}

// adding is an edit that adds a note.
func adding(notetype, deck string, tags []string, fields ...string) func(t *Txn) error {
	return func(t *Txn) error {
		nt, err := t.NotetypeByName(notetype)
		if err != nil {
			return err
		}
		d, err := t.DeckByName(deck)
		if err != nil {
			return err
		}
		_, _, err = t.AddNote(NewNote{NotetypeID: nt.ID, DeckID: d.ID, Fields: fields, Tags: tags})
		return err
	}
}

func noteEdits() edits {
	update := func(id int64, tags []string, fields ...string) func(t *Txn) error {
		return func(t *Txn) error {
			c := NoteChange{Fields: fields}
			if tags != nil {
				c.Tags = &tags
			}
			return t.UpdateNote(id, c)
		}
	}
	return edits{
		"add basic":             adding("Basic", "A", []string{"New::Tag", "marked", "OLD"}, "<b>42</b>&nbsp;e\u0301", "[sound:a.mp3]"),
		"add cloze":             adding("Cloze", "A::B", []string{"parent::Child"}, "{{c2::a}} {{c1,4::b::hint}}", ""),
		"add optional reversed": adding("Basic (optional reversed card)", "E", nil, "f", "b", "yes"),
		"update fields":         update(1001, nil, `<img src="x y.jpg"> 1e3`, "<div></div>"),
		"update tags":           update(1002, []string{"b", "A", "a", "New::tag"}),
		"update cloze":          update(1500, nil, "{{c1::one}} {{c5::five}} {{c2::two}}", "more"),
		"update to nothing new": update(1003, nil),
		"add tags": func(t *Txn) error {
			_, err := t.AddNoteTags([]int64{1001, 1003, 1004}, []string{"x", "y", "OLD", "parent::child"}, false)
			return err
		},
		"remove tags": func(t *Txn) error {
			_, err := t.RemoveNoteTags([]int64{1001, 1002}, []string{"X", "a"}, false)
			return err
		},
		"rename tag":        func(t *Txn) error { _, err := t.RenameTag("parent", "Over::there"); return err },
		"clear unused tags": func(t *Txn) error { _, err := t.ClearUnusedTags(); return err },
		"delete notes":      func(t *Txn) error { _, err := t.DeleteNotes(1004, 1005, 1009); return err },
	}
}

func cardEdits() edits {
	cards := func(where string, f func(t *Txn, ids ...int64) (int, error)) func(t *Txn) error {
		return func(t *Txn) error {
			ids, err := collect(t.h, scanID, `SELECT id FROM cards WHERE `+where)
			if err != nil {
				return err
			}
			_, err = f(t, ids...)
			return err
		}
	}
	return edits{
		"move cards": cards(`nid IN (1001, 1010, 1014, 1006) ORDER BY id`, func(t *Txn, ids ...int64) (int, error) {
			d, err := t.DeckByName("A::B")
			if err != nil {
				return 0, err
			}
			return t.MoveCards(d.ID, ids...)
		}),
		"move learning cards": cards(`id BETWEEN 50365 AND 50414 ORDER BY id`, func(t *Txn, ids ...int64) (int, error) {
			d, err := t.DeckByName("A::B")
			if err != nil {
				return 0, err
			}
			return t.MoveCards(d.ID, ids...)
		}),
		"suspend":     cards(`nid BETWEEN 1011 AND 1016`, (*Txn).Suspend),
		"unsuspend":   cards(`nid BETWEEN 1011 AND 1013`, (*Txn).Unsuspend),
		"bury":        cards(`nid BETWEEN 1014 AND 1020`, (*Txn).Bury),
		"unbury":      cards(`nid = 1017`, (*Txn).Unbury),
		"unbury deck": inDeck("A", func(t *Txn, id int64) error { _, err := t.UnburyDeck(id); return err }),
		"flag":        cards(`nid IN (1001, 1012)`, func(t *Txn, ids ...int64) (int, error) { return t.SetFlag(3, ids...) }),
		"flag others": cards(`usn = 3 ORDER BY id LIMIT 3`, func(t *Txn, ids ...int64) (int, error) { return t.SetFlag(5, ids...) }),
		"unflag":      cards(`nid IN (1012, 1013)`, func(t *Txn, ids ...int64) (int, error) { return t.SetFlag(0, ids...) }),
		"reposition": cards(`type = 0 AND queue = 0 AND odid = 0 ORDER BY id LIMIT 5`, func(t *Txn, ids ...int64) (int, error) {
			return t.Reposition(RepositionOptions{Start: 2, Step: 2, Shift: true}, ids...)
		}),
		"set due": cards(`nid IN (1017, 1018, 1500)`, func(t *Txn, ids ...int64) (int, error) { return t.SetDueDate("4!", ids...) }),
		"forget": cards(`nid IN (1017, 1019)`, func(t *Txn, ids ...int64) (int, error) {
			return t.Forget(ForgetOptions{RestorePosition: true, ResetCounts: true}, ids...)
		}),
		"forget backwards": cards(`nid IN (1018, 1020, 1021) ORDER BY id DESC`, func(t *Txn, ids ...int64) (int, error) {
			return t.Forget(ForgetOptions{}, ids...)
		}),
	}
}

func deckEdits() edits {
	filtered := func(id int64, f FilteredDeck) func(t *Txn) error {
		f.PreviewAgainSecs, f.PreviewHardSecs = 60, 600
		return func(t *Txn) error {
			d, _, err := t.SaveFilteredDeck(context.Background(), id, f, true)
			if err != nil {
				return err
			}
			return t.SelectDeck(d.ID) // the client does both in one
		}
	}
	return edits{
		"create deck":    func(t *Txn) error { _, err := t.CreateDeck("Über::Neu:: Drei "); return err },
		"rename deck":    inDeck("Über", func(t *Txn, id int64) error { return t.RenameDeck(context.Background(), id, "Ober::Unter") }),
		"case of a deck": inDeck("Ober", func(t *Txn, id int64) error { return t.RenameDeck(context.Background(), id, "OBER") }),
		"reparent deck":  inDeck("OBER::Unter", func(t *Txn, id int64) error { return t.ReparentDeck(context.Background(), id, 0) }),
		"reparent below": inDeck("A::B", func(t *Txn, id int64) error {
			return inDeck("E", func(t *Txn, below int64) error { return t.ReparentDeck(context.Background(), id, below) })(t)
		}),
		"filtered deck": filtered(0, FilteredDeck{Name: "OBER::H", Reschedule: true, Searches: []FilteredSearch{
			{"is:review", 4, scheduling.FilterAdded}, {"deck:A -is:review", 3, scheduling.FilterReverseAdded},
		}}),
		"rebuild": inDeck("OBER::H", func(t *Txn, id int64) error { _, err := t.RebuildFilteredDeck(context.Background(), id); return err }),
		"change filtered deck": inDeck("OBER::H", func(t *Txn, id int64) error {
			return filtered(id, FilteredDeck{Name: "OBER::P", Searches: []FilteredSearch{{"deck:E", 3, scheduling.FilterDue}}})(t)
		}),
		"empty":                inDeck("OBER::P", func(t *Txn, id int64) error { _, err := t.EmptyFilteredDeck(id); return err }),
		"delete filtered deck": inDeck("F", func(t *Txn, id int64) error { _, err := t.DeleteDeck(id, false); return err }),
	}
}

func optionEdits() edits {
	preset := func(name string, f func(t *Txn, id int64) error) func(t *Txn) error {
		return func(t *Txn) error {
			id, err := t.first(`SELECT id FROM deck_config WHERE name = ?`, name)
			if err != nil {
				return err
			}
			return f(t, id)
		}
	}
	return edits{
		"options": preset("preset A", func(t *Txn, id int64) error { _, err := t.AddDeckConfig("Mine", id); return err }),
		"change options": preset("preset A", func(t *Txn, id int64) error {
			c, err := t.DeckConfig(id)
			if err != nil {
				return err
			}
			text, err := c.JSON()
			if err != nil {
				return err
			}
			var o struct{ New map[string]any }
			if err := json.Unmarshal(text, &o); err != nil {
				return err
			}
			o.New["perDay"], o.New["delays"] = 33, []float64{1.5, 20}
			text, err = json.Marshal(o.New)
			if err != nil {
				return err
			}
			return t.PatchDeckConfig(id, map[string]json.RawMessage{"new": text})
		}),
		"use options": preset("preset E", func(t *Txn, id int64) error {
			return inDeck("A::D", func(t *Txn, did int64) error { return t.UseDeckConfig(did, id) })(t)
		}),
		"delete options": preset("preset E", (*Txn).DeleteDeckConfig),
		"select deck":    inDeck("E::B", (*Txn).SelectDeck),
		"delete deck":    inDeck("E", func(t *Txn, id int64) error { _, err := t.DeleteDeck(id, false); return err }),
		"config":         func(t *Txn) error { return t.SetConfig("someAddon", map[string]int{"a": 1}) },
		"remove config":  func(t *Txn) error { return t.RemoveConfig("someAddon") },
	}
}

func notetypeEdits() edits {
	change := func(c NotetypeChange) func(t *Txn) error {
		return ofNotetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.UpdateNotetype(nt.ID, c) })
	}
	templates := func(added []TemplateChange, order ...int) func(t *Txn) error {
		return ofNotetype("Mine", func(t *Txn, nt *schema.Notetype) error {
			var c NotetypeChange
			for _, i := range order {
				o := nt.Templates[i]
				c.Templates = append(c.Templates, TemplateChange{From: i, Name: o.Name, Front: o.Config.QFormat, Back: o.Config.AFormat})
			}
			c.Templates = append(c.Templates, added...)
			return t.UpdateNotetype(nt.ID, c)
		})
	}
	return edits{
		"copy notetype": ofNotetype("Basic (and reversed card)", func(t *Txn, nt *schema.Notetype) error {
			_, err := t.AddNotetype(nt.ID, "Mine")
			return err
		}),
		"add to it":         adding("Mine", "A", nil, "one", "two"),
		"style":             change(NotetypeChange{CSS: ptr(".card{}")}),
		"add field":         ofNotetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.AddField(nt.ID, "Third") }),
		"rename field":      ofNotetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.RenameField(nt.ID, "Front", "Vorn") }),
		"sort by":           change(NotetypeChange{SortField: ptr(1)}),
		"reorder fields":    change(NotetypeChange{Fields: []FieldChange{{1, "Back"}, {2, "Third"}, {0, "Vorn"}}}),
		"add template":      templates([]TemplateChange{{From: -1, Name: "C", Front: "{{Vorn}}{{Back}}", Back: "x"}}, 0, 1),
		"reorder templates": templates(nil, 2, 0, 1),
		"remove template":   templates(nil, 0, 2),
		"remove field":      ofNotetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.RemoveField(nt.ID, "Third") }),
		"delete notetype":   ofNotetype("Mine", func(t *Txn, nt *schema.Notetype) error { return t.DeleteNotetype(nt.ID) }),
	}
}
