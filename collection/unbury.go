package collection

import (
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// unburyIfNewDay gives buried cards back when the day has changed since the
// last time, as every client does when it opens a collection. Neither mod nor
// usn of the cards changes: each side does this by itself (docs/protocol.md
// §6.2). Unlike the official server it does not write a missing "rollover"
// into the config: the default is the same, and the config has one owner less.
func unburyIfNewDay(h *handle, now time.Time, usn USN) error {
	var crt int64
	if err := h.row(`SELECT crt FROM col`, nil, &crt); err != nil {
		return err
	}
	c, err := readTimingConfig(h)
	if err != nil {
		return err
	}
	today := int64(timing(crt, c, now).Today)
	var raw []byte
	err = h.row(`SELECT val FROM config WHERE KEY = 'lastUnburied'`, nil, &raw)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	var last int64
	if json.Unmarshal(raw, &last) != nil {
		last = 0
	}
	if last >= today && last <= today+7 {
		return nil
	}
	unbury, err := unburyStatement(h)
	if err != nil {
		return err
	}
	if _, err := h.exec(unbury); err != nil {
		return err
	}
	_, err = h.exec(`INSERT OR REPLACE INTO config (KEY, usn, mtime_secs, val) VALUES ('lastUnburied', ?, ?, ?)`,
		usn, now.Unix(), []byte(strconv.FormatInt(today, 10)))
	return err
}

// unburyStatement is unburyCards, or unburyByWalk in a file that lacks the index
// which every client makes: there each deck would cost a walk, and a file may have
// as many decks as cards.
func unburyStatement(h *handle) (string, error) {
	var seeks bool
	err := h.row(`SELECT EXISTS (SELECT 1 FROM pragma_index_list('cards') l, pragma_index_xinfo(l.name) c
		WHERE NOT l.partial AND c.seqno = 0 AND c.name = 'did' COLLATE NOCASE AND c.coll = 'BINARY' COLLATE NOCASE)`, nil, &seeks)
	if err != nil || !seeks {
		return unburyByWalk, err
	}
	return unburyCards, nil
}

// unburyCards goes by deck, so that the index on (did, queue) finds them: a scan
// of all cards would be the dearest part of a small sync. By the decks that cards
// name, as one of those may have been deleted by another device: each is one seek
// in the index, where DISTINCT would walk through all of it.
const unburyCards = unburied + ` WHERE did IN (
		WITH RECURSIVE named (did) AS (
			SELECT min(did) FROM cards
			UNION ALL SELECT (SELECT min(did) FROM cards WHERE did > named.did) FROM named WHERE did IS NOT NULL)
		SELECT did FROM named
	) AND queue IN (-2, -3)`

// unburyByWalk does the same in one walk through all cards.
const unburyByWalk = unburied + ` WHERE queue IN (-2, -3)`

const unburied = `UPDATE cards SET queue = CASE type
	WHEN 0 THEN 0
	WHEN 2 THEN 2
	ELSE CASE WHEN due > 1000000000 THEN 1 ELSE 3 END
	END`
