package media_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha1"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ankisyncd/ankisyncd/media"
	"github.com/ankisyncd/ankisyncd/sqlite"
)

const user = "alice"

var ctx = context.Background()

// large does not fit into one of the store's buffers.
var large = strings.Repeat("more than a buffer ", 5000)

// entry is one row of a zip: content "" is a deletion.
type entry struct{ name, data string }

func sha(s string) string {
	h := sha1.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

func makeZip(t testing.TB, method uint16, list ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	rows := [][2]any{}
	for i, e := range list {
		if e.data == "" {
			rows = append(rows, [2]any{e.name, nil})
			continue
		}
		key := strconv.Itoa(i)
		rows = append(rows, [2]any{e.name, key})
		addMember(t, z, key, e.data, method)
	}
	meta, _ := json.Marshal(rows)
	addMember(t, z, "_meta", string(meta), method)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func addMember(t testing.TB, z *zip.Writer, name, data string, method uint16) {
	t.Helper()
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err == nil {
		_, err = io.WriteString(w, data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// inMemory is a zip as it mostly comes.
type inMemory struct {
	*bytes.Reader
	raw []byte
}

func (m inMemory) Bytes() []byte { return m.raw }

func apply(s *media.Store, raw []byte) (int, int32, error) {
	return s.ApplyZip(ctx, user, inMemory{bytes.NewReader(raw), raw}, int64(len(raw)))
}

func mustApply(t testing.TB, s *media.Store, list ...entry) int32 {
	t.Helper()
	n, usn, err := apply(s, makeZip(t, zip.Store, list...))
	if err != nil || n != len(list) {
		t.Fatalf("apply: processed %d of %d, %v", n, len(list), err)
	}
	return usn
}

func newStore(t testing.TB, o media.Options) (*media.Store, string) {
	t.Helper()
	root := t.TempDir()
	s := media.Open(root, o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, root
}

// files reads the media folder; "" stands for an empty one.
func files(t testing.TB, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	list, err := os.ReadDir(folder)
	if os.IsNotExist(err) {
		return out
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(folder, d.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[d.Name()] = string(b)
	}
	return out
}

// rows lists all changes since 0, page by page as a client does.
func rows(t testing.TB, s *media.Store, name string) []media.Change {
	t.Helper()
	var all []media.Change
	var last int32
	for {
		page, err := s.Changes(ctx, name, last, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		last = page[len(page)-1].USN
	}
}

// alive is name to checksum of what is not deleted.
func alive(list []media.Change) map[string]string {
	out := map[string]string{}
	for _, c := range list {
		if c.Sum != "" {
			out[c.Name] = c.Sum
		}
	}
	return out
}

// agree checks that folder and database say the same, and that nothing is
// left in the staging folder.
func agree(t testing.TB, s *media.Store, folder string) {
	t.Helper()
	want := alive(rows(t, s, user))
	got := files(t, folder)
	for n, data := range got {
		if want[n] != sha(data) {
			t.Errorf("%s on disk has %s, the database says %q", n, sha(data), want[n])
		}
	}
	for n := range want {
		if _, ok := got[n]; !ok {
			t.Errorf("%s is in the database only", n)
		}
	}
	if ok, err := s.Sanity(ctx, user, len(want)); !ok || err != nil {
		t.Errorf("sanity of %d files: %v %v", len(want), ok, err)
	}
	left, _ := os.ReadDir(filepath.Join(folder, media.StagingDir))
	for _, d := range left {
		// A note that says nothing is kept for the next batch.
		if b, err := os.ReadFile(filepath.Join(folder, media.StagingDir, d.Name())); err == nil && !strings.HasPrefix(string(b), "[]\n") {
			t.Errorf("%s is left in the staging folder: %.40q", d.Name(), b)
		}
	}
}

func download(t testing.TB, s *media.Store, name string, names ...string) map[string]string {
	t.Helper()
	d, err := s.PrepareZip(ctx, name, names)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var buf bytes.Buffer
	n, err := d.WriteTo(&buf)
	if err != nil || n != d.Size() || int64(buf.Len()) != n {
		t.Fatalf("wrote %d of %d bytes (%d arrived): %v", n, d.Size(), buf.Len(), err)
	}
	return unzip(t, buf.Bytes())
}

func unzip(t testing.TB, raw []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for _, f := range z.File {
		if f.Method != zip.Store || f.Flags&8 != 0 {
			t.Errorf("member %s: method %d, flags %#x", f.Name, f.Method, f.Flags)
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		data[f.Name] = string(b)
	}
	var listing map[string]string
	if err := json.Unmarshal([]byte(data["_meta"]), &listing); err != nil {
		t.Fatal(err)
	}
	if len(listing) != len(data)-1 {
		t.Errorf("listing of %d, %d members", len(listing), len(data)-1)
	}
	out := map[string]string{}
	for key, n := range listing {
		out[n] = data[key]
	}
	return out
}

// sqlOn runs statements on a database nobody has open, as another server would.
func sqlOn(t testing.TB, path string, stmts ...string) {
	t.Helper()
	db, err := sqlite.Open(ctx, path, sqlite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range stmts {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func query(t testing.TB, path, q string) string {
	t.Helper()
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for r.Next() {
		var v sql.NullString
		if err := r.Scan(&v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v.String)
	}
	return strings.Join(out, "\n")
}

func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// nil2 stands for a test where there is none: the helpers only use it to fail.
var nil2 = &noTest{}

type noTest struct{ testing.TB }

func (*noTest) Helper()           {}
func (*noTest) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (*noTest) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
