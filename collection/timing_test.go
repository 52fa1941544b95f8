package collection

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTiming(t *testing.T) {
	// docs/collection-format.md §9
	num := func(n int) *int { return &n }
	off := func(n int32) *int32 { return &n }
	at := func(s string) time.Time {
		tm, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	const created = "2020-01-01T04:00:00Z"
	for _, tt := range []struct {
		name    string
		created string
		c       timingConfig
		now     string
		today   uint32
		next    string
	}{
		{"V1 before 24 h", created, timingConfig{schedVer: 1, localOffset: off(-600)}, "2020-01-02T03:59:59Z", 0, "2020-01-02T04:00:00Z"},
		{"V1 after 24 h", created, timingConfig{schedVer: 1, rollover: num(9)}, "2020-01-02T04:00:00Z", 1, "2020-01-03T04:00:00Z"},
		{"no schedVer is V1", created, timingConfig{}, "2020-01-11T04:00:00Z", 10, "2020-01-12T04:00:00Z"},
		{"V1 before the creation", created, timingConfig{schedVer: 1}, "2019-12-31T04:00:00Z", 0, "2020-01-01T04:00:00Z"},
		{"V2 legacy", created, timingConfig{schedVer: 2, localOffset: off(0)}, "2020-01-02T03:59:59Z", 0, "2020-01-02T04:00:00Z"},
		{"V2 legacy, day 1", created, timingConfig{schedVer: 2}, "2020-01-02T04:00:01Z", 1, "2020-01-03T04:00:00Z"},
		{"V2, day 0", created, timingConfig{schedVer: 2, creationOffset: off(0)}, "2020-01-02T03:59:59Z", 0, "2020-01-02T04:00:00Z"},
		{"V2, at the rollover", created, timingConfig{schedVer: 2, creationOffset: off(0)}, "2020-01-02T04:00:00Z", 1, "2020-01-03T04:00:00Z"},
		{"V2, rollover at midnight", created, timingConfig{schedVer: 2, creationOffset: off(0), rollover: num(0)}, "2020-01-02T00:00:00Z", 1, "2020-01-03T00:00:00Z"},
		{"V2, rollover at 23", created, timingConfig{schedVer: 2, creationOffset: off(0), rollover: num(23)}, "2020-01-02T22:59:59Z", 0, "2020-01-02T23:00:00Z"},
		{"an absurd rollover is 23", created, timingConfig{schedVer: 2, creationOffset: off(0), rollover: num(99)}, "2020-01-02T22:59:59Z", 0, "2020-01-02T23:00:00Z"},
		{"a negative rollover is 4", created, timingConfig{schedVer: 2, creationOffset: off(0), rollover: num(-1)}, "2020-01-02T04:00:00Z", 1, "2020-01-03T04:00:00Z"},
		// Created in Brisbane (UTC+10, 600 minutes east) at 4 in the morning.
		{"east, same place", "2019-12-31T18:00:00Z", timingConfig{schedVer: 2, creationOffset: off(-600), localOffset: off(-600)}, "2020-01-01T17:59:59Z", 0, "2020-01-01T18:00:00Z"},
		{"east, next day", "2019-12-31T18:00:00Z", timingConfig{schedVer: 2, creationOffset: off(-600), localOffset: off(-600)}, "2020-01-01T18:00:00Z", 1, "2020-01-02T18:00:00Z"},
		{"travelled west", "2019-12-31T18:00:00Z", timingConfig{schedVer: 2, creationOffset: off(-600), localOffset: off(480)}, "2020-01-02T11:59:59Z", 0, "2020-01-02T12:00:00Z"},
		{"travelled west, next day", "2019-12-31T18:00:00Z", timingConfig{schedVer: 2, creationOffset: off(-600), localOffset: off(480)}, "2020-01-02T12:00:00Z", 1, "2020-01-03T12:00:00Z"},
		{"no local offset is UTC", created, timingConfig{schedVer: 2, creationOffset: off(480)}, "2020-01-02T12:00:00Z", 2, "2020-01-03T04:00:00Z"},
		{"before the creation", created, timingConfig{schedVer: 2, creationOffset: off(0)}, "2019-06-01T12:00:00Z", 0, "2019-06-02T04:00:00Z"},
		{"leap years", created, timingConfig{schedVer: 2, creationOffset: off(0)}, "2024-03-01T12:00:00Z", 366 + 3*365 + 31 + 29, "2024-03-02T04:00:00Z"},
	} {
		got := timing(at(tt.created).Unix(), tt.c, at(tt.now))
		if next := time.Unix(got.NextDayAt, 0).UTC().Format(time.RFC3339); got.Today != tt.today || next != tt.next {
			t.Errorf("%s: day %d, next %s; want %d, %s", tt.name, got.Today, next, tt.today, tt.next)
		}
	}
}

func TestTimingConfigOfTheFile(t *testing.T) {
	conf := func(key, val string) string {
		return fmt.Sprintf(`INSERT OR REPLACE INTO config VALUES ('%s', 0, 0, CAST('%s' AS BLOB))`, key, val)
	}
	for _, tt := range []struct {
		name     string
		seed     []string
		schedVer int
		newTZ    bool
	}{
		{"fresh", nil, 2, false},
		{"new timezones", []string{conf("creationOffset", "-600")}, 2, true},
		{"a float", []string{conf("creationOffset", "-600.0"), conf("schedVer", "1.0")}, 1, true},
		{"null", []string{conf("creationOffset", "null"), conf("schedVer", "null")}, 1, false},
		{"mistyped", []string{conf("creationOffset", `"x"`), conf("schedVer", `[2]`)}, 1, false},
		{"absurd", []string{conf("creationOffset", `1e300`), conf("schedVer", `2`)}, 2, false},
		{"nothing", []string{`DELETE FROM config`}, 1, false},
	} {
		r := newRig(t, Options{})
		r.seed(testUser, tt.seed...)
		if m := r.meta(); m.SchedVer != tt.schedVer || m.NewTimezone != tt.newTZ || !m.Exists || !m.Empty {
			t.Errorf("%s: %+v", tt.name, m)
		}
	}
}

// buried are cards of every kind, each in the sort of queue its id tells.
var buried = []string{
	`INSERT INTO cards (id, type, queue, due, nid, did, ord, mod, usn, ivl, factor, reps, lapses, left, odue, odid, flags, data)
	 SELECT column1, column2, column3, column4, 1, 1, 0, 100, 3, 1, 0, 0, 0, 0, 0, 0, 0, '' FROM (VALUES
	 (1, 0, -2, 5), (2, 0, -3, 5), (3, 1, -2, 1700000000), (4, 1, -3, 120), (5, 2, -2, 1700000000), (6, 2, -3, 99), (7, 3, -2, 1700000000),
	 (8, 3, -3, 1000000000), (9, 2, -1, 5), (10, 2, 2, 5), (11, 1, 1, 1700000000), (12, 3, -3, 1000000001))`,
}

// TestUnburySeeks: the first sync of a day looks for buried cards, and must not walk
// through all of them, or all of an index; where no index helps it walks once, not
// once for each deck.
func TestUnburySeeks(t *testing.T) {
	const drop = `DROP INDEX ix_cards_sched`
	for what, tt := range map[string]struct {
		seed            []string
		scans, searches int
	}{
		"as clients make it": {nil, 0, 3},
		"no index":           {[]string{drop}, 1, 0},
		"a partial one":      {[]string{drop, `CREATE INDEX ix_cards_sched ON cards (did, queue, due) WHERE odid != 0`}, 1, 0},
		"another column":     {[]string{drop, `CREATE INDEX ix_cards_sched ON cards (queue, did)`}, 0, 1},
		"another order":      {[]string{drop, `CREATE INDEX ix_cards_sched ON cards (did COLLATE NOCASE, queue)`}, 1, 0},
	} {
		r := newRig(t, Options{})
		r.seed(testUser, tt.seed...)
		var statement string
		if err := r.s.withUser(t.Context(), testUser, func(u *userPlace) error {
			h, err := r.s.opened(t.Context(), u)
			if err == nil {
				statement, err = unburyStatement(h)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		plan := r.rows(testUser, `EXPLAIN QUERY PLAN `+statement)
		all := strings.Join(plan, "\n")
		scans, searches := strings.Count(all, "SCAN cards"), strings.Count(all, "SEARCH cards USING")
		if scans != tt.scans || searches != tt.searches {
			t.Errorf("%s: %d scans and %d searches, want %d and %d:\n%s", what, scans, searches, tt.scans, tt.searches, all)
		}
	}
}

func TestUnbury(t *testing.T) {
	// docs/protocol.md §6.2. The fresh collection was made today: day 0.
	stay := []string{"1|-2", "2|-3", "3|-2", "4|-3", "5|-2", "6|-3", "7|-2", "8|-3", "9|-1", "10|2", "11|1", "12|-3"}
	back := []string{"1|0", "2|0", "3|1", "4|3", "5|2", "6|2", "7|1", "8|3", "9|-1", "10|2", "11|1", "12|1"}
	conf := func(key, val string) string {
		return fmt.Sprintf(`INSERT OR REPLACE INTO config VALUES ('%s', 0, 0, CAST('%s' AS BLOB))`, key, val)
	}
	for _, tt := range []struct {
		name  string
		seed  []string
		after time.Duration
		want  []string
		last  string // config lastUnburied afterwards
	}{
		{"no lastUnburied on day 0", []string{`DELETE FROM config WHERE KEY = 'lastUnburied'`}, 0, stay, ""},
		{"same day", []string{conf("lastUnburied", "3")}, 72 * time.Hour, stay, "3"},
		{"next day", []string{conf("lastUnburied", "2")}, 72 * time.Hour, back, "3"},
		{"next day, V1", []string{conf("lastUnburied", "2"), conf("schedVer", "1")}, 72 * time.Hour, back, "3"},
		{"just before the rollover", []string{conf("lastUnburied", "0")}, 15*time.Hour + 59*time.Minute, stay, "0"},
		{"just after it", []string{conf("lastUnburied", "0")}, 16 * time.Hour, back, "1"},
		{"where it is not yet 4", []string{conf("lastUnburied", "0"), conf("creationOffset", "0"), conf("localOffset", "60")}, 16 * time.Hour, stay, "0"},
		{"where it is 4 already", []string{conf("lastUnburied", "0"), conf("creationOffset", "0"), conf("localOffset", "-60")}, 15 * time.Hour, back, "1"},
		{"a client's clock is ahead by a week", []string{conf("lastUnburied", "10")}, 72 * time.Hour, stay, "10"},
		{"by more", []string{conf("lastUnburied", "11")}, 72 * time.Hour, back, "3"},
		{"mistyped", []string{conf("lastUnburied", `"x"`)}, 72 * time.Hour, back, "3"},
		{"in a deck deleted by another device", []string{conf("lastUnburied", "2"), `UPDATE cards SET did = 77 WHERE id < 7`}, 72 * time.Hour, back, "3"},
		{"without an index of decks", []string{conf("lastUnburied", "2"), `DROP INDEX ix_cards_sched`}, 72 * time.Hour, back, "3"},
		{"a fraction is mistyped, as for the official server", []string{conf("lastUnburied", `3.0`)}, 72 * time.Hour, back, "3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser, append(append([]string{setUSN10}, buried...), tt.seed...)...)
			r.clock.add(tt.after)
			r.start(5, false)
			r.wantRows(`SELECT id, queue FROM cards ORDER BY id`, tt.want...)
			r.wantRows(`SELECT DISTINCT mod, usn FROM cards`, "100|3")
			r.wantRows(`SELECT coalesce((SELECT val FROM config WHERE KEY = 'lastUnburied'), '')`, tt.last)
			r.wantRows(`SELECT count(*) FROM config WHERE KEY = 'rollover'`, "0")
			if err := r.s.Abort(t.Context(), testUser, ""); err != nil {
				t.Fatal(err)
			}
			r.wantRows(`SELECT id, queue FROM cards ORDER BY id`, stay...)
		})
	}
}
