package collection

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/ankisyncd/ankisyncd/schema"
)

// Config returns a value of the config; false if it is not there.
func (t *Txn) Config(key string) (json.RawMessage, bool, error) {
	var val []byte
	err := t.h.row(`SELECT val FROM config WHERE KEY = ?`, []any{key}, &val)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read config: %w", err)
	}
	return json.RawMessage(val), true, nil
}

// SetConfig sets a value of the config, which must have a JSON form that clients
// can read.
func (t *Txn) SetConfig(key string, value any) error {
	b, err := json.Marshal(value)
	if err == nil {
		b, err = schema.CleanJSON(b)
	}
	if err != nil {
		return &EditError{Reason: "the value cannot be stored", Err: err}
	}
	old, ok, err := t.Config(key)
	if err != nil || ok && bytes.Equal(old, b) {
		return err
	}
	if err := t.write(); err != nil {
		return err
	}
	t.day = nil // what day it is depends on some of them
	_, err = t.h.exec(`INSERT OR REPLACE INTO config (KEY, usn, mtime_secs, val) VALUES (?, ?, ?, ?)`, key, t.usn, t.now.Unix(), b)
	if err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

// RemoveConfig removes a value of the config.
func (t *Txn) RemoveConfig(key string) error {
	if err := t.write(); err != nil {
		return err
	}
	t.day = nil
	if _, err := t.h.exec(`DELETE FROM config WHERE KEY = ?`, key); err != nil {
		return fmt.Errorf("remove config: %w", err)
	}
	return nil
}

// configInt reads a whole number; def if it is missing or none.
func (t *Txn) configInt(key string, def int64) (int64, error) {
	raw, ok, err := t.Config(key)
	if err != nil || !ok {
		return def, err
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, nil
	}
	var f float64
	if json.Unmarshal(raw, &f) != nil || math.Abs(f) > 1<<53 {
		var s string // clients of 2012 wrote ids as text
		if json.Unmarshal(raw, &s) == nil {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				return n, nil
			}
		}
		return def, nil
	}
	return int64(f), nil
}

// configBool reads a flag; def if it is missing or none.
func (t *Txn) configBool(key string, def bool) (bool, error) {
	raw, ok, err := t.Config(key)
	if err != nil || !ok {
		return def, err
	}
	var b bool
	if json.Unmarshal(raw, &b) == nil && !bytes.Equal(raw, []byte("null")) {
		return b, nil
	}
	return def, nil
}

// nextPosition takes n places at the end of the new queue, and returns the
// first.
func (t *Txn) nextPosition(n int64) (int64, error) {
	pos, err := t.configInt("nextPos", 1)
	if err != nil {
		return 0, err
	}
	pos = min(max(pos, 0), math.MaxInt32)
	if n == 0 {
		return pos, nil
	}
	return pos, t.SetConfig("nextPos", min(pos+n, math.MaxInt32))
}
