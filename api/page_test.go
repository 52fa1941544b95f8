package api

import (
	"os"
	"strings"
	"testing"
)

// TestStudyPage holds the example to what the documentation says of it.
func TestStudyPage(t *testing.T) {
	text, err := os.ReadFile("../examples/study.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	if n := strings.Count(page, "\n"); n >= 250 {
		t.Errorf("the page has %d lines, want fewer than 250", n)
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
