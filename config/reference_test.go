package config

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite ankisyncd.conf and the tables of docs/configuration.md")

const (
	shippedPath   = "../ankisyncd.conf"
	referencePath = "../docs/configuration.md"
	beginKeys     = "<!-- keys: written by go test ./config -update -->\n"
	endKeys       = "<!-- end of keys -->\n"
)

// shippedConf writes the shipped file from the table: the keys of the originals
// with their values, all others behind a #.
func shippedConf() string {
	var b strings.Builder
	b.WriteString(`# Configuration of ankisyncd. It goes to /etc/ankisyncd/ankisyncd.conf,
# ~/.config/ankisyncd/ankisyncd.conf, beside the executable or into the working
# directory; the first one found counts. Every key can also be set in the
# environment, as ANKISYNCD_<KEY>, which counts more. Without any of it the
# server runs with the values below.
#
# A comment stands on a line of its own. A literal % is written %%.
# "ankisyncd config check" tells whether all is well, "ankisyncd config print"
# which value is in force and where it comes from.

[sync_app]
`)
	group := ""
	for _, k := range table {
		if k.group != group {
			group = k.group
			fmt.Fprintf(&b, "\n# ---- %s ----\n", group)
		}
		b.WriteString("\n")
		for _, line := range wrap(k.doc+" ("+k.unit+")", 78) {
			b.WriteString("# " + line + "\n")
		}
		mark := "#"
		if k.orig {
			mark = ""
		}
		b.WriteString(strings.TrimRight(mark+k.name+" = "+escape(k.def), " ") + "\n")
	}
	return b.String()
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// referenceKeys writes the tables of the reference.
func referenceKeys() string {
	var b strings.Builder
	group := ""
	for _, k := range table {
		if k.group != group {
			group = k.group
			fmt.Fprintf(&b, "\n### %s\n", group)
		}
		def := "`" + k.def + "`"
		if k.def == "" {
			def = "empty"
		}
		fmt.Fprintf(&b, "\n#### `%s`\n\n%s\n\n| default | value | environment | example |\n|---|---|---|---|\n| %s | %s | `%s` | `%s = %s` |\n",
			k.name, k.doc, def, k.unit, k.env(), k.name, k.ex)
	}
	return b.String() + "\n"
}

func TestShippedConfIsWrittenFromTheTable(t *testing.T) {
	compareOrUpdate(t, shippedPath, shippedConf())
}

func TestReferenceIsComplete(t *testing.T) {
	b, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(b), beginKeys)
	_, after, ok2 := strings.Cut(rest, endKeys)
	if !ok1 || !ok2 {
		t.Fatal("the marks around the keys are gone")
	}
	compareOrUpdate(t, referencePath, before+beginKeys+referenceKeys()+endKeys+after)
}

func compareOrUpdate(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date; go test ./config -update\n%s", path, cmp.Diff(string(got), want))
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestShippedConfIsDefault: the file as it is, and with every key uncommented.
func TestShippedConfIsDefault(t *testing.T) {
	b, err := os.ReadFile(shippedPath)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^#([a-z_]+ =)`).ReplaceAllString(string(b), "$1")
	if n := len(regexp.MustCompile(`(?m)^[a-z_]+ =`).FindAllString(all, -1)); n != len(table) {
		t.Errorf("%d keys uncommented, want %d", n, len(table))
	}
	for name, text := range map[string]string{"shipped": string(b), "uncommented": all} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "ankisyncd.conf", text)
			c, err := Load(LoadOptions{Path: path, Home: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Warnings) > 0 {
				t.Errorf("warnings: %q", c.Warnings)
			}
			c.File, c.sources = "", nil
			if d := cmp.Diff(finished(Default()), c, cmpConfig); d != "" {
				t.Errorf("(-default +file)\n%s", d)
			}
		})
	}
}

// TestTableIsComplete: every field has exactly one key, and each key is whole.
func TestTableIsComplete(t *testing.T) {
	notKeys := map[string]bool{"Users": true, "File": true, "Warnings": true, "sources": true, "blank": true}
	c := &Config{}
	fields := map[uintptr]string{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); !notKeys[f.Name] {
			fields[v.Field(i).Addr().Pointer()] = f.Name
		}
	}
	names := map[string]bool{}
	for _, k := range table {
		p := reflect.ValueOf(k.field(c)).Pointer()
		if fields[p] == "" {
			t.Errorf("key %q sets a field that another one sets, or none", k.name)
		}
		delete(fields, p)
		if k.doc == "" || k.unit == "" || k.ex == "" || k.group == "" || names[k.name] {
			t.Errorf("key %q lacks doc, unit, example or group, or is there twice", k.name)
		}
		names[k.name] = true
		if err := k.set(Default(), k.ex); err != nil {
			t.Errorf("key %q: example %q: %v", k.name, k.ex, err)
		}
	}
	for _, f := range fields {
		t.Errorf("field %s has no key", f)
	}
}
