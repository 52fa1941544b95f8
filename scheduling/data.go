package scheduling

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"strconv"
	"strings"
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
	index map[string]int // of other
}

// dataField is a member of the object, as it was written.
type dataField struct{ key, value string }

// ParseData reads the data column. Text that is no JSON object reads as empty,
// and a known key with a value of the wrong kind as absent.
func ParseData(text string) Data {
	var d Data
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") || !json.Valid([]byte(text)) {
		return d
	}
	var stability, difficulty *float32
	for key, value := range members(text) {
		switch key {
		case `"pos"`:
			d.Position = number[uint32](value)
		case `"s"`:
			stability = number32(value)
		case `"d"`:
			difficulty = number32(value)
		case `"dr"`:
			d.DesiredRetention = number32(value)
		case `"decay"`:
			d.Decay = number32(value)
		case `"lrt"`:
			d.LastReview = number[int64](value)
		case `"cd"`:
			d.Custom = ""
			_ = json.Unmarshal([]byte(value), &d.Custom)
		default:
			if !disguised(key) {
				d.keep(key, value)
			}
		}
	}
	if stability != nil && difficulty != nil {
		d.Memory = &Memory{*stability, *difficulty}
	}
	return d
}

// disguised reports whether key is one of ours, written with escapes. Clients
// refuse objects in which a key of theirs comes twice.
func disguised(key string) bool {
	var name string
	if strings.IndexByte(key, '\\') < 0 || json.Unmarshal([]byte(key), &name) != nil {
		return false
	}
	switch name {
	case "pos", "s", "d", "dr", "decay", "lrt", "cd":
		return true
	}
	return false
}

// members are the keys and values of a JSON object that is known to be valid,
// as they are written.
func members(object string) iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		i := strings.IndexByte(object, '{') + 1
		for {
			i = skipBlank(object, i)
			if i >= len(object) || object[i] != '"' {
				return
			}
			start := i
			i = skipValue(object, i)
			key := object[start:i]
			i = skipBlank(object, skipBlank(object, i)+1) // the colon
			start = i
			i = skipValue(object, i)
			if !yield(key, object[start:i]) {
				return
			}
			i = skipBlank(object, i) + 1 // the comma, or the end
		}
	}
}

func skipBlank(s string, i int) int {
	for i < len(s) && strings.IndexByte(" \t\r\n", s[i]) >= 0 {
		i++
	}
	return i
}

// skipValue returns the end of the value of a valid document that starts at i.
func skipValue(s string, i int) int {
	depth := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return min(i+1, len(s))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			} else if depth < 0 {
				return i
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// keep stores a key that is not ours; the last of several of one name wins.
func (d *Data) keep(key, value string) {
	if i, ok := d.index[key]; ok {
		d.other[i].value = value
		return
	}
	if d.index == nil {
		d.index = map[string]int{}
	}
	d.index[key] = len(d.other)
	d.other = append(d.other, dataField{key, value})
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
		if v != nil && isFinite(*v) {
			field(key)
			b = appendFloat(b, roundPlaces(*v, factor))
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
func number[T uint32 | int64](raw string) *T {
	v, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || int64(T(v)) != v {
		return nil
	}
	n := T(v)
	return &n
}

// number32 reads a JSON number that single precision can hold.
func number32(raw string) *float32 {
	if raw == "" || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return nil
	}
	v, err := strconv.ParseFloat(raw, 64)
	if f := float32(v); err == nil && isFinite(f) {
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
