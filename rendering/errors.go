package rendering

import "errors"

// ErrTooLarge says that a card would be larger than Options.MaxBytes, or with its
// formulas than DefaultMaxBytes.
var ErrTooLarge = errors.New("rendering: card too large")

// Addresses of the clients' help pages, part of the messages.
const (
	helpSyntax = "https://docs.ankiweb.net/templates/errors.html#template-syntax-error"
	helpBlank  = "https://docs.ankiweb.net/templates/errors.html#front-of-card-is-blank"
	helpCloze  = "https://docs.ankiweb.net/templates/errors.html#no-cloze-filter-on-cloze-note-type"
)

// Side says which format of a card template has an error.
type Side uint8

// The sides of a template.
const (
	Front Side = iota
	Back
	BrowserFront
	BrowserBack
)

func (s Side) header() string {
	switch s {
	case Back:
		return "Back template has a problem:"
	case BrowserFront:
		return "Browser-specific front template has a problem:"
	case BrowserBack:
		return "Browser-specific back template has a problem:"
	}
	return "Front template has a problem:"
}

// TemplateError is a template that cannot be rendered. Its texts are those of
// the clients, in English, with the isolation marks U+2068 and U+2069 that they
// put around what they insert.
type TemplateError struct {
	Side   Side   // set by Render
	Detail string // plain text, such as "Missing '{{/x}}'"
}

// Error implements error.
func (e *TemplateError) Error() string { return "rendering: " + e.Detail }

// HTML is what the clients show instead of both sides of the card.
func (e *TemplateError) HTML() string {
	return e.Side.header() + "<br>" + encodeMinimal(e.Detail) +
		"<br><a href='" + helpSyntax + "'>More information</a>"
}

// maxQuoted bounds what of a template an error repeats.
const maxQuoted = 4096

func isolate(s string) string {
	if len(s) > maxQuoted {
		s = s[:maxQuoted] + "…"
	}
	return "'\u2068" + s + "\u2069'"
}

func errNotClosed(key string) error {
	return &TemplateError{Detail: "Missing " + isolate("{{/"+key+"}}")}
}

func errWrongClose(found, open string) error {
	return &TemplateError{Detail: "Found " + isolate("{{/"+found+"}}") +
		", but expected " + isolate("{{/"+open+"}}")}
}

func errNotOpen(key string) error {
	return &TemplateError{Detail: "Found " + isolate("{{/"+key+"}}") +
		", but missing " + isolate("{{#"+key+"}}") + " or " + isolate("{{^"+key+"}}")}
}

func errNoField(n *node) error {
	return &TemplateError{Detail: "Found " + isolate(n.tag()) +
		", but there is no field called " + isolate(n.text)}
}

func blankMessage(message, help string) string {
	return "<div>" + message + "<br><a href='" + help + "'>More information</a></div>"
}
