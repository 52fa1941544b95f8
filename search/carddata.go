package search

import (
	"bytes"
	"encoding/json"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
)

// cardData is what searches use of the data column of a card
// (docs/collection-format.md §2.4). NaN is what is missing or of a wrong type.
type cardData struct {
	pos        int64 // -1 is none
	stability  float32
	difficulty float32
	decay      float32
	lastReview int64 // epoch s; valid if hasReview
	hasReview  bool
	custom     string // a JSON object as text
}

var noNumber = float32(math.NaN())

func parseCardData(s string) cardData {
	none := cardData{pos: -1, stability: noNumber, difficulty: noNumber, decay: noNumber}
	if s == "" || s == "{}" {
		return none
	}
	if s[0] != '{' || !json.Valid([]byte(s)) {
		return none
	}
	d := none
	for key, raw := range members(s) {
		switch key {
		case "cd":
			// A custom text that is no text spoils the whole, as in the client.
			if raw[0] != '"' || json.Unmarshal([]byte(raw), &d.custom) != nil {
				return none
			}
		case "s":
			d.stability = float(raw)
		case "d":
			d.difficulty = float(raw)
		case "decay":
			d.decay = float(raw)
		case "pos":
			if n, err := strconv.ParseUint(raw, 10, 32); err == nil {
				d.pos = int64(n)
			}
		case "lrt":
			if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
				d.lastReview, d.hasReview = n, true
			}
		}
	}
	return d
}

// members goes through a valid JSON object: keys without their quotes (escapes
// stay), values as they are written.
func members(s string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		const space = " \t\r\n"
		s := strings.TrimLeft(s[1:], space)
		for s[0] == '"' {
			key := s[:jsonEnd(s)]
			s = strings.TrimLeft(s[len(key):], space)
			s = strings.TrimLeft(s[1:], space) // the colon
			val := s[:jsonEnd(s)]
			if !yield(key[1:len(key)-1], strings.TrimRight(val, space)) {
				return
			}
			s = strings.TrimLeft(s[len(val):], space+",")
		}
	}
}

// jsonEnd is where the valid JSON value at the start of s ends.
func jsonEnd(s string) int {
	depth, inText := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case inText:
			if c == '\\' {
				i++
			} else if c == '"' {
				inText = false
				if depth == 0 {
					return i + 1
				}
			}
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case c == ',' && depth == 0:
			return i
		}
	}
	return len(s)
}

func float(raw string) float32 {
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return noNumber
	}
	return float32(f)
}

// customValue is the text of a value of the custom data, false if it has none.
func (d cardData) customValue(key string) (string, bool) {
	if d.custom == "" {
		return "", false
	}
	dec := json.NewDecoder(strings.NewReader(d.custom))
	dec.UseNumber()
	var m map[string]any
	if dec.Decode(&m) != nil {
		return "", false
	}
	if _, err := dec.Token(); err != io.EOF {
		return "", false
	}
	v, ok := m[key]
	if !ok {
		return "", false
	}
	if s, ok := v.(string); ok {
		return s, true
	}
	return compactJSON(v), true
}

// compactJSON writes a decoded value: keys sorted, nothing escaped needlessly.
func compactJSON(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(canonicalNumbers(v)) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// canonicalNumbers writes whole numbers as they are and others as a double
// prints: 1.50 is 1.5, and 1e2 is 100.0.
func canonicalNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			if _, err := v.Int64(); err == nil {
				return v
			}
			if _, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
				return v
			}
		}
		f, err := v.Float64()
		if err != nil {
			return v
		}
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if a := math.Abs(f); a != 0 && (a < 1e-5 || a >= 1e16) {
			mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
			n, _ := strconv.Atoi(exp)
			return json.Number(mantissa + "e" + strconv.Itoa(n))
		}
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return json.Number(s)
	case map[string]any:
		for k, e := range v {
			v[k] = canonicalNumbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = canonicalNumbers(e)
		}
	}
	return v
}

// defaultDecay is that of FSRS 4.5 and 5, which did not store one.
const defaultDecay = 0.5

// dueIsTime is the due from which on it is a time and not a day.
const dueIsTime = 365_000

// retrievability is how likely the card is remembered now; due and ivl are the
// card's, today the day number, now in epoch s. NaN without a memory state.
func (d cardData) retrievability(due, ivl, today, now int64) float32 {
	if isNaN(d.stability) || isNaN(d.difficulty) {
		return noNumber
	}
	var elapsed uint32 // s
	switch {
	case d.hasReview:
		elapsed = since(now, d.lastReview)
	case due > dueIsTime:
		elapsed = since(now, int64(since(due, ivl)))
	default:
		elapsed = since(today, int64(since(due, ivl))) * 86_400
	}
	decay := d.decay
	if isNaN(decay) {
		decay = defaultDecay
	}
	return forgettingCurve(float32(elapsed)/86_400, d.stability, decay)
}

// since is a-b of two 32-bit numbers, not below 0.
func since(a, b int64) uint32 {
	x, y := uint32(a), uint32(b)
	if x < y {
		return 0
	}
	return x - y
}

// forgettingCurve is FSRS's: 1 at once, 0.9 after stability days. Every step
// is rounded to 32 bits, as the client's are.
func forgettingCurve(days, stability, decay float32) float32 {
	factor := float32(math.Pow(float64(float32(0.9)), float64(1/-decay))) - 1
	base := float32(float32(days/stability)*factor) + 1
	return float32(math.Pow(float64(base), float64(-decay)))
}

func isNaN(f float32) bool { return f != f }
