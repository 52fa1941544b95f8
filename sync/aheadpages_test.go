package sync

import (
	"strconv"
	"testing"
)

// TestAheadPagesAreBounded: one page at work for each user, and so many users.
func TestAheadPagesAreBounded(t *testing.T) {
	var a aheadPages
	page := func(user string) *aheadPage {
		return &aheadPage{user: user, after: 5, ready: make(chan struct{}), answer: &encodedAnswer{}}
	}
	first := page("u")
	if !a.put(first) || a.put(page("u")) {
		t.Error("two pages are made for one user at once")
	}
	close(first.ready)
	second := page("u")
	if !a.put(second) {
		t.Error("a page that is made keeps the next one out")
	}
	close(second.ready)
	if got := a.take("u", 5, false); got != second {
		t.Errorf("%+v", got)
	}
	if a.take("u", 5, false) != nil {
		t.Error("taken twice")
	}
	for i := range maxAhead {
		if !a.put(page(strconv.Itoa(i))) {
			t.Fatal(i)
		}
	}
	if a.put(page("one more")) {
		t.Error("no bound")
	}
	failed := page("0")
	failed.answer = nil
	close(a.all["0"].ready)
	if !a.put(failed) {
		t.Fatal("not replaced")
	}
	close(failed.ready)
	if a.take("0", 5, false) != nil {
		t.Error("a page that could not be made is handed out")
	}
}
