package api

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/schema"
)

func TestImportText(t *testing.T) {
	for name, b := range map[string]struct {
		text string
		more []string
		want []string // front|back|tags
	}{
		"tabs":        {"a\tb\nc\td\r\n", nil, []string{"a|b|", "c|d|"}},
		"semicolons":  {"a;b\n", nil, []string{"a|b|"}},
		"commas":      {"a,\"b, \"\"c\"\"\"\n", nil, []string{"a|b, &quot;c&quot;|"}},
		"tags":        {"tags: x y\na\tb\tz\n", nil, []string{"a|b|x y z"}},
		"HTML":        {"a\t<b>\n", []string{"allow_html", "1"}, []string{"a|<b>|"}},
		"text":        {"a\t<b>\n", nil, []string{"a|&lt;b&gt;|"}},
		"headers":     {"\ufeff#separator:Pipe\n#html:true\n#tags:x\n#notetype:Basic\n#other:1\na|<i>\n", nil, []string{"a|<i>|x"}},
		"tags column": {"#tags column:2\na\tt1 t2\tb\n", nil, []string{"a|b|t1 t2"}},
		"empty":       {"", nil, []string{}},
		"no first":    {"\tb\n", nil, []string{}},
		"spaces":      {" \tb\n", nil, []string{" |b|"}},
		"only guids":  {"#guid column:1\nG\nH\tb\n", nil, []string{"G||", "H||"}},
		"only tags":   {"#tags column:1\nt1 t2\n", nil, []string{"t1 t2||t1 t2"}},
		"ends early":  {"#guid column:1\nG\ta\nH\n", nil, []string{"a||", "||"}},
		"twice":       {"a\tb\na\tc\n", nil, []string{"a|c|"}},
		"keeps":       {"a\tb\na\t\tt\n", nil, []string{"a|b|t"}},
		"new tags":    {"#tags:x\na\tb\told\na\tc\tnew\n", nil, []string{"a|c|new x"}},
		"line break":  {"a\t\"b\nc\"\n", nil, []string{"a|b<br>c|"}},
		"too many":    {"a\tb\tt\tx\n", nil, []string{"a|b|t"}},
		"no comma":    {"\n#a;b\ts\nc,d\n", nil, []string{"c|d|"}},
		"open quote":  {"\"Foo\" is\tx\nzwei\ttwo\n", nil, []string{"Foo is|x|", "zwei|two|"}},
		"key wins":    {"#notetype column:1\nCloze\ta\tb\n", nil, []string{"a|b|"}},
		"no ASCII":    {"#separator:\u00a0\n\u00c2c\td\n", nil, []string{"\u00c2c|d|"}},
		"nor a guid":  {"#separator:\u00a0\n#guid column:1\n\u00c2c\td\te\n", nil, []string{"d|e|"}},
		"no cell":     {"#notetype column:9\n#deck column:3\n#guid column:4\na\tb\n", nil, []string{"a|b|"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{}, collection.Options{})
			c.ok("import_file", importOf("text", b.text, append([]string{"model", "Basic"}, b.more...)...))
			got := []string{}
			for _, n := range decodeTo[[]struct {
				Fields map[string]string
				Tags   []string
			}](t, c.ok("find_notes", `{"preload":1}`)) {
				got = append(got, n.Fields["Front"]+"|"+n.Fields["Back"]+"|"+strings.Join(n.Tags, " "))
			}
			if diff := cmp.Diff(b.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestImportLongText: a text that is too long is refused as a whole.
func TestImportLongText(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.h.maxTextRows = 2
	c.ok("import_file", importOf("text", "a\tb\nc\td\n", "model", "Basic"))
	before := meta(t, c.s)
	c.wants(413, "import_file", importOf("text", "e\tf\n\ng\th\ni\tj\n", "model", "Basic"))
	if meta(t, c.s) != before {
		t.Error("a refused text changed something")
	}
}

// TestTextsAsTheClient imports texts that the newest client's library imported: the
// same notes are there afterwards (e2e/golden/texts.py).
func TestTextsAsTheClient(t *testing.T) {
	raw, err := os.ReadFile("testdata/texts.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups map[string][]struct {
		Text  string
		Notes [][4]any
	}
	if err := json.Unmarshal(raw, &groups); err != nil {
		t.Fatal(err)
	}
	if len(groups) < 5 {
		t.Errorf("only %d groups", len(groups))
	}
	for name, group := range groups {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, Options{}, collection.Options{})
			for _, step := range group {
				var more []string
				if !strings.Contains(step.Text, "#notetype") {
					more = []string{"model", "Basic"}
				}
				c.ok("import_file", importOf("text", step.Text, more...))
				var want, got []string
				for _, n := range step.Notes {
					want = append(want, fmt.Sprint(n[0], n[1], n[2], n[3]))
				}
				for _, l := range learnedBy(t, c.s) {
					slices.Sort(l.Tags)
					slices.Sort(l.Decks)
					fields := make([]any, len(l.Fields))
					for i, f := range l.Fields {
						fields[i] = f
					}
					got = append(got, fmt.Sprint(l.Model, fields, l.Tags, slices.Compact(l.Decks)))
				}
				slices.Sort(want)
				slices.Sort(got)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%q (-want +got):\n%s", step.Text, diff)
				}
			}
		})
	}
}

// TestImportTextIntoFilteredDeck: no card goes there, nor anywhere else.
func TestImportTextIntoFilteredDeck(t *testing.T) {
	c := newClient(t, Options{}, collection.Options{})
	c.ok("add_note", `{"model":"Basic","fields":{"Front":"stays"}}`)
	if err := c.s.Edit(t.Context(), "alice", func(x *collection.Txn) error {
		_, _, err := x.SaveFilteredDeck(context.Background(), 0, collection.FilteredDeck{Name: "Filtered", Searches: []collection.FilteredSearch{{Query: "is:new", Limit: 1}}}, true)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		importOf("text", "a\tb\n", "model", "Basic", "deck", "Filtered"),
		importOf("text", "#deck:Filtered\na\tb\n", "model", "Basic"),
		importOf("text", "#deck column:1\nNew\tc\td\nFiltered\ta\tb\n", "model", "Basic"),
		importOf("text", "a\tb\n", "model", "Basic", "deck", "Filtered::Below"),
	} {
		c.wants(400, "import_file", body)
	}
	if got := decodeTo[[]any](t, c.ok("find_notes", "{}")); len(got) != 1 {
		t.Errorf("%d notes", len(got))
	}
}

func FuzzParseText(f *testing.F) {
	for _, s := range []string{
		"a\tb", "#separator:,\n#html:true\na,b", "tags: x\n", "#", "\ufeff#tags column:9\na", "#columns:B\tA\n#guid column:1\na\tb\tc",
		"\"a\" b\t\"c\"\"\r\n\n#d\re\n\"f",
		"#separator:\u00a0\n#guid column:1\n\u00c2c\td\n",
	} {
		f.Add(s)
	}
	fields := []schema.Field{{Name: "A"}, {Name: "B"}, {Name: "C"}}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseText(s)
		if err != nil {
			if asHTTP(err).status != 400 {
				t.Error(err)
			}
			return
		}
		if !strings.HasSuffix(s, p.body) || p.separator == 0 {
			t.Errorf("%q: %+v", s, p)
		}
		places, r := p.places(fields), p.rows()
		rows, bytes := 0, 0
		for row, ok := r.next(); ok; row, ok = r.next() {
			rows++
			for _, cell := range row {
				bytes += len(cell) + 1 // with what ends it
			}
			if rows > len(p.body) {
				break // it would never end
			}
			if n := p.note(row, places); len(row) == 0 || len(n.fields) != 3 {
				t.Errorf("%q: row %q, %d fields", s, row, len(n.fields))
			}
		}
		if bytes > len(p.body)+1 || rows > len(p.body) || r.text != "" {
			t.Errorf("%q: %d rows of %d bytes, %q is left", s, rows, bytes, r.text)
		}
	})
}

// TestTextReader: rows as the newest client reads them.
func TestTextReader(t *testing.T) {
	for text, want := range map[string][][]string{
		"":                       nil,
		"\n\r\n\r":               nil,
		"a":                      {{"a"}},
		"a\t":                    {{"a", ""}},
		"\t\n":                   {{"", ""}},
		"a\tb\nc\td\n":           {{"a", "b"}, {"c", "d"}},
		"a\tb\r\nc\td\r\n":       {{"a", "b"}, {"c", "d"}},
		"a\tb\rc\td\r":           {{"a", "b"}, {"c", "d"}},
		"\n\na\n\r\n\nb\n":       {{"a"}, {"b"}},
		"\"Foo\" is\tx\ny\tz":    {{"Foo is", "x"}, {"y", "z"}},
		"a\"b\tc\"\"d\n":         {{"a\"b", "c\"\"d"}},
		"\"a\"\"b\"\t\"x\"y\"z":  {{"a\"b", "xy\"z"}},
		" \"a\"\tb":              {{" \"a\"", "b"}},
		"\"a\"\r\n\"b\"\t\"c\" ": {{"a"}, {"b", "c "}},
		"\"\"\tb":                {{"", "b"}},
		"\"\"\"\"\t\"\"\"":       {{"\"", "\""}},
		"\"a\r\nb\tc\"\td":       {{"a\r\nb\tc", "d"}},
		"\"open\tx\ny\tz":        {{"open\tx\ny\tz"}},
		"#c\na\n#d\te\nf":        {{"a"}, {"f"}},
		"a\n\n#c\rd\ne":          {{"a"}, {"e"}},
		"a\t#b\n #x\n\"#q\"":     {{"a", "#b"}, {" #x"}, {"#q"}},
		"#":                      nil,
		"a\x00b\tc":              {{"a\x00b", "c"}},
	} {
		var got [][]string
		r := textReader{text: text, separator: '\t'}
		for row, ok := r.next(); ok; row, ok = r.next() {
			got = append(got, slices.Clone(row))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	r := textReader{text: strings.Repeat(",", 3*maxColumns) + "\nb", separator: ','}
	if row, _ := r.next(); len(row) != maxColumns {
		t.Errorf("%d columns", len(row))
	}
	if row, _ := r.next(); len(row) != 1 || row[0] != "b" {
		t.Errorf("after a long row: %q", row)
	}
}
