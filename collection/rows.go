package collection

// USN is an update sequence number: which sync brought an object. The server's
// are never negative.
type USN int32

// Card is a row of the cards table (docs/collection-format.md §2.1).
type Card struct {
	ID  int64 // epoch ms
	NID int64
	DID int64
	Ord int64
	Mod int64 // epoch s
	USN USN
	// Type is 0 new, 1 learning, 2 review, 3 relearning.
	Type int64
	// Queue is -3…4; negative means suspended or buried.
	Queue  int64
	Due    int64 // position, day or epoch s, by queue
	Ivl    int64 // days; of old schedulers negative seconds
	Factor int64 // ease in permille
	Reps   int64
	Lapses int64
	Left   int64
	ODue   int64
	ODID   int64
	Flags  int64
	Data   string // "" or JSON; kept as it came
}

// Note is a row of the notes table. The sort field and the checksum are not
// part of it: they are derived when it is stored.
type Note struct {
	ID    int64 // epoch ms
	GUID  string
	MID   int64
	Mod   int64 // epoch s
	USN   USN
	Tags  string // " a b ", or ""
	Flds  string // joined by U+001F
	Flags int64
	Data  string
}

// RevlogEntry is a row of the revlog table: one review.
type RevlogEntry struct {
	ID      int64 // epoch ms
	CID     int64
	USN     USN
	Ease    int64 // button 1…4; 0 is manual
	Ivl     int64 // days, or negative seconds
	LastIvl int64
	Factor  int64
	Time    int64 // ms
	Type    int64
}

// Graves are ids of deleted objects.
type Graves struct {
	Cards, Notes, Decks []int64
}

// Chunk is a part of the rows that one side has for the other.
type Chunk struct {
	Done   bool
	Revlog []RevlogEntry
	Cards  []Card
	Notes  []Note
}

// Counts are the row counts that a sync compares at its end.
type Counts struct {
	Cards, Notes, Revlog, Graves, Notetypes, Decks, DeckConfigs int64
}

// Meta is what a client asks before anything else.
type Meta struct {
	// Exists is false if nothing is stored; the rest then describes an empty
	// collection.
	Exists bool
	Mod    int64 // ms
	SCM    int64 // ms
	USN    USN
	// Empty is true if there are no cards.
	Empty bool
	// SchedVer is 1 or 2 (config schedVer).
	SchedVer int
	// NewTimezone is true if config creationOffset is a number.
	NewTimezone bool
}
