package scheduling

import (
	"maps"
	"slices"
	"sort"
)

// BalanceDays is how many days from today on are looked at to spread reviews.
const BalanceDays = 99

// maxBalanced is the longest interval, in days, that is chosen by load. Longer
// ones spread by themselves.
const maxBalanced = 90

// Balance knows how many cards are due on the days to come, so that an interval
// can be chosen within its fuzz range by how little there is to do. Clients
// count once, when they build a queue, and from then on only add what is
// answered; so does this.
//
// As in clients, every card counts whose due number is that of such a day, also
// one that is suspended, and a new one by its position.
type Balance struct {
	weekday int // of tomorrow, Monday is 0
	due     map[int64]*[BalanceDays]int
	easy    map[int64][7]easyDay
	placed  map[int64][]int
}

// easyDay is what the options of a deck say about a weekday.
type easyDay uint8

const (
	normalDay easyDay = iota
	reducedDay
	minimumDay
)

// share is the part of a normal day's work that is wanted.
func (e easyDay) share() float32 { return [...]float32{1, 0.5, 0.0001}[e] }

// NewBalance makes a Balance without cards. weekday is that of tomorrow, from
// Monday, 0; easyDays are the numbers of each preset (docs/collection-format.md
// §3, number 4): without seven of them all days are alike.
func NewBalance(weekday int, easyDays map[int64][]float32) *Balance {
	b := &Balance{
		weekday: weekday, due: map[int64]*[BalanceDays]int{}, placed: map[int64][]int{},
		easy: make(map[int64][7]easyDay, len(easyDays)),
	}
	for preset, shares := range easyDays {
		var days [7]easyDay
		if len(shares) == len(days) {
			for i, share := range shares {
				switch share {
				case 1:
				case 0:
					days[i] = minimumDay
				default:
					days[i] = reducedDay
				}
			}
		}
		b.easy[preset] = days
	}
	return b
}

// Weekday is the weekday, from Monday, 0, of the calendar day on which t begins
// tomorrow, for a clock that is west minutes behind Greenwich.
func (t Timing) Weekday(west int32) int {
	const thursday = 3 // the day 0
	day := civilDay(t.NextDayAt, offsetSecs(west)) + thursday
	return int(day - 7*floorDiv(day, 7))
}

// Count adds n cards of a preset that are due in so many days. It is to be
// called before the first answer.
func (b *Balance) Count(preset int64, inDays, n int) {
	if inDays < 0 || inDays >= BalanceDays {
		return
	}
	if b.due[preset] == nil {
		b.due[preset] = new([BalanceDays]int)
	}
	b.due[preset][inDays] += n
}

// Answered notes that a card was answered. before is the day that it was counted
// on, −1 if it was not; after is the new row.
func (b *Balance) Answered(preset int64, before int, after *Card) {
	days, seen := b.placed[after.ID]
	if !seen && before >= 0 && before < BalanceDays {
		days = append(days, before)
	}
	due := b.due[preset]
	if after.Queue == QueueReview && due != nil && after.Interval >= 0 && after.Interval < BalanceDays {
		due[after.Interval]++
		days = append(days, int(after.Interval))
	}
	b.placed[after.ID] = days
}

// Placed are the days on which a card counts that was answered since the count;
// ok is false if it was not answered.
func (b *Balance) Placed(cardID int64) (days []int, ok bool) {
	days, ok = b.placed[cardID]
	return days, ok
}

// For is the load that governs a card of a preset. siblings are the days on
// which cards of its note count, its own included; nil if they need not be kept
// apart. It is nil if nothing is known of the preset: fuzz decides then.
func (b *Balance) For(preset int64, siblings []int) *Load {
	easy, ok := b.easy[preset]
	if due := b.due[preset]; ok && due != nil {
		return &Load{weekday: b.weekday, due: due, easy: easy, siblings: siblings}
	}
	return nil
}

// Load is what a Balance says about one card.
type Load struct {
	weekday  int
	due      *[BalanceDays]int
	easy     [7]easyDay
	siblings []int
}

// pick chooses a day from the fuzz range of an interval. It declines intervals
// that are not balanced.
func (l *Load) pick(interval float32, minimum, maximum uint32, g *generator) (uint32, bool) {
	if l == nil || toU32(interval) > maxBalanced || minimum > maxBalanced {
		return 0, false
	}
	lower, upper := fuzzBounds(interval, minimum, maximum)
	if lower < 1 || upper >= BalanceDays {
		return 0, false
	}
	counts := l.due[lower : upper+1]
	easy, apart := l.easyWeights(int(lower), counts), l.siblingWeights(int(lower), len(counts))
	sums := make([]float32, len(counts)) // of the weights up to each day
	var total float32
	for i, n := range counts {
		weight := float32(1)
		if n > 0 {
			near := 1 / float32(int(lower)+i)
			weight = float32(pow32(1/float32(n), 2.15) * float32(near*float32(near*near)))
			weight = float32(float32(weight*apart[i]) * easy[i])
		}
		total += weight
		sums[i] = total
	}
	if !(total > 0) {
		return 0, false
	}
	at := float32(g.float32() * total)
	day := sort.Search(len(sums)-1, func(i int) bool { return sums[i] > at })
	return lower + uint32(day), true
}

// easyWeights say for each day whether it may be chosen. A reduced day may be as
// long as it has no more than its share of what is due in the range.
func (l *Load) easyWeights(lower int, counts []int) []float32 {
	var all int
	var shares float32
	days := make([]easyDay, len(counts))
	for i, n := range counts {
		days[i] = l.easy[(l.weekday+lower+i-1)%7]
		all += n
		shares += days[i].share()
	}
	out := make([]float32, len(counts))
	for i, n := range counts {
		day := days[i]
		if day == reducedDay {
			day = normalDay
			half := reducedDay.share()
			if float32(n)/half > float32(all-n)/(shares-half) {
				day = minimumDay
			}
		}
		out[i] = day.share()
	}
	return out
}

// siblingWeights make days unlikely that have siblings, or are near to such.
func (l *Load) siblingWeights(lower, n int) []float32 {
	byDistance := [...]float32{0.000001, 0.2, 0.4, 0.6, 0.8}
	days := map[int]bool{}
	for _, day := range l.siblings {
		days[day] = true
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = 1
	}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		for i := range out {
			if d := max(lower+i-day, day-lower-i); d < len(byDistance) {
				out[i] *= byDistance[d]
			}
		}
	}
	return out
}
