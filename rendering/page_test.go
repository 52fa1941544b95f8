package rendering

import (
	"errors"
	"testing"
)

func TestPage(t *testing.T) {
	got := Page("<b>x</b>", ".card { color: red }", 1)
	want := "<style>.card { color: red }</style>\n<div class=\"card card2\"><b>x</b></div>"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTemplateError(t *testing.T) {
	_, err := ParseTemplate("{{#a<b}}")
	var te *TemplateError
	if !errors.As(err, &te) {
		t.Fatalf("got %v", err)
	}
	if got, want := te.Error(), "rendering: Missing '\u2068{{/a<b}}\u2069'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := "Front template has a problem:<br>Missing &#x27;\u2068{{/a&lt;b}}\u2069&#x27;<br>" +
		"<a href='https://docs.ankiweb.net/templates/errors.html#template-syntax-error'>More information</a>"
	if got := te.HTML(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
