package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

// studyClient is a client with n notes, and the clock that it goes by.
func studyClient(t *testing.T, n int) (c *client, now *time.Time) {
	t.Helper()
	clock := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	c = newClient(t, Options{Now: func() time.Time { return clock }}, collection.Options{})
	for i := range n {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"f%d"}}`, i))
	}
	return c, &clock
}

// TestResetScheduler: what came due since the last answer is counted, and given
// out when nothing else is left.
func TestResetScheduler(t *testing.T) {
	c, now := studyClient(t, 3)
	c.ok("deck/1/set_update_conf", `{"id":1,"new":{"delays":[40]}}`)
	c.ok("reset_scheduler", "{}")
	type card struct{ ID int64 }
	first := decodeTo[card](t, c.ok("next_card", "{}"))
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1}`, first.ID))
	c.ok("next_card", "{}")
	c.ok("next_card", "{}")
	if got := c.ok("next_card", "{}"); got != "" {
		t.Fatalf("got %s", got)
	}
	for range 60 { // not so long away that cards are given out again
		*now = now.Add(silence)
		c.ok("list_tags", "{}")
	}
	if got := c.ok("next_card", "{}"); got == "" || decodeTo[card](t, got) != first {
		t.Errorf("got %q, want the card %d, which is due", got, first.ID)
	}
	c.ok("answer_card", fmt.Sprintf(`{"id":%d,"ease":1}`, first.ID))
	*now = now.Add(3 * time.Hour)
	if got, want := c.ok("reset_scheduler", "{}"), `{"learning_cards":1,"new_cards":2,"review_cards":0}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestAnswerOnce repeats an answer, as a program does that did not get the reply.
func TestAnswerOnce(t *testing.T) {
	c, _ := studyClient(t, 1)
	c.ok("deck/1/set_update_conf", `{"id":1,"new":{"delays":[0.1,0.1,0.1,0.1]}}`)
	reviews := func() int { return len(decodeTo[[]any](t, c.ok("latest_revlog", "{}"))) }
	var tokens []string
	for i := 1; i <= 3; i++ { // all within one second
		card := decodeTo[map[string]any](t, c.ok("card/"+onlyCard(t, c), `{"load_latest_revlog":true}`))
		token := "null"
		if review, ok := card["latest_revlog"].(map[string]any); ok {
			token = fmt.Sprintf(`{"id":%.0f,"ease":%v}`, review["id"], review["ease"])
			if i == 3 {
				token = fmt.Sprintf(`%.0f`, review["id"])
			}
		}
		answer := fmt.Sprintf(`{"id":%.0f,"ease":2,"latest_revlog":%s}`, card["id"], token)
		c.ok("answer_card", answer)
		tokens = append(tokens, token)
		for _, token := range tokens {
			again := fmt.Sprintf(`{"id":%.0f,"ease":2,"latest_revlog":%s}`, card["id"], token)
			if status, text := c.post("answer_card", again); status != 409 || !strings.Contains(text, "answered since") {
				t.Errorf("again: status %d, %s", status, text)
			}
		}
		c.ok("answer_card", fmt.Sprintf(`{"id":%.0f,"ease":2,"latest_revlog":{"id":"x"}}`, card["id"])) // void: only the log tells
		if got := reviews(); got != i {
			t.Fatalf("%d reviews after %d answers", got, i)
		}
	}
	c.ok("answer_card", fmt.Sprintf(`{"id":%s,"ease":2}`, onlyCard(t, c)))
	if got := reviews(); got != 4 {
		t.Errorf("%d reviews, want 4: without the key each call counts", got)
	}
}

// onlyCard is the id of the only card.
func onlyCard(t *testing.T, c *client) string {
	t.Helper()
	cards := decodeTo[[]struct{ ID int64 }](t, c.ok("find_cards", "{}"))
	if len(cards) != 1 {
		t.Fatalf("%d cards", len(cards))
	}
	return fmt.Sprint(cards[0].ID)
}

// TestInvalidParameters: options that a device has spoiled are named.
func TestInvalidParameters(t *testing.T) {
	c, _ := studyClient(t, 1)
	// set_update_conf would refuse them.
	if err := c.s.Edit(t.Context(), "alice", func(tx *collection.Txn) error {
		if err := tx.SetConfig("fsrs", true); err != nil {
			return err
		}
		conf := schema.DefaultDeckConfig()
		conf.FSRSParams6 = []float32{1, 2, 3}
		if _, err := tx.ImportDeckConfig(schema.DeckConfig{ID: 77, Name: "Spoiled", Config: conf}); err != nil {
			return err
		}
		return tx.UseDeckConfig(1, 77)
	}); err != nil {
		t.Fatal(err)
	}
	want := `The FSRS parameters of the options "Spoiled" are invalid; correct them in an Anki client.`
	for path, body := range map[string]string{"next_card": "{}", "answer_card": `{"id":` + onlyCard(t, c) + `,"ease":1}`} {
		if status, text := c.post(path, body); status != 409 || !strings.Contains(text, want) {
			t.Errorf("%s: status %d, %s", path, status, text)
		}
	}
	c.ok("reset_scheduler", "{}")
}
