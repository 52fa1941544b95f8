package collection

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/ankisyncd/ankisyncd/schema"
)

// Changes are the objects besides rows that one side has for the other: JSON of
// schema 11, which is what every client version exchanges (docs/protocol.md
// §6.4).
type Changes struct {
	Notetypes   []json.RawMessage
	Decks       []json.RawMessage
	DeckConfigs []json.RawMessage
	Tags        []string
	// Config is the whole config as one object, and CRT the creation time
	// (epoch s). Only the newer side sends them; nil means not sent.
	Config map[string]json.RawMessage
	CRT    *int64
}

// ApplyChanges returns what changed here since the client's last sync and then
// merges what the client sends.
func (s *Store) ApplyChanges(ctx context.Context, name, skey string, in Changes) (Changes, error) {
	var out Changes
	err := s.step(ctx, name, skey, func(u *user, se *session) error {
		var err error
		if out, err = se.changesSince(u.col); err != nil {
			return fmt.Errorf("collect changes: %w", err)
		}
		return se.mergeChanges(ctx, u.col, in, s.o.Now())
	})
	return out, err
}

func (se *session) changesSince(h *handle) (Changes, error) {
	out := Changes{Notetypes: []json.RawMessage{}, Decks: []json.RawMessage{}, DeckConfigs: []json.RawMessage{}, Tags: []string{}}
	nts, err := loadNotetypes(h, `usn >= ?`, se.clientUSN)
	if err != nil {
		return out, err
	}
	for _, n := range nts {
		b, err := n.JSON(se.textIDs)
		if err != nil {
			return out, err
		}
		out.Notetypes = append(out.Notetypes, b)
	}
	// In the order of the ids, as from the official server: a client that adds a
	// deck whose name another one still has there appends "+" to it, or puts it in
	// the other's place, so the old deck must be renamed before the new one comes.
	err = h.query(func(scan func(...any) error) error {
		d, err := scanDeck(scan)
		if err != nil {
			return err
		}
		b, err := d.JSON()
		out.Decks = append(out.Decks, b)
		return err
	}, `SELECT id, name, mtime_secs, usn, common, kind FROM decks WHERE usn >= ? ORDER BY id`, se.clientUSN)
	if err != nil {
		return out, err
	}
	err = h.query(func(scan func(...any) error) error {
		c, err := scanDeckConfig(scan)
		if err != nil {
			return err
		}
		b, err := c.JSON()
		out.DeckConfigs = append(out.DeckConfigs, b)
		return err
	}, `SELECT id, name, mtime_secs, usn, config FROM deck_config WHERE usn >= ? ORDER BY id`, se.clientUSN)
	if err != nil {
		return out, err
	}
	err = h.query(func(scan func(...any) error) error {
		var tag string
		err := scan(&tag)
		out.Tags = append(out.Tags, tag)
		return err
	}, `SELECT tag FROM tags WHERE usn >= ?`, se.clientUSN)
	if err != nil || se.clientNewer {
		return out, err
	}
	if out.Config, err = loadConfig(h); err != nil {
		return out, err
	}
	var crt int64
	err = h.row(`SELECT crt FROM col`, nil, &crt)
	out.CRT = &crt
	return out, err
}

// loadNotetypes reads the notetypes that match a condition on the notetypes
// table, with their fields and templates.
func loadNotetypes(h *handle, where string, args ...any) ([]*schema.Notetype, error) {
	var out []*schema.Notetype
	err := h.query(func(scan func(...any) error) error {
		n := &schema.Notetype{}
		var blob []byte
		if err := scan(&n.ID, &n.Name, &n.Mtime, &n.USN, &blob); err != nil {
			return err
		}
		c, err := schema.DecodeNotetypeConfig(blob)
		if err != nil {
			return fmt.Errorf("notetype %d: %w", n.ID, err)
		}
		n.Config = c
		out = append(out, n)
		return nil
	}, `SELECT id, name, mtime_secs, usn, config FROM notetypes WHERE `+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, err
	}
	for _, n := range out {
		if err := loadFieldsAndTemplates(h, n); err != nil {
			return nil, fmt.Errorf("notetype %d: %w", n.ID, err)
		}
	}
	return out, nil
}

func loadFieldsAndTemplates(h *handle, n *schema.Notetype) error {
	err := h.query(func(scan func(...any) error) error {
		var f schema.Field
		var blob []byte
		if err := scan(&f.Ord, &f.Name, &blob); err != nil {
			return err
		}
		c, err := schema.DecodeFieldConfig(blob)
		f.Config = c
		n.Fields = append(n.Fields, f)
		return err
	}, `SELECT ord, name, config FROM fields WHERE ntid = ? ORDER BY ord`, n.ID)
	if err != nil {
		return err
	}
	return h.query(func(scan func(...any) error) error {
		var t schema.Template
		var blob []byte
		if err := scan(&t.Ord, &t.Name, &t.Mtime, &t.USN, &blob); err != nil {
			return err
		}
		c, err := schema.DecodeTemplateConfig(blob)
		t.Config = c
		n.Templates = append(n.Templates, t)
		return err
	}, `SELECT ord, name, mtime_secs, usn, config FROM templates WHERE ntid = ? ORDER BY ord`, n.ID)
}

func scanDeck(scan func(...any) error) (*schema.Deck, error) {
	d := &schema.Deck{}
	var common, kind []byte
	if err := scan(&d.ID, &d.Name, &d.Mtime, &d.USN, &common, &kind); err != nil {
		return nil, err
	}
	var err error
	if d.Common, err = schema.DecodeDeckCommon(common); err != nil {
		return nil, fmt.Errorf("deck %d: %w", d.ID, err)
	}
	if d.Kind, err = schema.DecodeDeckKind(kind); err != nil {
		return nil, fmt.Errorf("deck %d: %w", d.ID, err)
	}
	return d, nil
}

func scanDeckConfig(scan func(...any) error) (*schema.DeckConfig, error) {
	c := &schema.DeckConfig{}
	var blob []byte
	if err := scan(&c.ID, &c.Name, &c.Mtime, &c.USN, &blob); err != nil {
		return nil, err
	}
	var err error
	if c.Config, err = schema.DecodeDeckConfigInner(blob); err != nil {
		return nil, fmt.Errorf("deck config %d: %w", c.ID, err)
	}
	return c, nil
}

// loadConfig reads the whole config table as one JSON object's members. A value
// that is no JSON, or nested too deep, is left out: it would spoil the message for
// every client.
func loadConfig(h *handle) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	err := h.query(func(scan func(...any) error) error {
		var key string
		var val []byte
		if err := scan(&key, &val); err != nil {
			return err
		}
		if val, err := schema.CleanJSON(val); err == nil {
			out[key] = json.RawMessage(bytes.Clone(val))
		}
		return nil
	}, `SELECT KEY, val FROM config`)
	return out, err
}
