package sync

import (
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	s := New(Options{})
	custom := New(Options{BaseURL: "/anki/x/", MediaURL: "/anki/y/"})
	for _, c := range []struct {
		s    *Server
		path string
		name string
		ok   bool // a request of ours, whether the step exists or not
	}{
		{s, "/sync/meta", "meta", true},
		{s, "//sync//meta", "meta", true},
		{s, "/sync/meta/", "meta", true},
		{s, "/some/prefix/sync/meta", "meta", true},
		{s, "/msync/begin", "begin", true},
		{s, "/sync/msync/begin", "begin", true},
		{s, "/sync/sync/meta", "meta", true},
		{s, "/hostKey", "hostKey", true},
		{s, "//hostKey/", "hostKey", true},
		{s, "/begin", "begin", true},
		{s, "/sync/nothing", "nothing", true},
		{s, "/prefix/msync/nothing", "nothing", true},
		{s, "/sync/Meta", "Meta", true},
		{s, "/sync/", "", true},
		{s, "/sync/../meta", "", false},
		{s, "/./sync/meta", "", false},
		{s, "/", "", false},
		{s, "/other", "other", false},
		{s, "/prefix/meta", "meta", false},
		{s, "/" + strings.Repeat("a", 2000), "", false},
		{custom, "/anki/x/meta", "meta", true},
		{custom, "/anki/y/begin", "begin", true},
		{custom, "/sync/meta", "meta", true},
	} {
		name, where := c.s.resolve(c.path)
		if name != c.name || (where != elsewhere) != c.ok {
			t.Errorf("%.60s: %q, %v; want %q, %v", c.path, name, where != elsewhere, c.name, c.ok)
		}
	}
}

func TestClientVersions(t *testing.T) {
	// The table of the Python servers' own tests (docs/compat.md §5.5), and the
	// versions that the notetype ids turn on (docs/protocol.md §10).
	for _, c := range []struct {
		cv          string
		old, textID bool
	}{
		{"", false, false},
		{"x", false, false},
		{"ankidesktop,,", false, false},
		{"ankidesktop,2.0.12,lin::", true, true},
		{"ankidesktop,2.0.26,lin::", true, true},
		{"ankidesktop,2.0.27,lin::", false, true},
		{"ankidesktop,2.0.32,lin::", false, true},
		{"ankidesktop,2.1.0,lin::", false, true},
		{"ankidesktop,2.1.6-beta2,lin::", false, true},
		{"ankidesktop,2.1.9 (dev),lin::", false, true},
		{"ankidesktop,2.1.23,lin::", false, true},
		{"ankidesktop,2.1.24,lin::", false, false},
		{"ankidesktop,2.1.26 (arch-linux-2.1.26-1),lin:arch:", false, false},
		{"anki,2.1.49 (dc80804a),linux", false, false},
		{"anki,26.09.3 (29bb700b),linux", false, false},
		{"ankidroid,2.1,", true, false},
		{"ankidroid,2.2,", true, false},
		{"ankidroid,2.2.2,", true, false},
		{"ankidroid,2.2.3,", false, false},
		{"ankidroid,2.3alpha3,", true, false},
		{"ankidroid,2.3alpha4,", false, false},
		{"ankidroid,2.3alpha5,", false, false},
		{"ankidroid,2.3beta1,", false, false},
		{"ankidroid,2.3,", false, false},
		{"ankidroid,2.9,", false, false},
		{"ankidroid,2.16.5,", false, false},
		{"ankimobile,2.0.20,ios", false, false},
	} {
		if got := tooOld(c.cv); got != c.old {
			t.Errorf("%q too old: %v", c.cv, got)
		}
		if got := textIDs(c.cv); got != c.textID {
			t.Errorf("%q has ids as text: %v", c.cv, got)
		}
	}
}

func FuzzClientVersion(f *testing.F) {
	f.Add("ankidesktop,2.1.26 (arch-linux-2.1.26-1),lin:arch:")
	f.Add("ankidroid,2.3alpha4,x")
	f.Fuzz(func(t *testing.T, cv string) {
		if v, ok := parseClientVersion(cv); ok && !strings.HasPrefix(cv, v.name+",") {
			t.Fatalf("%q names %q", cv, v.name)
		}
		tooOld(cv)
		textIDs(cv)
	})
}
