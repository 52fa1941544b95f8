package search

import (
	"fmt"
	"math"
	"strconv"

	"golang.org/x/text/unicode/norm"
)

func (Deck) needs() tables          { return cardsTable }
func (DeckIDs) needs() tables       { return cardsTable }
func (Preset) needs() tables        { return cardsTable }
func (State) needs() tables         { return cardsTable }
func (Flag) needs() tables          { return cardsTable }
func (CardIDs) needs() tables       { return cardsTable }
func (Added) needs() tables         { return cardsTable }
func (Introduced) needs() tables    { return cardsTable }
func (Rated) needs() tables         { return cardsTable }
func (Prop) needs() tables          { return cardsTable }
func (HasCustomData) needs() tables { return cardsTable }
func (TemplateOrd) needs() tables   { return cardsTable | notesTable }
func (TemplateName) needs() tables  { return cardsTable | notesTable }

// dueInHome is the due that counts while a card is in a filtered deck.
const dueInHome = "(CASE WHEN c.odue != 0 THEN c.odue ELSE c.due END)"

func (n Deck) sql(b *builder) (string, error) {
	name := norm.NFC.String(n.Pattern)
	var re string
	switch name {
	case "*":
		return "true", nil
	case "filtered":
		return "c.odid != 0", nil
	case "current":
		current, err := b.catalog.CurrentDeck(b.ctx)
		if err != nil {
			return "", fmt.Errorf("current deck of a search: %w", err)
		}
		re = "^" + quoteMeta(current) + "($|\x1f)"
	default:
		re = deckRegexp(name)
	}
	arg, err := b.regexpArg("(?i)" + re)
	if err != nil {
		return "", err
	}
	decks := "(SELECT id FROM decks WHERE search_regexp(" + arg + ", name))"
	return "(c.did IN " + decks + " OR (c.odid != 0 AND c.odid IN " + decks + "))", nil
}

func (n DeckIDs) sql(b *builder) (string, error) {
	l := b.idList(n.IDs)
	return "(c.did IN " + l + " OR (c.odid != 0 AND c.odid IN " + l + "))", nil
}

func (n Preset) sql(b *builder) (string, error) {
	ids, err := b.catalog.PresetDecks(b.ctx, n.Name)
	if err != nil {
		return "", fmt.Errorf("decks of a preset of a search: %w", err)
	}
	if len(ids) == 0 {
		return "false", nil
	}
	l := b.idList(ids)
	return "(c.did IN " + l + " OR c.odid IN " + l + ")", nil
}

func (n TemplateOrd) sql(b *builder) (string, error) { return "c.ord = " + b.arg(n.Ord), nil }

func (n TemplateName) sql(b *builder) (string, error) {
	cond, err := b.name(n.Pattern)
	return "(n.mid, c.ord) IN (SELECT ntid, ord FROM templates WHERE " + cond + ")", err
}

// name compares the column name with a pattern.
func (b *builder) name(pattern string) (string, error) {
	pattern = norm.NFC.String(pattern)
	if !isGlob(pattern) {
		return "name = " + b.arg(literal(pattern)), nil
	}
	arg, err := b.regexpArg("(?i)^" + globRegexp(pattern, ".") + "$")
	return "search_regexp(" + arg + ", name)", err
}

// Types and queues of cards are constants of docs/collection-format.md §2.1.
func (n State) sql(b *builder) (string, error) {
	switch n.Kind {
	case StateNew:
		return "c.type = 0", nil
	case StateReview:
		return "c.type IN (2, 3)", nil
	case StateLearn:
		return "c.type IN (1, 3)", nil
	case StateBuried:
		return "c.queue IN (-2, -3)", nil
	case StateUserBuried:
		return "c.queue = -3", nil
	case StateSchedBuried:
		return "c.queue = -2", nil
	case StateSuspended:
		return "c.queue = -1", nil
	case StateDue:
		ahead := b.opts.Now.Unix() + b.opts.LearnAhead
		return "((c.queue IN (2, 3) AND c.due <= " + b.arg(b.opts.Today) +
			") OR (c.queue IN (1, 4) AND c.due <= " + b.arg(ahead) + "))", nil
	}
	return "", fmt.Errorf("search: unknown state %q", n.Kind)
}

func (n Flag) sql(b *builder) (string, error) { return "(c.flags & 7) = " + b.arg(int64(n.Flag)), nil }

func (n CardIDs) sql(b *builder) (string, error) { return "c.id IN " + b.idList(n.IDs), nil }

// cutoff is the rollover so many days before the next one, epoch s.
func (b *builder) cutoff(days int64) int64 { return b.opts.NextDayAt - 86_400*days }

func (n Added) sql(b *builder) (string, error) {
	return "c.id > " + b.arg(b.cutoff(int64(n.Days))*1000), nil
}

func (n Introduced) sql(b *builder) (string, error) {
	from := b.arg(b.cutoff(int64(n.Days)) * 1000)
	// The first half follows from the second; it leaves few cards to look at.
	return "(c.id IN (SELECT cid FROM revlog WHERE id > " + from + ")" +
		" AND coalesce((SELECT min(id) FROM revlog WHERE cid = c.id AND ease != 0) > " + from + ", false))", nil
}

func (n Rated) sql(b *builder) (string, error) { return b.rated(">", -int64(n.Days), n.Button) }

// rated compares the day of reviews with a day: 0 is today, -1 yesterday.
func (b *builder) rated(op Op, day int64, button Button) (string, error) {
	end := b.cutoff(-day) * 1000
	start := end - 86_400_000
	var when string
	switch op {
	case ">":
		when = "id >= " + b.arg(end)
	case ">=":
		when = "id >= " + b.arg(start)
	case "<":
		when = "id < " + b.arg(start)
	case "<=":
		when = "id < " + b.arg(end)
	case "=":
		when = "id BETWEEN " + b.arg(start) + " AND " + b.arg(end-1)
	case "!=":
		when = "id NOT BETWEEN " + b.arg(start) + " AND " + b.arg(end-1)
	default:
		return "", fmt.Errorf("search: unknown comparison %q", op)
	}
	switch button {
	case AnyButton:
		when += " AND ease > 0"
	case Rescheduled:
		when += " AND ease = 0"
	default:
		when += " AND ease = " + b.arg(int64(button))
	}
	return "c.id IN (SELECT cid FROM revlog WHERE " + when + ")", nil
}

func (n Prop) sql(b *builder) (string, error) {
	switch n.Op { // the one thing that is put in as it is
	case "=", "!=", "<", ">", "<=", ">=":
	default:
		return "", fmt.Errorf("search: unknown comparison %q", n.Op)
	}
	op := " " + string(n.Op) + " "
	switch n.Name {
	case PropInterval:
		return "c.ivl" + op + b.arg(n.Int), nil
	case PropReps:
		return "c.reps" + op + b.arg(n.Int), nil
	case PropLapses:
		return "c.lapses" + op + b.arg(n.Int), nil
	case PropEase:
		return "c.factor" + op + b.arg(permille(n.Float)), nil
	case PropPosition:
		return "(c.type = 0 AND " + dueInHome + op + b.arg(n.Int) + ")", nil
	case PropDue:
		// Both operands are whole numbers, so the division truncates.
		return "((c.queue IN (2, 3) AND " + dueInHome + op + b.arg(n.Int+b.opts.Today) + ")" +
			" OR (c.queue IN (1, 4) AND ((" + dueInHome + " - " + b.arg(b.opts.NextDayAt) + ") / 86400)" + op + b.arg(n.Int) + "))", nil
	case PropRated:
		return b.rated(n.Op, n.Int, n.Button)
	case PropResched:
		return b.rated(n.Op, n.Int, Rescheduled)
	case PropStability:
		return "search_fsrs(c.data, 's')" + op + b.arg(shortest(n.Float)), nil
	case PropDifficulty:
		// 0…1 is what is shown, 1…10 what is stored.
		return "search_fsrs(c.data, 'd')" + op + b.arg(shortest(float32(n.Float*9)+1)), nil
	case PropRetrievability:
		return "(CASE WHEN c.type = 0 THEN false ELSE " + b.retrievability() + op + b.arg(shortest(n.Float)) + " END)", nil
	case PropDataNumber:
		return "cast(search_custom_data(c.data, " + b.arg(n.Key) + ") AS float)" + op + b.arg(shortest(n.Float)), nil
	case PropDataText:
		return "search_custom_data(c.data, " + b.arg(n.Key) + ")" + op + b.arg(n.Text), nil
	}
	return "", fmt.Errorf("search: unknown property %q", n.Name)
}

func (b *builder) retrievability() string {
	return "search_retrievability(c.data, " + dueInHome + ", c.ivl, " +
		b.arg(b.opts.Today) + ", " + b.arg(b.opts.Now.Unix()) + ")"
}

// permille is an ease as it is stored, cut off.
func permille(f float32) int64 {
	return int64(min(max(float64(f*1000), 0), math.MaxUint32))
}

// shortest is the number whose shortest text a 32-bit float prints as: 0.1 is
// 0.1 and not 0.10000000149, though the stored values are the latter.
func shortest(f float32) float64 {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	return d
}

func (n HasCustomData) sql(b *builder) (string, error) {
	return "search_custom_data(c.data, " + b.arg(n.Key) + ") IS NOT NULL", nil
}
