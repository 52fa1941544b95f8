package rendering

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestTemplateString(t *testing.T) {
	for _, format := range []string{
		"", "text }} {{ more", "{{a}}{{b:c:d}}{{:e}}{{f:}}", "{{#a}}x{{^b}}<!-- {{c}} -->{{/b}}{{/a}}", "<!-- {{", "{{!}}",
	} {
		tmpl, err := ParseTemplate(format)
		if err != nil {
			t.Fatalf("%q: %v", format, err)
		}
		if got := tmpl.String(); got != format {
			t.Errorf("got %q, want %q", got, format)
		}
	}
}

func TestRenameFields(t *testing.T) {
	names := map[string]string{"Old": "New", "Gone": ""}
	for format, want := range map[string]string{
		"{{Old}} {{text:Old}} Old":                    "{{New}} {{text:New}} Old",
		"{{#Old}}{{^Old}}{{ Old }}{{/Old}}{{/Old}}":   "{{#New}}{{^New}}{{New}}{{/New}}{{/New}}",
		"a{{#Gone}}b{{Gone}}{{Old}}{{/Gone}}c":        "ab{{New}}c",
		"{{Other}}<!-- {{Old}} -->{{#Other}}{{/Old}}": "{{Other}}<!-- {{Old}} -->{{#Other}}{{/Old}}",
	} {
		if got := RenameFields(format, names); got != want {
			t.Errorf("%q: got %q, want %q", format, got, want)
		}
	}
}

func TestTemplateFields(t *testing.T) {
	tmpl, err := ParseTemplate("{{#Cond}}{{cloze:A}}{{#c1}}{{text:cloze:B}}{{/c1}}{{A}}{{C}}{{/Cond}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		got, want []string
	}{
		{"fields", tmpl.Fields(false), []string{"A", "B", "C"}},
		{"fields and sections", tmpl.Fields(true), []string{"Cond", "A", "B", "C"}},
		{"cloze fields", tmpl.ClozeFields(), []string{"A", "B"}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestMissing(t *testing.T) {
	front := func(f string) Formats { return Formats{Front: f, Back: f} }
	g := NewGenerator(&Notetype{Fields: []string{"A", "B"}, Templates: []Formats{front("{{A}}"), front("{{B}}"), front("{{#B}")}})
	rows := []struct {
		fields           []string
		existing         []int
		missing, deleted []int
	}{
		{[]string{"a", "b"}, nil, []int{0, 1}, nil},
		{[]string{"a", "b"}, []int{1}, []int{0}, nil},
		{[]string{"a", ""}, []int{0, 1}, nil, []int{1}},
		{[]string{"", "<br>"}, nil, []int{0}, nil},
		{[]string{"", ""}, []int{1}, nil, []int{1}},
		{[]string{"a"}, nil, []int{0}, nil},
		{nil, []int{0, 7}, nil, []int{0, 7}},
	}
	for _, r := range rows {
		if got := g.Missing(r.fields, false, r.existing); !slices.Equal(got, r.missing) {
			t.Errorf("missing of %q with %v: got %v, want %v", r.fields, r.existing, got, r.missing)
		}
		if got := g.Empty(r.fields, false, r.existing); !slices.Equal(got, r.deleted) {
			t.Errorf("empty of %q with %v: got %v, want %v", r.fields, r.existing, got, r.deleted)
		}
	}
}

// naiveRequirements is the definition that Requirements computes in one pass:
// try each field alone, then all but each.
func naiveRequirements(t *Template, fields []string) Requirement {
	shows := func(filled func(string) bool) bool {
		for i := 0; i < len(t.nodes); i++ {
			switch n := &t.nodes[i]; n.kind {
			case nodeField:
				if filled(n.text) {
					return true
				}
			case nodeIf:
				if !filled(n.text) {
					i = n.end
				}
			}
		}
		return false
	}
	anyOf, all := Requirement{Kind: RequireAny}, Requirement{Kind: RequireAll}
	for ord, name := range fields {
		if shows(func(s string) bool { return s == name }) {
			anyOf.Ords = append(anyOf.Ords, ord)
		}
		if !shows(func(s string) bool { return s != name && slices.Contains(fields, s) }) {
			all.Ords = append(all.Ords, ord)
		}
	}
	switch {
	case len(anyOf.Ords) > 0:
		return anyOf
	case len(all.Ords) > 0 && shows(func(s string) bool { return slices.Contains(fields, s) }):
		return all
	}
	return Requirement{}
}

func TestRequirementsByDefinition(t *testing.T) {
	fields := []string{"A", "B", "C"}
	pieces := []string{"{{A}}", "{{B}}", "{{C}}", "{{#A}}", "{{#B}}", "{{#X}}", "{{^C}}", "/", "x"}
	seed := uint32(1)
	for range 20000 {
		var b strings.Builder
		var open []string
		for range 9 {
			seed = seed*1664525 + 1013904223
			p := pieces[int(seed>>16)%len(pieces)]
			if p == "/" {
				if len(open) > 0 {
					b.WriteString("{{/" + open[len(open)-1] + "}}")
					open = open[:len(open)-1]
				}
				continue
			}
			if p[len(p)-1] == '}' && (p[2] == '#' || p[2] == '^') {
				open = append(open, p[3:4])
			}
			b.WriteString(p)
		}
		for len(open) > 0 {
			b.WriteString("{{/" + open[len(open)-1] + "}}")
			open = open[:len(open)-1]
		}
		tmpl, err := ParseTemplate(b.String())
		if err != nil {
			t.Fatal(err)
		}
		got, want := tmpl.Requirements(fields), naiveRequirements(tmpl, fields)
		if got.Kind != want.Kind || !slices.Equal(got.Ords, want.Ords) {
			t.Fatalf("%s: got %v, want %v", b.String(), got, want)
		}
	}
}

func TestTooLarge(t *testing.T) {
	big := strings.Repeat("x!", 1<<10)
	nested := strings.Repeat("{{c1::", 10) + big + strings.Repeat("}}", 10)
	for name, card := range map[string]*Card{
		"many fields":  {Formats: Formats{Front: strings.Repeat("{{A}}", 1000), Back: "x"}, Fields: []Field{{"A", big}}},
		"many filters": {Formats: Formats{Front: "{{" + strings.Repeat("hint:", 1000) + "A}}", Back: "x"}, Fields: []Field{{"A", big}}},
		"nested cloze": {Formats: Formats{Front: "{{cloze:A}}", Back: "x"}, Cloze: true, Fields: []Field{{"A", nested}}},
		"clozes":       {Formats: Formats{Front: "{{cloze:A}}", Back: "x"}, Cloze: true, Fields: []Field{{"A", strings.Repeat("{{c1::}}", 1<<13)}}},
		"large front":  {Formats: Formats{Front: strings.Repeat("{{A}}", maxNodes+1), Back: "x"}, Fields: []Field{{"A", ""}}},
		"large back":   {Formats: Formats{Front: "{{A}}", Back: strings.Repeat("{{A}}", maxNodes+1)}, Fields: []Field{{"A", "a"}}},
		"front sides":  {Formats: Formats{Front: "{{A}}", Back: strings.Repeat("{{FrontSide}}", 1000)}, Fields: []Field{{"A", big}}},
	} {
		out, err := Render(card, Options{MaxBytes: 1 << 20})
		if !errors.Is(err, ErrTooLarge) || out.Question != "" || out.Answer != "" {
			t.Errorf("%s: %d and %d bytes, error %v", name, len(out.Question), len(out.Answer), err)
		}
	}
}

// TestKeepAV: sounds and speech as they are written, on the front not once more
// on the back.
func TestKeepAV(t *testing.T) {
	for _, tt := range []struct{ front, back, question, answer string }{
		{"{{F}}", "{{FrontSide}}|{{B}}", "f[sound:f.mp3]", "f|b[sound:b.mp3]"},
		{"{{F}}", "{{F}}|{{B}}", "f[sound:f.mp3]", "f[sound:f.mp3]|b[sound:b.mp3]"},
		{"{{F}}[anki:play:q:0]", "{{FrontSide}}", "f[sound:f.mp3][anki:play:q:0]", "f[anki:play:q:0]"},
		{"{{tts en_US voices=a:F}}x", "{{FrontSide}}", "[anki:tts lang=en_US voices=a]f[sound:f.mp3][/anki:tts]x", "x"},
	} {
		card := &Card{Formats: Formats{Front: tt.front, Back: tt.back}, Fields: []Field{{"F", "f[sound:f.mp3]"}, {"B", "b[sound:b.mp3]"}}}
		out, err := Render(card, Options{KeepAV: true})
		if err != nil || out.Question != tt.question || out.Answer != tt.answer || out.QuestionAV != nil || out.AnswerAV != nil {
			t.Errorf("%s, %s: got %+v, %v", tt.front, tt.back, out, err)
		}
	}
}

// TestLaTeXIsBounded: an image is some twelve times as long as the shortest
// formula. What becomes too large is an error, never cut.
func TestLaTeXIsBounded(t *testing.T) {
	for _, tt := range []struct {
		formulas, more int
		want           error
	}{
		{1000, 0, nil},
		{1, DefaultMaxBytes - 200, nil},
		{1, DefaultMaxBytes, ErrTooLarge},
		{800_000, 0, ErrTooLarge},
	} {
		text := strings.Repeat("[$]x[/$]", tt.formulas) + strings.Repeat("m", tt.more)
		out, formulas, err := LaTeX(text, false)
		if err != tt.want {
			t.Errorf("%d formulas and %d bytes: got %v, want %v", tt.formulas, tt.more, err, tt.want)
		}
		if err == nil && (len(formulas) != tt.formulas || len(out) < tt.more+80*tt.formulas) {
			t.Errorf("%d formulas and %d bytes: got %d in %d bytes", tt.formulas, tt.more, len(formulas), len(out))
		}
	}
}
