package config

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/ini.v1"
)

// pythonCase is one case of testdata/pyini.json, recorded from configparser.
type pythonCase struct {
	Name, Text, Error string
	Sections          map[string]map[string]struct{ Value, Error string }
}

func pythonCases(t testing.TB) []pythonCase {
	t.Helper()
	b, err := os.ReadFile("testdata/pyini.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []pythonCase
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 50 {
		t.Fatalf("only %d cases", len(cases))
	}
	return cases
}

// TestPythonDialect compares the reader with Python's own.
func TestPythonDialect(t *testing.T) {
	for _, c := range pythonCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			f, err := parseINI("x.conf", c.Text, dialect{})
			if (err != nil) != (c.Error != "") {
				t.Fatalf("got error %v, Python %q", err, c.Error)
			}
			if err != nil {
				return
			}
			got := map[string]map[string]string{}
			want := map[string]map[string]string{}
			for s, keys := range c.Sections {
				want[s] = map[string]string{}
				for k, v := range keys {
					want[s][k] = v.Value
					if v.Error != "" {
						want[s][k] = "error"
					}
				}
			}
			for _, s := range f.SectionStrings() {
				if s == ini.DefaultSection {
					continue
				}
				got[s] = map[string]string{}
				for _, k := range append(f.keys(ini.DefaultSection), f.keys(s)...) {
					raw, _ := f.raw(s, k)
					v, err := interpolate(raw, func(name string) (string, bool) { return f.raw(s, strings.ToLower(name)) })
					if err != nil {
						v = "error"
					}
					got[s][k] = v
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("(-Python +ours)\n%s", d)
			}
		})
	}
}

// TestPython2Dialect has what PasteDeploy on Python 2 reads differently.
func TestPython2Dialect(t *testing.T) {
	f, err := parseINI("p.ini", "[a]\nKey = x ; comment\nb = x;y\nb = last\nc = \"\"\n", dialect{python2: true})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"Key": "x", "b": "last", "c": ""} {
		if got, ok := f.raw("a", k); got != want || !ok {
			t.Errorf("%s: got %q, %v, want %q", k, got, ok, want)
		}
	}
}

// TestErrorsNameTheLine checks that each bad line is named, not just the first.
func TestErrorsNameTheLine(t *testing.T) {
	_, err := parseINI("x.conf", "[sync_app]\nport = 1\noops\nport = 2\n[sync_app]\n\xff\n", dialect{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`x.conf:3: "oops" is neither`,
		`x.conf:4: key "port" is there twice, first in line 2`,
		`x.conf:5: section [sync_app] is there twice`,
		`x.conf:6: not UTF-8`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

// TestInterpolationIsBounded: ten levels of ten references each would be ten
// gigabytes.
func TestInterpolationIsBounded(t *testing.T) {
	lookup := func(name string) (string, bool) {
		if name == "a0" {
			return "xxxxxxxxxx", true
		}
		next := "%(a" + string(name[1]-1) + ")s"
		return strings.Repeat(next, 10), true
	}
	if _, err := interpolate("%(a9)s", lookup); err == nil {
		t.Error("no error")
	}
}

// FuzzINI: whatever the text, each value that was read is one that stands in
// the text, and the file written back gives the same sections.
func FuzzINI(f *testing.F) {
	for _, c := range pythonCases(f) {
		f.Add(c.Text)
	}
	shipped, err := os.ReadFile("../ankisyncd.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(shipped))
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseINI("f", text, dialect{})
		if err != nil {
			if file != nil {
				t.Error("a file beside the error")
			}
			return
		}
		var b strings.Builder
		for _, s := range file.SectionStrings() {
			b.WriteString("[" + s + "]\n")
			for _, k := range file.keys(s) {
				v, _ := file.raw(s, k)
				b.WriteString(k + " = " + strings.ReplaceAll(v, "\n", "\n\t") + "\n")
			}
		}
		again, err := parseINI("f", b.String(), dialect{})
		if err != nil {
			t.Fatalf("written back: %v\n%q", err, b.String())
		}
		for _, s := range file.SectionStrings() {
			for _, k := range file.keys(s) {
				v, _ := file.raw(s, k)
				w, _ := again.raw(s, k)
				if v != w {
					t.Errorf("[%s] %s: %q became %q", s, k, v, w)
				}
			}
		}
	})
}

func FuzzTOML(f *testing.F) {
	b, err := os.ReadFile("testdata/fixtures/ankisyncd.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("[a] # x\nb = 'c' # d\ne = \"f\\n\" \ng = 0x10\nh = true")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := parseTOML("f", text)
		if err == nil && len(file.values) != len(file.order) {
			t.Errorf("%d values, %d in order", len(file.values), len(file.order))
		}
	})
}
