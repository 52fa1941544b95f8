package schema

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// jsonCodec is one of the three objects: through what it is read and written.
type jsonCodec func(in []byte) (out []byte, err error)

var jsonCodecs = map[string]jsonCodec{
	"deck": func(in []byte) ([]byte, error) {
		d, err := ParseDeckJSON(in)
		if err != nil {
			return nil, err
		}
		return d.JSON()
	},
	"dconf": func(in []byte) ([]byte, error) {
		d, err := ParseDeckConfigJSON(in)
		if err != nil {
			return nil, err
		}
		return d.JSON()
	},
	"notetype": func(in []byte) ([]byte, error) {
		d, err := ParseNotetypeJSON(in)
		if err != nil {
			return nil, err
		}
		return d.JSON(false)
	},
}

func decodeJSON(t testing.TB, b []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return m
}

type objectCase struct {
	Kind, In, Want string
	Error          bool
}

func objectCases(t testing.TB) []objectCase {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "testdata", "schema", "objects.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []objectCase
	for s := bufio.NewScanner(z); s.Scan(); {
		var c objectCase
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if len(out) < 1000 {
		t.Fatalf("%d cases, want at least 1000", len(out))
	}
	return out
}

// Objects with faults, and what a real client made of them.
func TestObjectsLikeARealClient(t *testing.T) {
	for _, c := range objectCases(t) {
		out, err := jsonCodecs[c.Kind]([]byte(c.In))
		if c.Error {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("%s is accepted (%v): %s", c.Kind, err, c.In)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v: %s", c.Kind, err, c.In)
			continue
		}
		want, got := decodeJSON(t, []byte(c.Want)), decodeJSON(t, out)
		for _, m := range []map[string]any{want, got} {
			dropAssigned(c.Kind, m)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s\nof %s", c.Kind, d, c.In)
		}
	}
}

// dropAssigned removes what adding an object sets.
func dropAssigned(kind string, m map[string]any) {
	for _, k := range []string{"id", "usn", "mod"} {
		delete(m, k)
	}
	if kind != "notetype" {
		return
	}
	delete(m, "req")
	delete(m, "sortf")
	for _, list := range []string{"flds", "tmpls"} {
		for _, e := range m[list].([]any) {
			delete(e.(map[string]any), "id")
		}
	}
}

const minimalNotetype = `{"id":"5","name":"n","mod":1,"usn":-1,"type":1,"sortf":65535,"css":"","did":null,
	"tmpls":[{"name":"t","qfmt":"q","ord":9,"did":-4,"xt":12345678901234567890.50}],
	"flds":[{"name":"f","sticky":0,"rtl":"1","font":"A","size":7,"xf":1e300}],"big":9007199254740993,"é<&>":{"a":[1.0,1e5]}}`

// Unknown keys come back as the text they were.
func TestUnknownKeysAreVerbatim(t *testing.T) {
	nt, err := ParseNotetypeJSON([]byte(minimalNotetype))
	if err != nil {
		t.Fatal(err)
	}
	out, err := nt.JSON(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"id":"5"`, `"xt":12345678901234567890.50`, `"xf":1e300`, `"big":9007199254740993`, `"é<&>":{"a":[1.0,1e5]}`, `"ord":0`, `"did":null`} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%s is not in %s", want, out)
		}
	}
	if want := `{"big":9007199254740993,"é<&>":{"a":[1.0,1e5]}}`; string(nt.Config.Other) != want {
		t.Errorf("other = %s, want %s", nt.Config.Other, want)
	}
	if nt.Templates[0].Config.TargetDeckID != -4 {
		t.Errorf("target deck %d", nt.Templates[0].Config.TargetDeckID)
	}
}

// What clients of today refuse to read is changed wherever it stands in an object.
func TestObjectsAreLegible(t *testing.T) {
	in := strings.NewReplacer(`"xf":1e300`, `"xf":[1e999,"\ud83d"]`, `{"a":[1.0,1e5]}`, `{"\udc00a":[1.0,-1e400]}`).Replace(minimalNotetype)
	nt, err := ParseNotetypeJSON([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{
		string(nt.Fields[0].Config.Other): `{"xf":[1e308,"\ufffd"]}`,
		string(nt.Config.Other):           `{"big":9007199254740993,"é<&>":{"\ufffda":[1.0,-1e308]}}`,
	} {
		if what != want {
			t.Errorf("other = %s, want %s", what, want)
		}
	}
	// What was stored by another way is written so, too.
	nt.Config.Other = []byte(`{"k":["\ud83d",1e999]}`)
	if out, err := nt.JSON(false); err != nil || !bytes.Contains(out, []byte(`"k":["\ufffd",1e308]`)) {
		t.Errorf("%s, %v", out, err)
	}
}

func TestBadJSON(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for _, in := range []string{
		"", "null", "[]", "{", `{"id":1}`, "\xff", `{"a":"` + "\xff" + `"}`, `{} {}`,
		strings.Replace(minimalNotetype, `"big":9007199254740993`, `"big":`+deep, 1),
	} {
		for kind, codec := range jsonCodecs {
			if out, err := codec([]byte(in)); !errors.Is(err, ErrInvalid) || out != nil {
				t.Errorf("%s: %.40q: %q, %v", kind, in, out, err)
			}
		}
	}
	ok := strings.Replace(minimalNotetype, `"big":9007199254740993`, `"big":`+deep[1:len(deep)-1], 1)
	if _, err := ParseNotetypeJSON([]byte(ok)); err != nil {
		t.Errorf("nested %d deep: %v", maxDepth, err)
	}
}

func TestFloats(t *testing.T) {
	for f, want := range map[float32]string{0: "0.0", 1: "1.0", 0.9: "0.9", 2.5: "2.5", 1e-7: "1e-07", 36500: "36500.0", 0.0001: "0.0001"} {
		if got := string(appendFloat(nil, f)); got != want {
			t.Errorf("%v is %s, want %s", f, got, want)
		}
	}
	for _, f := range []float32{float32(nan()), float32(1 / zero())} {
		if got := string(appendFloat(nil, f)); got != "0.0" {
			t.Errorf("%v is %s", f, got)
		}
	}
}

func zero() float64 { return 0 }
func nan() float64  { return zero() / zero() }

// What the JSON of an object that came from protobuf leaves out.
func TestExportTruncates(t *testing.T) {
	nt := &Notetype{ID: 1, Name: "n\x00\xff", Config: NotetypeConfig{SortFieldIdx: 65537, Kind: 9, Other: []byte("no json"), OriginalStockKind: 0}}
	nt.Fields = []Field{{Name: "f", Config: FieldConfig{FontSize: 65540}}}
	nt.Templates = []Template{{Name: "t", Config: TemplateConfig{BrowserFontSize: 257, TargetDeckID: 3}}}
	nt.Config.Reqs = []CardRequirement{{CardOrd: 65538, Kind: 7, FieldOrds: []uint32{65539}}}
	b, err := nt.JSON(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"n\u0000�"`, `"sortf":1`, `"type":0`, `"size":4`, `"bsize":1`, `"did":3`, `"req":[[2,"none",[3]]]`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	if bytes.Contains(b, []byte("originalStockKind")) {
		t.Errorf("originalStockKind 0 is written: %s", b)
	}
	if _, err := (&Deck{}).JSON(); !errors.Is(err, ErrInvalid) {
		t.Errorf("a deck of no kind: %v", err)
	}
	d := &Deck{ID: 1, Name: "a\x1fb", Kind: DeckKind{Normal: &NormalDeck{}}}
	d.Common.Other = []byte(`{"mod":5,"desc":"x","keep":1,"return":true}`)
	low := float32(0.009)
	d.Kind.Normal.DesiredRetention = &low
	b, err = d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"a::b"`, `"mod":0`, `"desc":""`, `"keep":1`, `"desiredRetention":0`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
}

// What a blob holds that no client would read is not written: our own reader is
// as strict as they are.
func TestDeckConfigExportIsReadable(t *testing.T) {
	inf := float32(1 / zero())
	c := DefaultDeckConfig()
	c.QuestionAction, c.AnswerAction, c.LeechAction = 99, -1, 7
	c.SecondsToShowQuestion, c.SecondsToShowAnswer = float32(nan()), inf
	c.FSRSParams6, c.LearnSteps = []float32{1, inf, 2}, []float32{1, 2}
	b, err := (&DeckConfig{ID: 1, Name: "n", Config: c}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseDeckConfigJSON(b)
	if err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	c.QuestionAction, c.AnswerAction, c.LeechAction = 0, 0, 0
	c.SecondsToShowQuestion, c.SecondsToShowAnswer, c.FSRSParams6 = 0, 0, nil
	c.EasyDaysPercentages = back.Config.EasyDaysPercentages
	if d := cmp.Diff(c, back.Config); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// A float that protobuf cannot hold comes back as a number.
func TestLargeFloats(t *testing.T) {
	b, err := (&DeckConfig{ID: 1, Name: "n", Config: DefaultDeckConfig()}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, large := range []string{"1e39", "-1e400"} {
		b := bytes.Replace(b, []byte(`"secondsToShowQuestion":0.0`), []byte(`"secondsToShowQuestion":`+large), 1)
		for range 2 {
			d, err := ParseDeckConfigJSON(b)
			if err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			if f := d.Config.SecondsToShowQuestion; notFinite(f) || f == 0 {
				t.Errorf("%s is %v", large, f)
			}
			if b, err = d.JSON(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func fuzzJSON(f *testing.F, kind string, blobs func(t *testing.T, in []byte)) {
	n := 0
	for _, c := range objectCases(f) {
		if c.Kind == kind && n < 60 {
			f.Add([]byte(c.In))
			n++
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := jsonCodecs[kind](in)
		if err != nil {
			if out != nil {
				t.Fatal("output with an error")
			}
			return
		}
		again, err := jsonCodecs[kind](out)
		if err != nil {
			t.Fatalf("%v in our own %s", err, out)
		}
		third, err := jsonCodecs[kind](again)
		if err != nil || !bytes.Equal(again, third) {
			t.Fatalf("not stable: %s then %s (%v)", again, third, err)
		}
		blobs(t, in)
	})
}

func FuzzNotetypeJSON(f *testing.F) {
	f.Add([]byte(minimalNotetype))
	fuzzJSON(f, "notetype", func(t *testing.T, in []byte) {
		nt, _ := ParseNotetypeJSON(in)
		blobIsStable(t, nt.Config, NotetypeConfig.Encode, DecodeNotetypeConfig)
		for _, x := range nt.Fields {
			blobIsStable(t, x.Config, FieldConfig.Encode, DecodeFieldConfig)
		}
		for _, x := range nt.Templates {
			blobIsStable(t, x.Config, TemplateConfig.Encode, DecodeTemplateConfig)
		}
	})
}

func FuzzDeckJSON(f *testing.F) {
	fuzzJSON(f, "deck", func(t *testing.T, in []byte) {
		d, _ := ParseDeckJSON(in)
		blobIsStable(t, d.Common, DeckCommon.Encode, DecodeDeckCommon)
		blobIsStable(t, d.Kind, DeckKind.Encode, DecodeDeckKind)
	})
}

func FuzzDeckConfigJSON(f *testing.F) {
	fuzzJSON(f, "dconf", func(t *testing.T, in []byte) {
		d, _ := ParseDeckConfigJSON(in)
		blobIsStable(t, d.Config, DeckConfigInner.Encode, DecodeDeckConfigInner)
	})
}

// blobIsStable wants v to come back from its blob, and the blob from that.
func blobIsStable[T any](t *testing.T, v T, encode func(T) []byte, decode func([]byte) (T, error)) {
	t.Helper()
	b := encode(v)
	back, err := decode(b)
	if err != nil {
		t.Fatalf("%v in our own blob %x", err, b)
	}
	if again := encode(back); !bytes.Equal(b, again) {
		t.Fatalf("%x became %x", b, again)
	}
}
