package collection

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ankisyncd/ankisyncd/rendering"
	"github.com/ankisyncd/ankisyncd/scheduling"
	"github.com/ankisyncd/ankisyncd/schema"
	"github.com/ankisyncd/ankisyncd/search"
)

var errPending = errors.New("collection: not written yet")

const reasonEdit = "edit"

type notetypeInUse struct{}

type studyState struct {
	queues   map[int64]*scheduling.StudyQueue
	undo     *int
	mod, scm int64
	usn      USN
	dayEnds  int64
}

func (s studyState) at(m Meta) studyState       { return s }
func (t *Txn) keepPrevious(reason string) error { return nil }

// NewNote is a note to be added.
type NewNote struct {
	NotetypeID int64
	// DeckID is where its cards go, unless a template says otherwise; 0 is the
	// current deck.
	DeckID int64
	// Fields are in the notetype's order.
	Fields []string
	Tags   []string
	// GUID is made if empty.
	GUID string
}

// AddNote adds a note and its cards (docs/collection-format.md §7, §8).
func (t *Txn) AddNote(n NewNote) (noteID int64, cardIDs []int64, err error) {
	return 0, nil, errPending
}

// NoteChange says what of a note is to change; nil leaves it.
type NoteChange struct {
	Fields []string // all of them, in the notetype's order
	Tags   *[]string
	// KeepMod leaves the note's mod as it is. The change is synced all the same.
	KeepMod bool
}

// UpdateNote changes a note and adds the cards that it now asks for. Cards that
// have become empty stay.
func (t *Txn) UpdateNote(id int64, c NoteChange) error { return errPending }

// DeleteNotes deletes notes with their cards and returns how many there were.
func (t *Txn) DeleteNotes(ids ...int64) (int, error) { return 0, errPending }

// Note returns a note.
func (t *Txn) Note(id int64) (Note, error) { return Note{}, errPending }

// NoteCards returns the cards of a note by ordinal.
func (t *Txn) NoteCards(id int64) ([]Card, error) { return nil, errPending }

// Duplicates returns the other notes of a notetype whose first field reads the
// same; except may be 0.
func (t *Txn) Duplicates(notetypeID int64, firstField string, except int64) ([]int64, error) {
	return nil, errPending
}

// FieldList are the note's fields.
func (n *Note) FieldList() []string { return schema.SplitFields(n.Flds) }

// TagList are the note's tags.
func (n *Note) TagList() []string { return schema.SplitTags(n.Tags) }

// AddNoteTags adds tags to notes and returns how many notes changed.
func (t *Txn) AddNoteTags(noteIDs []int64, tags []string, keepMod bool) (int, error) {
	return 0, errPending
}

// RemoveNoteTags takes tags (without regard to case) from notes and returns how many notes changed.
func (t *Txn) RemoveNoteTags(noteIDs []int64, tags []string, keepMod bool) (int, error) {
	return 0, errPending
}

// Tags lists the registered tags.
func (t *Txn) Tags() ([]string, error) { return nil, errPending }

// RenameTag renames a tag and those below it everywhere; the number of notes that changed.
func (t *Txn) RenameTag(from, to string) (int, error) { return 0, errPending }

// ClearUnusedTags removes tags that no note has from the list; how many.
func (t *Txn) ClearUnusedTags() (int, error) { return 0, errPending }

// Card returns a card.
func (t *Txn) Card(id int64) (Card, error) { return Card{}, errPending }

// MoveCards moves cards to a normal deck; how many moved.
func (t *Txn) MoveCards(deckID int64, ids ...int64) (int, error) { return 0, errPending }

// Suspend takes cards out of study; how many changed. So with the next ones.
func (t *Txn) Suspend(ids ...int64) (int, error) { return 0, errPending }

// Unsuspend brings suspended cards back.
func (t *Txn) Unsuspend(ids ...int64) (int, error) { return 0, errPending }

// Bury puts cards off until tomorrow.
func (t *Txn) Bury(ids ...int64) (int, error) { return 0, errPending }

// Unbury brings buried cards back.
func (t *Txn) Unbury(ids ...int64) (int, error) { return 0, errPending }

// UnburyDeck brings back the buried cards of a deck and of those below it.
func (t *Txn) UnburyDeck(deckID int64) (int, error) { return 0, errPending }

// SetFlag gives cards the colour 1…7, or none (0).
func (t *Txn) SetFlag(colour int, ids ...int64) (int, error) { return 0, errPending }

// ForgetOptions are the choices of Forget.
type ForgetOptions struct {
	RestorePosition bool // where a card knows it; else to the end of the new queue
	ResetCounts     bool // reps and lapses
}

// Forget makes cards new again.
func (t *Txn) Forget(o ForgetOptions, ids ...int64) (int, error) { return 0, errPending }

// SetDueDate makes cards review cards that are due as days says: "3", "1-7", "0!".
func (t *Txn) SetDueDate(days string, ids ...int64) (int, error) { return 0, errPending }

// RepositionOptions are the choices of Reposition.
type RepositionOptions struct {
	Start, Step uint32
	Random      bool
	Shift       bool // make room among the other new cards
}

// Reposition gives new cards new places in the queue.
func (t *Txn) Reposition(o RepositionOptions, ids ...int64) (int, error) { return 0, errPending }

// Decks lists all decks by name.
func (t *Txn) Decks() ([]*schema.Deck, error) { return nil, errPending }

// Deck returns a deck by id.
func (t *Txn) Deck(id int64) (*schema.Deck, error) { return nil, errPending }

// DeckByName returns a deck by its human name ("A::B"), without regard to case.
func (t *Txn) DeckByName(name string) (*schema.Deck, error) { return nil, errPending }

// CreateDeck returns the normal deck of that human name, which it makes with
// the decks above it if it is missing.
func (t *Txn) CreateDeck(name string) (*schema.Deck, error) { return nil, errPending }

// RenameDeck renames a deck and with it those below; to is human and whole.
func (t *Txn) RenameDeck(id int64, to string) error { return errPending }

// ReparentDeck moves a deck below another one; 0 is the top.
func (t *Txn) ReparentDeck(id, parent int64) error { return errPending }

// DeleteDeck deletes a deck and those below it, with their cards. With keepCards
// the cards move to the default deck.
func (t *Txn) DeleteDeck(id int64, keepCards bool) (cards int, err error) { return 0, errPending }

// CurrentDeck is the selected deck.
func (t *Txn) CurrentDeck() (*schema.Deck, error) { return nil, errPending }

// SelectDeck makes a deck the current one.
func (t *Txn) SelectDeck(id int64) error { return errPending }

// FilteredDeck says what a filtered deck collects.
type FilteredDeck struct {
	Name       string // human
	Reschedule bool
	Searches   []FilteredSearch // one or two
	// Seconds until a card that is not rescheduled comes again; 0: it goes home.
	PreviewAgainSecs, PreviewHardSecs, PreviewGoodSecs uint32
}

// FilteredSearch is one search of a filtered deck.
type FilteredSearch struct {
	Query string
	Limit uint32
	Order scheduling.FilteredOrder
}

// SaveFilteredDeck makes (id 0) or changes a filtered deck and fills it; n is
// the number of cards it got. With allowEmpty false it is an EditError if that
// is 0.
func (t *Txn) SaveFilteredDeck(id int64, f FilteredDeck, allowEmpty bool) (d *schema.Deck, n int, err error) {
	return nil, 0, errPending
}

// RebuildFilteredDeck empties and fills a filtered deck.
func (t *Txn) RebuildFilteredDeck(id int64) (int, error) { return 0, errPending }

// EmptyFilteredDeck sends the cards of a filtered deck home.
func (t *Txn) EmptyFilteredDeck(id int64) (int, error) { return 0, errPending }

// DeckConfigs lists all deck options by name.
func (t *Txn) DeckConfigs() ([]*schema.DeckConfig, error) { return nil, errPending }

// DeckConfig returns deck options by id.
func (t *Txn) DeckConfig(id int64) (*schema.DeckConfig, error) { return nil, errPending }

// DeckConfigOf returns the options of a normal deck.
func (t *Txn) DeckConfigOf(deckID int64) (*schema.DeckConfig, error) { return nil, errPending }

// AddDeckConfig adds options with default values, or a copy of others (copyOf not 0).
func (t *Txn) AddDeckConfig(name string, copyOf int64) (*schema.DeckConfig, error) {
	return nil, errPending
}

// PatchDeckConfig replaces top-level members of the JSON form of deck options
// (docs/collection-format.md §4.3). "id", "mod" and "usn" are ignored.
func (t *Txn) PatchDeckConfig(id int64, members map[string]json.RawMessage) error { return errPending }

// PatchDeck replaces top-level members of the JSON form of a deck
// (docs/collection-format.md §4.2). "id", "mod", "usn" and "dyn" are ignored; a
// new "name" renames it.
func (t *Txn) PatchDeck(id int64, members map[string]json.RawMessage) error { return errPending }

// UseDeckConfig gives a normal deck other options.
func (t *Txn) UseDeckConfig(deckID, configID int64) error { return errPending }

// DeleteDeckConfig deletes options; decks that use them get the default ones.
// Every device will do a full sync.
func (t *Txn) DeleteDeckConfig(id int64) error { return errPending }

// Notetypes lists all notetypes by id.
func (t *Txn) Notetypes() ([]*schema.Notetype, error) { return nil, errPending }

// Notetype returns a notetype by id.
func (t *Txn) Notetype(id int64) (*schema.Notetype, error) { return nil, errPending }

// NotetypeByName returns a notetype by name, without regard to case.
func (t *Txn) NotetypeByName(name string) (*schema.Notetype, error) { return nil, errPending }

// NotetypeChange says what of a notetype is to change; nil leaves it.
type NotetypeChange struct {
	Name      *string
	CSS       *string
	SortField *int
	// Fields are all fields in their new order. Adding, removing or reordering
	// them makes every device do a full sync.
	Fields []FieldChange
	// Templates are all templates in their new order, likewise.
	Templates []TemplateChange
}

// FieldChange is a field of a changed notetype.
type FieldChange struct {
	From int // index before the change, -1 if it is new
	Name string
}

// TemplateChange is a template of a changed notetype.
type TemplateChange struct {
	From                      int // index before the change, -1 if it is new
	Name                      string
	Front, Back               string
	BrowserFront, BrowserBack string
}

// UpdateNotetype changes a notetype, its notes and its cards.
func (t *Txn) UpdateNotetype(id int64, c NotetypeChange) error { return errPending }

// AddField appends a field.
func (t *Txn) AddField(notetypeID int64, name string) error { return errPending }

// RemoveField removes a field with what notes have in it.
func (t *Txn) RemoveField(notetypeID int64, name string) error { return errPending }

// RenameField renames a field, also in templates.
func (t *Txn) RenameField(notetypeID int64, from, to string) error { return errPending }

// AddNotetype adds a copy of a notetype under another name, and returns it.
func (t *Txn) AddNotetype(copyOf int64, name string) (*schema.Notetype, error) {
	return nil, errPending
}

// InsertNotetype adds a notetype given in the JSON form of schema 11. A name that is taken
// gets a suffix, and id 0 or one that is taken is replaced.
func (t *Txn) InsertNotetype(object json.RawMessage) (*schema.Notetype, error) {
	return nil, errPending
}

// DeleteNotetype deletes a notetype with its notes. Every device will do a full sync.
func (t *Txn) DeleteNotetype(id int64) error { return errPending }

// Config returns a value of the config; false if it is not there.
func (t *Txn) Config(key string) (json.RawMessage, bool, error) { return nil, false, errPending }

// SetConfig sets a value of the config.
func (t *Txn) SetConfig(key string, value any) error { return errPending }

// RemoveConfig removes a value of the config.
func (t *Txn) RemoveConfig(key string) error { return errPending }

// CardRevlog returns the reviews of a card, oldest first.
func (t *Txn) CardRevlog(cardID int64) ([]RevlogEntry, error) { return nil, errPending }

// LatestRevlog returns the newest reviews since a time (zero: ever), newest
// first, at most limit.
func (t *Txn) LatestRevlog(since time.Time, limit int) ([]RevlogEntry, error) { return nil, errPending }

// LastReviews returns the newest review of each card that has one; without ids of all cards.
func (t *Txn) LastReviews(cardIDs ...int64) ([]RevlogEntry, error) { return nil, errPending }

// LatestNotes returns the ids of notes by mod, newest first, modified after
// since (zero: ever); at most limit.
func (t *Txn) LatestNotes(since time.Time, limit int) ([]int64, error) { return nil, errPending }

// LatestCards is LatestNotes for the cards of such notes.
func (t *Txn) LatestCards(since time.Time, limit int) ([]int64, error) { return nil, errPending }

// FindOptions are the choices of FindCards and FindNotes.
type FindOptions struct {
	Order         search.Order // nil: any
	Offset, Limit int          // Limit 0: all
}

// FindCards returns the ids of the cards that a search finds; the error may be
// a *search.ParseError.
func (t *Txn) FindCards(ctx context.Context, query string, o FindOptions) ([]int64, error) {
	return nil, errPending
}

// FindNotes returns the ids of the notes that a search finds.
func (t *Txn) FindNotes(ctx context.Context, query string, o FindOptions) ([]int64, error) {
	return nil, errPending
}

// BrowserOrder is the order that the user chose for the list of cards.
func (t *Txn) BrowserOrder() (search.Order, error) { return nil, errPending }

// EachCard calls f for every card of decks and those below them (none: all).
func (t *Txn) EachCard(deckIDs []int64, f func(Card) error) error { return errPending }

// EachReview calls f for every review since a time (epoch ms) of the cards
// that are now in decks and those below them (none: all, also of deleted cards).
func (t *Txn) EachReview(deckIDs []int64, since int64, f func(RevlogEntry) error) error {
	return errPending
}

// RenderedCard is a card as it is shown.
type RenderedCard struct {
	rendering.Output
	CSS      string
	Ord      int
	LatexSVG bool
}

// RenderCard renders both sides of a card.
func (t *Txn) RenderCard(id int64, o rendering.Options) (RenderedCard, error) {
	return RenderedCard{}, errPending
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
// it (0: the current deck); ok is false if nothing is due. It works in View, too.
func (t *Txn) NextCard(deckID int64) (c StudyCard, ok bool, err error) {
	return StudyCard{}, false, errPending
}

// Buttons says what the buttons would do to any card.
func (t *Txn) Buttons(cardID int64) ([4]Button, error) { return [4]Button{}, errPending }

// StudyCounts are the numbers of cards left today in a deck and those below it
// (0: the current deck), as they are shown while studying.
func (t *Txn) StudyCounts(deckID int64) (scheduling.Counts, error) {
	return scheduling.Counts{}, errPending
}

// DeckCounts are the numbers of the deck list, by deck.
func (t *Txn) DeckCounts() (map[int64]scheduling.Counts, error) { return nil, errPending }

// Answer is an answer to a card.
type Answer struct {
	CardID int64
	Rating scheduling.Rating
	At     time.Time // zero: now
	Taken  time.Duration
	Custom *string // new custom data, if not nil
}

// AnswerCard answers a card, and returns it as it is now.
func (t *Txn) AnswerCard(a Answer) (Card, error) { return Card{}, errPending }

// Undone is what UndoAnswer did.
type Undone struct {
	CardID int64
	// ReviewKept: the review had been synced, and stays in the log.
	ReviewKept bool
}

// UndoAnswer takes back the last answer that was given here, if nothing else
// was changed since.
func (t *Txn) UndoAnswer() (Undone, error) { return Undone{}, errPending }

// ExtendLimits raises today's limits of a deck (0: the current one).
func (t *Txn) ExtendLimits(deckID int64, newCards, reviews int32) error { return errPending }
