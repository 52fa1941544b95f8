package rendering

import (
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
)

func BenchmarkRenderBasic(b *testing.B) {
	card := &Card{
		Notetype: "Basic", Template: "Card 1", Deck: "Default",
		Formats: Formats{Front: "{{Front}}", Back: "{{FrontSide}}\n\n<hr id=answer>\n\n{{Back}}{{#Extra}}<p>{{hint:Extra}}</p>{{/Extra}}"},
		Fields:  []Field{{"Front", "What is the capital of France? [sound:q.mp3]"}, {"Back", "<b>Paris</b>"}, {"Extra", "on the Seine"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Render(card, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRenderCloze(b *testing.B) {
	card := &Card{
		Notetype: "Cloze", Cloze: true, Template: "Cloze", Deck: "Default",
		Formats: Formats{Front: "{{cloze:Text}}", Back: "{{cloze:Text}}<br>\n{{Extra}}"},
		Fields:  []Field{{"Text", strings.Repeat("{{c1::Paris::city}} lies on the {{c2::Seine}}, ", 20)}, {"Extra", ""}},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Render(card, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	g := NewGenerator(&Notetype{Fields: []string{"Front", "Back"}, Templates: []Formats{{Front: "{{Front}}"}, {Front: "{{Back}}"}}})
	fields := []string{"front", "back"}
	b.ReportAllocs()
	for b.Loop() {
		if len(g.Ords(fields, false)) != 2 {
			b.Fatal("not two cards")
		}
	}
}

// hostile texts make naive scanners look at the rest of the text again and
// again.
func hostileTexts() map[string]string {
	const size = 1 << 19
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	texts := map[string]string{
		"tag openers":       fill("{{"),
		"sections":          fill("{{#Front}}"),
		"closers":           fill("}}"),
		"comments":          fill("<!--"),
		"tags and comments": fill("{{<!--"),
		"styles":            fill("<style>"),
		"scripts":           fill("<script "),
		"angles":            fill("<"),
		"images":            fill("<img "),
		"images and quotes": fill(`<img '><img src=a>`),
		"image sources":     fill("<img src="),
		"cloze openers":     fill("{{c1::"),
		"cloze digits":      fill("{{c1,2,3,4,5,6,7,8,9"),
		"clozes":            fill("{{c1::x}}"),
		"nested clozes":     fill(strings.Repeat("{{c1::!", 10) + strings.Repeat("}}", 10)),
		"mathjax":           fill(`\(`),
		"mathjax tags":      fill(`\(<`),
		"ruby":              fill("a["),
		"ruby lines":        fill("a[\n"),
		"ruby empty":        fill("[]"),
		"sounds":            fill("[sound:"),
		"directives":        fill("[anki:tts "),
		"directive options": fill("[anki:tts a=b "),
		"directive quotes":  fill(`[anki:tts a="b `),
		"directive closers": fill("[anki:tts lang=x][/anki:") + "[/anki:tts]",
		"directive names":   fill("[anki:a1 ][anki:a2 ][anki:a3 ]") + "[/anki:a]",
		"latex":             fill("[latex]"),
		"latex mixed":       fill("[$][$$][latex]") + "[/$]",
		"entities":          fill("&amp;"),
		"entity zeros":      fill("&#0000000000000000000000000000000000000000000000000000000065;"),
		"occlusion":         "{{c1::image-occlusion:rect" + fill(":left=1") + "}}",
		"occlusion points":  "{{c1::image-occlusion:polygon:points=" + fill("1,2 ") + "}}",
		"divs":              fill("<div>"),
		"underscores":       fill(`[sound:_ "_`),
	}
	for name, text := range hostileDirectives(size / 25) {
		texts["directives, "+name] = text
	}
	return texts
}

// TestHostileMemory: what is made of a text grows with it by a small factor,
// however many parts it has.
func TestHostileMemory(t *testing.T) {
	const size = 1 << 20
	field := func(text string) *Card {
		return &Card{Cloze: true, Formats: Formats{Front: "{{cloze:F}}", Back: "{{cloze:F}}"}, Fields: []Field{{"F", text}}}
	}
	for _, tt := range []struct {
		name, text string
		run        func(text string)
		limit      int // bytes per byte of text
	}{
		{"numbers of closers", "{{c1::x}}" + strings.Repeat("}}", size/2), func(s string) { ClozeNumbers(s) }, 1},
		{"numbers of clozes", strings.Repeat("{{c1::}}", size/8), func(s string) { ClozeNumbers(s) }, 1},
		{"numbers of nested clozes", "{{c1::" + strings.Repeat("{{c1::}}", size/8) + "}}", func(s string) { ClozeNumbers(s) }, 2},
		{"numbers of many numbers", "{{c" + strings.Repeat("1,", size/2) + "1::}}", func(s string) { ClozeNumbers(s) }, 8},
		{"closers", "{{c1::x}}" + strings.Repeat("}}", size/2), func(s string) { _, _ = Render(field(s), Options{MaxBytes: 8 * size}) }, 20},
		{"clozes", strings.Repeat("{{c1::}}", size/8), func(s string) { _, _ = Render(field(s), Options{MaxBytes: 8 * size}) }, 40},
		{"clozes alone", strings.Repeat("{{c1::}}", size/8), func(s string) { clozeOnlyFilter(s, 1, false, &budget{left: 8 * size}) }, 40},
		{"typed clozes", strings.Repeat("{{c1::}}", size/8), func(s string) { ClozeForTyping(s, 1) }, 40},
		{"fields of a template", strings.Repeat("{{a}}", size/5), func(s string) { _, _ = ParseTemplate(s) }, 20},
		{"openers in a template", strings.Repeat("{{", size/2) + "a}}", func(s string) { _, _ = ParseTemplate(s) }, 1},
		{"filters of a template", "{{" + strings.Repeat("a:", size/2) + "a}}", func(s string) { _, _ = ParseTemplate(s) }, 1},
	} {
		// Other goroutines of the test binary allocate, too: the least of a few counts.
		least := uint64(math.MaxUint64)
		for range 3 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			tt.run(tt.text)
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		if limit := uint64(tt.limit * len(tt.text)); least > limit {
			t.Errorf("%s: %d bytes for %d of text, want at most %d", tt.name, least, len(tt.text), limit)
		}
	}
}

// TestHostileTime runs everything over half a mebibyte of each hostile text.
// Linear code needs well under a second for one; quadratic code, minutes for each
// of them, would not end before the test's time-out.
func TestHostileTime(t *testing.T) {
	for name, text := range hostileTexts() {
		start := time.Now()
		card := &Card{
			Cloze:   true,
			Formats: Formats{Front: "{{cloze:Front}}{{text:furigana:Front}}{{hint:kana:Front}}{{tts x:Front}}", Back: text},
			Fields:  []Field{{"Front", text}},
		}
		if _, err := Render(card, Options{}); err != nil && err != ErrTooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if tmpl, err := ParseTemplate(text); err == nil {
			tmpl.Requirements([]string{"Front"})
			_ = tmpl.String()
		}
		if _, _, err := LaTeX(text, true); err != nil && err != ErrTooLarge {
			t.Error(err)
		}
		MediaRefs(text)
		RenameMedia(text, map[string]string{"a": "b"})
		StaticMedia(text, text)
		StripAV(text)
		ClozeForTyping(text, 1)
		t.Logf("%-20s %v", name, time.Since(start).Round(time.Millisecond))
	}
}
