package collection

import (
	"slices"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

const (
	maxSteps       = 999             // what a card's count of steps that are left can say
	maxStepMinutes = 36500 * 24 * 60 // the longest interval that there is
	weekdays       = 7
)

// checkOptions refuses what a change would make of deck options if clients could
// not study with it, or would take it for something else: they show an error for
// each card of the deck, or use the default (docs/scheduling-and-rendering.md §3).
// What was so before, as an older or a newer client left it, stays.
func checkOptions(was, is *schema.DeckConfigInner) error {
	for _, key := range is.OutOfRange() {
		if !slices.Contains(was.OutOfRange(), key) {
			return refuse("%s is out of its range", key)
		}
	}
	for _, l := range []struct {
		key     string
		was, is []float32
		good    func([]float32) bool
	}{
		{"easyDaysPercentages", was.EasyDaysPercentages, is.EasyDaysPercentages, goodEasyDays},
		{"new.delays", was.LearnSteps, is.LearnSteps, goodSteps},
		{"lapse.delays", was.RelearnSteps, is.RelearnSteps, goodSteps},
		{"fsrsWeights", was.FSRSParams4, is.FSRSParams4, goodParameters},
		{"fsrsParams5", was.FSRSParams5, is.FSRSParams5, goodParameters},
		{"fsrsParams6", was.FSRSParams6, is.FSRSParams6, goodParameters},
	} {
		if !slices.Equal(l.was, l.is) && !l.good(l.is) {
			return refuse("%s is not usable", l.key)
		}
	}
	for _, e := range []struct {
		key           string
		was, is, last int32
	}{
		{"newMix", was.NewMix, is.NewMix, int32(scheduling.BeforeReviews)},
		{"interdayLearningMix", was.InterdayLearningMix, is.InterdayLearningMix, int32(scheduling.BeforeReviews)},
		{"reviewOrder", was.ReviewOrder, is.ReviewOrder, int32(scheduling.ReviewByRelativeOverdueness)},
		{"newSortOrder", was.NewCardSortOrder, is.NewCardSortOrder, int32(scheduling.SortByRandomCard)},
		{"newGatherPriority", was.NewCardGatherPriority, is.NewCardGatherPriority, int32(scheduling.GatherByDeckThenRandomNotes)},
	} {
		if e.was != e.is && (e.is < 0 || e.is > e.last) {
			return refuse("there is no %s %d", e.key, e.is)
		}
	}
	return nil
}

// goodEasyDays: none, or a share for each weekday.
func goodEasyDays(shares []float32) bool {
	return (len(shares) == 0 || len(shares) == weekdays) &&
		!slices.ContainsFunc(shares, func(s float32) bool { return !(0 <= s && s <= 1) })
}

func goodSteps(minutes []float32) bool {
	return len(minutes) <= maxSteps && !slices.ContainsFunc(minutes, func(m float32) bool { return !(0 <= m && m <= maxStepMinutes) })
}

func goodParameters(params []float32) bool {
	_, err := scheduling.NewFSRS(params)
	return err == nil
}
