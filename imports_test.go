package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/ankisyncd/ankisyncd"

// rooms is the import graph: for every package the imports it may have beyond
// the standard library, and of the standard library those that are a room's
// privilege (see restricted). Arrows point down only. A new edge is a reviewed
// line here.
var rooms = map[string][]string{
	// wiring
	".": {
		"api", "auth", "collection", "config", "media", "rendering", "scheduling", "search", "shortcut", "sync",
		"github.com/urfave/cli/v2", "github.com/VictoriaMetrics/metrics", "golang.org/x/term", "golang.org/x/text", "net/http",
	},

	// front rooms: HTTP, no SQL; peers that never import one another
	"sync": {"auth", "collection", "media", "offheap", "github.com/klauspost/compress", "net/http"},
	"api": {
		"auth", "collection", "media", "rendering", "scheduling", "schema", "search",
		"github.com/klauspost/compress", "google.golang.org/protobuf", "net/http",
	},

	// before the front rooms: knows HTTP, and nothing of ours
	"shortcut": {"nowait", "net/http"},

	// stores: files and SQL, no HTTP; peers that never import one another
	"collection": {"filestate", "offheap", "rendering", "scheduling", "schema", "search", "sqlite", "database/sql", "golang.org/x/sys", "golang.org/x/text"},
	"media":      {"filestate", "osname", "sqlite", "database/sql", "golang.org/x/sys", "golang.org/x/text"},
	"auth":       {"nowait", "osname", "sqlite", "database/sql", "golang.org/x/crypto", "golang.org/x/sys"},
	"search":     {"schema", "sqlite", "database/sql", "golang.org/x/text"},

	// pure rooms: no I/O at all
	"schema":     {"sqlite", "golang.org/x/text", "google.golang.org/protobuf"},
	"scheduling": {"schema"},
	"rendering":  {"schema"},

	// the bottom
	"sqlite":    {"database/sql", "golang.org/x/text", "modernc.org/libc", "modernc.org/sqlite"},
	"config":    {"gopkg.in/ini.v1"},
	"filestate": {"nowait", "golang.org/x/sys"},
	"nowait":    {"golang.org/x/sys"},
	"offheap":   {"golang.org/x/sys"},
	"osname":    {},

	// for tests alone
	"osname/osnametest": {},
}

// restricted are the packages of the standard library that only some rooms may
// import: SQL belongs to the stores, HTTP to the front rooms.
var restricted = []string{"database/sql", "net/http"}

// pure are the rooms that neither read nor write anything outside their arguments.
var pure = []string{"schema", "scheduling", "rendering"}

// elsewhere are folders that hold modules of their own, or no room at all.
var elsewhere = []string{"bench", "deploy", "docs", "e2e", "testdata"}

// TestImportGraph holds every non-test file to the graph above.
func TestImportGraph(t *testing.T) {
	found := roomImports(t)
	if len(found) < 2 {
		t.Fatalf("found only the packages %v: the test does not see the tree", found)
	}
	for room, imports := range found {
		allowed, known := rooms[room]
		if !known {
			t.Errorf("package %s is not in the import graph: add a row to rooms in imports_test.go", room)
			continue
		}
		for imported, file := range imports {
			if why := forbidden(room, imported, allowed); why != "" {
				t.Errorf("%s imports %q: %s", file, imported, why)
			}
		}
	}
}

// TestImportGraphRefuses proves that the rules above can say no.
func TestImportGraphRefuses(t *testing.T) {
	for _, c := range []struct {
		room, imported string
		refused        bool
	}{
		{"sync", "database/sql", true},
		{"sync", modulePath + "/sqlite", true},
		{"sync", modulePath + "/api", true},
		{"sync", modulePath + "/collection", false},
		{"collection", "net/http", true},
		{"collection", "net/http/httptest", true},
		{"collection", modulePath + "/media", true},
		{"collection", modulePath + "/collection/sub", true},
		{"collection", "database/sql", false},
		{"collection", "database/sql/driver", false},
		{"schema", "os", true},
		{"schema", "encoding/json", false},
		{"schema", "google.golang.org/protobuf/encoding/protowire", false},
		{"config", modulePath + "/sync", true},
		{"config", "example.org/other", true},
		{"auth", "golang.org/x/crypto/argon2", false},
		{"auth", "golang.org/x/cryptography", true},
	} {
		if got := forbidden(c.room, c.imported, rooms[c.room]) != ""; got != c.refused {
			t.Errorf("%s importing %q: refused %t, want %t", c.room, c.imported, got, c.refused)
		}
	}
}

// forbidden says why a room must not import a package, "" where it may.
func forbidden(room, imported string, allowed []string) string {
	if slices.ContainsFunc(allowed, func(a string) bool { return within(imported, a) || imported == modulePath+"/"+a }) {
		return ""
	}
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case within(imported, modulePath):
		return "this edge is not in the graph"
	case strings.Contains(first, "."):
		return "this module is not in the room's row"
	case slices.ContainsFunc(restricted, func(r string) bool { return within(imported, r) }):
		return "the room may not use this package"
	case slices.Contains(pure, room) && slices.ContainsFunc([]string{"os", "net", "io/fs", "syscall"}, func(r string) bool { return within(imported, r) }):
		return "the room does no I/O"
	}
	return ""
}

// within tells whether an import path is the given one or lies below it.
func within(imported, parent string) bool {
	return imported == parent || strings.HasPrefix(imported, parent+"/")
}

// roomImports maps each package folder to its imports and the file of each.
func roomImports(t *testing.T) map[string]map[string]string {
	t.Helper()
	found := map[string]map[string]string{}
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := path.Base(name)
			if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || slices.Contains(elsewhere, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		room := path.Dir(name)
		if found[room] == nil {
			found[room] = map[string]string{}
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[room][imported] = name
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
