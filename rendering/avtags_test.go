package rendering

import (
	"strings"
	"testing"
)

// hostileDirectives make a reader of options that forgets begin again at each
// opener.
func hostileDirectives(n int) map[string]string {
	return map[string]string{
		"joined":         strings.Repeat("[anki:tts a=", n) + "[/anki:tts]",
		"spaced":         strings.Repeat("[anki:tts a=b c=d e=f g=h", n) + "[/anki:tts]",
		"quoted":         strings.Repeat(`[anki:tts a="b" c="d" e=`, n) + "[/anki:tts]",
		"in quotes":      strings.Repeat(`[anki:tts a=" `, n) + "][/anki:tts]",
		"closer in each": strings.Repeat(`[anki:tts a="[/anki:tts]" b=`, n) + "]",
		"two names":      strings.Repeat("[anki:tts a=[anki:other b=", n) + "[/anki:other][/anki:tts]",
	}
}

// TestOptionsAreReadOnce counts the options that are looked at: each once for
// each name of directives, however many openers stand before it.
func TestOptionsAreReadOnce(t *testing.T) {
	const n = 4096
	for name, text := range hostileDirectives(n) {
		p := newAVParser(text)
		p.replace(avStripper{})
		if limit := 2 * (strings.Count(text, "=") + strings.Count(text, "[")); p.tokens > limit {
			t.Errorf("%s: looked at %d options in a text of %d, want at most %d", name, p.tokens, strings.Count(text, "="), limit)
		}
	}
}

func TestDirectives(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"[anki:tts lang=x]a[/anki:tts]b", "b"},
		{`[anki:tts lang="x] y" z=]a[/anki:tts]b`, "b"},
		{"[anki:tts lang=[anki:tts lang=x]a[/anki:tts]b", "b"}, // the first one's value is "[anki:tts"
		{"[anki:tts lang [anki:tts lang=x]a[/anki:tts]b", "[anki:tts lang b"},
		{`[anki:tts a="[anki:tts lang=x]a[/anki:tts]b`, `[anki:tts a="b`},
		{`[anki:tts a="x y [anki:tts b="c d" ]a[/anki:tts]b`, `[anki:tts a="x y b`},
		{"[anki:tts a=[/anki:tts]", "[anki:tts a=[/anki:tts]"},
		{"[anki:tts " + strings.Repeat("a=b ", 1000) + "]a[/anki:tts]b", "b"},
		{"[anki:x a=1 a=2 b=\"c d\"]e[/anki:x]", "[anki:x a=2 b=\"c d\"]e[/anki:x]"},
	} {
		if got := StripAV(tt.text); got != tt.want {
			t.Errorf("%.80s: got %q, want %q", tt.text, got, tt.want)
		}
	}
}
