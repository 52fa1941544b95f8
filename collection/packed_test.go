package collection

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ankisyncd/ankisyncd/offheap"
)

// packedAs is what an upload was unpacked from.
func packedAs(t testing.TB, parts ...string) func() *offheap.Bytes {
	return func() *offheap.Bytes {
		p := offheap.New()
		for _, b := range parts {
			if err := p.Append([]byte(b)); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
}

// packedDownload is what a client that takes packed collections gets, "" if that
// is not packed.
func (r *rig) packedDownload(user string, o DownloadOptions) string {
	r.t.Helper()
	o.Packed = true
	d, err := r.s.Download(context.Background(), user, o)
	if err != nil {
		r.t.Fatal(err)
	}
	defer d.Close()
	if d.PackedSize() == 0 {
		return ""
	}
	if fi, err := os.Stat(r.file(user)); err != nil || fi.Size() != d.Size() {
		r.t.Error(fi, err, d.Size())
	}
	b, err := io.ReadAll(d)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// uploadPacked uploads b, and releases what it was unpacked from.
func (r *rig) uploadPacked(user string, b []byte, packed func() *offheap.Bytes) {
	r.t.Helper()
	var p *offheap.Bytes
	wanted := packed
	if packed != nil {
		wanted = func() *offheap.Bytes {
			p = packed()
			return p
		}
	}
	if err := r.s.UploadPacked(context.Background(), user, bytes.NewReader(b), wanted); err != nil {
		r.t.Fatal(err)
	}
	if p != nil {
		p.Release()
	}
}

func TestPackedCopy(t *testing.T) {
	settled := read(t, smallUpload(t))
	with := func(stmt string) []byte {
		path := smallUpload(t)
		change(t, path, stmt)
		return read(t, path)
	}
	for what, c := range map[string]struct {
		upload []byte
		change func(r *rig)
		want   string
	}{
		"untouched":    {upload: settled, want: "packed"},
		"looked at":    {upload: settled, change: func(r *rig) { r.meta(); r.start(4, false) }, want: "packed"},
		"closed":       {upload: settled, change: func(r *rig) { r.clock.add(time.Hour); r.s.sweep() }, want: "packed"},
		"unsent rows":  {upload: with(`UPDATE notes SET usn = -1`)},
		"no usn":       {upload: with(`UPDATE col SET usn = 0`)},
		"a trigger":    {upload: with(`CREATE TRIGGER x AFTER INSERT ON notes BEGIN SELECT 1; END`)},
		"no index":     {upload: with(`DROP INDEX ix_cards_usn`)},
		"a commit":     {upload: settled, change: func(r *rig) { r.must(r.commit(context.Background(), 5)) }},
		"folded":       {upload: settled, change: func(r *rig) { r.must(r.commit(context.Background(), 5)); r.clock.add(time.Hour); r.s.sweep() }},
		"refused next": {upload: settled, change: func(r *rig) { _ = r.s.Upload(context.Background(), testUser, bytes.NewReader(settled[:5000])) }},
		"replaced":     {upload: settled, change: func(r *rig) { r.must(r.s.Upload(context.Background(), testUser, bytes.NewReader(settled))) }},
		"by somebody else": {upload: settled, change: func(r *rig) {
			r.clock.add(time.Hour)
			r.s.sweep()
			change(r.t, r.file(testUser), `UPDATE col SET mod = mod + 1`)
		}},
	} {
		r := newRig(t, Options{})
		r.uploadPacked(testUser, c.upload, packedAs(t, "pack", "ed"))
		if c.change != nil {
			c.change(r)
		}
		if got := r.packedDownload(testUser, DownloadOptions{}); got != c.want {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
		if got := r.packedDownload(testUser, DownloadOptions{Schema11: true}); got != "" {
			t.Errorf("%s: schema 11 is %q", what, got)
		}
		r.download(testUser, DownloadOptions{}) // not packed, and whole
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestPackedCopiesAreBounded(t *testing.T) {
	r := newRig(t, Options{})
	b := read(t, smallUpload(t))
	half := string(make([]byte, MaxPacked/2))
	for _, user := range []string{"a", "b", "c"} {
		r.uploadPacked(user, b, packedAs(t, half))
	}
	for user, want := range map[string]bool{"a": false, "b": true, "c": true} {
		if got := r.packedDownload(user, DownloadOptions{}) != ""; got != want {
			t.Errorf("%s: kept: %v", user, got)
		}
	}
	r.uploadPacked("b", b, packedAs(t, "less"))
	r.uploadPacked("a", b, packedAs(t, half[1000:]))
	for user, want := range map[string]bool{"a": true, "b": true, "c": true} {
		if got := r.packedDownload(user, DownloadOptions{}) != ""; got != want {
			t.Errorf("%s: kept: %v", user, got)
		}
	}
	r.uploadPacked("e", b, packedAs(t))
	r.uploadPacked("f", b, nil)
	for _, user := range []string{"e", "f"} {
		if r.packedDownload(user, DownloadOptions{}) != "" {
			t.Errorf("%s is kept", user)
		}
	}
	if err := r.s.UploadPacked(context.Background(), "a", bytes.NewReader(nil), packedAs(t, "x")); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	for _, k := range r.s.packed.all {
		if !k.ends.Stop() {
			t.Error("what is kept has no end")
		}
	}
}

// TestPackedIsTooMuch: what is larger than all that is kept together is stored all
// the same.
func TestPackedIsTooMuch(t *testing.T) {
	r := newRig(t, Options{})
	big := offheap.New()
	r.must(big.Append(make([]byte, MaxPacked+1)))
	r.uploadPacked(testUser, read(t, smallUpload(t)), func() *offheap.Bytes { return big })
	if r.packedDownload(testUser, DownloadOptions{}) != "" {
		t.Error("too much is kept")
	}
}

// packedPiece is the unit in which offheap takes memory.
const packedPiece = 256 << 10

// TestPackedIsGivenBack: nothing is mapped in the end, and nothing that somebody
// reads is given back before.
func TestPackedIsGivenBack(t *testing.T) {
	before := offheap.InUse()
	r := newRig(t, Options{})
	b := read(t, smallUpload(t))
	want := strings.Repeat("0123456789", packedPiece/4)
	upload := func(user string) {
		t.Helper()
		p := offheap.New()
		for from := 0; from < len(want); from += 1000 {
			r.must(p.Append([]byte(want[from:min(from+1000, len(want))])))
		}
		r.uploadPacked(user, b, func() *offheap.Bytes { return p })
	}
	upload("a")
	d, err := r.s.Download(context.Background(), "a", DownloadOptions{Packed: true})
	r.must(err)
	half := make([]byte, len(want)/2)
	_, err = io.ReadFull(d, half)
	r.must(err)
	upload("a") // the one that is read is kept no more
	var rest strings.Builder
	_, err = io.Copy(&rest, d)
	if got := string(half) + rest.String(); err != nil || got != want {
		t.Errorf("%d of %d bytes, %v", len(got), len(want), err)
	}
	if n := offheap.InUse() - before; n != 6*packedPiece {
		t.Errorf("%d bytes are mapped", n)
	}
	r.must(d.Close())
	r.must(d.Close())
	if _, err := d.Read(half); !errors.Is(err, fs.ErrClosed) {
		t.Error("read after its end: ", err)
	}
	if n := offheap.InUse() - before; n != 3*packedPiece {
		t.Errorf("%d bytes are mapped", n)
	}
	upload("b")
	r.s.packed.forgetAll() // as time does
	upload("c")
	r.must(r.s.Close())
	if n := offheap.InUse() - before; n != 0 {
		t.Errorf("%d bytes stay mapped", n)
	}
}

// TestUploadIsStoredAsItCame: not even the switch to a WAL takes a transaction,
// which would be four more fsyncs.
func TestUploadIsStoredAsItCame(t *testing.T) {
	r := newRig(t, Options{})
	want := read(t, smallUpload(t))
	r.uploadPacked(testUser, want, nil)
	got := read(t, r.file(testUser))
	for _, at := range []int{headerWriteVersion, headerReadVersion} {
		want[at] = walVersion
	}
	if !bytes.Equal(got, want) {
		t.Errorf("stored: change counter %v, was %v", got[headerCounter:headerCounter+4], want[headerCounter:headerCounter+4])
	}
}
