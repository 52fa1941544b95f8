package api

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestUpdateKeepsWhatIsNotSaid: a body without fields, or with a name that is none,
// changes nothing; fields that are not named are emptied only next to others.
func TestUpdateKeepsWhatIsNotSaid(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f","Back":"b"},"tags":"x"}`)
	id := decodeTo[[]struct{ ID int64 }](t, c.ok("find_notes", "{}"))[0].ID
	note := fmt.Sprintf("note/%d", id)
	before := c.ok(note, "{}")
	for _, b := range []struct {
		status int
		body   string
	}{
		{500, `{"tags":[]}`},
		{500, `{"tags":[],"fields":null}`},
		{400, `{"tags":[],"fields":{"front":"new"}}`},
		{400, `{"tags":[],"fields":{"Front":"new","Rear":"new"}}`},
		{400, `{"tags":[],"fields":[]}`},
		{400, `{"tags":[],"fields":{"Front":null}}`},
		{500, `{"fields":{"Front":"new"}}`},
	} {
		c.wants(b.status, note+"/update", b.body)
		if after := c.ok(note, "{}"); after != before {
			t.Errorf("%s: the note changed: %s", b.body, after)
		}
	}
	c.ok(note+"/update", `{"tags":[],"fields":{"Front":"new"}}`)
	got := decodeTo[struct{ Fields map[string]string }](t, c.ok(note, "{}")).Fields
	if diff := cmp.Diff(map[string]string{"Front": "new", "Back": ""}, got); diff != "" {
		t.Error(diff)
	}
}
