package scheduling

// FirstFiltered is what the first scheduler knew of a filtered deck that a card
// is in.
type FirstFiltered struct {
	Reschedule bool
	// Steps is how many steps the card's home has, if the filtered deck had steps
	// of its own; else nil.
	Steps *int
}

// UpgradeCard turns a row of the first scheduler into one of the second, as
// clients do. in is the filtered deck that the card is in, nil without one. It
// reports whether the row changed.
func UpgradeCard(c *Card, in *FirstFiltered) bool {
	before := *c
	if c.Type == TypeReview && (c.Queue == QueueLearning || c.Queue == QueueDayLearning) {
		c.Type = TypeRelearning
	}
	if in == nil {
		return *c != before
	}
	if in.Steps != nil {
		c.Left = min(c.Left, int64(*in.Steps))
	}
	switch {
	case in.Reschedule:
		if c.Queue == QueueNew && c.Type != TypeNew {
			c.restoreQueueFromType()
		}
	default:
		if c.Queue == QueueNew {
			c.Queue = QueueReview
		}
		if c.Type == TypeLearning { // it starts afresh when it goes home
			c.Type, c.Queue = TypeNew, QueuePreview
		}
	}
	return *c != before
}
