package scheduling

import "strings"

// DayLimit is a limit that holds for one day.
type DayLimit struct {
	Limit, Today uint32
}

// Deck is what the queue needs to know of a deck.
type Deck struct {
	ID     int64
	Name   string  // native form, the parts joined by U+001F
	Config *Config // preset; nil for a filtered deck, or if it is missing

	Counters         Counters
	NewLimit         *uint32
	ReviewLimit      *uint32
	NewLimitToday    *DayLimit
	ReviewLimitToday *DayLimit
}

const separator = "\x1f"

func (d *Deck) level() int { return 1 + strings.Count(d.Name, separator) }

// Limits are the numbers of cards that may still be shown today.
type Limits struct {
	Reviews, New uint32
	// CapNew says that new cards are counted against the review limit, too.
	CapNew bool
}

// noLimit is that of filtered decks.
const noLimit = 9999

// Limits are the deck's own, before those of the decks above it are considered
// (docs/scheduling-and-rendering.md §2). ignoreReviews is the config key
// newCardsIgnoreReviewLimit.
func (d *Deck) Limits(today uint32, ignoreReviews bool) Limits {
	if d.Config == nil {
		return Limits{Reviews: noLimit, New: noLimit}
	}
	reviews := int64(effective(d.ReviewLimitToday, d.ReviewLimit, d.Config.ReviewsPerDay, today))
	fresh := int64(effective(d.NewLimitToday, d.NewLimit, d.Config.NewPerDay, today))
	if d.Counters.Day == today {
		reviews -= int64(d.Counters.Reviews)
		fresh -= int64(d.Counters.New)
		if !ignoreReviews {
			reviews -= int64(d.Counters.New)
		}
	}
	if !ignoreReviews {
		fresh = min(fresh, reviews)
	}
	return Limits{
		Reviews: uint32(clamp(reviews, 0, 1<<32-1)),
		New:     uint32(clamp(fresh, 0, 1<<32-1)),
		CapNew:  !ignoreReviews,
	}
}

func effective(day *DayLimit, deck *uint32, preset, today uint32) uint32 {
	switch {
	case day != nil && day.Today == today:
		return day.Limit
	case deck != nil:
		return *deck
	}
	return preset
}

func (l *Limits) capTo(o Limits) {
	l.Reviews = min(l.Reviews, o.Reviews)
	l.New = min(l.New, o.New)
}

// limitKind chooses one of the two limits.
type limitKind bool

const (
	reviewLimit limitKind = false
	newLimit    limitKind = true
)

func (l *Limits) reached(k limitKind) bool {
	if k == newLimit {
		return l.New == 0
	}
	return l.Reviews == 0
}

// take counts one card, and reports whether a limit is reached by it.
func (l *Limits) take(k limitKind) bool {
	before := *l
	if k == newLimit {
		l.New = satSub(l.New, 1)
	} else {
		l.Reviews = satSub(l.Reviews, 1)
		if l.CapNew {
			l.New = min(l.New, l.Reviews)
		}
	}
	return before.Reviews > 0 && l.Reviews == 0 || before.New > 0 && l.New == 0
}

// limitNode is a deck in the tree of limits.
type limitNode struct {
	Limits
	level    int
	parent   int // index, −1 for the root
	children []int
}

// limitTree keeps the limits of a deck and those below it.
type limitTree struct {
	nodes []limitNode
	byID  map[int64]int
}

// newLimitTree builds the tree of decks, which are in the order of their names
// and start with the root. A deck whose parent is missing is left out.
func newLimitTree(decks []*Deck, today uint32, ignoreReviews bool) *limitTree {
	t := &limitTree{byID: make(map[int64]int, len(decks))}
	path := []int{} // the last node of each level below the root
	for i, d := range decks {
		node := limitNode{Limits: d.Limits(today, ignoreReviews), level: d.level(), parent: -1}
		if i > 0 {
			for len(path) > 0 && t.nodes[path[len(path)-1]].level >= node.level {
				path = path[:len(path)-1]
			}
			if len(path) == 0 {
				break // not below the root
			}
			node.parent = path[len(path)-1]
			if t.nodes[node.parent].level != node.level-1 {
				continue
			}
			node.capTo(t.nodes[node.parent].Limits)
			t.nodes[node.parent].children = append(t.nodes[node.parent].children, len(t.nodes))
		}
		path = append(path, len(t.nodes))
		t.byID[d.ID] = len(t.nodes)
		t.nodes = append(t.nodes, node)
	}
	return t
}

func (t *limitTree) rootReached(k limitKind) bool {
	return len(t.nodes) == 0 || t.nodes[0].reached(k)
}

// reached is true of decks outside the tree.
func (t *limitTree) reached(deckID int64, k limitKind) bool {
	i, ok := t.byID[deckID]
	return !ok || t.nodes[i].reached(k)
}

// take counts a card of a deck, for the deck and all above it.
func (t *limitTree) take(deckID int64, k limitKind) {
	i, ok := t.byID[deckID]
	if !ok {
		return
	}
	for ; i >= 0; i = t.nodes[i].parent {
		if t.nodes[i].take(k) {
			t.capBelow(i)
		}
	}
}

// capBelow holds all decks below a node to its limits.
func (t *limitTree) capBelow(i int) {
	limits := t.nodes[i].Limits
	todo := append([]int(nil), t.nodes[i].children...)
	for len(todo) > 0 {
		child := &t.nodes[todo[len(todo)-1]]
		todo = append(todo[:len(todo)-1], child.children...)
		child.capTo(limits)
	}
}
