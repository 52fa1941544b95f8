package api

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
)

// TestStudyPage holds the example to what the documentation says of it.
func TestStudyPage(t *testing.T) {
	text, err := os.ReadFile("../examples/study.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if n := strings.Count(page, "\n"); n >= 200 {
		t.Errorf("the page has %d lines, want fewer than 200", n)
	}
	if !strings.Contains(page, "<iframe id=\"card\" sandbox ") || strings.Contains(page, "allow-scripts") {
		t.Error("cards are not in a sandbox")
	}
	for _, part := range []string{"card card${", `/\[\[type:`, "'answered since'"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %q in it", part)
		}
	}
	for _, foreign := range []string{"https://", "http://", "src=", "innerHTML"} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page has %q in it", foreign)
		}
	}
}

// TestServeStudyPage serves the page with a collection to study, on the address
// in ANKISYNCD_STUDY_PAGE, for half an hour: to be tried in a browser.
func TestServeStudyPage(t *testing.T) {
	addr := os.Getenv("ANKISYNCD_STUDY_PAGE")
	if addr == "" {
		t.Skip("ANKISYNCD_STUDY_PAGE is not set")
	}
	c := newClient(t, Options{Now: time.Now}, collection.Options{})
	for i, word := range []string{"eins", "zwei", "drei"} {
		c.ok("add_note", fmt.Sprintf(`{"model":"Basic","fields":{"Front":"<b>%s</b>","Back":"%d<script>document.title='run'</script>"}}`, word, i+1))
	}
	c.ok("add_note", `{"model":"Basic (type in the answer)","fields":{"Front":"vier","Back":"4 &amp; <i>no</i> more"}}`)
	c.ok("add_note", `{"model":"Cloze","fields":{"Text":"{{c1::f\u00fcnf}} and {{c2::sechs::six}}","Back Extra":""}}`)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /study.html", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "../examples/study.html") })
	mux.Handle("/", c.h)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	time.AfterFunc(30*time.Minute, func() { _ = srv.Close() })
	_ = srv.Serve(l)
}
