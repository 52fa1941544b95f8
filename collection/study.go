package collection

import (
	"errors"
	"time"

	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
)

// defaultLearnAhead is config collapseTime where it is missing, s.
const defaultLearnAhead = 1200

// maxQueues is how many queues of one user are kept.
const maxQueues = 8

// studyState is what is kept of a user's studies between two transactions. It
// is in memory only: a restart forgets it.
type studyState struct {
	// queues are by deck. They are those of the state of the collection that
	// mod, scm and usn name, and of no other.
	queues   map[int64]*scheduling.StudyQueue
	last     int64 // the deck whose queue was asked last
	mod, scm int64
	usn      USN
	dayEnds  int64 // until then (epoch s) the buried cards have been seen to
	undo     *answerUndo

	balance    *scheduling.Balance // likewise, of the day balanceDay
	balanceDay uint32
}

// at is s for the collection in state m.
func (s studyState) at(m Meta) studyState {
	if s.mod == m.Mod && s.scm == m.SCM && s.usn == m.USN {
		return s
	}
	return studyState{undo: s.undo, mod: m.Mod, scm: m.SCM, usn: m.USN}
}

// Button is what an answer button would do.
type Button struct {
	Rating   scheduling.Rating
	Interval scheduling.Interval
	// Label is the interval as clients print it, such as "<10m".
	Label string
}

// StudyCard is a card to be studied now.
type StudyCard struct {
	Card    Card
	Kind    scheduling.Kind
	Counts  scheduling.Counts // of the deck, this card included
	States  scheduling.States
	Buttons [4]Button // Again, Hard, Good, Easy
}

// NextCard returns the card that is to be studied next in a deck and those below
// it (0: the current deck); ok is false if nothing is due. It may be called in
// View.
func (t *Txn) NextCard(deckID int64) (c StudyCard, ok bool, err error) {
	for range 2 {
		q, err := t.queue(deckID)
		if err != nil {
			return StudyCard{}, false, err
		}
		counts := q.Counts(t.now.Unix())
		next := q.Next(1)
		if len(next) == 0 {
			return StudyCard{}, false, nil
		}
		row, err := t.Card(next[0].CardID)
		if errors.Is(err, ErrNoObject) || err == nil && row.Mod != next[0].Mod {
			t.stale = true // somebody wrote behind our back
			continue
		}
		if err != nil {
			return StudyCard{}, false, err
		}
		session, err := t.session(&row)
		if err != nil {
			return StudyCard{}, false, err
		}
		buttons, err := t.buttons(session)
		return StudyCard{Card: row, Kind: next[0].Kind, Counts: counts, States: session.States(), Buttons: buttons}, true, err
	}
	return StudyCard{}, false, nil
}

// NextCard is a card that comes up, and when it was last changed (epoch s).
type NextCard struct{ ID, Mod int64 }

// NextCards returns the cards that come next in a deck and those below it (0: the
// current deck), at most limit, as if none of them were answered.
func (t *Txn) NextCards(deckID int64, limit int) ([]NextCard, error) {
	q, err := t.queue(deckID)
	if err != nil {
		return nil, err
	}
	q.Counts(t.now.Unix()) // lets in what is due by now
	next := q.Next(limit)
	cards := make([]NextCard, len(next))
	for i, e := range next {
		cards[i] = NextCard{ID: e.CardID, Mod: e.Mod}
	}
	return cards, nil
}

// ResetStudy begins the studies of all decks anew: their queues are built again,
// with all that is due by now.
func (t *Txn) ResetStudy() { t.study.queues = nil }

// AdvanceStudy lets into the queue of a deck (0: the current one) what has come
// due since the last answer. Clients do so with each answer, and when nothing
// else is left.
func (t *Txn) AdvanceStudy(deckID int64) error {
	q, err := t.queue(deckID)
	if err == nil {
		q.Advance(t.now.Unix())
	}
	return err
}

// Buttons says what the buttons would do to a card, due or not.
func (t *Txn) Buttons(cardID int64) ([4]Button, error) {
	if err := t.secondScheduler(); err != nil {
		return [4]Button{}, err
	}
	row, err := t.Card(cardID)
	if err != nil {
		return [4]Button{}, err
	}
	session, err := t.session(&row)
	if err != nil {
		return [4]Button{}, err
	}
	return t.buttons(session)
}

func (t *Txn) buttons(s *scheduling.Session) ([4]Button, error) {
	ahead, err := t.learnAhead()
	if err != nil {
		return [4]Button{}, err
	}
	labels, intervals := s.Labels(ahead), s.Intervals()
	var out [4]Button
	for i := range out {
		out[i] = Button{Rating: scheduling.Rating(i + 1), Interval: intervals[i], Label: labels[i]}
	}
	return out, nil
}

func (t *Txn) learnAhead() (uint32, error) {
	ahead, err := t.configInt("collapseTime", defaultLearnAhead)
	return uint32(min(max(ahead, 0), int64(24*time.Hour/time.Second)*365)), err
}

// StudyCounts are the numbers of cards left today in a deck and those below it
// (0: the current deck), as they are shown while studying.
func (t *Txn) StudyCounts(deckID int64) (scheduling.Counts, error) {
	q, err := t.queue(deckID)
	if err != nil {
		return scheduling.Counts{}, err
	}
	return q.Counts(t.now.Unix()), nil
}

// queue returns the queue of a deck, the kept one if it still holds.
func (t *Txn) queue(deckID int64) (*scheduling.StudyQueue, error) {
	if err := t.secondScheduler(); err != nil {
		return nil, err
	}
	if deckID == 0 {
		id, err := t.currentDeckID()
		if err != nil {
			return nil, err
		}
		deckID = id
	}
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	if t.stale || len(t.study.queues) >= maxQueues {
		t.study.queues, t.stale = nil, false
	}
	t.study.last = deckID
	if q := t.study.queues[deckID]; q != nil && !q.Stale(day) {
		return q, nil
	}
	t.study.balance = nil // counted anew with each queue, as clients do
	q, err := t.buildQueue(deckID, day)
	if err != nil {
		return nil, err
	}
	if t.study.queues == nil {
		t.study.queues = map[int64]*scheduling.StudyQueue{}
	}
	t.study.queues[deckID] = q
	return q, nil
}

func (t *Txn) buildQueue(deckID int64, day scheduling.Timing) (*scheduling.StudyQueue, error) {
	decks, err := t.studyDecks()
	if err != nil {
		return nil, err
	}
	ahead, err := t.learnAhead()
	if err != nil {
		return nil, err
	}
	o := scheduling.QueueOptions{Timing: day, LearnAhead: ahead}
	for key, flag := range map[string]*bool{
		"fsrs": &o.FSRS, "newCardsIgnoreReviewLimit": &o.IgnoreReview, "applyAllParentLimits": &o.AllParents,
	} {
		if *flag, err = t.configBool(key, false); err != nil {
			return nil, err
		}
	}
	q, err := scheduling.BuildQueue(decks, deckID, cardSource{t.h}, o)
	if errors.Is(err, scheduling.ErrNoDeck) {
		return nil, missing("deck", deckID)
	}
	return q, err
}

// studyDecks are all decks as the scheduler sees them.
func (t *Txn) studyDecks() ([]scheduling.Deck, error) {
	all, err := t.Decks()
	if err != nil {
		return nil, err
	}
	out := make([]scheduling.Deck, len(all))
	for i, d := range all {
		if d.Kind.Normal == nil {
			out[i] = scheduling.DeckFrom(*d, nil)
			continue
		}
		preset, err := t.presetOf(d)
		if err != nil {
			return nil, err
		}
		if preset == nil {
			out[i] = scheduling.DeckFrom(*d, nil)
			continue
		}
		out[i] = scheduling.DeckFrom(*d, &preset.Config)
	}
	return out, nil
}

// homeConfig is what governs a card: the options of its home deck, and that
// deck's own desired retention if it has one.
func (t *Txn) homeConfig(c *scheduling.Card) (scheduling.Config, *float32, error) {
	preset, retention, err := t.homePreset(c)
	if err != nil || preset == nil {
		return scheduling.DefaultConfig(), retention, err
	}
	return scheduling.ConfigFrom(preset.Config), retention, nil
}

// homePreset is homeConfig as it is stored, nil if the default holds.
func (t *Txn) homePreset(c *scheduling.Card) (*schema.DeckConfig, *float32, error) {
	d, err := t.deckOrNil(c.HomeDeckID())
	if err != nil || d == nil || d.Kind.Normal == nil {
		return nil, nil, err
	}
	preset, err := t.presetOf(d)
	return preset, d.Kind.Normal.DesiredRetention, err
}

// session looks at a card. It is a ParametersError if its options do not allow
// that.
func (t *Txn) session(row *Card) (*scheduling.Session, error) {
	card := schedulingCard(row)
	var ctx scheduling.Context
	var err error
	if ctx.Timing, err = t.Timing(); err != nil {
		return nil, err
	}
	if ctx.Config, ctx.DesiredRetention, err = t.homeConfig(&card); err != nil {
		return nil, err
	}
	if ctx.FSRS, err = t.configBool("fsrs", false); err != nil {
		return nil, err
	}
	if ctx.FSRSShortTermWithSteps, err = t.configBool("fsrsShortTermWithStepsEnabled", false); err != nil {
		return nil, err
	}
	d, err := t.deckOrNil(row.DID)
	if err != nil {
		return nil, err
	}
	if d != nil {
		ctx.Filtered = scheduling.FilteredFrom(d.Kind)
	}
	if ctx.Load, err = t.load(row); err != nil {
		return nil, err
	}
	var history []scheduling.RevlogEntry
	if scheduling.NeedsHistory(card, ctx.FSRS) {
		rows, err := t.CardRevlog(row.ID)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			history = append(history, schedulingReview(&rows[i]))
		}
	}
	s, err := scheduling.New(card, history, ctx)
	if errors.Is(err, scheduling.ErrParameters) {
		if preset, _, _ := t.homePreset(&card); preset != nil {
			err = &ParametersError{Options: preset.Name, Err: err}
		}
	}
	return s, err
}

// DeckCounts are the numbers of the deck list, by deck.
func (t *Txn) DeckCounts() (map[int64]scheduling.Counts, error) {
	if err := t.secondScheduler(); err != nil {
		return nil, err
	}
	day, err := t.Timing()
	if err != nil {
		return nil, err
	}
	ahead, err := t.learnAhead()
	if err != nil {
		return nil, err
	}
	due := map[int64]scheduling.DeckCounts{}
	err = t.h.query(func(scan func(...any) error) error {
		var id int64
		var c scheduling.DeckCounts
		err := scan(&id, &c.New, &c.Review, &c.InterdayLearning, &c.IntradayLearning)
		due[id] = c
		return err
	}, `SELECT did, sum(queue = 0), sum(queue = 2 AND due <= ?1), sum(queue = 3 AND due <= ?1),
		sum(queue = 1 AND due < ?2 OR queue = 4 AND due <= ?2) FROM cards GROUP BY did`, day.Today, t.now.Unix()+int64(ahead))
	if err != nil {
		return nil, err
	}
	decks, err := t.studyDecks()
	if err != nil {
		return nil, err
	}
	o := scheduling.CountOptions{Today: day.Today}
	if o.IgnoreReview, err = t.configBool("newCardsIgnoreReviewLimit", false); err != nil {
		return nil, err
	}
	if o.AllParents, err = t.configBool("applyAllParentLimits", false); err != nil {
		return nil, err
	}
	return scheduling.CountDecks(decks, due, o), nil
}
