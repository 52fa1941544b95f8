package scheduling

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type recordedAction struct {
	Op       string
	Args     json.RawMessage
	FSRS     bool
	Timing   recordedTiming
	Position uint32
	Before   []recordedCard
	After    []recordedCard
	Revlog   [][8]int64
	NextPos  uint32
}

// TestActions compares changes without an answer to recorded ones.
func TestActions(t *testing.T) {
	var golden struct{ Actions []recordedAction }
	readGolden(t, "actions.json.gz", &golden)
	if len(golden.Actions) == 0 {
		t.Fatal("no recorded actions")
	}
	for i, a := range golden.Actions {
		t.Run(fmt.Sprintf("%d/%s/%s", i, a.Op, a.Args), func(t *testing.T) { checkAction(t, a) })
	}
}

func checkAction(t *testing.T, a recordedAction) {
	before, after := cardsOf(a.Before), cardsOf(a.After)
	position := a.Position
	positions := map[int64]uint32{}
	if a.Op == "position" {
		var args [2]uint32
		_ = json.Unmarshal(a.Args, &args)
		positions = Positions(byCreation(before), args[0], args[1], OrderPreserved, nil)
	}
	var log []RevlogEntry
	for i, c := range before {
		got, entry := act(t, a, c, &position, positions[c.NoteID])
		if entry != nil {
			log = append(log, *entry)
		}
		got.Mod = after[i].Mod
		got.Data = ParseData(got.Data).String()
		after[i].Data = ParseData(after[i].Data).String()
		if diff := cmp.Diff(after[i], got); diff != "" {
			t.Errorf("card %+v\n(-want +got):\n%s", c, diff)
		}
	}
	if len(log) != len(a.Revlog) {
		t.Fatalf("got %d log entries, want %d", len(log), len(a.Revlog))
	}
	for i, r := range a.Revlog {
		log[i].ID = r[0]
		if diff := cmp.Diff(entryOf(r), log[i]); diff != "" {
			t.Errorf("log entry (-want +got):\n%s", diff)
		}
	}
	if a.Op == "forget" && position != a.NextPos {
		t.Errorf("next position: got %d, want %d", position, a.NextPos)
	}
}

func byCreation(cards Cards) []Card {
	out := slices.Clone(cards)
	slices.SortFunc(out, func(a, b Card) int { return compare(a.ID, b.ID) })
	return out
}

func act(t *testing.T, a recordedAction, c Card, position *uint32, place uint32) (Card, *RevlogEntry) {
	t.Helper()
	switch a.Op {
	case "due":
		var text string
		_ = json.Unmarshal(a.Args, &text)
		d, err := ParseDueDate(text)
		if err != nil {
			t.Fatal(err)
		}
		out, e := SetDueDate(c, DueOptions{
			Timing: a.Timing.timing(), Days: d.Pick(12345), Reset: d.Reset, InitialEase: 2.5, FSRS: a.FSRS,
		})
		return out, &e
	case "forget":
		var args [2]bool
		_ = json.Unmarshal(a.Args, &args)
		out, e, used := Forget(c, *position, ForgetOptions{RestorePosition: args[0], ResetCounts: args[1]})
		if used {
			*position++
		}
		return out, e
	case "suspend":
		Suspend(&c)
	case "bury":
		if string(a.Args) == "true" {
			BuryByUser(&c)
		} else {
			BuryBySched(&c)
		}
	case "restore":
		Restore(&c)
	case "flag":
		var colour uint8
		_ = json.Unmarshal(a.Args, &colour)
		SetFlag(&c, colour)
	case "position":
		Reposition(&c, place)
	default:
		t.Fatalf("unknown action %q", a.Op)
	}
	return c, nil
}

type recordedFilter struct {
	Order      FilteredOrder
	Reschedule bool
	FSRS       bool
	Timing     recordedTiming
	Deck       int64
	A          []int64
	Built      [][6]int64 // id, did, odid, queue, due, odue
	Home       [][6]int64
	Cards      []recordedCard
	Revlog     [][8]int64
}

// TestFilters builds and empties filtered decks in every order.
func TestFilters(t *testing.T) {
	var golden struct{ Filters []recordedFilter }
	readGolden(t, "actions.json.gz", &golden)
	n := 0
	for _, lab := range golden.Filters {
		if lab.Cards == nil {
			continue
		}
		newest := map[int64]int64{}
		for _, r := range lab.Revlog {
			newest[r[1]] = max(newest[r[1]], r[0])
		}
		for _, r := range golden.Filters {
			if r.Cards != nil || r.FSRS != lab.FSRS {
				continue
			}
			n++
			t.Run(fmt.Sprintf("fsrs %v order %d reschedule %v", r.FSRS, r.Order, r.Reschedule), func(t *testing.T) {
				checkFilter(t, r, cardsOf(lab.Cards), newest)
			})
		}
	}
	if n < 36 {
		t.Errorf("got %d filters, want 36", n)
	}
}

func checkFilter(t *testing.T, r recordedFilter, cards Cards, newest map[int64]int64) {
	var found []*Card
	for i := range cards {
		if c := &cards[i]; c.Queue >= 0 && slices.Contains(r.A, c.DeckID) {
			found = append(found, c)
		}
	}
	less := FilteredLess(r.Order, r.Timing.timing(), r.FSRS, func(id int64) int64 { return newest[id] }, nil)
	slices.SortStableFunc(found, less)
	found = found[:min(len(found), 17)]
	var got [][6]int64
	for i, c := range found {
		if !MoveToFiltered(c, r.Deck, FilteredStart+int64(i), r.Reschedule) {
			t.Errorf("card %d did not move", c.ID)
		}
		got = append(got, [6]int64{c.ID, c.DeckID, c.OriginalDeckID, int64(c.Queue), c.Due, c.OriginalDue})
	}
	slices.SortFunc(got, func(a, b [6]int64) int { return firstOf(compare(a[4], b[4]), compare(a[0], b[0])) })
	if diff := cmp.Diff(r.Built, got); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
	if r.Home == nil {
		return
	}
	got = nil
	for i := range cards {
		c := &cards[i]
		ReturnHome(c)
		got = append(got, [6]int64{c.ID, c.DeckID, c.OriginalDeckID, int64(c.Queue), c.Due, c.OriginalDue})
	}
	if diff := cmp.Diff(r.Home, got); diff != "" {
		t.Errorf("home (-want +got):\n%s", diff)
	}
}

// TestTiming compares days to those of clients in six time zones.
func TestTiming(t *testing.T) {
	var golden [][]json.Number
	readGolden(t, "timing.json.gz", &golden)
	if len(golden) < 400 {
		t.Fatalf("got %d clocks, want 400", len(golden))
	}
	for _, row := range golden {
		n := func(i int) int64 { v, _ := row[i].Int64(); return v }
		c := Clock{Created: n(0), LocalOffset: int32(n(2)), Rollover: uint8(n(3))}
		if row[1] != "" {
			offset := int32(n(1))
			c.CreationOffset = &offset
		}
		got := TimingFor(c, n(4))
		if want := (Timing{Now: n(4), Today: uint32(n(5)), NextDayAt: n(6)}); got != want {
			t.Errorf("%v: got %+v, want %+v", row, got, want)
		}
	}
}
