package collection

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/ankisyncd/ankisyncd/schema"
)

// DeckConfigs lists all deck options by name.
func (t *Txn) DeckConfigs() ([]*schema.DeckConfig, error) {
	return collect(t.h, scanDeckConfig, `SELECT id, name, mtime_secs, usn, config FROM deck_config ORDER BY name, id`)
}

// DeckConfig returns deck options by id.
func (t *Txn) DeckConfig(id int64) (*schema.DeckConfig, error) {
	all, err := collect(t.h, scanDeckConfig, `SELECT id, name, mtime_secs, usn, config FROM deck_config WHERE id = ?`, id)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, missing("deck options", id)
	}
	return all[0], nil
}

// DeckConfigOf returns the options of a deck. A filtered deck has none of its
// own: that is an EditError.
func (t *Txn) DeckConfigOf(deckID int64) (*schema.DeckConfig, error) {
	d, err := t.Deck(deckID)
	if err != nil {
		return nil, err
	}
	if d.Kind.Normal == nil {
		return nil, refuse("a filtered deck has no options")
	}
	c, err := t.presetOf(d)
	if err == nil && c == nil {
		return nil, missing("deck options", d.Kind.Normal.ConfigID)
	}
	return c, err
}

// presetOf returns the options of a normal deck, or the default ones if those
// are gone; nil if these are, too.
func (t *Txn) presetOf(d *schema.Deck) (*schema.DeckConfig, error) {
	if err := t.loadPresets(); err != nil {
		return nil, err
	}
	if c := t.presets[d.Kind.Normal.ConfigID]; c != nil {
		return c, nil
	}
	return t.presets[defaultConfigID], nil
}

// loadPresets reads all options, unless they were read and still hold.
func (t *Txn) loadPresets() error {
	if t.presets != nil {
		return nil
	}
	all, err := t.DeckConfigs()
	if err != nil {
		return err
	}
	t.presets = make(map[int64]*schema.DeckConfig, len(all))
	for _, c := range all {
		t.presets[c.ID] = c
	}
	return nil
}

func (t *Txn) saveDeckConfig(c *schema.DeckConfig) error {
	if err := t.write(); err != nil {
		return err
	}
	t.presets = nil
	c.Mtime, c.USN = t.now.Unix(), int32(t.usn)
	n, err := t.h.exec(`UPDATE deck_config SET name = ?, mtime_secs = ?, usn = ?, config = ? WHERE id = ?`,
		c.Name, c.Mtime, c.USN, c.Config.Encode(), c.ID)
	if err == nil && n == 0 {
		t.delta.DeckConfigs++
		_, err = t.h.exec(`INSERT INTO deck_config (id, name, mtime_secs, usn, config) VALUES (?, ?, ?, ?, ?)`,
			c.ID, c.Name, c.Mtime, c.USN, c.Config.Encode())
	}
	if err != nil {
		return fmt.Errorf("save deck options: %w", err)
	}
	return nil
}

// AddDeckConfig adds options with default values, or a copy of others if copyOf
// is not 0.
func (t *Txn) AddDeckConfig(name string, copyOf int64) (*schema.DeckConfig, error) {
	if name == "" {
		return nil, refuse("deck options need a name")
	}
	c := &schema.DeckConfig{Name: name, Config: schema.DefaultDeckConfig()}
	if copyOf != 0 {
		from, err := t.DeckConfig(copyOf)
		if err != nil {
			return nil, err
		}
		c.Config = from.Config
	}
	var err error
	if c.ID, err = t.newID(`SELECT (SELECT max(id) FROM deck_config) FROM deck_config WHERE id = ?`); err != nil {
		return nil, err
	}
	return c, t.saveDeckConfig(c)
}

// patchJSON replaces members of a JSON object, but not the fixed ones.
func patchJSON(object []byte, members map[string]json.RawMessage, fixed ...string) ([]byte, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(object, &m); err != nil {
		return nil, err
	}
	old := map[string]json.RawMessage{}
	for _, k := range fixed {
		old[k] = m[k]
	}
	for k, v := range members {
		m[k] = v
	}
	for k, v := range old {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	return json.Marshal(m)
}

// configSections are the members of deck options that are objects.
var configSections = []string{"new", "rev", "lapse"}

// mergeSections completes sections of deck options with what they have already.
func mergeSections(object []byte, members map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	var have map[string]json.RawMessage
	if err := json.Unmarshal(object, &have); err != nil {
		return nil, err
	}
	out := maps.Clone(members)
	for _, k := range configSections {
		part, ok := members[k]
		if !ok {
			continue
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(part, &m); err != nil {
			return nil, err
		}
		if m == nil {
			return nil, fmt.Errorf("%s is null", k)
		}
		whole, err := patchJSON(have[k], m)
		if err != nil {
			return nil, err
		}
		out[k] = whole
	}
	return out, nil
}

// PatchDeckConfig replaces members of the JSON form of deck options
// (docs/collection-format.md §4.3), in "new", "rev" and "lapse" those that are
// named. "id", "mod" and "usn" are ignored. What does not fit is an EditError.
func (t *Txn) PatchDeckConfig(id int64, members map[string]json.RawMessage) error {
	c, err := t.DeckConfig(id)
	if err != nil {
		return err
	}
	b, err := c.JSON()
	if err != nil {
		return err
	}
	was, err := schema.ParseDeckConfigJSON(b) // rounded as JSON is
	if err != nil {
		return err
	}
	if members, err = mergeSections(b, members); err != nil {
		return &EditError{Reason: "the deck options are not usable", Err: err}
	}
	if b, err = patchJSON(b, members, "id", "mod", "usn"); err != nil {
		return &EditError{Reason: "the deck options are not usable", Err: err}
	}
	changed, err := schema.ParseEditedDeckConfigJSON(b)
	if err != nil {
		return &EditError{Reason: "the deck options are not usable", Err: err}
	}
	if err := checkOptions(&was.Config, &changed.Config); err != nil {
		return err
	}
	// The JSON form has no place for these.
	changed.ID, changed.Config.Unknown = c.ID, c.Config.Unknown
	return t.saveDeckConfig(changed)
}

// PatchDeck replaces top-level members of the JSON form of a deck
// (docs/collection-format.md §4.2). "id", "mod", "usn" and "dyn" are ignored; a
// new "name" renames it as RenameDeck does.
func (t *Txn) PatchDeck(ctx context.Context, id int64, members map[string]json.RawMessage) error {
	d, err := t.Deck(id)
	if err != nil {
		return err
	}
	b, err := d.JSON()
	if err != nil {
		return err
	}
	if b, err = patchJSON(b, members, "id", "mod", "usn", "dyn"); err != nil {
		return &EditError{Reason: "the deck is not usable", Err: err}
	}
	changed, err := schema.ParseDeckJSON(b)
	if err != nil {
		return &EditError{Reason: "the deck is not usable", Err: err}
	}
	if n := changed.Kind.Normal; n != nil {
		if n.ConfigID != d.Kind.Normal.ConfigID {
			if _, err := t.DeckConfig(n.ConfigID); err != nil {
				return err
			}
		}
		if _, ok := members["desiredRetention"]; !ok {
			n.DesiredRetention = d.Kind.Normal.DesiredRetention // in JSON it is whole percents
		}
	}
	keepUnknownOfKind(&changed.Kind, &d.Kind)
	to := changed.Name
	changed.ID, changed.Name = d.ID, d.Name
	changed.Common.Unknown = d.Common.Unknown
	if err := t.saveDeck(changed); err != nil {
		return err
	}
	return t.RenameDeck(ctx, id, schema.HumanDeckName(to))
}

// keepUnknownOfKind keeps what a later client has stored with a deck: its JSON form
// has no place for it.
func keepUnknownOfKind(changed, old *schema.DeckKind) {
	changed.Unknown = old.Unknown
	if c, o := changed.Normal, old.Normal; c != nil && o != nil {
		c.Unknown = o.Unknown
		keepUnknownOfLimit(c.ReviewLimitToday, o.ReviewLimitToday)
		keepUnknownOfLimit(c.NewLimitToday, o.NewLimitToday)
	}
	if c, o := changed.Filtered, old.Filtered; c != nil && o != nil {
		c.Unknown = o.Unknown
		keepUnknownOfTerms(c.SearchTerms, o.SearchTerms)
	}
}

func keepUnknownOfLimit(changed, old *schema.DayLimit) {
	if changed != nil && old != nil {
		changed.Unknown = old.Unknown
	}
}

// UseDeckConfig gives a normal deck other options.
func (t *Txn) UseDeckConfig(deckID, configID int64) error {
	if _, err := t.DeckConfig(configID); err != nil {
		return err
	}
	d, err := t.Deck(deckID)
	if err != nil {
		return err
	}
	if d.Kind.Normal == nil {
		return refuse("a filtered deck has no options")
	}
	normal := *d.Kind.Normal
	normal.ConfigID = configID
	d.Kind.Normal = &normal
	return t.saveDeck(d)
}

// DeleteDeckConfig deletes options; decks that use them get the default ones.
// Every device will have to do a full sync. The default options stay.
func (t *Txn) DeleteDeckConfig(id int64) error {
	if id == defaultConfigID {
		return refuse("the default options cannot be deleted")
	}
	if _, err := t.DeckConfig(id); err != nil {
		return err
	}
	if err := t.changeSchema(); err != nil {
		return err
	}
	all, err := t.Decks()
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Kind.Normal != nil && d.Kind.Normal.ConfigID == id {
			if err := t.UseDeckConfig(d.ID, defaultConfigID); err != nil {
				return err
			}
		}
	}
	t.presets = nil
	t.delta.DeckConfigs--
	_, err = t.h.exec(`DELETE FROM deck_config WHERE id = ?`, id)
	return err
}
