package sync

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ankisyncd/ankisyncd/collection"
)

var sampleChunk = collection.Chunk{
	Done:   true,
	Revlog: []collection.RevlogEntry{{ID: 1, CID: 2, USN: 3, Ease: 4, Ivl: -5, LastIvl: 6, Factor: 7, Time: 8, Type: 1}},
	Cards: []collection.Card{
		{ID: 1, NID: 2, DID: 3, Ord: 4, Mod: 5, USN: 6, Type: 2, Queue: -1, Due: -9, Ivl: 10, Factor: 11, Reps: 12, Lapses: 13, Left: 14, ODue: 15, ODID: 16, Flags: 3, Data: `{"s":1.5,"x":"é\u0000"}`},
		{Data: "\x00\x1f\"\\\n\r\t\u2028😀"},
	},
	Notes: []collection.Note{{ID: 1, GUID: "a`b\"", MID: 2, Mod: 3, USN: 4, Tags: " a b ", Flds: "front\x1fback"}},
}

func TestChunkRoundTrip(t *testing.T) {
	b := appendChunk(nil, &sampleChunk)
	if !json.Valid(b) {
		t.Fatalf("no JSON: %s", b)
	}
	var got rowBatch
	if err := parseChunk(&scanner{b: b}, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Chunk, sampleChunk) {
		t.Errorf("got %+v\nwant %+v", got.Chunk, sampleChunk)
	}
}

func TestRows(t *testing.T) {
	card := func(change string, to string) string {
		row := `[1,2,3,0,1700000000,5,2,2,100,30,2500,3,1,0,0,0,0,"{}"]`
		return `{"cards":[` + strings.Replace(row, change, to, 1) + `]}`
	}
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"a card", card("", ""), true},
		{"fractions are cut", card("1700000000", "1.7e9"), true},
		{"due as 100.0", card(",100,", ",100.0,"), true},
		{"negative interval", card(",30,", ",-30,"), true},
		{"spaces", ` { "cards" : [ [ 1 , 2,3,0,1,5,2,2,100,30,2500,3,1,0,0,0,0,"" ] ] , "done" : true } `, true},
		{"no rows", `{"done":true}`, true},
		{"null lists", `{"cards":null,"notes":null,"revlog":null}`, true},
		{"unknown keys", `{"x":{"y":[1,"a",null,true]},"done":false}`, true},
		{"note with text and numbers where nothing counts", `{"notes":[[1,"g",2,3,4,"","a",5,"6",null,{}]]}`, true},
		{"ease beyond 16 bits", card("2500", "70000"), false},
		{"negative ease", card("2500", "-1"), false},
		{"queue of no kind", card("2,2,100", "2,9,100"), false},
		{"a column too few", `{"cards":[[1,2,3,0,1,5,2,2,100,30,2500,3,1,0,0,0,0]]}`, false},
		{"a column too many", `{"cards":[[1,2,3,0,1,5,2,2,100,30,2500,3,1,0,0,0,0,"",1]]}`, false},
		{"nulls", card("1,2,3", "null,null,null"), false},
		{"text for a row", `{"cards":["x"]}`, false},
		{"id beyond 64 bits", card("[1,", "[99999999999999999999,"), false},
		{"leading zero", card("[1,", "[01,"), false},
		{"trailing comma", `{"cards":[],}`, false},
		{"cut off", `{"cards":[[1,2`, false},
		{"control character in a string", "{\"cards\":[[1,2,3,0,1,5,2,2,100,30,2500,3,1,0,0,0,0,\"\n\"]]}", false},
		{"deep nesting", `{"x":` + strings.Repeat("[", 100000), false},
	} {
		s := &scanner{b: []byte(c.in)}
		err := parseChunk(s, &rowBatch{})
		if err == nil {
			err = s.end()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestLooseColumns: numbers that old clients have stored, and that the official
// server takes, are brought into the range of their column.
func TestLooseColumns(t *testing.T) {
	for in, want := range map[string]string{
		// cards: mod, due, ivl, odue
		`{"cards":[[1,2,3,0,1e30,5,2,2,1099511627776,-30,2500,3,1,0,-1e12,0,0,"{}"]]}`:                  `"cards":[[1,2,3,0,9223372036854775807,5,2,2,2147483647,0,2500,3,1,0,-2147483648,0,0,"{}"]]`,
		`{"cards":[[1,2,3,0,-9223372036854775809,5,2,2,-2147483649,4294967296,2500,3,1,0,3e9,0,0,""]]}`: `"cards":[[1,2,3,0,-9223372036854775808,5,2,2,-2147483648,4294967295,2500,3,1,0,2147483647,0,0,""]]`,
		// reviews: ivl, lastIvl, factor, time, type
		`{"revlog":[[1,2,3,4,-2147483649,2147483648,-1,-60000,9]]}`:  `"revlog":[[1,2,3,4,-2147483648,2147483647,0,0,0]]`,
		`{"revlog":[[1,2,3,4,1e30,-1e30,4294967296,1e300,-1]]}`:      `"revlog":[[1,2,3,4,2147483647,-2147483648,4294967295,4294967295,0]]`,
		`{"revlog":[[1,2,3,4,1,1,1,1,null],[2,2,3,4,1,1,1,1,"x"]]}`:  `"revlog":[[1,2,3,4,1,1,1,1,0],[2,2,3,4,1,1,1,1,0]]`,
		`{"revlog":[[1,2,3,4,1,1,1,1,1e19],[2,2,3,4,1,1,1,1,[{}]]]}`: `"revlog":[[1,2,3,4,1,1,1,1,0],[2,2,3,4,1,1,1,1,0]]`,
		`{"revlog":[[1,2,3,4,1,1,1,1,5],[2,2,3,4,1,1,1,1,3.0]]}`:     `"revlog":[[1,2,3,4,1,1,1,1,5],[2,2,3,4,1,1,1,1,3]]`,
	} {
		var got rowBatch
		if err := parseChunk(&scanner{b: []byte(in)}, &got); err != nil {
			t.Errorf("%s: %v", in, err)
		} else if out := string(appendChunk(nil, &got.Chunk)); !strings.Contains(out, want) {
			t.Errorf("%s\n got %s\nwant %s", in, out, want)
		}
	}
	for _, in := range []string{
		`{"revlog":[[1,2,3,256,1,1,1,1,1]]}`, `{"revlog":[[1e19,2,3,4,1,1,1,1,1]]}`, `{"revlog":[[1,2,3,4,1,1,1,1e400,1]]}`,
		`{"revlog":[[1,2,3,4,1,1,1,null,1]]}`, `{"revlog":[[1,2,3,4,1,1,1,1,x]]}`, `{"revlog":[[1,2,3,4,1,1,1,1,-]]}`,
		`{"cards":[[1,2,3,0,5,5,2,2,1,1,2500,-1,1,0,1,0,0,""]]}`,
	} {
		if err := parseChunk(&scanner{b: []byte(in)}, &rowBatch{}); err == nil {
			t.Errorf("%s: no error", in)
		}
	}
}

func TestNumber(t *testing.T) {
	for in, want := range map[string]int64{
		"0": 0, "-0": 0, "7": 7, "-12": -12, "1.9": 1, "-1.9": -1, "1e3": 1000, "9223372036854775807": math.MaxInt64,
		"-9223372036854775808": math.MinInt64, "1700000000000": 1700000000000,
	} {
		for _, s := range []*scanner{{b: []byte(in)}, newScanner(iotest.OneByteReader(strings.NewReader(in)))} {
			if got, err := s.number(); err != nil || got != want || s.end() != nil {
				t.Errorf("%s: got %d, %v", in, got, err)
			}
		}
		s := newScanner(iotest.OneByteReader(strings.NewReader(in)))
		if err := s.skip(0); err != nil || s.end() != nil {
			t.Errorf("skip %s: %v", in, err)
		}
	}
	for _, in := range []string{"", "-", ".5", "1.", "1e", "1e+", "00", "+1", "NaN", "1-2"} {
		s := newScanner(strings.NewReader(in))
		if err := s.skip(0); err == nil && s.end() == nil {
			t.Errorf("skip %q: no error", in)
		}
	}
	for _, in := range []string{"", "-", ".5", "1.", "1e", "00", "+1", "1e400", "NaN", "1-2"} {
		s := &scanner{b: []byte(in)}
		if got, err := s.number(); err == nil && s.end() == nil {
			t.Errorf("%q: got %d, want an error", in, got)
		}
	}
}

// longNumber is what a stream refuses as a number, however it would round.
var longNumber = regexp.MustCompile(`[0-9.eE+-]{64}`)

// FuzzApplyChunk: what is accepted is JSON, and encoding it again and reading
// that gives the same rows.
func FuzzApplyChunk(f *testing.F) {
	f.Add(append(append([]byte(`{"chunk":`), appendChunk(nil, &sampleChunk)...), '}'))
	f.Add([]byte(`{"chunk":{"cards":[[1,2,3,0,1.5,5,2,2,100,30,2500,3,1,0,0,0,0,"\ud800"]]}}`))
	f.Add([]byte(`{"chunk":{"done":true},"x":[[[{}]]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseApplyChunk(b)
		// The same as a stream, handed on in batches.
		var streamed collection.Chunk
		serr := readApplyChunk(newScanner(iotest.OneByteReader(bytes.NewReader(b))), &rowBatch{handOn: func(part collection.Chunk) error {
			streamed.Revlog = append(streamed.Revlog, part.Revlog...)
			streamed.Cards = append(streamed.Cards, part.Cards...)
			streamed.Notes = append(streamed.Notes, part.Notes...)
			streamed.Done = part.Done
			return nil
		}})
		if (err == nil) != (serr == nil) && !longNumber.Match(b) {
			t.Fatalf("whole %v, streamed %v: %q", err, serr, b)
		}
		// Looking through it says whether it is JSON.
		look := newScanner(iotest.OneByteReader(bytes.NewReader(b)))
		lerr := look.skip(0)
		if lerr == nil {
			lerr = look.end()
		}
		if (lerr == nil) != json.Valid(b) && bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) < maxJSONDepth {
			t.Fatalf("looked through: %v: %q", lerr, b)
		}
		if err != nil {
			if len(c.Cards)+len(c.Notes)+len(c.Revlog) > 0 {
				t.Fatal("rows along with an error")
			}
			return
		}
		if !json.Valid(b) {
			t.Fatalf("accepted what is no JSON: %q", b)
		}
		var again rowBatch
		if err := parseChunk(&scanner{b: appendChunk(nil, &c)}, &again); err != nil {
			t.Fatalf("own encoding: %v", err)
		}
		if serr == nil && !reflect.DeepEqual(streamed, c) {
			t.Fatalf("streamed %+v\nwhole %+v", streamed, c)
		}
		normal := func(c collection.Chunk) string { return string(appendChunk(nil, &c)) }
		if normal(again.Chunk) != normal(c) {
			t.Fatalf("%s\n%s", normal(again.Chunk), normal(c))
		}
	})
}

// FuzzString: a string comes back as encoding/json would read it, and so does
// anything else that may stand between quotes.
func FuzzString(f *testing.F) {
	f.Add("plain")
	f.Add("é\x00\xff\u2028\"\\\n")
	f.Add(`\ud83d\ude00 \ud83d \ude00 \ud83dx \ud83d\n\u00e9\u00E9\/\b\f\t\r`)
	f.Add(`\u12`)
	f.Add("\\\"\\")
	f.Fuzz(func(t *testing.T, in string) {
		b := appendString(nil, in)
		var std string
		if err := json.Unmarshal(b, &std); err != nil {
			t.Fatalf("%q -> %s: %v", in, b, err)
		}
		if want := strings.ToValidUTF8(in, "\ufffd"); len(strings.ToValidUTF8(in, "")) == len(in) && std != want {
			t.Fatalf("%q came back as %q", in, std)
		}
		got, err := (&scanner{b: b}).str()
		if err != nil || got != std {
			t.Fatalf("got %q, %v; encoding/json %q", got, err, std)
		}
		quoted := []byte(`"` + in + `"`)
		var want string
		wantErr := json.Unmarshal(quoted, &want)
		for name, s := range map[string]*scanner{"whole": {b: quoted}, "stream": newScanner(iotest.OneByteReader(bytes.NewReader(quoted)))} {
			got, err := s.str()
			if err == nil {
				err = s.end()
			}
			if (err == nil) != (wantErr == nil) || err == nil && got != want {
				t.Fatalf("%s: %q is %q, %v; encoding/json %q, %v", name, quoted, got, err, want, wantErr)
			}
		}
		s := newScanner(bytes.NewReader(quoted))
		err = s.skip(0)
		if err == nil {
			err = s.end()
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("skip %q: %v; encoding/json %v", quoted, err, wantErr)
		}
	})
}

func BenchmarkParseChunk(b *testing.B) {
	var c collection.Chunk
	for range 250 {
		c.Cards = append(c.Cards, sampleChunk.Cards[0])
	}
	body := append(append([]byte(`{"chunk":`), appendChunk(nil, &c)...), '}')
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := parseApplyChunk(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendChunk(b *testing.B) {
	var c collection.Chunk
	for range 250 {
		c.Cards = append(c.Cards, sampleChunk.Cards[0])
	}
	buf := appendChunk(nil, &c)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		buf = appendChunk(buf[:0], &c)
	}
}
