package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/collection"
)

// answer sends one request to a server with the options, which get an empty
// store of collections.
func answer(t *testing.T, o Options, change func(*http.Request)) *http.Response {
	t.Helper()
	o.Collections = collection.New(t.TempDir(), collection.Options{})
	t.Cleanup(func() { _ = o.Collections.Close() })
	r := httptest.NewRequest("POST", "http://127.0.0.1:27702/list_collections", strings.NewReader("{}"))
	r.RemoteAddr = "127.0.0.1:5555"
	change(r)
	w := httptest.NewRecorder()
	New(o).ServeHTTP(w, r)
	return w.Result()
}

func TestGuard(t *testing.T) {
	token := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", text) }
	}
	from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	none := func(*http.Request) {}
	lan := Options{AllowedHosts: []string{"10.0.0.0/8", "fd00::1"}}
	for _, c := range []struct {
		name   string
		o      Options
		change func(*http.Request)
		want   int
	}{
		{"default lets this machine in", Options{}, none, 200},
		{"default lets IPv6 loopback in", Options{}, from("[::1]:1"), 200},
		{"default lets mapped loopback in", Options{}, from("[::ffff:127.0.0.1]:1"), 200},
		{"default lets a unix socket in", Options{}, from("@"), 200},
		{"default keeps others out", Options{}, from("192.0.2.1:1"), 403},
		{"a header about the address is not believed", Options{}, func(r *http.Request) {
			r.RemoteAddr = "192.0.2.1:1"
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
		}, 403},
		{"nor one that would keep out", Options{}, header("X-Forwarded-For", "10.0.0.1"), 200},
		{"ClientAddr is believed", Options{ClientAddr: func(*http.Request) netip.Addr { return netip.MustParseAddr("10.1.1.1") }}, none, 403},
		{"a network", lan, from("10.9.8.7:1"), 200},
		{"an address", lan, from("[fd00::1]:1"), 200},
		{"an address with a zone", lan, from("[fd00::1%eth0]:1"), 200},
		{"not in the network", lan, from("11.0.0.1:1"), 403},
		{"this machine is not in the network", lan, none, 403},
		{"a unix socket is not in the network", lan, from("@"), 403},
		{"everybody", Options{AllowedHosts: []string{"*"}}, from("192.0.2.1:1"), 200},
		{"what cannot be understood admits nobody", Options{AllowedHosts: []string{"nonsense"}}, none, 403},

		{"token missing", Options{Token: "s3cret"}, none, 401},
		{"token wrong", Options{Token: "s3cret"}, token("Bearer s3cre"), 401},
		{"token as another scheme", Options{Token: "s3cret"}, token("Basic s3cret"), 401},
		{"token right", Options{Token: "s3cret"}, token("Bearer s3cret"), 200},
		{"scheme without regard to case", Options{Token: "s3cret"}, token("bearer s3cret"), 200},
		{"token does not open other addresses", Options{Token: "s3cret"}, func(r *http.Request) {
			r.RemoteAddr = "192.0.2.1:1"
			r.Header.Set("Authorization", "Bearer s3cret")
		}, 403},

		{"a name that anybody can own", Options{}, host("evil.example.com:27702"), 403},
		{"with the token", Options{Token: "x"}, func(r *http.Request) { r.Host = "anki.example.com"; token("Bearer x")(r) }, 200},
		{"a name that is ours", Options{ServerNames: []string{"Anki.example.com"}}, host("anki.example.com."), 200},
		{"localhost", Options{}, host("localhost:27702"), 200},
		{"a name of the network", Options{}, host("nas.local"), 200},
		{"a short name", Options{}, host("nas"), 200},
		{"an IPv6 address", Options{}, host("[::1]:27702"), 200},

		{"a page of the same origin", Options{}, header("Origin", "http://127.0.0.1:27702"), 200},
		{"a page of another site", Options{}, header("Origin", "https://evil.example.com"), 403},
		{"a page from a file", Options{}, header("Origin", "null"), 403},
		{"another site without an origin", Options{}, header("Sec-Fetch-Site", "cross-site"), 403},
		{"a page that is allowed", Options{AllowedOrigins: []string{"https://study.example.org"}}, header("Origin", "https://study.example.org"), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := answer(t, c.o, c.change); got.StatusCode != c.want {
				t.Errorf("status %d, want %d", got.StatusCode, c.want)
			}
		})
	}
}

func TestCORS(t *testing.T) {
	const page = "https://study.example.org"
	preflight := func(origin string) func(*http.Request) {
		return func(r *http.Request) {
			r.Method = "OPTIONS"
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
	}
	if r := answer(t, Options{}, preflight(page)); r.StatusCode == 204 || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight without allowed origins: %d %v", r.StatusCode, r.Header)
	}
	o := Options{AllowedOrigins: []string{page}, Token: "x"}
	if r := answer(t, o, preflight(page)); r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != page {
		t.Errorf("preflight of the allowed origin: %d %v", r.StatusCode, r.Header)
	}
	if r := answer(t, o, preflight("https://evil.example.com")); r.StatusCode == 204 || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another origin: %d %v", r.StatusCode, r.Header)
	}
	if r := answer(t, o, preflight("https://study.example.org.evil.com")); r.StatusCode == 204 {
		t.Errorf("preflight of a longer origin: %d", r.StatusCode)
	}
}

func TestCheckHosts(t *testing.T) {
	for _, good := range []string{"*", "localhost", "127.0.0.1", "::1", "10.0.0.0/8", "fe80::/10"} {
		if err := CheckHosts([]string{good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "example.org", "10.0.0.0/99", "127.0.0.1:80", "*.x"} {
		if err := CheckHosts([]string{bad}); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// TestParseURL: %2F is part of a deck's name, and a "/" like any other elsewhere.
func TestParseURL(t *testing.T) {
	for path, want := range map[string]route{
		"/collection/u/deck/a%2Fb/delete":           {"u", "deck", "a/b", "delete"},
		"/collection/u/deck/a%2F%3A%3a%2fb%20%25":   {"u", "deck", "a/::/b %", "index"},
		"/collection/u/deck/%C3%BC/next_card":       {"u", "deck", "ü", "next_card"},
		"/collection/u/deck%2F1%2Fdelete":           {"u", "deck", "1", "delete"},
		"/collection%2Fu%2Flist_tags":               {"u", "collection", "", "list_tags"},
		"/collection/u/media/a%20%25.png":           {"u", "media", "a %.png", "index"},
		"/collection/u/media/a.png%2Fdelete":        {"u", "media", "a.png", "delete"},
		"/collection/u/card/1%2Flatest_revlog":      {"u", "card", "1", "latest_revlog"},
		"/collection/u/media/..%2Fdelete":           {"u", "media", "..", "delete"},
		"/collection/u/media/..%2F..%2Fu2%2Fmedia":  {},
		"/collection/..%2F..%2Fu/list_tags":         {},
		"/collection/u/media/%2e%2e%2fcollection.x": {"u", "media", "..", "collection.x"},
	} {
		u, err := url.Parse("http://127.0.0.1" + path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseURL(u); got != want || (err != nil) != (want == route{}) {
			t.Errorf("%s: %+v, %v, want %+v", path, got, err, want)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, c := range []struct {
		path string
		want route
	}{
		{"/collection/u/list_tags", route{"u", "collection", "", "list_tags"}},
		{"/collection/u", route{"u", "collection", "", "index"}},
		{"/collection/u/note/12", route{"u", "note", "12", "index"}},
		{"/collection/u/note/12/add_tags", route{"u", "note", "12", "add_tags"}},
		{"/collection/u/deck/A::B c/next_card", route{"u", "deck", "A::B c", "next_card"}},
		{"/collection/u/deck", route{"u", "collection", "", "deck"}},
	} {
		if got, err := parsePath(c.path); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.path, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "/x", "/collection", "/collection/", "/collection//list_tags", "/collection/u/", "/collection/u/a/b",
		"/collection/u/note//add_tags", "/collection/u/note/1/add_tags/", "/collection/u/deck/1/card/2", "/collection/u/list_tags/",
	} {
		if got, err := parsePath(bad); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}
