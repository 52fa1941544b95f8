package media_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
)

func TestList(t *testing.T) {
	s, root := newStore(t, media.Options{})
	if list, err := s.List(ctx, user, "", 10); len(list) != 0 || err != nil {
		t.Error(list, err)
	}
	mustApply(t, s, entry{"b", "two"}, entry{"a", "one!"}, entry{"gone", "x"}, entry{"ü", "three"})
	mustApply(t, s, entry{"gone", ""})
	list := func(after string, limit int) (out []media.Entry) {
		t.Helper()
		out, err := s.List(ctx, user, after, limit)
		if err != nil {
			t.Error(err)
		}
		return out
	}
	e := func(name, content string, usn int32) media.Entry {
		return media.Entry{Change: media.Change{Name: name, USN: usn, Sum: sha(content)}, Size: int64(len(content))}
	}
	a, b, u := e("a", "one!", 2), e("b", "two", 1), e("ü", "three", 4)
	for _, c := range []struct {
		after string
		limit int
		want  []media.Entry
	}{
		{"", 10, []media.Entry{a, b, u}}, {"", 2, []media.Entry{a, b}}, {"b", 2, []media.Entry{u}}, {"ü", 2, nil},
		{"aa", 1, []media.Entry{b}}, {"", 0, nil}, {"", -1, nil},
	} {
		if d := cmp.Diff(c.want, list(c.after, c.limit)); d != "" {
			t.Errorf("%d after %q: %s", c.limit, c.after, d)
		}
	}
	// Where nobody has noted the size the file says it, and one that is not there has none.
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	sqlOn(t, filepath.Join(root, user, "collection.media.server.db"), `DELETE FROM ankisyncd_file`)
	if err := os.Remove(filepath.Join(root, user, "collection.media", "b")); err != nil {
		t.Fatal(err)
	}
	b.Size = -1
	if d := cmp.Diff([]media.Entry{a, b, u}, list("", 10)); d != "" {
		t.Error(d)
	}
}

// TestClientName: what the newest client makes of names when it looks through its
// folder [run: col.media.check of 26.9.3].
func TestClientName(t *testing.T) {
	for name, want := range map[string]string{
		"a.jpg": "a.jpg", " a": " a", "a:b.jpg": "ab.jpg", `a"b`: "ab", "[x].jpg": "x.jpg", "CON.txt": "con_.txt", "Con": "con_", "con.": "con_._",
		"end.": "end._", "end ": "end _", "end.. ": "end.. _", "x\ny.jpg": "xy.jpg", "a\u00a0b.jpg": "a b.jpg", "\u00a0": " _", "a\ufffe.jpg": "a.jpg",
		"a\U0001ffff": "a", "con?.jpg": "con_.jpg", "[con]": "con_", "nul.tar.gz": "nul_.tar.gz", "aux .txt": "aux .txt", "a. .jpg": "a. .jpg", "[": "",
		strings.Repeat("é", 59) + ".jpg": strings.Repeat("é", 57) + ".jpg", strings.Repeat("x", 117) + ".jpg": strings.Repeat("x", 115) + ".jpg",
		strings.Repeat("x", 120) + ".verylongextension": strings.Repeat("x", 108) + ".verylongex", strings.Repeat("x", 130): strings.Repeat("x", 118),
		strings.Repeat("a:", 70) + ".jpg": strings.Repeat("a", 70) + ".jpg", "." + strings.Repeat("x", 150): ".xxxxxxxxxx",
		strings.Repeat("x", 119) + ".": strings.Repeat("x", 117) + "._", "x." + strings.Repeat("é", 40): "x." + strings.Repeat("é", 40),
	} {
		if got := media.ClientName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// TestExportName: clients leave such names alone, whatever a file is called.
func TestExportName(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{
		"a.jpg", "a:b.jpg", "a?b.jpg", "[", "::::", "CON", "end.", strings.Repeat("x", 255), strings.Repeat("é", 120) + ".jpg", strings.Repeat("x", 116) + " " + strings.Repeat("y", 40),
		strings.Repeat(".", 200), "u\u0308.jpg", "ankisyncd-0123456789abcdef.jpg",
	} {
		for _, used := range []bool{false, true} {
			got, err := media.ExportName(name, func(string) (bool, error) { return used, nil })
			if got == "" || media.ClientName(got) != got || len(got) > 120 || err != nil {
				t.Errorf("%q, %v goes as %q, %v", name, used, got, err)
			}
			if used && got != name && seen[got] {
				t.Errorf("%q goes as %q, like another one", name, got)
			}
			if used {
				seen[got] = true
			}
		}
	}
	if got, _ := media.ExportName("a:b.jpg", func(string) (bool, error) { return false, nil }); got != "ab.jpg" {
		t.Errorf("a:b.jpg goes as %q", got)
	}
}

// TestCheckNewName: names that the newest client leaves as they are, and those that
// it changes [run: col.media.write_data of 26.9.3].
func TestCheckNewName(t *testing.T) {
	for _, good := range []string{
		"a.jpg", "a b.jpg", " a.jpg", "com0.txt", "conin$.txt", "a\u2003b.jpg", "ü.jpg", strings.Repeat("x", 116) + ".jpg",
		strings.Repeat("ü", 58) + ".jpg", "_a.css", ".hidden", "a'b&c%20#.jpg", "~a", "a{}.jpg", "😀.png", "-", "a;b=c,d.png", "console.txt", "my thumbs.db",
	} {
		if why := media.CheckNewName(good); why != "" {
			t.Errorf("%q %s", good, why)
		}
	}
	for _, bad := range []string{
		"", ".", "..", "a/b", "../a", "a.jpg ", "a.jpg.", "a[1].jpg", "a<.jpg", "a>.jpg", "a:.jpg", `a".jpg`, "a?.jpg", "a*.jpg", "a^.jpg", "a|.jpg",
		`a\b.jpg`, "a\tb.jpg", "a\x7fb.jpg", "a\x00b", "con.jpg", "CON", "com1.txt", "lpt9", "nul.tar.gz", "a\u00a0b.jpg", "u\u0308.jpg",
		strings.Repeat("x", 117) + ".jpg", strings.Repeat("ü", 59) + ".jpg", "\xff.jpg", ".ankisyncd-incoming",
		"Thumbs.db", "thumbs.db", ".DS_Store", "a\ufffe.jpg", "a\uffff", "a\U0001fffe", "a\ufdd0",
	} {
		if media.CheckNewName(bad) == "" {
			t.Errorf("%q is taken", bad)
		}
	}
}
