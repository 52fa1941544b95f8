package sync

import (
	"encoding/json"
	"reflect"
	"testing"
)

// headers of all kinds: what is said of them must not depend on who reads them.
var headers = []string{
	`{"v":11,"k":"abc","c":"anki,26.9.3 (dev),linux","s":"x"}`,
	` { "v" : 11 , "k" : "" , "c" : "ä€😀" , "s" : "x" } `,
	`{"k":"abc","s":"x","c":"y","v":8}`,
	`{"v":11,"k":"a","c":"b","s":"c","v":10}`,
	`{"V":11,"K":"a","C":"b","S":"c"}`,
	`{"v":11,"k":"a\u0041\n","c":"b\"","s":"c"}`,
	`{"v":11,"k":"a","c":"b","s":"c","more":[{"x":null}]}`,
	`{"v":11,"k":null,"c":"b","s":"c"}`,
	`{"v":"11","k":"a","c":"b","s":"c"}`,
	`{"v":11,"k":7,"c":"b","s":"c"}`,
	`{"v":1e1,"k":"a","c":"b","s":"c"}`,
	`{"v":11.0,"k":"a","c":"b","s":"c"}`,
	`{"v":011,"k":"a","c":"b","s":"c"}`,
	`{"v":00,"k":"a","c":"b","s":"c"}`,
	`{"v":0,"k":"a","c":"b","s":"c"}`,
	`{"v":-1,"k":"a","c":"b","s":"c"}`,
	`{"v":111,"k":"a","c":"b","s":"c"}`,
	`{"v":99999999999999999999,"k":"a","c":"b","s":"c"}`,
	"{\"v\":11,\"k\":\"a\tb\",\"c\":\"b\",\"s\":\"c\"}",
	"{\"v\":11,\"k\":\"a\xff\",\"c\":\"b\",\"s\":\"c\"}",
	`{"v":11,"k":"a","c":"b","s":"c"} x`,
	`{"v":11,"k":"a","c":"b","s":"c",}`,
	`{"v":11,"k":"a","c":"b","s":"c"`,
	`{"v":11,"k":"a","c":"b"}`,
	`{"v":,"k":"a"}`, `{"v":11 "k":"a"}`, `{v:11}`, `{}`, `[]`, `null`, ``, `"`, `{"`, `{"v`, `{"v":1`,
}

func TestReadHeaderFields(t *testing.T) {
	for _, text := range headers {
		checkHeaderFields(t, text)
	}
	var h headerFields
	if plain := headers[0]; !h.plain(plain) {
		t.Errorf("%s is not read in the quick way", plain)
	}
}

// said are the fields alone.
func (h *headerFields) said() []any { return []any{h.V, h.K, h.C, h.S} }

// checkHeaderFields compares the quick way with encoding/json.
func checkHeaderFields(t *testing.T, text string) {
	t.Helper()
	var quick, slow headerFields
	if !quick.plain(text) {
		return
	}
	if err := json.Unmarshal([]byte(text), &slow); err != nil {
		t.Errorf("%q: read in the quick way, but encoding/json says %v", text, err)
	}
	if !reflect.DeepEqual(quick.said(), slow.said()) {
		t.Errorf("%q: %+v, encoding/json reads %+v", text, quick, slow)
	}
}

func TestReadMetaFields(t *testing.T) {
	for _, text := range []string{
		`{"v":11,"cv":"anki,26.9.3 (dev),linux"}`, `{"cv":"x","v":10}`, `{"v":11,"cv":7}`, `{"v":"11","cv":"x"}`, `{"v":11}`,
		`{"v":11,"CV":"x"}`, `{"v":11,"cv":null}`, `{"v":1,"v":2,"cv":"a","cv":"b"}`, `{"cv":"x"}`, `{}`, `{"v":11,"cv":"x"}}`,
	} {
		checkMetaFields(t, text)
	}
	var r metaRequest
	if !r.plain(`{"v":11,"cv":"x"}`) {
		t.Error("an ordinary message is not read in the quick way")
	}
}

func checkMetaFields(t *testing.T, text string) {
	t.Helper()
	var quick, slow metaRequest
	if !quick.plain(text) {
		return
	}
	if err := json.Unmarshal([]byte(text), &slow); err != nil || !reflect.DeepEqual(quick, slow) {
		t.Errorf("%q: %+v, encoding/json reads %+v, %v", text, quick, slow, err)
	}
}

func FuzzPlainObject(f *testing.F) {
	for _, text := range headers {
		f.Add(text)
	}
	f.Add(`{"v":11,"cv":"x"}`)
	f.Fuzz(func(t *testing.T, text string) {
		checkHeaderFields(t, text)
		checkMetaFields(t, text)
	})
}

// TestMetaAnswer: written by hand, the answer is what encoding/json makes of it.
func TestMetaAnswer(t *testing.T) {
	for _, r := range []metaResponse{
		{},
		{Mod: 1790000000123, SCM: -1, USN: -7, TS: 1790000000, Msg: "\"no\"", Cont: true, HostNum: 3, Empty: true, MediaUSN: 5, MUSN: 6, UName: "jörg <&>\n"},
	} {
		want, got := map[string]any{}, map[string]any{}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(r.appendJSON(nil), &got); err != nil {
			t.Fatalf("%s: %v", r.appendJSON(nil), err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s, want %s", r.appendJSON(nil), b)
		}
	}
}
