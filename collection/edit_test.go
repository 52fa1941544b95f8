package collection

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ankisyncd/ankisyncd/search"
)

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

func isParseError(err error) bool {
	var pe *search.ParseError
	return errors.As(err, &pe)
}

func isRefused(err error) bool {
	var ee *EditError
	return errors.As(err, &ee)
}

// TestEditMod: mod rises strictly, even if the clock stands still or goes back,
// and only if something was written; usn never does.
func TestEditMod(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, `UPDATE col SET usn = 7, mod = 5`)
	add := func(tx *Txn) error { return addTo("Basic")(tx) }
	last := r.meta()
	for range 3 {
		r.edit(add)
		m := r.meta()
		if m.Mod <= last.Mod || m.USN != 7 || m.SCM != last.SCM || m.Empty {
			t.Errorf("got %+v after %+v", m, last)
		}
		last = m
		r.clock.add(-time.Hour)
	}
	r.edit(func(tx *Txn) error { _, err := tx.Notetypes(); return err })
	failure := errors.New("no")
	err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
		if err := add(tx); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) || r.meta() != last {
		t.Errorf("got %v, %+v, want %+v", err, r.meta(), last)
	}
	r.wantRows(`SELECT count(*), min(usn), max(usn) FROM notes`, "3|7|7")
	r.checkCollection()
}

// TestEditPanics: a panic rolls back, and the user can be served on.
func TestEditPanics(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	before := r.meta()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("want a panic")
			}
		}()
		_ = r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
			if err := addTo("Basic")(tx); err != nil {
				return err
			}
			panic("test")
		})
	}()
	if r.meta() != before {
		t.Error("something was written")
	}
	r.edit(addTo("Basic"))
	r.checkCollection()
}

// TestViewWritesNothing calls writing methods inside View.
func TestViewWritesNothing(t *testing.T) {
	r := newRig(t, Options{})
	r.putGzip("testdata/study/sm2.anki2.gz")
	r.view(func(*Txn) error { return nil })
	before := r.dump(testUser)
	for _, op := range operations() {
		err := r.s.View(t.Context(), testUser, op.run)
		if err == nil && strings.Contains("unbury deck remove tags rename tag clear unused tags unsuspend unbury remove config move out of a filtered deck", op.name) {
			continue // there was nothing to do
		}
		if !errors.Is(err, ErrReadOnly) && !isAny(err, ErrNoObject, ErrNothingToUndo) {
			t.Errorf("%s: got %v", op.name, err)
		}
	}
	after := r.dump(testUser)
	for table := range before {
		if !slices.Equal(before[table], after[table]) {
			t.Errorf("%s changed", table)
		}
	}
}

// TestEditWaitsForSync: a running sync is waited for, but not for ever; one that
// ends lets the edit in, and its rows are then part of the next sync.
func TestEditWaitsForSync(t *testing.T) {
	synctest.Test(t, testEditWaitsForSync)
}

func testEditWaitsForSync(t *testing.T) {
	r := newRig(t, Options{EditWait: 50 * time.Millisecond})
	r.seed(testUser)
	r.start(0, false)
	if err := r.s.Edit(t.Context(), testUser, addTo("Basic")); !errors.Is(err, ErrSyncing) {
		t.Errorf("got %v, want ErrSyncing", err)
	}
	if err := r.s.View(t.Context(), testUser, func(*Txn) error { return nil }); !errors.Is(err, ErrSyncing) {
		t.Errorf("got %v, want ErrSyncing", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.s.Edit(ctx, testUser, addTo("Basic")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
	r.s.o.EditWait = time.Minute
	done := make(chan error, 1)
	go func() { done <- r.s.Edit(context.Background(), testUser, addTo("Basic")) }()
	synctest.Wait() // it waits
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	default:
	}
	r.finish()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	usn := r.meta().USN
	r.wantRows(`SELECT count(*), max(usn) FROM notes`, "1|"+r.rows(testUser, `SELECT usn FROM col`)[0])
	r.start(usn, false)
	c, err := r.s.Chunk(t.Context(), testUser, "k")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Notes) != 1 || len(c.Cards) != 1 {
		t.Errorf("got %d notes and %d cards in the next sync, want 1 and 1", len(c.Notes), len(c.Cards))
	}
}

// TestEditWithoutCollection: nothing is made unless it is asked for.
func TestEditWithoutCollection(t *testing.T) {
	r := newRig(t, Options{})
	if err := r.s.Edit(t.Context(), testUser, addTo("Basic")); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := os.Stat(r.dir(testUser)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no folder", err)
	}
	if err := r.s.EditWith(t.Context(), testUser, EditOptions{CreateIfMissing: true}, addTo("Basic")); err != nil {
		t.Fatal(err)
	}
	r.checkCollection()
	r.wantRows(`SELECT KEY, CAST(val AS TEXT) FROM config WHERE KEY = 'nextPos'`, "nextPos|2")
}

// TestEditSchema: such changes set scm and keep the collection as it was before
// the transaction, whatever that had written by then.
func TestEditSchema(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	r.edit(addTo("Basic"))
	before := r.meta()
	r.edit(func(tx *Txn) error {
		if err := addTo("Basic", "late")(tx); err != nil {
			return err
		}
		nt, err := tx.NotetypeByName("basic")
		if err != nil {
			return err
		}
		return tx.AddField(nt.ID, "More")
	})
	if after := r.meta(); after.SCM <= before.SCM {
		t.Errorf("got scm %d, before %d", after.SCM, before.SCM)
	}
	r.checkCollection()
	snaps, err := r.s.Snapshots(testUser)
	if err != nil || len(snaps) != 1 || snaps[0].Reason != "edit" {
		t.Fatalf("got %+v, %v", snaps, err)
	}
	if err := r.s.Restore(t.Context(), testUser, snaps[0].ID); err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT count(*), max(tags) FROM notes`, "1|")
	r.wantRows(`SELECT count(*) FROM fields f JOIN notetypes n ON n.id = f.ntid WHERE n.name = 'Basic'`, "2")
	r.checkCollection()
}

// TestEditRemovesMuch: beyond a hundred rows the previous state is kept, once.
func TestEditRemovesMuch(t *testing.T) {
	r := newRig(t, Options{})
	r.putGzip("testdata/study/sm2.anki2.gz")
	delete := func(n int) {
		r.edit(func(tx *Txn) error {
			ids, err := tx.FindNotes(t.Context(), "", FindOptions{Limit: n})
			if err != nil {
				return err
			}
			for _, id := range ids {
				if _, err := tx.DeleteNotes(id); err != nil {
					return err
				}
			}
			return nil
		})
	}
	delete(40) // of two cards each
	if snaps, _ := r.s.Snapshots(testUser); len(snaps) != 0 {
		t.Errorf("got %d snapshots", len(snaps))
	}
	delete(100)
	snaps, _ := r.s.Snapshots(testUser)
	if len(snaps) != 1 {
		t.Fatalf("got %d snapshots, want 1", len(snaps))
	}
	r.checkCollection()
	r.wantRows(`SELECT type, count(*) FROM graves GROUP BY type`, "0|280", "1|140")
	if err := r.s.Restore(t.Context(), testUser, snaps[0].ID); err != nil {
		t.Fatal(err)
	}
	r.wantRows(`SELECT count(*) FROM notes`, "180")
}

// TestRefusals: what cannot be done is an EditError or says what is missing, and
// leaves no trace.
func TestRefusals(t *testing.T) {
	r := newRig(t, Options{})
	r.putGzip("testdata/study/sm2.anki2.gz")
	r.view(func(*Txn) error { return nil })
	before := r.meta()
	deck := func(tx *Txn, name string) int64 {
		d, err := tx.DeckByName(name)
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	basic := func(tx *Txn) int64 {
		nt, err := tx.NotetypeByName("Basic")
		if err != nil {
			t.Fatal(err)
		}
		return nt.ID
	}
	for name, c := range map[string]struct {
		run     func(tx *Txn) error
		missing bool
	}{
		"fields": {func(tx *Txn) error {
			_, _, err := tx.AddNote(NewNote{NotetypeID: basic(tx), Fields: []string{"x"}})
			return err
		}, false},
		"notetype":            {func(tx *Txn) error { _, _, err := tx.AddNote(NewNote{NotetypeID: 3}); return err }, true},
		"deck":                {func(tx *Txn) error { _, _, err := tx.AddNote(NewNote{NotetypeID: basic(tx), DeckID: 3}); return err }, true},
		"note":                {func(tx *Txn) error { return tx.UpdateNote(3, NoteChange{}) }, true},
		"card":                {func(tx *Txn) error { _, err := tx.AnswerCard(Answer{CardID: 3, Rating: 1}); return err }, true},
		"move":                {func(tx *Txn) error { _, err := tx.MoveCards(deck(tx, "F"), 50001); return err }, false},
		"flag":                {func(tx *Txn) error { _, err := tx.SetFlag(8, 50001); return err }, false},
		"due":                 {func(tx *Txn) error { _, err := tx.SetDueDate("soon", 50001); return err }, false},
		"below itself":        {func(tx *Txn) error { return tx.RenameDeck(context.Background(), deck(tx, "A"), "a::B::X") }, false},
		"reparent itself":     {func(tx *Txn) error { return tx.ReparentDeck(context.Background(), deck(tx, "A"), deck(tx, "A::B")) }, false},
		"taken":               {func(tx *Txn) error { return tx.RenameDeck(context.Background(), deck(tx, "A"), "e") }, false},
		"below filtered":      {func(tx *Txn) error { _, err := tx.CreateDeck("F::X"); return err }, false},
		"filtered is no deck": {func(tx *Txn) error { _, err := tx.CreateDeck("f"); return err }, false},
		"search": {func(tx *Txn) error {
			_, _, err := tx.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "Z", Searches: []FilteredSearch{{Query: "(", Limit: 1}}}, false)
			return err
		}, false},
		"empty": {func(tx *Txn) error {
			_, _, err := tx.SaveFilteredDeck(context.Background(), 0, FilteredDeck{Name: "Z", Searches: []FilteredSearch{{Query: "nothing", Limit: 1}}}, false)
			return err
		}, false},
		"rebuild":         {func(tx *Txn) error { _, err := tx.RebuildFilteredDeck(context.Background(), 1); return err }, false},
		"default options": {func(tx *Txn) error { return tx.DeleteDeckConfig(1) }, false},
		"options":         {func(tx *Txn) error { return tx.UseDeckConfig(1, 3) }, true},
		"bad options": {func(tx *Txn) error {
			return tx.PatchDeckConfig(1, map[string]json.RawMessage{"new": json.RawMessage(`7`), "name": json.RawMessage(`{`)})
		}, false},
		"twice":    {func(tx *Txn) error { return tx.AddField(basic(tx), "fRONT") }, false},
		"no field": {func(tx *Txn) error { return tx.UpdateNotetype(basic(tx), NotetypeChange{Fields: []FieldChange{}}) }, false},
		"from nowhere": {func(tx *Txn) error {
			return tx.UpdateNotetype(basic(tx), NotetypeChange{Fields: []FieldChange{{9, "x"}}})
		}, false},
		"broken template": {func(tx *Txn) error {
			return tx.UpdateNotetype(basic(tx), NotetypeChange{Templates: []TemplateChange{{From: 0, Name: "x", Front: "{{#Front}}", Back: "x"}}})
		}, false},
		"remove what the card shows": {func(tx *Txn) error { return tx.RemoveField(basic(tx), "Front") }, false},
	} {
		err := r.s.Edit(t.Context(), testUser, c.run)
		if c.missing != errors.Is(err, ErrNoObject) || c.missing == isRefused(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if r.meta() != before {
		t.Errorf("got %+v, want %+v", r.meta(), before)
	}
	r.checkCollection()
}

// TestEditKeeps: what is kept for an edit is a snapshot only if the edit comes
// about. Others leave nothing, and cost no older snapshot.
func TestEditKeeps(t *testing.T) {
	failure := errors.New("no")
	keep := EditOptions{Keep: "import"}
	dropFields := func(tx *Txn) error { // keeps by itself
		nt, err := tx.NotetypeByName("basic")
		if err != nil {
			return err
		}
		return tx.AddField(nt.ID, "More")
	}
	for _, tt := range []struct {
		name string
		o    EditOptions
		f    func(tx *Txn) error
		want error
		hook string // the moment that it does not get beyond
		kept bool
	}{
		{name: "fails at once", o: keep, f: func(*Txn) error { return failure }, want: failure},
		{name: "fails after a change", o: keep, want: failure, f: func(tx *Txn) error {
			return errors.Join(addTo("Basic")(tx), failure)
		}},
		{name: "fails after a change of the schema", want: failure, f: func(tx *Txn) error {
			return errors.Join(dropFields(tx), failure)
		}},
		{name: "changes nothing", o: keep, f: func(tx *Txn) error { _, err := tx.Tags(); return err }},
		{name: "panics", o: keep, f: func(*Txn) error { panic(failure) }, want: failure},
		{name: "cannot be committed", o: keep, f: addTo("Basic"), hook: "before commit", want: failure},
		{name: "cannot be put in place", o: keep, f: addTo("Basic"), hook: "before rename", want: failure},
		{name: "changes something", o: keep, f: addTo("Basic"), kept: true},
		{name: "changes the schema", f: dropFields, kept: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{Snapshots: Retention{Keep: 2}})
			r.seed(testUser)
			if err := r.s.EditWith(t.Context(), testUser, EditOptions{Keep: "real"}, addTo("Basic")); err != nil {
				t.Fatal(err)
			}
			r.clock.add(time.Hour)
			before := r.snapshotIDs()
			rows := r.rows(testUser, `SELECT count(*), sum(mod) FROM notes`)
			edit := func() (err error) {
				defer func() {
					testHook = nil
					if p := recover(); p != nil {
						err, _ = p.(error)
					}
				}()
				return r.s.EditWith(t.Context(), testUser, tt.o, func(tx *Txn) error {
					if got := r.snapshotIDs(); !slices.Equal(got, before) {
						t.Errorf("a snapshot before the commit: %q", got)
					}
					if tt.hook != "" {
						testHook = func(moment string) {
							if moment == tt.hook {
								panic(failure)
							}
						}
					}
					err := tt.f(tx)
					// What a kill leaves now is removed as all such files are.
					left := r.leftovers(testUser)
					for _, l := range left {
						if !strings.HasPrefix(l, tempPrefix) {
							t.Errorf("the edit works on %q", l)
						}
					}
					if len(left) == 0 {
						t.Error("nothing is kept")
					}
					return err
				})
			}
			for range 3 {
				if err := edit(); !errors.Is(err, tt.want) {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
				if tt.kept {
					break
				}
			}
			after := r.snapshotIDs()
			if tt.kept {
				if len(after) != 2 || after[1] != before[0] {
					t.Errorf("snapshots %q, before %q", after, before)
				}
			} else {
				if !slices.Equal(after, before) {
					t.Errorf("snapshots %q, before %q", after, before)
				}
				r.wantRows(`SELECT count(*), sum(mod) FROM notes`, rows...)
			}
			if l := r.leftovers(testUser); len(l) > 0 {
				t.Errorf("left %q", l)
			}
			r.edit(addTo("Basic"))
			r.checkCollection()
		})
	}
}

// TestEditKeepsInDoubt: where the connection breaks at the commit, nobody knows
// whether it happened, and the snapshot stays; where it breaks before, it goes.
func TestEditKeepsInDoubt(t *testing.T) {
	for moment, want := range map[string]int{"before rename": 0, "before commit": 1} {
		r := newRig(t, Options{})
		r.seed(testUser)
		err := r.s.EditWith(t.Context(), testUser, EditOptions{Keep: "import"}, func(tx *Txn) error {
			testHook = func(m string) {
				if m != moment {
					return
				}
				if err := tx.h.conn.Close(); err != nil {
					t.Error(err)
				}
				if moment == "before rename" { // so that it fails there
					removeWithSides(tx.kept)
				}
			}
			return addTo("Basic")(tx)
		})
		testHook = nil
		if err == nil {
			t.Errorf("%s: no error", moment)
		}
		if got := r.snapshotIDs(); len(got) != want {
			t.Errorf("%s: snapshots %q, want %d", moment, got, want)
		}
		if l := r.leftovers(testUser); len(l) > 0 {
			t.Errorf("%s: left %q", moment, l)
		}
		r.edit(addTo("Basic"))
		r.checkCollection()
	}
}

// TestEditKeepsThoughTheClockWentBack: the newest snapshot is not the first to go.
func TestEditKeepsThoughTheClockWentBack(t *testing.T) {
	r := newRig(t, Options{Snapshots: Retention{Keep: 1}})
	r.seed(testUser)
	for _, reason := range []string{"first", "second"} {
		if err := r.s.EditWith(t.Context(), testUser, EditOptions{Keep: reason}, addTo("Basic")); err != nil {
			t.Fatal(err)
		}
		r.clock.add(-24 * time.Hour)
	}
	if got := r.snapshotIDs(); len(got) != 1 || !strings.HasSuffix(got[0], "-second") {
		t.Errorf("snapshots %q", got)
	}
}
