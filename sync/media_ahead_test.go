package sync_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// TestMediaPagesAhead: a list in pages is the same whether pages were made ahead or
// not, and what changes between two pages is in those that follow.
func TestMediaPagesAhead(t *testing.T) {
	g := newRig(t)
	g.h.MediaPage(10)
	c, old := g.loggedIn(11), g.loggedIn(10)
	add := func(from, to int) {
		t.Helper()
		files := map[string]string{}
		for i := from; i < to; i++ {
			files[fmt.Sprintf("%03d.png", i)] = fmt.Sprint("content ", i)
		}
		if status, b := c.post("msync/uploadChanges", mediaZip(t, files)); status != http.StatusOK {
			t.Fatalf("%d %s", status, b)
		}
	}
	page := func(c *client, after int) (names []string, end int) {
		t.Helper()
		var ch struct{ Data [][3]any }
		c.ok("msync/mediaChanges", map[string]int{"lastUsn": after}, &ch)
		for _, row := range ch.Data {
			names = append(names, row[0].(string))
			end = int(row[1].(float64))
		}
		return names, end
	}
	whole := func(c *client, between func(n int)) []string {
		t.Helper()
		var all []string
		for n, after := 0, 0; ; n++ {
			names, end := page(c, after)
			if len(names) == 0 {
				return all
			}
			all, after = append(all, names...), end
			between(n)
		}
	}
	add(0, 25)
	add(25, 35)
	ahead := 0
	want := whole(c, func(int) {
		if g.h.PageAhead(testUser) {
			ahead++
		}
	})
	if len(want) != 35 || ahead != 3 {
		t.Fatalf("%d files, %d pages ahead: the test is wrong", len(want), ahead)
	}
	if got := whole(c, func(int) { g.h.ForgetPages() }); !slices.Equal(got, want) {
		t.Errorf("not ahead: %q", got)
	}
	page(c, 0)
	g.h.PageAhead(testUser)
	if got, _ := page(c, 5); !slices.Equal(got, want[5:15]) {
		t.Errorf("after the fifth: %q", got)
	}
	// Another client of the same user in between, in the other dialect.
	got := whole(c, func(int) {
		page(old, 0)
		g.h.PageAhead(testUser)
	})
	if !slices.Equal(got, want) {
		t.Errorf("with another client: %q", got)
	}
	if got := whole(old, func(int) { g.h.PageAhead(testUser) }); !slices.Equal(got, want) {
		t.Errorf("protocol 10: %q", got)
	}
	// Uploads between the pages: one changes what is on the next, one adds.
	got = whole(c, func(n int) {
		g.h.PageAhead(testUser)
		if n == 0 {
			add(12, 13)                                             // nothing new
			files := map[string]string{want[12]: "another content"} // on the page that is made already
			if status, b := c.post("msync/uploadChanges", mediaZip(t, files)); status != http.StatusOK {
				t.Fatalf("%d %s", status, b)
			}
			add(50, 52)
		}
	})
	slices.Sort(got)
	want = append(slices.Sorted(slices.Values(want)), "050.png", "051.png")
	if !slices.Equal(got, want) {
		t.Errorf("after changes: %q, want %q", got, want)
	}
}
