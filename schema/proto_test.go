package schema

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// A default of each kind, as a real client writes it (docs/collection-format.md §3).
func TestCanonicalBlobs(t *testing.T) {
	if got, want := (DeckCommon{StudyCollapsed: true, BrowserCollapsed: true}).Encode(), []byte{8, 1, 16, 1}; !bytes.Equal(got, want) {
		t.Errorf("deck common %x, want %x", got, want)
	}
	if got, want := (DeckKind{Normal: &NormalDeck{ConfigID: 1}}).Encode(), []byte{10, 2, 8, 1}; !bytes.Equal(got, want) {
		t.Errorf("deck kind %x, want %x", got, want)
	}
	if got, want := (DeckKind{Filtered: &FilteredDeck{}}).Encode(), []byte{18, 0}; !bytes.Equal(got, want) {
		t.Errorf("empty filtered deck %x, want %x", got, want)
	}
	if got, want := (DeckCommon{NewStudied: -1}).Encode(), append([]byte{0x20}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1); !bytes.Equal(got, want) {
		t.Errorf("negative %x, want %x", got, want)
	}
	zero := uint32(0)
	if got, want := (FieldConfig{Tag: &zero}).Encode(), []byte{0x50, 0}; !bytes.Equal(got, want) {
		t.Errorf("present zero %x, want %x", got, want)
	}
}

// Unknown fields of every wire type, before, between and after what is known,
// at every level, come back where their tag belongs.
func TestUnknownFieldsSurvive(t *testing.T) {
	unknown := func(b []byte, num protowire.Number) []byte {
		b = protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), 300)
		b = protowire.AppendFixed64(protowire.AppendTag(b, num+1, protowire.Fixed64Type), 7)
		b = protowire.AppendString(protowire.AppendTag(b, num+2, protowire.BytesType), "x")
		b = protowire.AppendString(protowire.AppendTag(b, num+2, protowire.BytesType), "y")
		return protowire.AppendFixed32(protowire.AppendTag(b, num+3, protowire.Fixed32Type), 9)
	}
	limit := unknown([]byte{8, 5}, 11)
	normal := append([]byte{8, 1, 66, byte(len(limit))}, limit...)
	normal = unknown(normal, 100)
	kind := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), normal)
	kind = unknown(kind, 9)
	k, err := DecodeDeckKind(kind)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Encode(); !bytes.Equal(got, kind) {
		t.Errorf("kind %x, want %x", got, kind)
	}
	k.Normal.ReviewLimitToday = nil // what is gone takes its unknown fields with it
	if got := k.Encode(); bytes.Contains(got, limit) || !bytes.Contains(got, normal[len(normal)-10:]) {
		t.Errorf("after a change: %x", got)
	}

	var config []byte
	config = append(config, 0x0a, 4, 0, 0, 0x80, 0x3f)
	config = unknown(config, 47)
	config = protowire.AppendBytes(protowire.AppendTag(config, 255, protowire.BytesType), []byte(`{"a":1}`))
	config = unknown(config, 300)
	c, err := DecodeDeckConfigInner(config)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Encode(); !bytes.Equal(got, config) {
		t.Errorf("config %x, want %x", got, config)
	}
	if !reflect.DeepEqual(c.LearnSteps, []float32{1}) {
		t.Errorf("learn steps %v", c.LearnSteps)
	}
}

func TestDecodeForms(t *testing.T) {
	// Numbers one by one instead of packed; the last scalar wins; oneof too.
	c, err := DecodeDeckConfigInner([]byte{0x0d, 0, 0, 0x80, 0x3f, 0x0a, 4, 0, 0, 0, 0x40, 0x48, 1, 0x48, 2})
	if err != nil || !reflect.DeepEqual(c.LearnSteps, []float32{1, 2}) || c.NewPerDay != 2 {
		t.Errorf("%v %v %v", c.LearnSteps, c.NewPerDay, err)
	}
	k, err := DecodeDeckKind([]byte{10, 2, 8, 1, 18, 0})
	if err != nil || k.Normal != nil || k.Filtered == nil {
		t.Errorf("last arm: %+v, %v", k, err)
	}
	for _, bad := range [][]byte{
		{}, {0x0a}, {0x0a, 5, 1}, {0x08, 1}, {0xff}, {0x0a, 2, 0x22, 1}, {0x0a, 3, 0x22, 1, 0xff}, {0x0a, 2, 0x40, 1}, {0x13},
	} {
		if k, err := DecodeDeckKind(bad); !errors.Is(err, ErrInvalid) || k.Normal != nil || k.Filtered != nil {
			t.Errorf("%x: %+v, %v", bad, k, err)
		}
	}
}

func TestListsAreBounded(t *testing.T) {
	b := bytes.Repeat([]byte{0x42, 0}, maxList+1)
	if _, err := DecodeNotetypeConfig(b); !errors.Is(err, ErrInvalid) {
		t.Errorf("%d requirements: %v", maxList+1, err)
	}
	if _, err := DecodeNotetypeConfig(b[2:]); err != nil {
		t.Errorf("%d requirements: %v", maxList, err)
	}
}

func TestInRange(t *testing.T) {
	def := DefaultDeckConfig()
	if got := def.InRange(); !reflect.DeepEqual(got, def) {
		t.Errorf("the default is out of range: %+v", got)
	}
	nan := float32(math.NaN())
	bad := DeckConfigInner{
		NewPerDay: 10000, ReviewsPerDay: math.MaxUint32, NewPerDayMinimum: 10000, InitialEase: 1.3, EasyMultiplier: 5.1,
		HardMultiplier: nan, LapseMultiplier: -0.1, IntervalMultiplier: float32(math.Inf(1)), DesiredRetention: 1, HistoricalRetention: 0.98,
		MaximumReviewInterval: 36501, FSRSParams5: []float32{nan},
	}
	got := bad.InRange()
	want := def
	want.LearnSteps, want.RelearnSteps, want.EasyDaysPercentages, want.LeechAction, want.WaitForAudio = nil, nil, nil, 0, false
	got.FSRSParams5 = nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	edge := DeckConfigInner{NewPerDay: 9999, InitialEase: 1.31, EasyMultiplier: 5, HardMultiplier: 0.5, LapseMultiplier: 1,
		IntervalMultiplier: 2, DesiredRetention: 0.7, HistoricalRetention: 0.97, MaximumReviewInterval: 36500, MinimumLapseInterval: 36500,
		GraduatingIntervalGood: 36500, GraduatingIntervalEasy: 36500, LeechThreshold: 9999, CapAnswerTimeToSecs: 9999}
	if got := edge.InRange(); !reflect.DeepEqual(got, edge) {
		t.Errorf("limits are in range: %+v", got)
	}
}

// FuzzProtobuf feeds every decoder: no panic, no output on error, and what was
// read is written the same from then on.
func FuzzProtobuf(f *testing.F) {
	zero, id, r := uint32(0), int64(-5), float32(0.9)
	f.Add(DefaultDeckConfig().Encode())
	f.Add(DeckKind{Normal: &NormalDeck{ConfigID: 1, ReviewLimit: &zero, NewLimitToday: &DayLimit{Limit: 3}, DesiredRetention: &r}}.Encode())
	f.Add(DeckKind{Filtered: &FilteredDeck{SearchTerms: []SearchTerm{{Search: "is:new", Order: -1}}, Delays: []float32{1}}}.Encode())
	f.Add(NotetypeConfig{CSS: "x", OriginalID: &id, Reqs: []CardRequirement{{FieldOrds: []uint32{0, 300}}}}.Encode())
	f.Add(FieldConfig{FontName: "A", ID: &id, Tag: &zero, Other: []byte("{}"), Unknown: []byte{0x98, 0x3f, 1}}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzBlob(t, b, NotetypeConfig.Encode, DecodeNotetypeConfig)
		fuzzBlob(t, b, FieldConfig.Encode, DecodeFieldConfig)
		fuzzBlob(t, b, TemplateConfig.Encode, DecodeTemplateConfig)
		fuzzBlob(t, b, DeckCommon.Encode, DecodeDeckCommon)
		fuzzBlob(t, b, DeckKind.Encode, DecodeDeckKind)
		fuzzBlob(t, b, DeckConfigInner.Encode, DecodeDeckConfigInner)
	})
}

func fuzzBlob[T any](t *testing.T, b []byte, encode func(T) []byte, decode func([]byte) (T, error)) {
	t.Helper()
	v, err := decode(b)
	if err != nil {
		if !reflect.ValueOf(v).IsZero() || !errors.Is(err, ErrInvalid) {
			t.Fatalf("output %+v with the error %v", v, err)
		}
		return
	}
	blobIsStable(t, v, encode, decode)
}
