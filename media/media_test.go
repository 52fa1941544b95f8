package media_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

func TestRoundTrip(t *testing.T) {
	s, root := newStore(t, media.Options{})
	folder := filepath.Join(root, user, "collection.media")
	if usn := mustApply(t, s, entry{"a.txt", "hello"}, entry{"ü漢 b.mp3", "\x00\x01"}, entry{"with 'quote' & <x>.png", "png"}); usn != 3 {
		t.Error(usn)
	}
	agree(t, s, folder)
	got := download(t, s, user, "ü漢 b.mp3", "a.txt", "with 'quote' & <x>.png")
	if d := cmp.Diff(map[string]string{"a.txt": "hello", "ü漢 b.mp3": "\x00\x01", "with 'quote' & <x>.png": "png"}, got); d != "" {
		t.Error(d)
	}
	// Replace one, delete one, delete one that never was, repeat one: two usns.
	if usn := mustApply(t, s, entry{"a.txt", "changed"}, entry{"ü漢 b.mp3", ""}, entry{"never", ""}, entry{"with 'quote' & <x>.png", "png"}); usn != 5 {
		t.Error(usn)
	}
	agree(t, s, folder)
	want := []media.Change{{Name: "a.txt", USN: 4, Sum: sha("changed")}, {Name: "ü漢 b.mp3", USN: 5}}
	got2, err := s.Changes(ctx, user, 3, 0)
	if d := cmp.Diff(want, got2); d != "" || err != nil {
		t.Error(d, err)
	}
	if ok, _ := s.Sanity(ctx, user, 3); ok {
		t.Error("a wrong count is sane")
	}
	if l, err := s.Changes(ctx, user, 5, 0); len(l) != 0 || err != nil {
		t.Error(l, err)
	}
	st, err := s.Stats(ctx, user)
	if st.Files != 2 || st.Bytes != int64(len("changed")+len("png")) || err != nil {
		t.Error(st, err)
	}
	if err := s.Evict(user); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, media.StagingDir)); err == nil {
		t.Error("the staging folder stays when nobody works")
	}
	// The Python servers' form.
	db := filepath.Join(root, user, "collection.media.server.db")
	if got := query(t, db, `SELECT fname || ' ' || usn || ' ' || coalesce(csum, 'null') FROM media ORDER BY usn`); got !=
		"with 'quote' & <x>.png 3 "+sha("png")+"\na.txt 4 "+sha("changed")+"\nü漢 b.mp3 5 null" {
		t.Error(got)
	}
}

// TestOneZip applies rows about one name in order; the last one counts.
func TestOneZip(t *testing.T) {
	for _, c := range []struct {
		name string
		list []entry
		usn  int32
		want map[string]string
	}{
		{"add twice", []entry{{"x", "1"}, {"x", "2"}}, 3, map[string]string{"x": "2", "old": "old"}},
		{"add and delete", []entry{{"x", "1"}, {"x", ""}}, 3, map[string]string{"old": "old"}},
		{"delete and add", []entry{{"old", ""}, {"old", "new"}}, 3, map[string]string{"old": "new"}},
		{"delete and add the same", []entry{{"old", ""}, {"old", "old"}}, 3, map[string]string{"old": "old"}},
		{"same twice", []entry{{"x", "1"}, {"x", "1"}}, 2, map[string]string{"x": "1", "old": "old"}},
		{"change and change back", []entry{{"old", "1"}, {"old", "old"}}, 3, map[string]string{"old": "old"}},
		{"rename", []entry{{"old", ""}, {"new", "old"}}, 3, map[string]string{"new": "old"}},
		{"nothing", []entry{{"old", "old"}, {"x", ""}}, 1, map[string]string{"old": "old"}},
	} {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			t.Run(c.name, func(t *testing.T) {
				s, root := newStore(t, media.Options{})
				mustApply(t, s, entry{"old", "old"})
				n, usn, err := apply(s, makeZip(t, method, c.list...))
				if n != len(c.list) || usn != c.usn || err != nil {
					t.Errorf("%d rows, usn %d, %v; want usn %d", n, usn, err, c.usn)
				}
				folder := filepath.Join(root, user, "collection.media")
				if d := cmp.Diff(c.want, files(t, folder)); d != "" {
					t.Error(d)
				}
				agree(t, s, folder)
			})
		}
	}
}

func TestGoodNames(t *testing.T) {
	s, root := newStore(t, media.Options{})
	names := []string{"with space.txt", "ümläut.mp3", "漢字.png", "quote'apos.txt", "a&b=c+d%20.txt", "emoji 😀.gif", ".hidden", "no_extension", "UPPER.TXT", "upper.txt",
		"semi;colon,comma.txt", "(x){y}!.txt", "_meta", "0", "trailing.dots..txt", strings.Repeat("x", 255), "$dollar~tilde`.txt", "..a", "a..", "<>:\"|?*[]^", "tab\tnewline\n", "CON", "collection.anki2", "ankisyncd-0123456789abcdef.png"}
	var list []entry
	for i, n := range names {
		list = append(list, entry{n, fmt.Sprintf("content %d", i)})
	}
	mustApply(t, s, list...)
	got := download(t, s, user, names...)
	for _, e := range list {
		if got[e.name] != e.data {
			t.Errorf("%q is %q", e.name, got[e.name])
		}
	}
	if runtime.GOOS == "linux" {
		if d := files(t, filepath.Join(root, user, "collection.media")); d["<>:\"|?*[]^"] == "" {
			t.Error("not stored under its own name")
		}
	}
}

// TestRefused sends what must be refused, each beside a good row, and checks
// that nothing of it stays.
func TestRefused(t *testing.T) {
	ok := entry{"fine.txt", "fine"}
	many := func(n int, data string) (l []entry) {
		for i := range n {
			l = append(l, entry{fmt.Sprintf("f%d", i), data})
		}
		return l
	}
	listing := func(meta string, members ...string) []byte {
		var buf bytes.Buffer
		z := zip.NewWriter(&buf)
		for _, m := range members {
			addMember(t, z, m, "data", zip.Store)
		}
		addMember(t, z, "_meta", meta, zip.Store)
		_ = z.Close()
		return buf.Bytes()
	}
	bad := map[string][]byte{
		"empty": {0}, "nothing": {}, "no zip": []byte("PK nothing"),
		"not JSON": listing(`{`), "object": listing(`{"a":"0"}`), "null": listing(`null`), "null row": listing(`[null]`), "number": listing(`[["a",0]]`, "0"),
		"null name": listing(`[[null,"0"]]`, "0"), "single": listing(`[["a"]]`), "triple": listing(`[["a","0",null]]`, "0"), "not UTF-8": listing("[[\"a\xff\",null]]"),
		"missing member": listing(`[["fine.txt","0"],["b","7"]]`, "0"), "two members": listing(`[["a","0"]]`, "0", "0"), "two listings": listing(`[]`, "_meta"),
		"26 files": makeZip(t, zip.Store, many(26, "x")...), "26 deletions": makeZip(t, zip.Store, many(26, "")...),
		"large listing": listing("[" + strings.Repeat(" ", 51<<10) + "]"),
		"cut":           makeZip(t, zip.Store, entry{"a", strings.Repeat("x", 1000)})[:1000],
		"too large":     makeZip(t, zip.Deflate, ok, entry{"big", strings.Repeat("x", 1<<20+1)}),
		"too much":      makeZip(t, zip.Deflate, many(25, strings.Repeat("x", 1<<20))...),
		"zero bytes":    listing(`[["fine.txt","0"],["zero","1"]]`, "0", "1"),
	}
	zero := bytes.NewBuffer(nil)
	z := zip.NewWriter(zero)
	addMember(t, z, "0", "x", zip.Store)
	addMember(t, z, "1", "", zip.Store)
	addMember(t, z, "_meta", `[["fine.txt","0"],["zero","1"]]`, zip.Store)
	_ = z.Close()
	bad["zero bytes"] = zero.Bytes()
	for _, n := range []string{"", ".", "..", "../escape.txt", "a/b.txt", "/absolute.txt", "a\\b", "nul\x00byte", strings.Repeat("x", 256), strings.Repeat("é", 200), "cafe\u0301.txt", "sub/../../escape", media.StagingDir, strings.ToUpper(media.StagingDir)} {
		bad[fmt.Sprintf("name %.20q", n)] = makeZip(t, zip.Store, ok, entry{n, "evil"})
		bad[fmt.Sprintf("deleted name %.20q", n)] = makeZip(t, zip.Store, ok, entry{n, ""})
	}
	crc := makeZip(t, zip.Store, ok, entry{"b", "bbbbbbbbbbbbbbbb"})
	bad["damaged content"] = bytes.Replace(crc, []byte("bbbbbbbbbbbbbbbb"), []byte("bbbbbbbbXbbbbbbb"), 1)
	bad["lying size"] = lieAboutSize(t)
	bad["no checksum"] = withoutChecksum(t, "small")
	bad["no checksum, large"] = withoutChecksum(t, large)

	s, root := newStore(t, media.Options{MaxFileBytes: 1 << 20})
	mustApply(t, s, entry{"kept", "kept"}, entry{"b", "b"})
	folder := filepath.Join(root, user, "collection.media")
	for what, raw := range bad {
		n, usn, err := apply(s, raw)
		if !errors.Is(err, media.ErrBadRequest) || n != 0 || usn != 0 {
			t.Errorf("%s: %d %d %v", what, n, usn, err)
		}
		if d := cmp.Diff(map[string]string{"kept": "kept", "b": "b"}, files(t, folder)); d != "" {
			t.Error(what, d)
		}
		agree(t, s, folder)
		if usn, _ := s.LastUSN(ctx, user); usn != 2 {
			t.Errorf("%s: usn %d", what, usn)
		}
	}
}

// withoutChecksum makes a zip whose deflated member declares the checksum 0,
// which zip readers take for one that nobody has reckoned.
func withoutChecksum(t *testing.T, content string) []byte {
	t.Helper()
	var packed, buf bytes.Buffer
	c, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		_, err = io.WriteString(c, content)
	}
	if err = errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(&buf)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "0", Method: zip.Deflate, CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(len(content))})
	if err == nil {
		_, err = w.Write(packed.Bytes())
	}
	if err != nil {
		t.Fatal(err)
	}
	addMember(t, z, "_meta", `[["fine.txt","0"]]`, zip.Store)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// lieAboutSize makes a zip whose deflated member is larger than it declares.
func lieAboutSize(t *testing.T) []byte {
	raw := makeZip(t, zip.Deflate, entry{"bomb", strings.Repeat("x", 900<<10)})
	size := []byte{0, 0x10, 0x0e, 0} // 900 KiB, little endian
	if bytes.Count(raw, size) == 0 {
		t.Fatal("size not found")
	}
	return bytes.ReplaceAll(raw, size, []byte{1, 0, 0, 0})
}

func TestUserNames(t *testing.T) {
	s, _ := newStore(t, media.Options{})
	for _, u := range []string{"", ".", "..", "a/b", "../x", "a\x00"} {
		if _, err := s.LastUSN(ctx, u); !errors.Is(err, media.ErrUser) {
			t.Errorf("%q: %v", u, err)
		}
		if _, _, err := s.ApplyZip(ctx, u, bytes.NewReader(makeZip(t, 0, entry{"a", "a"})), 200); err == nil {
			t.Errorf("%q was used", u)
		}
	}
}

func TestDownload(t *testing.T) {
	s, _ := newStore(t, media.Options{})
	var names []string
	for i := range 6 {
		n := fmt.Sprintf("big%d", i)
		names = append(names, n)
		mustApply(t, s, entry{n, strings.Repeat(fmt.Sprint(i), 1<<20)})
	}
	if got := download(t, s, user, names...); len(got) != 3 || len(got["big2"]) != 1<<20 {
		t.Errorf("%d files", len(got))
	}
	if got := download(t, s, user); len(got) != 0 {
		t.Error(got)
	}
	if _, err := s.PrepareZip(ctx, user, make([]string, 26)); !errors.Is(err, media.ErrBadRequest) {
		t.Error(err)
	}
	for _, n := range []string{"never", "", ".", "..", "../collection.media.server.db", "/etc/passwd", "a\x00", media.StagingDir} {
		for _, u := range []string{user, "nobody"} {
			if d, err := s.PrepareZip(ctx, u, []string{n}); !errors.Is(err, media.ErrConflict) {
				t.Error(n, d, err)
			}
		}
	}
	var buf bytes.Buffer
	if err := s.WriteZip(ctx, user, []string{"big1"}, &buf); err != nil || len(unzip(t, buf.Bytes())) != 1 {
		t.Error(err)
	}
	// A file replaced in the middle of a download is sent as it was.
	d, err := s.PrepareZip(ctx, user, []string{"big1"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	mustApply(t, s, entry{"big1", "small"})
	buf.Reset()
	if _, err := d.WriteTo(&buf); err != nil || len(unzip(t, buf.Bytes())["big1"]) != 1<<20 {
		t.Error(err)
	}
}

// TestDamage damages files behind the store's back. No request for one may
// fail twice, no device may be told to delete its copy, and a device that
// still has it can put it back.
func TestDamage(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(path string) error
		stream bool // only the transfer notices
	}{
		{"removed", os.Remove, false},
		{"emptied", func(p string) error { return os.Truncate(p, 0) }, false},
		{"cut", func(p string) error { return os.Truncate(p, 5) }, false},
		{"same size", func(p string) error { return os.WriteFile(p, []byte("XXXXXXXXXXXXXX"), 0o600) }, false},
		{"a folder", func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, false},
		{"a link out", func(p string) error { return errors.Join(os.Remove(p), os.Symlink("/etc/hostname", p)) }, false},
		{"bit rot", func(p string) error {
			fi, err := os.Stat(p)
			return errors.Join(err, os.WriteFile(p, []byte("XXXXXXXXXXXXXX"), 0o600), os.Chtimes(p, time.Time{}, fi.ModTime()))
		}, true},
	} {
		for _, open := range []bool{true, false} {
			t.Run(fmt.Sprint(c.name, open), func(t *testing.T) {
				s, root := newStore(t, media.Options{})
				folder := filepath.Join(root, user, "collection.media")
				mustApply(t, s, entry{"x.txt", "fourteen bytes"}, entry{"y.txt", "good"}, entry{"z.txt", "good too"})
				if !open {
					_ = s.Evict(user)
				}
				if err := c.damage(filepath.Join(folder, "x.txt")); err != nil {
					t.Skip(err)
				}
				if c.stream {
					d, err := s.PrepareZip(ctx, user, []string{"x.txt"})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := d.WriteTo(&bytes.Buffer{}); err == nil {
						t.Error("damage not noticed")
					}
					_ = d.Close()
				}
				if _, err := s.PrepareZip(ctx, user, []string{"y.txt", "x.txt"}); !errors.Is(err, media.ErrConflict) {
					t.Fatal(err)
				}
				for _, r := range rows(t, s, user) {
					if r.Name == "x.txt" {
						t.Error("told of the lost file", r)
					}
				}
				if usn, _ := s.LastUSN(ctx, user); usn != 4 {
					t.Error("devices do not learn of it: usn", usn)
				}
				if l, _ := s.Changes(ctx, user, 3, 0); len(l) != 1 || l[0].USN != 4 || l[0].Sum == "" {
					t.Error(l)
				}
				if ok, _ := s.Sanity(ctx, user, 2); !ok {
					t.Error("not counted")
				}
				if usn := mustApply(t, s, entry{"x.txt", "fourteen bytes"}); usn != 5 {
					t.Error(usn)
				}
				if got := download(t, s, user, "x.txt", "y.txt", "z.txt"); got["x.txt"] != "fourteen bytes" || got["z.txt"] != "good too" {
					t.Error(got)
				}
			})
		}
	}
}

// TestHeal sends a file that the server lost without having noticed.
func TestHeal(t *testing.T) {
	s, root := newStore(t, media.Options{})
	folder := filepath.Join(root, user, "collection.media")
	mustApply(t, s, entry{"x", "content"})
	_ = os.Remove(filepath.Join(folder, "x"))
	if usn := mustApply(t, s, entry{"x", "content"}); usn != 1 {
		t.Error(usn)
	}
	agree(t, s, folder)
	_ = os.RemoveAll(folder)
	mustApply(t, s, entry{"y", "y"}, entry{"x", "content"})
	agree(t, s, folder)
	// Nothing left at all: the row and the counts go too.
	_ = os.RemoveAll(folder)
	for _, n := range []string{"x", "y"} {
		if _, err := s.PrepareZip(ctx, user, []string{n}); !errors.Is(err, media.ErrConflict) {
			t.Error(err)
		}
	}
	if ok, _ := s.Sanity(ctx, user, 0); !ok || len(rows(t, s, user)) != 0 {
		t.Error("not forgotten")
	}
}

// TestIgnoredCase stores names that differ in case only. On a file system that
// ignores case (set MEDIA_TEST_DIR to a folder on one) the second file must
// not take the first one's place.
func TestIgnoredCase(t *testing.T) {
	root := t.TempDir()
	if dir := os.Getenv("MEDIA_TEST_DIR"); dir != "" {
		var err error
		if root, err = os.MkdirTemp(dir, "media"); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(root)
	}
	s := media.Open(root, media.Options{})
	defer s.Close()
	mustApply(t, s, entry{"A.txt", "upper"}, entry{"b.txt", "lower b"}, entry{"B.txt", "upper B"})
	mustApply(t, s, entry{"a.txt", "lower"})
	want := map[string]string{"A.txt": "upper", "a.txt": "lower", "b.txt": "lower b", "B.txt": "upper B"}
	if d := cmp.Diff(want, download(t, s, user, "A.txt", "a.txt", "b.txt", "B.txt")); d != "" {
		t.Error(d)
	}
	mustApply(t, s, entry{"A.txt", ""}, entry{"a.txt", "lower again"}, entry{"B.txt", ""}, entry{"B.txt", "B again"})
	want = map[string]string{"a.txt": "lower again", "b.txt": "lower b", "B.txt": "B again"}
	if d := cmp.Diff(want, download(t, s, user, "a.txt", "b.txt", "B.txt")); d != "" {
		t.Error(d)
	}
	if n := len(files(t, filepath.Join(root, user, "collection.media"))); n != 3 {
		t.Errorf("%d files", n)
	}
}

// TestFolderInTheWay stores a file whose name a folder has.
func TestFolderInTheWay(t *testing.T) {
	s, root := newStore(t, media.Options{})
	folder := filepath.Join(root, user, "collection.media")
	_ = os.MkdirAll(filepath.Join(folder, "x.png", "sub"), 0o700)
	mustApply(t, s, entry{"x.png", "1"})
	mustApply(t, s, entry{"x.png", "2"}, entry{"y", "y"})
	if got := download(t, s, user, "x.png"); got["x.png"] != "2" {
		t.Error(got)
	}
	if got := files(t, folder)[media.EscapeName("x.png")]; got != "2" {
		t.Error(got)
	}
	mustApply(t, s, entry{"x.png", ""})
	if got := files(t, folder); len(got) != 1 {
		t.Error(got)
	}
}

func TestPutOpenDelete(t *testing.T) {
	s, _ := newStore(t, media.Options{MaxFileBytes: 10})
	if usn, err := s.Put(ctx, user, "a", strings.NewReader("content")); usn != 1 || err != nil {
		t.Error(usn, err)
	}
	if usn, err := s.Put(ctx, user, "a", strings.NewReader("content")); usn != 1 || err != nil {
		t.Error(usn, err)
	}
	for _, bad := range []string{"", strings.Repeat("x", 11)} {
		if _, err := s.Put(ctx, user, "b", strings.NewReader(bad)); !errors.Is(err, media.ErrBadRequest) {
			t.Error(err)
		}
	}
	f, err := s.OpenFile(ctx, user, "a")
	if err != nil || f.Sum != sha("content") || f.Size != 7 {
		t.Fatal(f, err)
	}
	_ = f.Close()
	if usn, err := s.Delete(ctx, user, "a"); usn != 2 || err != nil {
		t.Error(usn, err)
	}
	if _, err := s.OpenFile(ctx, user, "a"); !errors.Is(err, media.ErrConflict) {
		t.Error(err)
	}
	if _, err := s.OpenFile(ctx, "nobody", "a"); !errors.Is(err, media.ErrConflict) {
		t.Error(err)
	}
}

// TestChangesOnDisk replaces the database while it is not and while it is open.
func TestChangesOnDisk(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"a", "a"})
	_ = s.Evict(user)
	dir := filepath.Join(root, user)
	backup := t.TempDir()
	copyTree(t, dir, backup)
	mustApply(t, s, entry{"b", "b"})
	// Restore the backup under the open store.
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	copyTree(t, backup, dir)
	if usn, err := s.LastUSN(ctx, user); usn != 1 || err != nil {
		t.Error(usn, err)
	}
	mustApply(t, s, entry{"c", "c"})
	agree(t, s, filepath.Join(dir, "collection.media"))
}

func TestBusy(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"a", "a"})
	// Another process: its own connection cannot even look.
	if _, err := sqlite.Open(ctx, filepath.Join(root, user, "collection.media.server.db"), sqlite.Options{BusyTimeout: -1}); !sqlite.IsBusy(err) {
		t.Error("a second process could open it:", err)
	}
	other := media.Open(root, media.Options{BusyTimeout: time.Millisecond})
	defer other.Close()
	if _, err := other.LastUSN(ctx, user); !errors.Is(err, media.ErrBusy) {
		t.Error(err)
	}
	_ = s.Evict(user)
	if usn, err := other.LastUSN(ctx, user); usn != 1 || err != nil {
		t.Error(usn, err)
	}
}

func TestBounds(t *testing.T) { synctest.Test(t, testBounds) }

func testBounds(t *testing.T) {
	const idle = time.Minute
	s, _ := newStore(t, media.Options{MaxOpen: 3, IdleTimeout: idle})
	raw := makeZip(t, zip.Store, entry{"a", "a"})
	for i := range 8 {
		u := fmt.Sprint("user", i)
		if _, _, err := s.ApplyZip(ctx, u, bytes.NewReader(raw), int64(len(raw))); err != nil {
			t.Fatal(err)
		}
		if s.OpenCount() > 3 || !s.IsOpen(u) {
			t.Errorf("%d open", s.OpenCount())
		}
	}
	time.Sleep(idle - time.Nanosecond)
	synctest.Wait()
	if n := s.OpenCount(); n != 3 {
		t.Errorf("%d open before their time", n)
	}
	time.Sleep(idle)
	synctest.Wait()
	if n := s.OpenCount(); n != 0 {
		t.Errorf("%d stay open", n)
	}
	for i := range 8 {
		if usn, err := s.LastUSN(ctx, fmt.Sprint("user", i)); usn != 1 || err != nil {
			t.Error(usn, err)
		}
	}
	if n := s.OpenCount(); n != 0 {
		t.Errorf("asking for the usn opened %d", n)
	}
}

// TestClosedMeanwhile closes the store between staging and commit.
func TestClosedMeanwhile(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"a", "a"})
	s.SetHook(func(step string) error {
		if step == "staged" {
			return s.Close()
		}
		return nil
	})
	if _, _, err := apply(s, makeZip(t, zip.Store, entry{"b", "b"})); !errors.Is(err, media.ErrClosed) {
		t.Error(err)
	}
	again := media.Open(root, media.Options{})
	defer again.Close()
	agree(t, again, filepath.Join(root, user, "collection.media"))
}

// TestEvictedMeanwhile closes the database there; the zip is staged again.
func TestEvictedMeanwhile(t *testing.T) {
	s, root := newStore(t, media.Options{})
	first := true
	s.SetHook(func(step string) error {
		if step == "staged" && first {
			first = false
			return s.Evict(user)
		}
		return nil
	})
	mustApply(t, s, entry{"b", "b"})
	agree(t, s, filepath.Join(root, user, "collection.media"))
}

// TestAnotherMeanwhile has another device store the same names while a zip is
// being staged: what the database said before that counts no more.
func TestAnotherMeanwhile(t *testing.T) {
	s, root := newStore(t, media.Options{})
	mustApply(t, s, entry{"old", "old"})
	first := true
	s.SetHook(func(step string) error {
		if step == "staged" && first {
			first = false
			mustApply(t, s, entry{"old", ""}, entry{"new", "theirs"}, entry{"same", "same"}) // usns 2 to 4
		}
		return nil
	})
	if usn := mustApply(t, s, entry{"new", "ours"}, entry{"same", "same"}, entry{"old", ""}); usn != 5 {
		t.Errorf("usn %d, want one more than theirs for the one file that differs", usn)
	}
	agree(t, s, filepath.Join(root, user, "collection.media"))
	if ok, err := s.Sanity(ctx, user, 2); !ok || err != nil {
		t.Error("the count of files is wrong", err)
	}
}

// TestInPlace has things in the way of files with new names, before and while
// they are made.
func TestInPlace(t *testing.T) {
	list := []entry{{"a", "ours a"}, {"b", "ours b"}, {"c", "ours c"}, {"d", "ours d"}, {"e", "ours e"}, {"e", "ours, again"}, {"f", "ours f"}, {"f", ""}}
	want := map[string]string{"a": "ours a", "b": "ours b", "c": "ours c", "d": "ours d", "e": "ours, again"}
	for _, c := range []struct {
		name, step string
		f          func(s *media.Store, folder string) error
		usn        int32
	}{
		{name: "nothing", usn: 8},
		{"a file without a row", "mkdir", func(_ *media.Store, folder string) error {
			return errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "b"), []byte("put there by hand, and longer"), 0o600))
		}, 8},
		{"a link that leads out", "mkdir", func(_ *media.Store, folder string) error {
			return errors.Join(os.Mkdir(folder, 0o700), os.Symlink("../outside", filepath.Join(folder, "b")))
		}, 8},
		{"another device", "staged", func(s *media.Store, _ string) error {
			mustApply(t, s, entry{"a", "theirs a"}, entry{"b", "ours b"}, entry{"c", "theirs c"}, entry{"c", ""}, entry{"e", "theirs e"}, entry{"f", "theirs f"})
			return nil
		}, 6 + 7},
		{"another device first", "noted", func(s *media.Store, _ string) error {
			mustApply(t, s, entry{"a", "theirs a"}, entry{"b", "ours b"}, entry{"c", "theirs c"}, entry{"c", ""}, entry{"e", "theirs e"}, entry{"f", "theirs f"})
			return nil
		}, 6 + 7},
		{"another device fails", "staged", func(s *media.Store, _ string) error {
			raw := makeZip(t, zip.Store, entry{"a", "theirs a"}, entry{"b", "theirs b"}, entry{"x", "theirs x"}, entry{"y", "theirs y"}, entry{"z", "no"})
			copy(raw[bytes.Index(raw, []byte("no")):], "NO") // its checksum is wrong
			if _, _, err := apply(s, raw); !errors.Is(err, media.ErrBadRequest) {
				t.Error(err)
			}
			return nil
		}, 8},
		{"the database is closed", "staged", func(s *media.Store, _ string) error { return s.Evict(user) }, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, root := newStore(t, media.Options{})
			folder := filepath.Join(root, user, "collection.media")
			var once atomic.Bool
			var steps sync.Map
			s.SetHook(func(step string) error {
				steps.Store(step, true)
				if step == c.step && once.CompareAndSwap(false, true) {
					return c.f(s, folder)
				}
				return nil
			})
			usn := mustApply(t, s, list...)
			if usn != c.usn {
				t.Errorf("usn %d, want %d", usn, c.usn)
			}
			if _, ok := steps.Load("noted"); !ok && runtime.GOOS == "linux" {
				t.Error("nothing was made in place")
			}
			if c.step != "" && !once.Load() {
				t.Error("no step", c.step)
			}
			agree(t, s, folder)
			if d := cmp.Diff(want, files(t, folder)); d != "" {
				t.Error(d)
			}
			if _, err := os.Lstat(filepath.Join(folder, "..", "outside")); err == nil {
				t.Error("a file outside was written")
			}
		})
	}
}

func TestClosed(t *testing.T) {
	s, _ := newStore(t, media.Options{})
	mustApply(t, s, entry{"a", "a"})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Changes(ctx, user, 0, 0); !errors.Is(err, media.ErrClosed) {
		t.Error(err)
	}
}

// TestTogether has devices of several users send and fetch at once.
func TestTogether(t *testing.T) {
	s, root := newStore(t, media.Options{MaxOpen: 2, IdleTimeout: 5 * time.Millisecond})
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			u := fmt.Sprint("u", i%4)
			for k := range 8 {
				raw := makeZip(t, zip.Deflate, entry{fmt.Sprint(i, "-", k), "own"}, entry{"shared", fmt.Sprint(k % 2)}, entry{fmt.Sprint(i, "-", k-1), ""})
				if _, _, err := s.ApplyZip(ctx, u, bytes.NewReader(raw), int64(len(raw))); err != nil {
					t.Error(err)
				}
				if d, err := s.PrepareZip(ctx, u, []string{"shared"}); err != nil {
					t.Error(err)
				} else {
					_ = d.Close()
				}
			}
		})
	}
	wg.Wait()
	for i := range 4 {
		u := fmt.Sprint("u", i)
		got := files(t, filepath.Join(root, u, "collection.media"))
		want := alive(rows(t, s, u))
		if len(got) != 4 || len(want) != 4 {
			t.Errorf("%d files, %d rows", len(got), len(want))
		}
		for n, data := range got {
			if want[n] != sha(data) {
				t.Errorf("%s %s %s", u, n, data)
			}
		}
	}
}
