package collection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// manyOf is a message with n objects of one kind whose names are one.
func manyOf(t *testing.T, r *rig, kind string, n int) Changes {
	t.Helper()
	have := r.changes(t, 0)
	var in Changes
	switch kind {
	case "decks", "notetypes":
		first := have.Decks[0]
		if kind == "notetypes" {
			first = have.Notetypes[0]
		}
		for i := range n {
			o := object(t, first)
			o["id"], o["name"], o["mod"] = 1000+i, "Same", 2e9
			if kind == "decks" {
				in.Decks = append(in.Decks, raws(t, o)...)
			} else {
				in.Notetypes = append(in.Notetypes, raws(t, o)...)
			}
		}
	default:
		o := object(t, have.Notetypes[0])
		list := map[string]string{"fields": "flds", "templates": "tmpls"}[kind]
		part := o[list].([]any)[0].(map[string]any)
		var parts []any
		for i := range n {
			p := maps.Clone(part)
			p["name"], p["ord"] = "Same", i
			parts = append(parts, p)
		}
		o["id"], o["name"], o[list] = 77, "new", parts
		in.Notetypes = raws(t, o)
	}
	return in
}

// What has one name is made to differ as far as devices can have made it, and
// refused soon beyond that: the work for it grows with the third power.
func TestManyEqualNames(t *testing.T) {
	for _, kind := range []string{"decks", "notetypes", "fields", "templates"} {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t, Options{})
			r.seed(testUser)
			r.apply(t, 0, true, manyOf(t, r, kind, maxSuffixes+1))
			where := map[string]string{"fields": " AND ntid = 77", "templates": " AND ntid = 77"}[kind]
			r.wantRows(fmt.Sprintf(`SELECT count(*), max(length(name)) FROM %s WHERE name GLOB 'Same*'%s`, kind, where),
				fmt.Sprintf("%d|%d", maxSuffixes+1, len("Same")+maxSuffixes))
			for _, n := range []int{maxSuffixes + 2, 2000} {
				in := manyOf(t, r, kind, n)
				r.start(0, true)
				_, err := r.s.ApplyChanges(t.Context(), testUser, "k", in)
				if bad := (*BadInputError)(nil); !errors.As(err, &bad) {
					t.Errorf("%d of one name: %v", n, err)
				}
			}
		})
	}
}

// An edit is refused, too, and is not a fault of the server.
func TestManyEqualNamesInEdits(t *testing.T) {
	r := newRig(t, Options{})
	var seed []string
	for i := range maxSuffixes + 1 {
		seed = append(seed, fmt.Sprintf(`INSERT INTO notetypes SELECT id + %d, 'Same%s', mtime_secs, usn, config FROM notetypes WHERE id = %d`,
			1000+i, strings.Repeat("+", i), ntBasic))
	}
	r.seed(testUser, seed...)
	if err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error {
		_, err := tx.AddNotetype(ntBasic, "same")
		return err
	}); !isRefused(err) {
		t.Errorf("got %v", err)
	}
}

// dyingContext ends after it has been asked a number of times.
type dyingContext struct {
	context.Context
	left int
}

func (c *dyingContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A client that has gone does not keep others from its collection while all that
// it sent is merged.
func TestApplyChangesIsGivenUp(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	in := manyOf(t, r, "decks", 90)
	conf := map[string]json.RawMessage{}
	for i := range 90 {
		in.Tags = append(in.Tags, fmt.Sprint("t", i))
		conf[fmt.Sprint("c", i)] = []byte(`1`)
	}
	for what, in := range map[string]Changes{"decks": {Decks: in.Decks}, "tags": {Tags: in.Tags}, "config": {Config: conf}} {
		r.start(0, true)
		_, err := r.s.ApplyChanges(&dyingContext{t.Context(), 50}, testUser, "k", in)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Values that current clients cannot read reach them so that they can, wherever
// they come from, and the device that has them syncs on.
func TestConfigIsLegible(t *testing.T) {
	const value, clean = `{"emoji":"\ud83d","far":[1e999,-1e400],"b":"\ud83d\ude00"}`, `{"emoji":"\ufffd","far":[1e308,-1e308],"b":"\ud83d\ude00"}`
	r := newRig(t, Options{})
	r.seed(testUser, `INSERT INTO config VALUES ('stored', 0, 0, CAST('`+value+`' AS BLOB))`,
		`INSERT INTO config VALUES ('deep', 0, 0, CAST('`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`' AS BLOB))`)
	out := r.changes(t, 0)
	if got := string(out.Config["stored"]); got != clean {
		t.Errorf("sent %s", got)
	}
	if _, ok := out.Config["deep"]; ok {
		t.Error("sent what nobody can read")
	}
	conf := map[string]json.RawMessage{"synced": []byte(value), "schedVer": []byte(`2`)}
	r.apply(t, 0, true, Changes{Config: conf})
	r.finish()
	r.wantRows(`SELECT CAST(val AS TEXT) FROM config WHERE KEY = 'synced'`, clean)
	// Sent again it is what is there, and is not written.
	usn := r.rows(testUser, `SELECT usn FROM config WHERE KEY = 'synced'`)
	r.apply(t, 1, true, Changes{Config: conf})
	r.finish()
	r.wantRows(`SELECT usn FROM config WHERE KEY = 'synced'`, usn...)
	r.edit(func(tx *Txn) error { return tx.SetConfig("edited", json.RawMessage(value)) })
	r.wantRows(`SELECT CAST(val AS TEXT) FROM config WHERE KEY = 'edited'`, clean)

	conf["synced"] = []byte(strings.Repeat("[", 200) + strings.Repeat("]", 200))
	if err := r.s.Edit(t.Context(), testUser, func(tx *Txn) error { return tx.SetConfig("edited", conf["synced"]) }); !isRefused(err) {
		t.Errorf("an edit of 200 levels: %v", err)
	}
	r.start(2, true)
	_, err := r.s.ApplyChanges(t.Context(), testUser, "k", Changes{Config: conf})
	if bad := (*BadInputError)(nil); !errors.As(err, &bad) {
		t.Errorf("200 levels: %v", err)
	}
}

// An upgrade and a downgrade of what somebody else stored do the same.
func TestConvertedConfigIsLegible(t *testing.T) {
	path := convFixture(t, "v11-2.1.36")
	convAlter(t, path, `UPDATE col SET conf = json_set(conf, '$.odd', 7); UPDATE col SET conf = replace(conf, '"odd":7', '"odd":["\ud83d",1e999]')`)
	convUpgrade(t, path)
	var got string
	const query, clean = `SELECT CAST(val AS TEXT) FROM config WHERE KEY = 'odd'`, `["\ufffd",1e308]`
	if err := convOpen(t, path).QueryRow(query).Scan(&got); err != nil || got != clean {
		t.Errorf("upgraded to %s, %v", got, err)
	}
	convAlter(t, path, `UPDATE config SET val = CAST('["\ud83d",1e999]' AS BLOB) WHERE KEY = 'odd'`)
	var conf string
	if err := convOpen(t, convDowngrade(t, path, false)).QueryRow(`SELECT conf FROM col`).Scan(&conf); err != nil || !strings.Contains(conf, `"odd":`+clean) {
		t.Errorf("downgraded to %s, %v", conf, err)
	}
}
