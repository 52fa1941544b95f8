package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	ankisync "github.com/ankisyncd/ankisyncd/sync"
)

func TestClientLabels(t *testing.T) {
	var c clientLabels
	for client, want := range map[string]string{
		"anki,25.09.5 (3890e12c),linux:x":   "desktop 25.09",
		"ankidesktop,2.1.49 (dev),lin:arch": "desktop 2.1",
		"ankidroid,2.17.6,":                 "ankidroid 2.17",
		"ankimobile,20.60,":                 "ankimobile 20.60",
		"anki,weird":                        "desktop",
		"":                                  "other",
		"evil,1.2":                          "other",
		"anki":                              "desktop",
	} {
		if got := c.label(ankisync.Observation{User: "u", Client: client}); got != want {
			t.Errorf("%q: %q, want %q", client, got, want)
		}
		if got := c.label(ankisync.Observation{Client: client}); got != "unknown" {
			t.Errorf("%q of nobody: %q", client, got)
		}
	}
	for i := range 3 * maxClientLabels {
		c.label(ankisync.Observation{User: "u", Client: fmt.Sprintf("anki,%d.1", i)})
	}
	if len(c.seen) != maxClientLabels {
		t.Errorf("%d labels", len(c.seen))
	}
	if got := c.label(ankisync.Observation{User: "u", Client: "anki,2999.1"}); got != "other" {
		t.Errorf("beyond the limit: %q", got)
	}
	if got := c.label(ankisync.Observation{User: "u", Client: "ankidroid,2.17.9"}); got != "ankidroid 2.17" {
		t.Errorf("known before the limit: %q", got)
	}
}

func TestSyncOf(t *testing.T) {
	for _, c := range []struct {
		step         string
		status       int
		kind, result string
	}{
		{"finish", 200, "normal", "ok"},
		{"start", 200, "", "ok"},
		{"start", 409, "normal", "refused"},
		{"applyChunk", 500, "normal", "error"},
		{"meta", 500, "", "error"},
		{"upload", 200, "upload", "ok"},
		{"upload", 400, "upload", "refused"},
		{"download", 503, "download", "error"},
		{"mediaSanity", 200, "media", "ok"},
		{"uploadChanges", 200, "", "ok"},
		{"uploadChanges", 400, "media", "refused"},
		{"hostKey", 403, "", "refused"},
		{"", 404, "", "refused"},
	} {
		kind, result := syncOf(ankisync.Observation{Step: c.step, Status: c.status})
		if kind != c.kind || result != c.result {
			t.Errorf("%s %d: %q %q", c.step, c.status, kind, result)
		}
	}
}

func TestLoginCounter(t *testing.T) {
	var out bytes.Buffer
	got := map[string]int{}
	inner := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError})
	log := slog.New(loginCounter{inner, func(r string) { got[r]++ }}).With("a", 1).WithGroup("g")
	log.Info("login", "event", "login", "result", "failure", "user", "u")
	log.Info("other", "result", "success")
	log.Error("login", "result", "success")
	if got["failure"] != 1 || got["success"] != 1 || len(got) != 2 {
		t.Errorf("counted %v", got)
	}
	if s := out.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "level=ERROR") {
		t.Errorf("logged %q", s)
	}
}

func TestMetricsMux(t *testing.T) {
	numbers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "numbers") })
	for _, c := range []struct {
		profiles                 bool
		method, path, peer, host string
		want                     int
	}{
		{true, "GET", "/metrics", "10.0.0.1:5", "x", 200},
		{true, "POST", "/metrics", "10.0.0.1:5", "x", 405},
		{true, "GET", "/", "127.0.0.1:5", "127.0.0.1", 404},
		{true, "GET", "/debug/pprof/cmdline", "127.0.0.1:5", "127.0.0.1:9", 200},
		{true, "GET", "/debug/pprof/cmdline", "[::1]:5", "localhost:9", 200},
		{true, "GET", "/debug/pprof/cmdline", "[::ffff:127.0.0.1]:5", "[::1]:9", 200},
		{true, "GET", "/debug/pprof/cmdline", "10.0.0.1:5", "127.0.0.1", 403},
		{true, "GET", "/debug/pprof/", "10.0.0.1:5", "127.0.0.1", 403},
		{true, "GET", "/debug/pprof/cmdline", "127.0.0.1:5", "evil.example", 403},
		{true, "GET", "/debug/pprof/cmdline", "@", "127.0.0.1", 403},
		{false, "GET", "/debug/pprof/cmdline", "127.0.0.1:5", "127.0.0.1", 404},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.RemoteAddr, r.Host = c.peer, c.host
		w := httptest.NewRecorder()
		metricsMux(numbers, c.profiles).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
}
