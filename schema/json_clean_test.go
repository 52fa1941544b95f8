package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

var cleanCases = map[string]string{
	`"\ud83d"`:                         `"\ufffd"`,
	`"a\ud83d\ude00b"`:                 `"a\ud83d\ude00b"`,
	`"\uDE00\uD83D\uDE00\uD83D\n"`:     `"\ufffd\uD83D\uDE00\ufffd\n"`,
	`"\ud83d\ud83d\ude00"`:             `"\ufffd\ud83d\ude00"`,
	`"\\ud83d"`:                        `"\\ud83d"`,
	`{"\ud83d":"\"\udfff"}`:            `{"\ufffd":"\"\ufffd"}`,
	`[1e308,-1e308,1.50,1e-999,0e999]`: `[1e308,-1e308,1.50,1e-999,0e999]`,
	`[1e309, -1E+400 ,"1e999"]`:        `[1e308, -1e308 ,"1e999"]`,
	`1.7976931348623157e308`:           `1e308`,
	` -1e999 `:                         ` -1e308 `,
	strings.Repeat("9", 400):           `1e308`,
	strings.Repeat("9", 400) + "e-200": strings.Repeat("9", 400) + "e-200",
}

func TestCleanJSON(t *testing.T) {
	for in, want := range cleanCases {
		b := []byte(in)
		got, err := CleanJSON(b)
		if err != nil || string(got) != want {
			t.Errorf("%s is %s, %v, want %s", in, got, err, want)
		}
		if string(b) != in {
			t.Errorf("%s was changed", in)
		}
	}
	for _, depth := range []int{maxDepth, maxDepth + 1, 200} {
		_, err := CleanJSON([]byte(strings.Repeat(`[`, depth) + strings.Repeat(`]`, depth)))
		if (err != nil) != (depth > maxDepth) || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%d levels: %v", depth, err)
		}
	}
	for _, in := range []string{"", "{", `"`, `"\`, `"\u`, `"\ud83d`, `"\ud83d\u"`, `"\ud83g"`, "-01e999", "1e999e", "\"\xff\"", "1 2", "-"} {
		if out, err := CleanJSON([]byte(in)); !errors.Is(err, ErrInvalid) || out != nil {
			t.Errorf("%q is %s, %v", in, out, err)
		}
	}
}

// Go's decoder makes U+FFFD of half a pair and refuses numbers that are too
// large, so that it can tell what must not change and what must.
func FuzzCleanJSON(f *testing.F) {
	for in := range cleanCases {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := CleanJSON(in)
		if err != nil {
			if out != nil {
				t.Fatal("output with an error")
			}
			return
		}
		var was, is any
		if err := json.Unmarshal(out, &is); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if json.Unmarshal(in, &was) == nil && !bytes.Contains(out, []byte("1e308")) && !reflect.DeepEqual(was, is) {
			t.Fatalf("%s became %s", in, out)
		}
		for b := out; len(b) > 0; b = b[1:] {
			if b[0] != '\\' {
				continue
			}
			n, half := escape(b)
			if half {
				t.Fatalf("half a pair is left in %s", out)
			}
			b = b[n-1:]
		}
		if again, err := CleanJSON(out); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%s became %s (%v)", out, again, err)
		}
	})
}
