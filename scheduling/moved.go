package scheduling

// Remember reckons anew how well a card is remembered, from its reviews, sorted by
// time, and the options of the deck where it is now. New cards and those without an
// entry in the log have nothing to reckon. Where no review counts, clients leave it
// to the next answer to guess from ease and interval [run].
func Remember(c *Card, revlog []RevlogEntry, config *Config, retention *float32, t Timing) error {
	if c.Type == TypeNew || len(revlog) == 0 {
		return nil
	}
	f, err := NewFSRS(config.FSRSParams)
	if err != nil {
		return err
	}
	d := ParseData(c.Data)
	d.Memory = nil
	if reviews, _ := usableReviews(revlog, config.IgnoreRevlogsBefore); len(reviews) > 0 {
		if d.Memory, err = f.MemoryFromHistory(*c, revlog, t, config.HistoricalRetention, config.IgnoreRevlogsBefore); err != nil {
			return err
		}
	}
	decay, wanted := decayOf(config.FSRSParams), config.DesiredRetention
	if retention != nil {
		wanted = *retention
	}
	d.Decay, d.DesiredRetention = &decay, &wanted
	c.Data = d.String()
	return nil
}
