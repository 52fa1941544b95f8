package api

import (
	"fmt"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

func TestUndoAnswer(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	for i := range 2 {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	const nothing = `{"undone":false}`
	before := meta(t, c.s)
	if got := c.ok("undo_answer", "{}"); got != nothing {
		t.Errorf("without an answer: %s", got)
	}
	if meta(t, c.s) != before {
		t.Error("undoing nothing is a change")
	}
	next := func() int64 { return decodeTo[struct{ ID int64 }](t, c.ok("next_card", `{}`)).ID }
	id := next()
	row := card(c, id)
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1}`, id))
	if first, then := next(), next(); first == id || then != id { // programs fetch ahead
		t.Fatalf("the next cards are %d and %d", first, then)
	}
	if got, want := c.ok("undo_answer", "{}"), fmt.Sprintf(`{"card_id":%d,"review_kept":false,"undone":true}`, id); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := card(c, id); got != row {
		t.Errorf("the card is %+v, was %+v", got, row)
	}
	if log := c.ok("latest_revlog", "{}"); log != "[]" {
		t.Errorf("the log is %s", log)
	}
	if again := next(); again != id {
		t.Errorf("the next card is %d, want the one whose answer was undone, %d", again, id)
	}
	if got := c.ok("undo_answer", "{}"); got != nothing {
		t.Errorf("twice: %s", got)
	}
	// What was changed since is not undone; a flag stays, and is no such change.
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":3}`, id))
	c.ok("flag_cards", fmt.Sprintf(`{"ids":[%d],"flag":1}`, id))
	if got := c.ok("undo_answer", "{}"); got == nothing {
		t.Errorf("after a flag: %s", got)
	}
	row.Flags = 1
	if got := card(c, id); got != row {
		t.Errorf("the card is %+v, want %+v", got, row)
	}
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":3}`, id))
	c.ok("bury_cards", fmt.Sprintf(`{"ids":[%d]}`, id))
	changed := card(c, id)
	if got := c.ok("undo_answer", "{}"); got != nothing || card(c, id) != changed {
		t.Errorf("after another change: %s", got)
	}
}

// TestAnswerOfSuspended: who says what he knows of the card is told that it is not
// answered; a void call says nothing.
func TestAnswerOfSuspended(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"f"}}`)
	id := decodeTo[struct{ ID int64 }](t, c.ok("next_card", `{}`)).ID
	c.ok("suspend_cards", fmt.Sprintf(`{"ids":[%d]}`, id))
	c.wants(409, "answer_card", fmt.Sprintf(`{"id":%d,"ease":1,"latest_revlog":null}`, id))
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1}`, id))
	if log := c.ok("latest_revlog", "{}"); log != "[]" {
		t.Errorf("the log is %s", log)
	}
	c.ok("unsuspend_cards", fmt.Sprintf(`{"ids":[%d]}`, id))
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1,"latest_revlog":null}`, id))
	if log := c.ok("latest_revlog", "{}"); log == "[]" {
		t.Error("not answered")
	}
}
