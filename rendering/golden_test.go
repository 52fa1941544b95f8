package rendering

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goldenFile is what e2e/golden/rendering.py records from the real library.
type goldenFile struct {
	Anki  string
	Cases []goldenCase
	Latex []struct {
		Text  string
		SVG   bool
		Out   string
		Latex [][2]string
	}
	Typing []struct {
		Text   string
		Number int
		Out    string
	}
	StripAV []struct{ Text, Out string } `json:"strip_av"`
}

type goldenCase struct {
	ID             string
	Qfmt, Afmt     string
	Bqfmt, Bafmt   string
	Browser        bool
	ExtraTemplates [][2]string `json:"extra_templates"`
	Fields         orderedFields
	Cloze          bool
	Tags           []string
	Deck           string
	Ord, Flag      int
	CardOrds       []int  `json:"card_ords"`
	EmptyOrds      []int  `json:"empty_ords"`
	Adding         string `json:"error_adding_notetype"` // nothing else was recorded then
	Check          string // as Adding, but the notetype was then saved unchecked
	Req            []json.RawMessage
	Question       string
	Answer         string
	QuestionAV     []goldenAV `json:"question_av"`
	AnswerAV       []goldenAV `json:"answer_av"`
}

type goldenAV struct {
	Kind, Filename string
	FieldText      string `json:"field_text"`
	Lang           string
	Voices         []string
	Speed          float32
	OtherArgs      []string `json:"other_args"`
}

// orderedFields is a JSON object whose order is kept.
type orderedFields []Field

func (f *orderedFields) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var text string
		if err := dec.Decode(&text); err != nil {
			return err
		}
		*f = append(*f, Field{Name: name.(string), Text: text})
	}
	return nil
}

func readGolden(t testing.TB, name string) goldenFile {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var g goldenFile
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g
}

const goldenCardID = 1690000000123

func (c *goldenCase) notetype() *Notetype {
	nt := &Notetype{Name: "nt " + c.ID, Cloze: c.Cloze}
	for _, f := range c.Fields {
		nt.Fields = append(nt.Fields, f.Name)
	}
	nt.Templates = []Formats{{Front: c.Qfmt, Back: c.Afmt, BrowserFront: c.Bqfmt, BrowserBack: c.Bafmt}}
	for _, t := range c.ExtraTemplates {
		nt.Templates = append(nt.Templates, Formats{Front: t[0], Back: t[1]})
	}
	return nt
}

func (c *goldenCase) card() *Card {
	nt := c.notetype()
	index := c.Ord
	if c.Cloze {
		index = 0
	}
	return &Card{
		ID: goldenCardID, Ord: c.Ord, Flag: c.Flag, Notetype: nt.Name, Cloze: c.Cloze,
		Template: fmt.Sprintf("Card %d", index+1), Formats: nt.Templates[index],
		Fields: c.Fields, Tags: slices.Sorted(slices.Values(c.Tags)), Deck: c.Deck,
	}
}

func (c *goldenCase) texts() []string {
	var out []string
	for _, f := range c.Fields {
		out = append(out, f.Text)
	}
	return out
}

func TestGolden(t *testing.T) {
	for name, least := range map[string]int{"rendering.json": 76, "odd.json": 200} {
		g := readGolden(t, name)
		if len(g.Cases) < least {
			t.Fatalf("%s: %d cases, want at least %d", name, len(g.Cases), least)
		}
		for i := range g.Cases {
			c := &g.Cases[i]
			t.Run(c.ID, func(t *testing.T) { c.test(t) })
		}
	}
}

func (c *goldenCase) test(t *testing.T) {
	nt := c.notetype()
	gotCheck := ""
	if err := nt.Check(); err != nil {
		gotCheck = err.Error()
	}
	if c.Adding != "" { // recorded without the isolation marks
		if got := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(gotCheck); got != c.Adding {
			t.Errorf("check: got %q, want %q", got, c.Adding)
		}
		return
	}
	if gotCheck != c.Check {
		t.Errorf("check: got %q, want %q", gotCheck, c.Check)
	}
	out, err := Render(c.card(), Options{Browser: c.Browser})
	if err != nil {
		t.Fatal(err)
	}
	mask := func(s string) string { return strings.ReplaceAll(s, fmt.Sprint(goldenCardID), "<CARDID>") }
	if got := mask(out.Question); got != c.Question {
		t.Errorf("question of %v:\n got %q\nwant %q", c.Fields, got, c.Question)
	}
	if got := mask(out.Answer); got != c.Answer {
		t.Errorf("answer of %v:\n got %q\nwant %q", c.Fields, got, c.Answer)
	}
	if diff := cmp.Diff(c.QuestionAV, goldenAVs(out.QuestionAV)); diff != "" {
		t.Errorf("question av (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(c.AnswerAV, goldenAVs(out.AnswerAV)); diff != "" {
		t.Errorf("answer av (-want +got):\n%s", diff)
	}
	c.testGeneration(t, nt)
}

func (c *goldenCase) testGeneration(t *testing.T, nt *Notetype) {
	g := NewGenerator(nt)
	c.CardOrds = slices.Compact(c.CardOrds) // the clients make several cards 499
	if got := g.Missing(c.texts(), len(c.Tags) > 0, nil); !slices.Equal(got, c.CardOrds) {
		t.Errorf("cards: got %v, want %v", got, c.CardOrds)
	}
	if c.Req == nil { // the older file has neither
		return
	}
	if got := g.Empty(c.texts(), len(c.Tags) > 0, c.CardOrds); !slices.Equal(got, c.EmptyOrds) {
		t.Errorf("empty cards: got %v, want %v", got, c.EmptyOrds)
	}
	if c.Cloze {
		return // no client computes or reads req of a cloze notetype
	}
	for ord, want := range c.Req {
		got := Requirement{}
		if tmpl, err := ParseTemplate(nt.Templates[ord].Front); err == nil {
			got = tmpl.Requirements(nt.Fields)
		}
		kind := []string{"none", "any", "all"}[got.Kind]
		b, err := json.Marshal([]any{ord, kind, append([]int{}, got.Ords...)})
		if err != nil {
			t.Fatal(err)
		}
		var compact any
		if err := json.Unmarshal(want, &compact); err != nil {
			t.Fatal(err)
		}
		w, err := json.Marshal(compact)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != string(w) {
			t.Errorf("req of %q: got %s, want %s", nt.Templates[ord].Front, b, w)
		}
	}
}

func goldenAVs(tags []AVTag) []goldenAV {
	out := []goldenAV{}
	for _, tag := range tags {
		if tag.Speech == nil {
			out = append(out, goldenAV{Kind: "SoundOrVideoTag", Filename: tag.File})
			continue
		}
		s := tag.Speech
		out = append(out, goldenAV{
			Kind: "TTSTag", FieldText: s.Text, Lang: s.Lang, Speed: s.Speed,
			Voices: append([]string{}, s.Voices...), OtherArgs: append([]string{}, s.Args...),
		})
	}
	return out
}

func TestGoldenLaTeX(t *testing.T) {
	for _, name := range []string{"rendering.json", "odd.json"} {
		for _, c := range readGolden(t, name).Latex {
			out, formulas, err := LaTeX(c.Text, c.SVG)
			if err != nil {
				t.Fatal(err)
			}
			if out != c.Out {
				t.Errorf("%q:\n got %q\nwant %q", c.Text, out, c.Out)
			}
			got := [][2]string{}
			for _, f := range formulas {
				got = append(got, [2]string{f.File, f.Body})
			}
			if diff := cmp.Diff(c.Latex, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.Text, diff)
			}
		}
	}
}

func TestGoldenTyping(t *testing.T) {
	g := readGolden(t, "odd.json")
	if len(g.Typing) == 0 || len(g.StripAV) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range g.Typing {
		if got := ClozeForTyping(c.Text, c.Number); got != c.Out {
			t.Errorf("%q, %d: got %q, want %q", c.Text, c.Number, got, c.Out)
		}
	}
	for _, c := range g.StripAV {
		if got := StripAV(c.Text); got != c.Out {
			t.Errorf("%q: got %q, want %q", c.Text, got, c.Out)
		}
	}
}
