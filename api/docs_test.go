package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/collection"
	"github.com/ankisyncd/ankisyncd/media"
)

// block is a piece of code in a Markdown text.
type block struct {
	language, text string
	line           int
}

func blocks(text string) []block {
	var out []block
	var cur *block
	for i, line := range strings.Split(text, "\n") {
		mark := strings.TrimSpace(line)
		switch {
		case cur == nil && strings.HasPrefix(mark, "```"):
			cur = &block{language: mark[3:], line: i + 1}
		case cur != nil && mark == "```":
			out = append(out, *cur)
			cur = nil
		case cur != nil:
			cur.text += line + "\n"
		}
	}
	return out
}

// words splits a line as a shell does, as far as the examples need it.
func words(line string) (out []string, err error) {
	var w strings.Builder
	inWord, quoted := false, false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted, inWord = !quoted, true
		case !quoted && (r == ' ' || r == '\t'):
			if inWord {
				out = append(out, w.String())
				w.Reset()
			}
			inWord = false
		case !quoted && strings.ContainsRune("\"$`|&;<>*?\\", r):
			return nil, fmt.Errorf("%q is special in a shell", r)
		default:
			w.WriteRune(r)
			inWord = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("quote is not closed")
	}
	if inWord {
		out = append(out, w.String())
	}
	return out, nil
}

// curl makes the request of a command line.
func curl(ctx context.Context, args []string) (*http.Request, error) {
	method, given, url, body := "GET", "", "", ""
	header := http.Header{}
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-d" && i+1 < len(args):
			i++
			method, body = "POST", args[i]
			header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
		case a == "-o" && i+1 < len(args):
			i++
		case a == "-X" && i+1 < len(args):
			i++
			given = args[i]
		case a == "-H" && i+1 < len(args):
			i++
			k, v, _ := strings.Cut(args[i], ": ")
			header.Set(k, v)
		case strings.HasPrefix(a, "http://127.0.0.1:27702/"):
			url = a
		default:
			return nil, fmt.Errorf("argument %q is not understood", a)
		}
	}
	req, err := http.NewRequestWithContext(ctx, cmp.Or(given, method), url, strings.NewReader(body))
	if err == nil {
		req.Header = header
	}
	return req, err
}

// TestDocs runs every example of the documentation in its order, and compares
// the answers that it shows.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/rest-api.md")
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Unix(1795428000, 0).UTC() }
	s := collection.New(t.TempDir(), collection.Options{Now: now})
	t.Cleanup(func() { _ = s.Close() })
	files := media.Open(t.TempDir(), media.Options{})
	t.Cleanup(func() { _ = files.Close() })
	srv := httptest.NewServer(New(Options{Collections: s, Users: accounts{"alice": true}, Media: files, Now: now}))
	t.Cleanup(srv.Close)
	seen := map[string]bool{}
	var answer []byte
	n := 0
	for _, b := range blocks(string(text)) {
		switch b.language {
		case "json":
			var want any
			if err := json.Unmarshal([]byte(b.text), &want); err != nil {
				t.Fatalf("line %d: %v", b.line, err)
			}
			var got any
			if err := json.Unmarshal(answer, &got); err != nil {
				t.Errorf("line %d: answer %q: %v", b.line, answer, err)
			} else if why := shows(want, got); why != "" {
				t.Errorf("line %d: %s in %s", b.line, why, answer)
			}
		case "sh":
			for _, line := range strings.Split(strings.TrimSpace(strings.ReplaceAll(b.text, "\\\n", " ")), "\n") {
				answer = run(t, srv.URL, b.line, line, seen)
				n++
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d examples were found", n)
	}
	for op := range operations {
		if !seen[op] {
			t.Errorf("there is no example of %s", op)
		}
	}
}

var pathInDocs = regexp.MustCompile(`^/collection/alice/(?:(note|model|deck|card|media)/[^/]+(?:/(\w+))?|(\w+))$`)

func run(t *testing.T, server string, line int, command string, seen map[string]bool) []byte {
	t.Helper()
	args, err := words(command)
	if err != nil || len(args) == 0 || args[0] != "curl" {
		t.Fatalf("line %d: %q is no call of curl: %v", line, command, err)
	}
	req, err := curl(t.Context(), args[1:])
	if err != nil {
		t.Fatalf("line %d: %v", line, err)
	}
	if m := pathInDocs.FindStringSubmatch(req.URL.Path); m != nil {
		kind, op := "collection", m[3]
		if m[1] != "" {
			kind, op = m[1], m[2]
			if op == "" {
				op = "index"
			}
		}
		seen[kind+"/"+op] = true
	}
	req.URL.Host = strings.TrimPrefix(server, "http://")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("line %d: %s: status %d, %v: %s", line, command, res.StatusCode, err, answer)
	}
	return answer
}

// shows tells how an answer differs from the one that is shown, which leaves keys
// out and has "…" for what changes.
func shows(want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k := range w {
			if v, ok := g[k]; !ok {
				return k + " is missing"
			} else if why := shows(w[k], v); why != "" {
				return k + ": " + why
			}
		}
		return ""
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			return fmt.Sprintf("%d elements, want %d", len(g), len(w))
		}
		for i := range w {
			if why := shows(w[i], g[i]); why != "" {
				return why
			}
		}
		return ""
	}
	if want == "…" || want == got {
		return ""
	}
	return fmt.Sprintf("%v, want %v", got, want)
}

// TestDocsMarkAdditions: the documentation says which calls the original did not have.
func TestDocsMarkAdditions(t *testing.T) {
	text, err := os.ReadFile("../docs/rest-api.md")
	if err != nil {
		t.Fatal(err)
	}
	marked := map[string]bool{}
	for _, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "**new** ") {
			continue
		}
		head, _, _ := strings.Cut(line, ": ")
		for _, m := range regexp.MustCompile("`(?:(deck|card|note|model|media)/<[^>]*>/)?([a-z_]+)`").FindAllStringSubmatch(head, -1) {
			kind := m[1]
			if kind == "" {
				kind = "collection"
			}
			marked[kind+"/"+m[2]] = true
		}
	}
	for op := range operations {
		if _, added := additions[op]; added != marked[op] {
			t.Errorf("%s is an addition: %v; is marked as one: %v", op, added, marked[op])
		}
	}
}

// TestDocsListDeviations holds the documentation to the list of the replay.
func TestDocsListDeviations(t *testing.T) {
	text, err := os.ReadFile("../docs/rest-api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deviations {
		if !strings.Contains(string(text), "**"+d.id+"**") {
			t.Errorf("deviation %s is not documented", d.id)
		}
	}
	if !strings.Contains(string(text), "10 000") || MaxPreload != 10_000 || !strings.Contains(string(text), "100 000") || maxReviews != 100_000 {
		t.Error("limits and documentation differ")
	}
}
