package collection

import (
	"fmt"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// UpgradeScheduler turns a collection of the first scheduler (2006) into one of
// the second, as a current client does when its user agrees. Nothing else
// upgrades it: devices with clients before 2.1 cannot use it afterwards. The
// previous state stays as a snapshot, and every device will have to do a full
// sync. It reports whether there was anything to upgrade.
func (t *Txn) UpgradeScheduler() (bool, error) {
	if t.before.SchedVer == 2 {
		return false, nil
	}
	if err := t.changeSchema(); err != nil {
		return false, err
	}
	// New cards and lapses had three buttons.
	if _, err := t.h.exec(`UPDATE revlog SET ease = ease + 1 WHERE ease IN (2, 3) AND type IN (0, 2)`); err != nil {
		return false, fmt.Errorf("upgrade scheduler: %w", err)
	}
	if err := t.upgradeCards(); err != nil {
		return false, err
	}
	if err := t.SetConfig("schedVer", 2); err != nil {
		return false, err
	}
	t.day = nil
	return true, t.setOffsets()
}

func (t *Txn) upgradeCards() error {
	cards, err := collect(t.h, scanCard, `SELECT `+cardColumns+` FROM cards WHERE odid != 0 OR type = 2`)
	if err != nil {
		return err
	}
	all, err := t.Decks()
	if err != nil {
		return err
	}
	decks := make(map[int64]*schema.Deck, len(all))
	for _, d := range all {
		decks[d.ID] = d
	}
	if err := t.loadPresets(); err != nil {
		return err
	}
	for i := range cards {
		s := schedulingCard(&cards[i])
		if !scheduling.UpgradeCard(&s, t.firstFiltered(&cards[i], decks)) {
			continue
		}
		cards[i].take(&s)
		if err := t.saveCard(&cards[i]); err != nil {
			return err
		}
	}
	return nil
}

// firstFiltered describes the filtered deck that a card is in; nil without one.
func (t *Txn) firstFiltered(c *Card, decks map[int64]*schema.Deck) *scheduling.FirstFiltered {
	d := decks[c.DID]
	if c.ODID == 0 || d == nil || d.Kind.Filtered == nil {
		return nil
	}
	out := &scheduling.FirstFiltered{Reschedule: d.Kind.Filtered.Reschedule}
	if len(d.Kind.Filtered.Delays) == 0 {
		return out
	}
	config, steps := int64(defaultConfigID), 0
	if home := decks[c.ODID]; home != nil && home.Kind.Normal != nil {
		config = home.Kind.Normal.ConfigID
	}
	if p := t.presets[config]; p != nil && c.Type == int64(scheduling.TypeReview) {
		steps = len(p.Config.RelearnSteps)
	} else if p != nil {
		steps = len(p.Config.LearnSteps)
	}
	out.Steps = &steps
	return out
}

// setOffsets names the time zone of the collection, unless it is known: it was
// created at four in the morning. A client corrects it when it opens it.
func (t *Txn) setOffsets() error {
	var crt int64
	if err := t.h.row(`SELECT crt FROM col`, nil, &crt); err != nil {
		return err
	}
	clock, err := readTimingConfig(t.h)
	if err != nil {
		return err
	}
	west := westOf(crt)
	if clock.creationOffset == nil {
		if err := t.SetConfig("creationOffset", west); err != nil {
			return err
		}
	}
	if clock.localOffset != nil {
		return nil
	}
	return t.SetConfig("localOffset", west)
}

// westOf is how many minutes west of Greenwich it is four in the morning at crt
// (epoch s), between 14 hours east and 10 west.
func westOf(crt int64) int64 {
	const day = 24 * 60
	west := (crt/60%day + day - defaultRolloverHour*60) % day
	if west > 10*60 {
		west -= day
	}
	return west
}
