package search

import (
	"encoding/json"
	"strconv"
	"testing"
)

// FuzzCardData: the scanner reads what encoding/json reads.
func FuzzCardData(f *testing.F) {
	for _, s := range []string{
		`{"pos":1,"s":2.5,"d":3,"dr":0.9,"decay":0.15,"lrt":5,"cd":"{\"a\":1}"}`, `{ "s" : 1 , "x" : [ {"s":2}, "]" ] , "d" : "}" }`,
		`{"a\"b":{},"s":1e3}`, `{}`, `{"s":1`, `[]`, ` {"s":1}`, `{"s":null}`, `{"cd":"\u00e9"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := parseCardData(s)
		got.customValue("a")
		got.retrievability(1, 2, 3, 4)
		var m map[string]json.RawMessage
		if json.Unmarshal([]byte(s), &m) != nil || s[0] != '{' {
			if !isNaN(got.stability) {
				t.Fatalf("%q is no object, but gives %v", s, got.stability)
			}
			return
		}
		if json.Unmarshal(m["cd"], new(string)) != nil && m["cd"] != nil || string(m["cd"]) == "null" {
			return
		}
		n := 0
		for k, v := range members(s) {
			key, err := strconv.Unquote(`"` + k + `"`)
			if err != nil { // an escape that Go writes otherwise
				return
			}
			n++
			if !json.Valid([]byte(v)) {
				t.Fatalf("%q: member %q is %q", s, key, v)
			}
			if raw, ok := m[key]; !ok && key == k {
				t.Fatalf("%q: no member %q", s, key)
			} else if key == "s" && string(raw) == v && v[0] != '"' {
				if want := float(v); want != got.stability && !isNaN(want) {
					t.Fatalf("%q: %v, want %v", s, got.stability, want)
				}
			}
		}
		if n < len(m) {
			t.Fatalf("%q: %d members, want %d", s, n, len(m))
		}
	})
}

// FuzzRegexp: what is accepted compiles and matches in bounded time.
func FuzzRegexp(f *testing.F) {
	for _, s := range []string{`\bмир\b`, `(?i)[\d\W]+?{2,3}`, `[^]a\]]`, `\<(a|b)*\>`, `\u{61}\x41`, `a**+?`, `(?P<x>a)|\p{Greek}`, `((a{10}){10})`, `(?i`, `[[:alpha:]`,
		`[]-a--z&&b]`, `[\d-z\W]{9}`, `\p{sc=Grek}\P{alpha}[\p{Lu}]`, `(?u-i:a)(?<n>b)`, `x{999}{2}`} {
		f.Add(s, "a b мир é")
	}
	f.Fuzz(func(t *testing.T, re, text string) {
		if len(re) > MaxTermBytes || len(text) > 200 {
			return
		}
		out, n, err := translateRegexp("(?i)" + re)
		if err != nil || n > maxRegexpInsts {
			return
		}
		checkCost(t, out, n)
		m, err := compileMatcher(out)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", re, out, err)
		}
		m.match(text)
	})
}
