package search

// Node is a parsed search. Its String is a search that parses to an equal Node.
type Node interface {
	String() string
	// needs tells which tables the node's SQL speaks of.
	needs() tables
	// sql appends the node's condition.
	sql(b *builder) (string, error)
}

// All matches everything: the empty search.
type All struct{}

// And matches what all its parts match: everything, if it has none.
type And []Node

// Or matches what any of its parts matches: nothing, if it has none.
type Or []Node

// Not matches what its part does not.
type Not struct{ Node Node }

// TextMode is how a [Text] is compared.
type TextMode int

// The modes of a Text.
const (
	TextPlain     TextMode = iota // wildcards; ASCII case ignored
	TextNoAccents                 // nc: the same, without combining characters
	TextNoClozes                  // sc: the same, cloze deletions replaced by their text, cloze notetypes only
	TextWord                      // w: at word boundaries
	TextRegexp                    // re: a regular expression
)

// Text looks for a text in the fields of a note. Pattern still has its
// wildcards and their escapes.
type Text struct {
	Pattern string
	Mode    TextMode
}

// MatchMode is how a [Field] or a [Tag] is compared.
type MatchMode int

// The modes of a Field or a Tag.
const (
	MatchPlain MatchMode = iota
	MatchRegexp
	MatchNoAccents
)

// Field compares the whole of the fields whose names match Name.
type Field struct {
	Name    string
	Pattern string
	Mode    MatchMode
}

// Tag matches notes with a tag, or with a tag below it.
type Tag struct {
	Pattern string
	Mode    MatchMode
}

// Deck matches cards in a deck and in the decks below it, also while they are
// in a filtered deck. "*", "filtered" and "current" are special.
type Deck struct{ Pattern string }

// DeckIDs matches cards in decks given by id, without the decks below them.
type DeckIDs struct{ IDs []int64 }

// Preset matches cards in decks that use the options of this name.
type Preset struct{ Name string }

// Notetype matches by the name of the notetype.
type Notetype struct{ Pattern string }

// NotetypeID matches by the id of the notetype.
type NotetypeID struct{ ID int64 }

// TemplateOrd matches the n-th card type (from 0), or cloze n+1.
type TemplateOrd struct{ Ord int }

// TemplateName matches by the name of the card type.
type TemplateName struct{ Pattern string }

// StateKind is an argument of is:.
type StateKind string

// The states.
const (
	StateNew         StateKind = "new"
	StateLearn       StateKind = "learn"
	StateReview      StateKind = "review"
	StateDue         StateKind = "due"
	StateSuspended   StateKind = "suspended"
	StateBuried      StateKind = "buried"
	StateUserBuried  StateKind = "buried-manually"
	StateSchedBuried StateKind = "buried-sibling"
)

// State matches cards by their state.
type State struct{ Kind StateKind }

// Flag matches cards by the colour 0…7 of their flag.
type Flag struct{ Flag uint8 }

// NoteIDs matches notes by id.
type NoteIDs struct{ IDs []int64 }

// CardIDs matches cards by id.
type CardIDs struct{ IDs []int64 }

// Added matches cards made within the last days.
type Added struct{ Days uint32 }

// Edited matches notes changed within the last days.
type Edited struct{ Days uint32 }

// Introduced matches cards answered for the first time within the last days.
type Introduced struct{ Days uint32 }

// Button is what an answer was: 1…4, [AnyButton] or [Rescheduled].
type Button int

const (
	// AnyButton is any of the answer buttons.
	AnyButton Button = 0
	// Rescheduled is a change of the schedule by hand (no button).
	Rescheduled Button = -1
)

// Rated matches cards answered (or rescheduled) within the last days.
type Rated struct {
	Days   uint32
	Button Button
}

// Op is a comparison: = != < > <= >=.
type Op string

// PropName is a property that prop: compares.
type PropName string

// The properties.
const (
	PropInterval       PropName = "ivl"
	PropDue            PropName = "due"
	PropReps           PropName = "reps"
	PropLapses         PropName = "lapses"
	PropPosition       PropName = "pos"
	PropEase           PropName = "ease"
	PropStability      PropName = "s"
	PropDifficulty     PropName = "d"
	PropRetrievability PropName = "r"
	PropRated          PropName = "rated"
	PropResched        PropName = "resched"
	PropDataNumber     PropName = "cdn:"
	PropDataText       PropName = "cds:"
)

// Prop compares a property of a card. Which of the values counts depends on
// the property: Int for ivl, due, reps, lapses, pos, rated and resched; Float
// for ease, s, d, r and cdn:; Text for cds:.
type Prop struct {
	Name   PropName
	Op     Op
	Int    int64
	Float  float32
	Key    string // of custom data
	Text   string
	Button Button
}

// HasCustomData matches cards whose custom data has a key.
type HasCustomData struct{ Key string }

// Duplicate matches notes of a notetype whose first field reads the same.
type Duplicate struct {
	NotetypeID int64
	Text       string
}
