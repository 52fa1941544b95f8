package collection

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/schema"
)

// TestOptionsThatClientsCannotUse: they are refused as a whole, and what is
// at the edge is not.
func TestOptionsThatClientsCannotUse(t *testing.T) {
	r := newRig(t, Options{})
	r.seed(testUser)
	patch := func(id int64, body string) error {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &members); err != nil {
			t.Fatal(err)
		}
		return r.s.Edit(t.Context(), testUser, func(tx *Txn) error { return tx.PatchDeckConfig(id, members) })
	}
	list := func(n int, v string) string { return "[" + strings.TrimSuffix(strings.Repeat(v+",", n), ",") + "]" }
	config := func() string { return r.one(`SELECT hex(config) FROM deck_config WHERE id = 1`) }
	before := config()
	for _, body := range []string{
		`{"easyDaysPercentages":[1,1,1]}`, `{"easyDaysPercentages":` + list(8, "1") + `}`, `{"easyDaysPercentages":[1,1,1,1,1,1,-1]}`,
		`{"fsrsParams6":[1,2,3]}`, `{"fsrsParams5":[1,2,3]}`, `{"fsrsWeights":[1,2,3]}`, `{"fsrsParams6":` + list(17, "-5") + `}`,
		`{"new":{"perDay":10000}}`, `{"rev":{"perDay":4294967295}}`, `{"new":{"ints":[0,4,0]}}`, `{"new":{"initialFactor":0}}`,
		`{"new":{"delays":[-1]}}`, `{"new":{"delays":[1e30]}}`, `{"lapse":{"delays":[-10]}}`, `{"new":{"delays":` + list(1000, "1") + `}}`,
		`{"newMix":3}`, `{"interdayLearningMix":-1}`, `{"reviewOrder":13}`, `{"newSortOrder":5}`, `{"newGatherPriority":99}`,
		`{"rev":{"maxIvl":0}}`, `{"rev":{"ease4":100}}`, `{"lapse":{"leechFails":0}}`, `{"lapse":{"mult":2}}`, `{"maxTaken":-5}`,
		`{"desiredRetention":1}`, `{"sm2Retention":0.5}`,
	} {
		if err := patch(1, strings.Replace(body, "{", `{"replayq":false,`, 1)); !isRefused(err) {
			t.Errorf("%.60s: got %v", body, err)
		}
		if config() != before {
			t.Fatalf("%.60s: it was stored", body)
		}
	}
	for _, body := range []string{
		`{"easyDaysPercentages":[]}`, `{"easyDaysPercentages":[1,0.5,0,1,1,1,1]}`,
		`{"fsrsParams6":[]}`, `{"fsrsParams6":` + list(21, "0.4") + `}`, `{"fsrsParams5":` + list(19, "0.4") + `}`, `{"fsrsWeights":` + list(17, "0.4") + `}`,
		`{"new":{"perDay":9999,"delays":[],"initialFactor":5000},"rev":{"perDay":0,"maxIvl":36500}}`, `{"new":{"delays":[0.5,14400]}}`,
		`{"newMix":2,"interdayLearningMix":2,"reviewOrder":12,"newSortOrder":4,"newGatherPriority":5}`,
	} {
		if err := patch(1, body); err != nil {
			t.Errorf("%.60s: %v", body, err)
		}
	}

	// What a device has stored does not keep the rest from being changed.
	spoiled := schema.DefaultDeckConfig()
	spoiled.FSRSParams6, spoiled.EasyDaysPercentages, spoiled.ReviewOrder = []float32{1, 2, 3}, []float32{1, 1, 1}, 99
	spoiled.NewPerDay, spoiled.InitialEase = 99999, 1.31
	r.edit(func(tx *Txn) error {
		_, err := tx.ImportDeckConfig(schema.DeckConfig{ID: 77, Name: "spoiled", Config: spoiled})
		return err
	})
	if err := patch(77, `{"maxTaken":99,"fsrsParams6":[1,2,3]}`); err != nil {
		t.Errorf("what is the same: %v", err)
	}
	if err := patch(77, `{"fsrsParams6":[1,2,4]}`); !isRefused(err) {
		t.Errorf("another list that is not usable: got %v", err)
	}
	if err := patch(77, `{"fsrsParams6":[],"easyDaysPercentages":[],"reviewOrder":0}`); err != nil {
		t.Errorf("putting it right: %v", err)
	}
}
