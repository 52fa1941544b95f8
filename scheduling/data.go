package scheduling

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// ErrCustomData is returned for custom data that clients would refuse.
var ErrCustomData = errors.New("scheduling: custom data is not a small JSON object")

// Memory is the FSRS memory state of a card.
type Memory struct {
	Stability  float32 // days until recall drops to 90 %, 0.001 to 36500
	Difficulty float32 // 1 to 10
}

// shifted is the difficulty as review log entries carry it, 0.1 to 1.1.
func (m Memory) shifted() float32 { return (m.Difficulty-1)/9 + 0.1 }

// Data is the data column of a card (docs/collection-format.md §2.4). Keys that
// are not known here are kept as they were.
type Data struct {
	Position         *uint32 // in the new queue, before the card left it
	Memory           *Memory
	DesiredRetention *float32
	Decay            *float32
	LastReview       *int64 // epoch seconds
	Custom           string // a JSON object as text, or ""

	other []dataField
}

type dataField struct {
	key   string // as a JSON string
	value json.RawMessage
}

// ParseData reads the data column. Text that is no JSON object reads as empty,
// and a known key with a value of the wrong kind as absent.
func ParseData(text string) Data {
	var d Data
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Data{}
	}
	var stability, difficulty *float32
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return Data{}
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return Data{}
		}
		switch name, _ := key.(string); name {
		case "pos":
			d.Position = number[uint32](value)
		case "s":
			stability = number32(value)
		case "d":
			difficulty = number32(value)
		case "dr":
			d.DesiredRetention = number32(value)
		case "decay":
			d.Decay = number32(value)
		case "lrt":
			d.LastReview = number[int64](value)
		case "cd":
			d.Custom = ""
			_ = json.Unmarshal(value, &d.Custom)
		default:
			d.keep(name, value)
		}
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('}') || dec.More() {
		return Data{}
	}
	if stability != nil && difficulty != nil {
		d.Memory = &Memory{*stability, *difficulty}
	}
	return d
}

// keep stores a key that is not ours; the last of several of one name wins.
func (d *Data) keep(name string, value json.RawMessage) {
	key, err := json.Marshal(name)
	if err != nil {
		return
	}
	for i := range d.other {
		if d.other[i].key == string(key) {
			d.other[i].value = value
			return
		}
	}
	d.other = append(d.other, dataField{string(key), value})
}

// String is the text for the data column, with the numbers rounded as clients
// round them.
func (d Data) String() string {
	b := []byte{'{'}
	field := func(key string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, key...)
		b = append(b, ':')
	}
	decimal := func(key string, v *float32, factor float32) {
		if v == nil || !isFinite(*v) {
			return
		}
		if r := roundPlaces(*v, factor); isFinite(r) {
			field(key)
			b = appendFloat(b, r)
		}
	}
	if d.Position != nil {
		field(`"pos"`)
		b = strconv.AppendUint(b, uint64(*d.Position), 10)
	}
	if m := d.Memory; m != nil && isFinite(m.Stability) && isFinite(m.Difficulty) {
		decimal(`"s"`, &m.Stability, 1e4)
		decimal(`"d"`, &m.Difficulty, 1e3)
	}
	decimal(`"dr"`, d.DesiredRetention, 1e2)
	decimal(`"decay"`, d.Decay, 1e3)
	if d.LastReview != nil {
		field(`"lrt"`)
		b = strconv.AppendInt(b, *d.LastReview, 10)
	}
	if d.Custom != "" && d.Custom != "{}" {
		if text, err := json.Marshal(d.Custom); err == nil {
			field(`"cd"`)
			b = append(b, text...)
		}
	}
	for _, f := range d.other {
		field(f.key)
		b = append(b, f.value...)
	}
	return string(append(b, '}'))
}

// ValidateCustom checks data for [Data.Custom]: a JSON object of at most 100
// bytes with keys of at most 8.
func ValidateCustom(text string) error {
	if text == "" || text == "{}" {
		return nil
	}
	var object map[string]json.RawMessage
	if len(text) > 100 || json.Unmarshal([]byte(text), &object) != nil || object == nil {
		return ErrCustomData
	}
	for k := range object {
		if len(k) > 8 {
			return ErrCustomData
		}
	}
	return nil
}

// number reads a JSON integer that fits.
func number[T uint32 | int64](raw json.RawMessage) *T {
	var v T
	if string(raw) == "null" || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return &v
}

// number32 reads a JSON number that single precision can hold.
func number32(raw json.RawMessage) *float32 {
	var v float64
	if string(raw) == "null" || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	if f := float32(v); isFinite(f) {
		return &f
	}
	return nil
}

// appendFloat writes f as clients do: the shortest text that reads back, always
// with a decimal point.
func appendFloat(b []byte, f float32) []byte {
	if abs := math.Abs(float64(f)); abs >= 1e16 || abs != 0 && abs < 1e-5 {
		return strconv.AppendFloat(b, float64(f), 'e', -1, 32)
	}
	start := len(b)
	b = strconv.AppendFloat(b, float64(f), 'f', -1, 32)
	if bytes.IndexByte(b[start:], '.') < 0 {
		b = append(b, '.', '0')
	}
	return b
}
