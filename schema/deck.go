package schema

// Deck is a row of `decks`, or one object of schema 11's `decks`.
type Deck struct {
	ID     int64  // epoch milliseconds; 1 is the default deck
	Name   string // native form: the parts are joined by U+001F
	Mtime  int64  // epoch seconds
	USN    int32
	Common DeckCommon
	Kind   DeckKind
}

// DeckCommon is Deck.Common of docs/collection-format.md §3.
type DeckCommon struct {
	StudyCollapsed      bool
	BrowserCollapsed    bool
	LastDayStudied      uint32 // day number since col.crt
	NewStudied          int32
	ReviewStudied       int32
	LearningStudied     int32
	MillisecondsStudied int32
	Other               []byte
	Unknown             []byte
}

// DeckKind says what a deck is: exactly one of Normal and Filtered is non-nil.
type DeckKind struct {
	Normal   *NormalDeck
	Filtered *FilteredDeck
	Unknown  []byte
}

// NormalDeck is a deck that is the home of its cards.
type NormalDeck struct {
	ConfigID         int64
	ExtendNew        uint32
	ExtendReview     uint32
	Description      string
	Markdown         bool
	ReviewLimit      *uint32
	NewLimit         *uint32
	ReviewLimitToday *DayLimit
	NewLimitToday    *DayLimit
	DesiredRetention *float32 // 0–1
	Unknown          []byte
}

// DayLimit is a limit that holds for one day only.
type DayLimit struct {
	Limit   uint32
	Today   uint32 // day number since col.crt
	Unknown []byte
}

// FilteredDeck borrows the cards that a search finds.
type FilteredDeck struct {
	Reschedule       bool
	SearchTerms      []SearchTerm
	Delays           []float32 // minutes; first scheduler only
	PreviewDelay     uint32    // minutes; second scheduler only
	PreviewHardSecs  uint32
	PreviewGoodSecs  uint32
	PreviewAgainSecs uint32
	Unknown          []byte
}

// SearchTerm is one search of a filtered deck.
type SearchTerm struct {
	Search  string
	Limit   uint32
	Order   int32
	Unknown []byte
}

func (c *DeckCommon) message() message {
	return message{&c.Unknown, []binding{
		{1, (*flag)(&c.StudyCollapsed)},
		{2, (*flag)(&c.BrowserCollapsed)},
		{3, (*u32)(&c.LastDayStudied)},
		{4, (*i32)(&c.NewStudied)},
		{5, (*i32)(&c.ReviewStudied)},
		{6, (*i32)(&c.LearningStudied)},
		{7, (*i32)(&c.MillisecondsStudied)},
		{255, (*raw)(&c.Other)},
	}}
}

func (k *DeckKind) message() message {
	return message{&k.Unknown, []binding{
		{1, one[NormalDeck, *NormalDeck]{&k.Normal, func() { k.Filtered = nil }}},
		{2, one[FilteredDeck, *FilteredDeck]{&k.Filtered, func() { k.Normal = nil }}},
	}}
}

func (d *NormalDeck) message() message {
	return message{&d.Unknown, []binding{
		{1, (*i64)(&d.ConfigID)},
		{2, (*u32)(&d.ExtendNew)},
		{3, (*u32)(&d.ExtendReview)},
		{4, (*str)(&d.Description)},
		{5, (*flag)(&d.Markdown)},
		{6, optU32(&d.ReviewLimit)},
		{7, optU32(&d.NewLimit)},
		{8, one[DayLimit, *DayLimit]{&d.ReviewLimitToday, nil}},
		{9, one[DayLimit, *DayLimit]{&d.NewLimitToday, nil}},
		{10, optF32(&d.DesiredRetention)},
	}}
}

func (l *DayLimit) message() message {
	return message{&l.Unknown, []binding{
		{1, (*u32)(&l.Limit)},
		{2, (*u32)(&l.Today)},
	}}
}

func (d *FilteredDeck) message() message {
	return message{&d.Unknown, []binding{
		{1, (*flag)(&d.Reschedule)},
		{2, list[SearchTerm, *SearchTerm]{&d.SearchTerms}},
		{3, (*packedF32)(&d.Delays)},
		{4, (*u32)(&d.PreviewDelay)},
		{5, (*u32)(&d.PreviewHardSecs)},
		{6, (*u32)(&d.PreviewGoodSecs)},
		{7, (*u32)(&d.PreviewAgainSecs)},
	}}
}

func (t *SearchTerm) message() message {
	return message{&t.Unknown, []binding{
		{1, (*str)(&t.Search)},
		{2, (*u32)(&t.Limit)},
		{3, (*i32)(&t.Order)},
	}}
}

// DecodeDeckCommon reads the blob of decks.common.
func DecodeDeckCommon(b []byte) (DeckCommon, error) {
	return decodeMessage[DeckCommon](b, "deck common")
}

// Encode writes the blob of decks.common.
func (c DeckCommon) Encode() []byte { return c.message().append([]byte{}) }

// DecodeDeckKind reads the blob of decks.kind. One that is neither a normal nor
// a filtered deck is an error.
func DecodeDeckKind(b []byte) (DeckKind, error) {
	k, err := decodeMessage[DeckKind](b, "deck kind")
	if err == nil && k.Normal == nil && k.Filtered == nil {
		return DeckKind{}, invalid("deck kind: neither normal nor filtered")
	}
	return k, err
}

// Encode writes the blob of decks.kind.
func (k DeckKind) Encode() []byte { return k.message().append([]byte{}) }
