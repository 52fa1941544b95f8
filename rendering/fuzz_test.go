package rendering

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ankisyncd/ankisyncd/schema"
)

// addSeeds adds the templates or fields of the golden files.
func addSeeds(f *testing.F, add func(c *goldenCase)) {
	f.Helper()
	n := 0
	for _, name := range []string{"rendering.json", "odd.json"} {
		g := readGolden(f, name)
		for i := range g.Cases {
			add(&g.Cases[i])
			n++
		}
	}
	if n < 300 {
		f.Fatalf("only %d seeds", n)
	}
}

func plain(s string) bool { return !strings.ContainsAny(s, "{}<>[]&%\\") }

func FuzzTemplate(f *testing.F) {
	addSeeds(f, func(c *goldenCase) {
		f.Add(c.Qfmt)
		f.Add(c.Afmt)
	})
	fields := []string{"Front", "Back", "Text"}
	f.Fuzz(func(t *testing.T, format string) {
		tmpl, err := ParseTemplate(format)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "rendering: ") {
				t.Errorf("error %q", err)
			}
			return
		}
		tmpl.Renders(func(name string) bool { return name == "Front" })
		got, want := tmpl.Requirements(fields), naiveRequirements(tmpl, fields)
		if got.Kind != want.Kind || !slices.Equal(got.Ords, want.Ords) {
			t.Errorf("requirements: got %v, want %v", got, want)
		}
		if plain(format) && tmpl.String() != format {
			t.Errorf("plain text became %q", tmpl.String())
		}
		for _, n := range tmpl.nodes {
			if n.kind != nodeText && n.kind != nodeComment && strings.ContainsAny(n.tag()[2:len(n.tag())-2], "{}<>") ||
				strings.Contains(format, delimiters) {
				return // reads otherwise than written, in the clients too
			}
		}
		again, err := ParseTemplate(tmpl.String())
		if err != nil {
			t.Fatalf("%q written back as %q: %v", format, tmpl.String(), err)
		}
		if again.String() != tmpl.String() {
			t.Errorf("not stable: %q, then %q", tmpl.String(), again.String())
		}
	})
}

func FuzzCloze(f *testing.F) {
	addSeeds(f, func(c *goldenCase) {
		for _, field := range c.Fields {
			f.Add(field.Text, 1)
			f.Add(field.Text, 2)
		}
	})
	f.Fuzz(func(t *testing.T, field string, number int) {
		numbers := ClozeNumbers(field)
		b := &budget{left: 1 << 20}
		question := clozeFilter(field, number, true, b)
		answer := clozeFilter(field, number, false, b)
		if len(question)+len(answer) > 1<<20 {
			t.Errorf("%d bytes", len(question)+len(answer))
		}
		if !b.spent() && number > 0 && slices.Contains(numbers, number) != (answer != "") {
			t.Errorf("numbers %v, but the card of %d is %q", numbers, number, answer)
		}
		if only := clozeOnlyFilter(field, number, true, b); only != "" && number > 0 && !slices.Contains(numbers, number) {
			t.Errorf("numbers %v, but %d hides %q", numbers, number, only)
		}
		if !slices.IsSorted(numbers) || slices.Contains(numbers, 0) {
			t.Errorf("numbers %v", numbers)
		}
		if plain(field) && len(numbers) > 0 {
			t.Errorf("plain text has numbers %v", numbers)
		}
	})
}

// FuzzText feeds the filters that need no card.
func FuzzText(f *testing.F) {
	addSeeds(f, func(c *goldenCase) {
		for _, field := range c.Fields {
			f.Add(field.Text)
		}
	})
	f.Fuzz(func(t *testing.T, text string) {
		b := &budget{left: 1 << 20}
		sound, tags := extractAV(text, true)
		formula, images, err := LaTeX(text, false)
		if err != nil {
			t.Error(err)
		}
		names := map[string]string{}
		for _, name := range MediaRefs(text) {
			names[name] = name
		}
		if got := RenameMedia(text, nil); got != text {
			t.Fatalf("%q: renamed nothing, got %q", text, got)
		}
		if got := RenameMedia(text, names); schema.DecodeEntities(got) != schema.DecodeEntities(text) {
			t.Fatalf("%q: renamed to the same names, got %q", text, got)
		}
		StaticMedia(text, text)
		for name, out := range map[string]string{
			"text": stripHTML(text), "speech": speechText(text), "sound": sound, "latex": formula, "no sound": StripAV(text),
			"furigana": ruby(text, b, furigana), "kana": ruby(text, b, kana), "kanji": ruby(text, b, kanji),
			"mathjax": stripTagsInMathJax(text),
		} {
			if plain(text) && out != text {
				t.Errorf("%s: plain text became %q", name, out)
			}
			if utf8.ValidString(text) && !utf8.ValidString(out) {
				t.Errorf("%s: %q is not UTF-8", name, out)
			}
			if len(out) > 64*len(text)+64 {
				t.Errorf("%s: %d bytes of %d", name, len(out), len(text))
			}
		}
		if n := strings.Count(sound, "[anki:play:q:"); n < len(tags) {
			t.Errorf("%d tags, %d places", len(tags), n)
		}
		if n := strings.Count(formula, "<img class=latex"); n < len(images) {
			t.Errorf("%d formulas, %d images", len(images), n)
		}
		if FieldIsEmpty(text) && stripTags(strings.Join(strings.Fields(text), " ")) != "" &&
			strings.TrimSpace(stripTags(text)) != "" {
			t.Errorf("empty, but shows %q", stripTags(text))
		}
	})
}

func FuzzRender(f *testing.F) {
	addSeeds(f, func(c *goldenCase) { f.Add(c.Qfmt, c.Afmt, c.Fields[0].Text, c.Cloze, c.Ord) })
	f.Fuzz(func(t *testing.T, front, back, field string, cloze bool, ord int) {
		const limit = 1 << 18
		card := &Card{Ord: ord, Cloze: cloze, Formats: Formats{Front: front, Back: back}, Deck: "Default",
			Fields: []Field{{"Front", field}, {"Text", field}, {"Back", "b"}, {"Extra", ""}}}
		out, err := Render(card, Options{MaxBytes: limit})
		if err != nil {
			if out.Question != "" || out.Answer != "" {
				t.Error("output beside an error")
			}
			return
		}
		if len(out.Question) > 4*limit || len(out.Answer) > 4*limit {
			t.Errorf("%d and %d bytes", len(out.Question), len(out.Answer))
		}
		if out.Problem == nil && !out.Empty && plain(back) && out.Answer != back {
			t.Errorf("plain back became %q", out.Answer)
		}
	})
}
