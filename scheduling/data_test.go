package scheduling

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestData(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", ``, `{}`},
		{"empty object", `{}`, `{}`},
		{"all", `{"pos":5,"s":12.34567,"d":5.43219,"dr":0.909,"decay":0.15421,"lrt":1700000000,"cd":"{\"a\":1}"}`,
			`{"pos":5,"s":12.3457,"d":5.432,"dr":0.91,"decay":0.154,"lrt":1700000000,"cd":"{\"a\":1}"}`},
		{"order", `{"lrt":1,"d":5,"s":30}`, `{"s":30.0,"d":5.0,"lrt":1}`},
		{"unknown keys", `{"x":[1, {"y":1e999}],"pos":2,"é\u0000":null}`, `{"pos":2,"x":[1, {"y":1e999}],"é\u0000":null}`},
		{"unknown key twice", `{"x":1,"y":2,"x":3}`, `{"x":3,"y":2}`},
		{"wrong kinds", `{"pos":-1,"s":"1","d":{},"dr":null,"decay":true,"lrt":1.5,"cd":5}`, `{}`},
		{"key in disguise", `{"\u0073":5,"d\u0078":1}`, `{"d\u0078":1}`},
		{"half a memory", `{"s":5}`, `{}`},
		{"beyond single precision", `{"s":1e39,"d":5}`, `{}`},
		{"position too large", `{"pos":4294967296}`, `{}`},
		{"no object", `[1]`, `{}`},
		{"no JSON", `{"pos":1`, `{}`},
		{"more than one", `{"pos":1}{}`, `{}`},
		{"empty custom data", `{"cd":"{}"}`, `{}`},
	} {
		if got := ParseData(tt.in).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestDataManyKeys must not take quadratic time.
func TestDataManyKeys(t *testing.T) {
	var b strings.Builder
	for i := range 200_000 {
		b.WriteByte(',')
		b.WriteString(`"k`)
		b.WriteString(strings.Repeat("x", i%7))
		b.WriteString(string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26)) + string(rune('a'+i/17576)))
		b.WriteString(`":0`)
	}
	text := "{" + b.String()[1:] + "}"
	if got := ParseData(text).String(); len(got) < 1_000_000 || !json.Valid([]byte(got)) {
		t.Errorf("got %d bytes of %d", len(got), len(text))
	}
}

func TestValidateCustom(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "{}": true, `{"a":1}`: true, `{"12345678":1}`: true, `{"123456789":1}`: false, `[]`: false, `null`: false,
		`{"a":`: false, `{"a":"` + strings.Repeat("x", 92) + `"}`: true, `{"a":"` + strings.Repeat("x", 93) + `"}`: false,
	} {
		if err := ValidateCustom(text); (err == nil) != ok {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// FuzzData holds that the data column survives: what was read is written so
// that it reads the same, as JSON, with unknown keys untouched.
func FuzzData(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"pos":5,"s":12.34567,"d":5.4,"dr":0.9,"decay":0.1542,"lrt":1700000000,"cd":"{\"a\":1}"}`,
		`{"s":1e-40,"d":3.4e38}`, `{"x":[1, {"y":1e999}],"pos":2,"é\u0000":null}`, `{"x":1,"x":{"s":2}}`, `{"cd":"\ud800"}`,
		`{"\ud800":1,"\udfff":2}`, `[`, `{"pos":1}}`, "{\"\xff\":1}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := ParseData(text)
		once := d.String()
		if !json.Valid([]byte(once)) {
			t.Fatalf("%q: wrote invalid JSON %q", text, once)
		}
		again := ParseData(once)
		if twice := again.String(); twice != once {
			t.Fatalf("%q: wrote %q, then %q", text, once, twice)
		}
		if len(again.other) != len(d.other) {
			t.Fatalf("%q: %d unknown keys became %d", text, len(d.other), len(again.other))
		}
	})
}

// FuzzDueDate holds that a range that is accepted is one.
func FuzzDueDate(f *testing.F) {
	for _, seed := range []string{"", "0", "1-3!", "7-2", "!", "4294967295-0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDueDate(text)
		if err == nil && (d.Min > d.Max || d.Pick(7) < d.Min || d.Pick(math.MaxUint64) > d.Max) {
			t.Fatalf("%q: %+v", text, d)
		}
	})
}
