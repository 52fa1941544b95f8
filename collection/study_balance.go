package collection

import (
	"github.com/ankisyncd/ankisyncd/scheduling"
)

// load says how much there is to do on the days to come, for the next interval
// of a card; nil if the collection has the load balancer switched off or if
// nothing is due under the card's preset.
func (t *Txn) load(row *Card) (*scheduling.Load, error) {
	on, err := t.configBool("loadBalancerEnabled", true)
	if err != nil || !on {
		return nil, err
	}
	card := schedulingCard(row)
	preset, err := t.rawPreset(card.HomeDeckID())
	if err != nil || preset == 0 {
		return nil, err
	}
	balance, err := t.balance()
	if err != nil {
		return nil, err
	}
	var siblings []int
	if p := t.presets[preset]; p != nil && p.Config.BuryReviews {
		if siblings, err = t.siblingDays(row.NID, balance); err != nil {
			return nil, err
		}
	}
	return balance.For(preset, siblings), nil
}

// balance is the kept balance, or a new one.
func (t *Txn) balance() (*scheduling.Balance, error) {
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	if t.study.balance != nil && t.study.balanceDay == day.Today {
		return t.study.balance, nil
	}
	clock, err := readTimingConfig(t.h)
	if err != nil {
		return nil, err
	}
	var west int32
	if clock.localOffset != nil {
		west = *clock.localOffset
	}
	if err := t.loadPresets(); err != nil {
		return nil, err
	}
	easy := make(map[int64][]float32, len(t.presets))
	for id, p := range t.presets {
		easy[id] = p.Config.EasyDaysPercentages
	}
	decks, err := t.Decks()
	if err != nil {
		return nil, err
	}
	presets := make(map[int64]int64, len(decks))
	for _, d := range decks {
		if d.Kind.Normal != nil {
			presets[d.ID] = d.Kind.Normal.ConfigID
		}
	}
	b := scheduling.NewBalance(day.Weekday(west), easy)
	err = t.h.query(func(scan func(...any) error) error {
		var deck int64
		var in, n int
		err := scan(&deck, &in, &n)
		if preset, ok := presets[deck]; ok && err == nil {
			b.Count(preset, in, n)
		}
		return err
	}, `SELECT did, CAST(due AS INTEGER) - ?1, count(*) FROM cards WHERE due >= ?1 AND due < ?1 + ?2 GROUP BY did, due`,
		int64(day.Today), scheduling.BalanceDays)
	if err != nil {
		return nil, err
	}
	t.study.balance, t.study.balanceDay = b, day.Today
	return b, nil
}

// rawPreset is the id of the options of a normal deck, whether there are such
// options or not; 0 for a filtered deck or none.
func (t *Txn) rawPreset(deckID int64) (int64, error) {
	d, err := t.deckOrNil(deckID)
	if err != nil || d == nil || d.Kind.Normal == nil {
		return 0, err
	}
	return d.Kind.Normal.ConfigID, nil
}

// countedOn is the day from today on which a card counts in a new balance, −1 if
// it does not.
func (t *Txn) countedOn(row *Card) (int, error) {
	preset, err := t.rawPreset(row.DID)
	if err != nil || preset == 0 {
		return -1, err
	}
	day, err := t.Timing()
	if err != nil {
		return -1, err
	}
	if in := row.Due - int64(day.Today); in >= 0 && in < scheduling.BalanceDays {
		return int(in), nil
	}
	return -1, nil
}

// siblingDays are the days on which the cards of a note count.
func (t *Txn) siblingDays(noteID int64, b *scheduling.Balance) ([]int, error) {
	cards, err := t.NoteCards(noteID)
	if err != nil {
		return nil, err
	}
	var out []int
	for i := range cards {
		if days, ok := b.Placed(cards[i].ID); ok {
			out = append(out, days...)
			continue
		}
		day, err := t.countedOn(&cards[i])
		if err != nil {
			return nil, err
		}
		if day >= 0 {
			out = append(out, day)
		}
	}
	return out, nil
}

// answered tells the balance b of an answer that moved a card.
func (t *Txn) answered(b *scheduling.Balance, before *Card, after *scheduling.Card) error {
	if b == nil {
		return nil
	}
	card := schedulingCard(before)
	preset, err := t.rawPreset(card.HomeDeckID())
	if err != nil {
		return err
	}
	day, err := t.countedOn(before)
	if err != nil {
		return err
	}
	b.Answered(preset, day, after)
	t.study.balance = b
	return nil
}
