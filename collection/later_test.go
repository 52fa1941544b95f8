package collection

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// cardsLater is what a client sends of a review: no notes.
func cardsLater() Chunk {
	return Chunk{
		Cards:  []Card{{ID: 1, NID: 1, DID: 1, Mod: 200, Type: 2, Queue: 2, Due: 150, Ivl: 20, Factor: 2500, Reps: 6, Data: "{}"}, {ID: 7, Mod: 200}},
		Revlog: []RevlogEntry{{ID: 1700, CID: 1, Ease: 3}},
	}
}

// TestLater: a step that goes on after its answer leaves what one does that is
// waited for, and everybody else waits for it.
func TestLater(t *testing.T) {
	var dumps [2]map[string][]string
	for i := range dumps {
		r := newRig(t, Options{})
		r.seed(testUser, setUSN10, sqlCard(1, 3, 100))
		r.start(5, true)
		if i == 0 {
			if err := r.s.ApplyChunk(t.Context(), testUser, "k", cardsLater()); err != nil {
				t.Fatal(err)
			}
		} else {
			reached, goOn := make(chan bool), make(chan bool)
			testHook = func(m string) {
				if m == "after step" {
					reached <- true
					<-goOn
				}
			}
			err := r.s.ApplyChunkLater(t.Context(), testUser, "k", cardsLater())
			if err != nil {
				t.Fatal(err)
			}
			<-reached
			testHook = nil
			if r.s.users[testUser].tryLock() {
				t.Error("others do not wait")
			}
			close(goOn)
		}
		r.finish()
		dumps[i] = r.dump(testUser)
		if !strings.Contains(strings.Join(dumps[i]["revlog"], ";"), "1700") {
			t.Error("the review is missing")
		}
	}
	wantDump(t, "later", dumps[1], dumps[0])
}

// TestLaterFails: the next step says what went wrong, whichever it is, and nothing
// of the sync stays.
func TestLaterFails(t *testing.T) {
	injected := errors.New("injected")
	for step, next := range map[string]func(r *rig) error{
		"applyGraves":  func(r *rig) error { return r.s.ApplyGraves(t.Context(), testUser, "k", Graves{}) },
		"applyChanges": func(r *rig) error { _, err := r.s.ApplyChanges(t.Context(), testUser, "k", Changes{}); return err },
		"chunk":        func(r *rig) error { _, err := r.s.Chunk(t.Context(), testUser, "k"); return err },
		"applyChunk":   func(r *rig) error { return r.s.ApplyChunk(t.Context(), testUser, "k", Chunk{}) },
		"another":      func(r *rig) error { return r.s.ApplyChunkLater(t.Context(), testUser, "k", cardsLater()) },
		"sanityCheck2": func(r *rig) error { _, _, err := r.s.SanityCheck(t.Context(), testUser, "k", Counts{}); return err },
		"finish":       func(r *rig) error { _, err := r.s.Finish(t.Context(), testUser, "k"); return err },
		"abort":        func(r *rig) error { return r.s.AbortSync(t.Context(), testUser, "k") },
	} {
		var log strings.Builder
		r := newRig(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		r.seed(testUser, setUSN10, sqlCard(1, 3, 100))
		before := r.dump(testUser)
		r.start(5, true)
		if err := r.s.ApplyChunkLater(t.Context(), testUser, "k", cardsLater()); err != nil {
			t.Fatal(err)
		}
		if err := r.s.stepLater(t.Context(), testUser, "k", func(*user, *session) error { return injected }); err != nil {
			t.Fatal(err)
		}
		if err := next(r); !errors.Is(err, injected) {
			t.Errorf("%s: %v", step, err)
		}
		r.wantConflicts("told once", "k")
		wantDump(t, step, r.dump(testUser), before)
		if !strings.Contains(log.String(), "injected") {
			t.Errorf("%s: the log says %q", step, &log)
		}
	}
}

// TestLaterPanics: it is the end of one sync, not of the server.
func TestLaterPanics(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, sqlCard(1, 3, 100))
	before := r.dump(testUser)
	r.start(5, true)
	err := r.s.stepLater(t.Context(), testUser, "k", func(*user, *session) error { panic("injected") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.s.Finish(t.Context(), testUser, "k"); err == nil || !strings.Contains(err.Error(), "injected") {
		t.Error(err)
	}
	wantDump(t, "after a panic", r.dump(testUser), before)
	r.start(5, true)
	r.finish()
}

// TestLaterIsForgotten: a client that begins again is not told of the sync before,
// and neither is another.
func TestLaterIsForgotten(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10, sqlCard(1, 3, 100))
	fail := func() {
		t.Helper()
		r.start(5, true)
		err := r.s.stepLater(t.Context(), testUser, "k", func(*user, *session) error { return errors.New("injected") })
		if err != nil {
			t.Fatal(err)
		}
	}
	fail()
	r.wantConflicts("another key", "other")
	r.start(5, true)
	r.finish()
	fail()
	if _, err := r.s.Start(t.Context(), testUser, StartOptions{SKey: "other"}); err != nil {
		t.Fatal(err)
	}
	r.wantConflicts("overtaken meanwhile", "k")
}

// TestLaterWaits: what only the collection can find wrong is found before the
// answer, and there must be a sync.
func TestLaterWaits(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser, setUSN10)
	if err := r.s.ApplyChunkLater(t.Context(), testUser, "k", cardsLater()); !errors.Is(err, ErrConflict) {
		t.Error("without a sync:", err)
	}
	if err := r.s.ApplyChunkLater(t.Context(), "../x", "k", cardsLater()); !errors.Is(err, ErrUserName) {
		t.Error(err)
	}
	r.start(5, true)
	var bad *BadInputError
	if err := r.s.ApplyChunkLater(t.Context(), testUser, "k", Chunk{Notes: []Note{{ID: 1, MID: 99}}}); !errors.As(err, &bad) {
		t.Error(err)
	}
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.s.ApplyChunkLater(t.Context(), testUser, "k", cardsLater()); !errors.Is(err, ErrClosed) {
		t.Error("closed:", err)
	}
}
