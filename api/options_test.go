package api

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestOptionsKeepWhatIsNotSaid changes keys of sections, and what does not fit
// changes nothing.
func TestOptionsKeepWhatIsNotSaid(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	conf := func() string { return c.ok("deck/1/get_conf", "{}") }
	set := func(body string) { c.ok("deck/1/set_update_conf", body) } // a void call: always 200
	set(`{"id":1,"new":{"delays":[5,50],"perDay":33,"order":0},"lapse":{"leechAction":0,"mult":0.5},"rev":{"addon":"x"}}`)
	type options struct {
		MaxTaken int
		New      struct {
			PerDay, Order int
			Delays        []float64
		}
		Lapse struct {
			LeechAction, LeechFails int
			Mult                    float64
		}
		Rev struct {
			PerDay int
			AddOn  string
		}
	}
	want := options{MaxTaken: 60}
	want.New.PerDay, want.New.Delays = 33, []float64{5, 50}
	want.Lapse.LeechFails, want.Lapse.Mult = 8, 0.5
	want.Rev.PerDay, want.Rev.AddOn = 200, "x"
	if diff := cmp.Diff(want, decodeTo[options](t, conf())); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	set(`{"id":1,"new":{"perDay":5},"rev":{"perDay":7},"maxTaken":61}`)
	want.New.PerDay, want.Rev.PerDay, want.MaxTaken = 5, 7, 61
	if diff := cmp.Diff(want, decodeTo[options](t, conf())); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	// Some programs know no whole numbers.
	set(`{"id":1.0,"new":{"perDay":25.0,"delays":[1.0,2.5]},"rev":{"perDay":1e3,"addon":"\"1.0"},"maxTaken":6.2E1,"addon":[{"x":-1.50e1}, 1.5, "2.0", 1e30]}`)
	want.New.PerDay, want.New.Delays, want.Rev.PerDay, want.Rev.AddOn, want.MaxTaken = 25, []float64{1, 2.5}, 1000, `"1.0`, 62
	if diff := cmp.Diff(want, decodeTo[options](t, conf())); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if got := decodeTo[map[string]json.RawMessage](t, conf())["addon"]; string(got) != `[{"x":-15},1.5,"2.0",1e30]` {
		t.Errorf("of an add-on: %s", got)
	}
	before := conf()
	for _, bad := range []string{
		`"new":{"perDay":"5"}`, `"new":{"perDay":5.5}`, `"new":{"perDay":-1}`, `"new":{"delays":[1,"x"]}`, `"new":{"delays":null}`,
		`"new":{"initialFactor":"high"}`, `"new":null`, `"new":[]`, `"rev":7`, `"lapse":{"leechAction":9}`, `"timer":"on"`,
		`"maxTaken":"long"`, `"rev":{"ivlFct":null}`,
	} {
		set(`{"id":1,"maxTaken":99,` + bad + `}`)
		if after := conf(); after != before {
			t.Errorf("%s: the options changed: %s", bad, after)
		}
	}
	set(before) // what was given out is taken back as it is
	if after := conf(); after != before {
		t.Errorf("(-want +got):\n%s", cmp.Diff(before, after))
	}
}
